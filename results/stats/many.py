"""Many tests at once, and the tiers that they make; and the interval of a share."""

from __future__ import annotations

import math

import numpy as np

from results.stats.arrays import Bools, Floats, Ints


def wilson(share: float, cases: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """The score interval of a share of independent cases. Source: Wilson 1927.

    share: in [0, 1]. cases: at least 1.
    """
    from scipy import special

    z = float(special.ndtri((1 + confidence) / 2))
    middle = share + z**2 / (2 * cases)
    reach = z * math.sqrt(share * (1 - share) / cases + z**2 / (4 * cases**2))
    scale = 1 + z**2 / cases
    return max(0.0, (middle - reach) / scale), min(1.0, (middle + reach) / scale)


def holm(p: Floats) -> Floats:
    """p values adjusted for all of them: (tests,) to (tests,). NaN stays NaN and is not counted.

    Source: Holm 1979.
    """
    adjusted = np.full(p.shape, math.nan)
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known], kind="stable")]
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return adjusted


def tiers(better: Bools) -> Ints:
    """Tier of each entrant: 1 + the number of entrants significantly better than it.

    better: (entrants, entrants), [i, j] whether i is significantly better than j.
    """
    return np.asarray(1 + better.sum(axis=0), dtype=np.int64)
