"""Resampling patients and seeds."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from results.stats.arrays import Floats, Ints


def blocks_of(groups: int, *, limit: int, rng: np.random.Generator) -> Ints:
    """The block of each group: (groups,), values in [0, min(groups, limit)).

    Blocks differ by one group at most; where there are more groups than blocks they are dealt out
    at random.
    """
    dealt = np.arange(groups, dtype=np.int64) % min(groups, limit)
    return rng.permutation(dealt) if groups > limit else dealt


def leave_one_out(blocks: int) -> Floats:
    """Weights (blocks, blocks) that leave out one block each: row b is 0 at b, 1 elsewhere."""
    return 1.0 - np.eye(blocks)


def jackknife_variance(left_out: Floats) -> float:
    """Variance of an estimate from its values without each block.

    left_out: (blocks,). Returns (b - 1) / b * sum((x - mean)^2); NaN for fewer than two blocks or
    where a value is undefined. Source: Efron & Tibshirani 1993, eq. 11.5.
    """
    count = len(left_out)
    if count < 2:
        return math.nan
    return float((count - 1) / count * np.sum((left_out - left_out.mean()) ** 2))


def patient_draws(blocks: int, draws: int, rng: np.random.Generator) -> Iterator[Floats]:
    """Weights for resampled patients in portions (up to 1,000, blocks); `draws` rows in all.

    A row says how often each block was drawn; `blocks` - 1 are, with replacement.
    """
    for begin in range(0, draws, 1000):
        size = min(1000, draws - begin)
        yield rng.multinomial(blocks - 1, np.full(blocks, 1 / blocks), size=size).astype(float)


def seed_means(scores: Floats, rng: np.random.Generator) -> Floats:
    """The mean over resampled seeds in each draw.

    scores: (draws, seeds), each row under one draw of patients. In each row `seeds` - 1 are drawn
    with replacement. Returns (draws,).
    """
    draws, seeds = scores.shape
    chosen = rng.integers(seeds, size=(draws, seeds - 1))
    return np.asarray(np.take_along_axis(scores, chosen, axis=1).mean(axis=1), dtype=float)
