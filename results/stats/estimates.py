"""One entrant's mean, or the difference of two, with interval and p."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from results.stats.arrays import Floats
from results.stats.resampling import jackknife_variance

MIN_SEEDS = 3
"""For an interval, a comparison or a tier; as many searches or splits, where they are the units."""
BOOTSTRAP_SEEDS = 10
"""From here on the hierarchical bootstrap; of searches, where they are the units."""
SURE_SEEDS = 5
"""With fewer, intervals miss trainings that end in two ways (tests/results/test_coverage.py)."""
MAX_UNDEFINED = 0.05
"""The largest share of bootstrap draws in which the metric may be undefined."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """A mean over seeds (searches, splits), or the difference of two, with its uncertainty."""

    value: float
    low: float = math.nan
    high: float = math.nan
    """Ends of the interval; NaN where there is none."""
    p: float = math.nan
    """Two-sided, of a value of zero: of use for differences."""
    seed_variance: float = math.nan
    """Of the value, by seeds: s^2 / n, of both entrants for a difference."""
    patient_variance: float = math.nan
    """Of the value, by patients."""
    search_variance: float = math.nan
    """Of the value, by what searches differ beyond their seeds; NaN where there is one search."""
    split_variance: float = math.nan
    """Of the value, by what splits differ beyond all that; NaN where there is one split."""
    variance: float = math.nan
    """Of the value, in all: its standard error squared. With several searches or splits the parts
    are estimates each for itself, and need not add up to it."""
    degrees: float = math.nan
    """Degrees of freedom of the t method, or that a bootstrap's interval was widened for."""
    blocks: int = 0
    """Of patients that were left out or resampled; 0 where none were."""
    method: Literal["t", "bootstrap", "none"] = "none"
    why: str = ""
    """Why there is no interval."""

    @property
    def testable(self) -> bool:
        """Whether seeds and patients were enough to compare it with another."""
        return math.isfinite(self.p)


def t_estimate(scores: Floats, left_out: Floats, *, confidence: float = 0.95) -> Estimate:
    """Mean and t interval of one entrant.

    scores: (seeds,) on the whole test set. left_out: (blocks,), the seeds' mean without each
    block.
    """
    if why := no_mean(scores):
        return Estimate(value=float(np.mean(scores)) if len(scores) else math.nan, why=why)
    return welch(float(scores.mean()), [scores], left_out, confidence=confidence)


def t_difference(
    first: Floats, second: Floats, left_out: Floats, *, confidence: float = 0.95
) -> Estimate:
    """Difference of two entrants' means, first - second, with interval and p.

    first, second: (seeds,) each, independent. left_out: (blocks,), the difference of the seeds'
    means without each block: patients are the same for both.
    """
    if why := no_mean(first) or no_mean(second):
        both = len(first) and len(second)
        value = float(first.mean() - second.mean()) if both else math.nan
        return Estimate(value=value, why=why)
    value = float(first.mean() - second.mean())
    return welch(value, [first, second], left_out, confidence=confidence)


def no_mean(scores: Floats, *, unit: str = "seeds") -> str:
    """Why these scores, one a unit, bear no interval; empty where they do."""
    if len(scores) < MIN_SEEDS:
        return f"{len(scores)} of at least {MIN_SEEDS} {unit}"
    if undefined := int(np.sum(~np.isfinite(scores))):
        return f"the metric is undefined for {undefined} of {len(scores)} {unit}"
    return ""


def welch(
    value: float,
    samples: Sequence[Floats],
    left_out: Floats,
    *,
    confidence: float,
    unit: str = "seeds",
) -> Estimate:
    """The t interval of a value whose variance is the units' and the patients'.

    samples: of each entrant, (units,), independent and all defined. left_out: (blocks,), of the
    value. The units' part of the variance is given as `seed_variance`.
    """
    from scipy import special

    parts = [(float(s.var(ddof=1)) / len(s), len(s) - 1) for s in samples]
    by_seed = sum(variance for variance, _ in parts)
    by_patient = jackknife_variance(left_out)
    if not math.isfinite(by_patient):
        return Estimate(value=value, seed_variance=by_seed, why=_no_patients(left_out))
    parts.append((by_patient, len(left_out) - 1))
    square = by_seed + by_patient
    if is_rounding(square, value):
        return Estimate(
            value=value,
            p=constant_p(value, len(left_out)),
            seed_variance=0.0,
            patient_variance=0.0,
            variance=0.0,
            blocks=len(left_out),
            why=f"neither {unit} nor patients vary: nothing to estimate an interval from",
        )
    degrees = square**2 / sum(variance**2 / freedom for variance, freedom in parts)
    error = math.sqrt(square)
    reach = float(special.stdtrit(degrees, (1 + confidence) / 2)) * error
    return Estimate(
        value=value,
        low=value - reach,
        high=value + reach,
        p=float(2 * special.stdtr(degrees, -abs(value) / error)),
        seed_variance=by_seed,
        patient_variance=by_patient,
        variance=square,
        degrees=degrees,
        blocks=len(left_out),
        method="t",
    )


def is_rounding(square: float, value: float) -> bool:
    """Whether a variance is zero but for the rounding of the arithmetic."""
    return square <= (1e-12 * max(1.0, abs(value))) ** 2


def _no_patients(left_out: Floats) -> str:
    if len(left_out) < 2:
        return "the test set must hold two or more patients"
    return "the metric is undefined when a patient is left out"


def constant_p(value: float, blocks: int) -> float:
    """Two-sided p of a value that neither units nor patients change.

    A sign test over patients: each of them says the same, by chance with 2 * 0.5 ** blocks.
    """
    return 1.0 if abs(value) <= 1e-12 else min(1.0, 2 * 0.5**blocks)


def bootstrap_estimate(
    value: float,
    draws: Floats,
    *,
    blocks: int,
    seed_variance: float,
    patient_variance: float,
    search_variance: float = math.nan,
    degrees: float = math.inf,
    confidence: float = 0.95,
) -> Estimate:
    """Percentile interval and two-sided p from bootstrap draws of a mean or of a difference.

    draws: (draws,), of patients in `blocks` blocks. Up to 5 % undefined draws are left out; with
    more there is no interval. degrees: of the two variances together, as the t method has them;
    the interval is widened for them (`expanded`), and so is the p. With infinite degrees it is the
    plain percentile interval, and p is twice the smaller share of draws on either side of zero,
    never 0 (Davison & Hinkley 1997, eq. 4.11).
    """
    finite = draws[np.isfinite(draws)]
    bare = Estimate(
        value=value,
        seed_variance=seed_variance,
        patient_variance=patient_variance,
        search_variance=search_variance,
        variance=float(finite.var()) if len(finite) else math.nan,
        degrees=degrees,
        blocks=blocks,
    )
    if not math.isfinite(value):
        return replace(bare, why="the metric is undefined for a seed")
    if not len(draws) or len(finite) < (1 - MAX_UNDEFINED) * len(draws):
        why = "the metric is undefined for too many resamples of the patients"
        return replace(bare, why=why)
    if is_rounding(float(finite.var()), value):
        why = "neither seeds nor patients vary: nothing to estimate an interval from"
        return replace(bare, p=constant_p(value, blocks), why=why)
    tail = expanded((1 - confidence) / 2, degrees)
    low, high = np.quantile(finite, [tail, 1 - tail])
    return replace(
        bare,
        low=float(low),
        high=float(high),
        p=_bootstrap_p(value, finite, degrees),
        method="bootstrap",
    )


def expanded(tail: float, degrees: float) -> float:
    """The share of draws to leave out in a tail so that `tail` of the probability is left out.

    tail: in (0, 0.5]. degrees: above 0, infinity allowed: then it is `tail` itself. Draws of a
    mean are about normal, while a mean of few seeds and patients, in units of its estimated
    error, follows a t distribution: a percentile interval is too narrow by the ratio of the two
    quantiles. Returns the normal probability of the t quantile. Source: the expanded percentile
    interval, Hesterberg 2015 (arXiv:1411.5279); its other factor, sqrt(n / (n - 1)), is not
    needed, because one fewer is drawn than there are (McCarthy & Snowden 1985). A share below
    1 / draws is beyond what the draws can show.
    """
    from scipy import special

    assert 0 < tail <= 0.5 and degrees > 0, (tail, degrees)
    return tail if math.isinf(degrees) else float(special.ndtr(special.stdtrit(degrees, tail)))


def contracted(share: float, degrees: float) -> float:
    """The one-sided probability beyond a bound that leaves out this share of draws.

    The inverse of `expanded`: 1 / (draws + 1) becomes the least p that so many draws can tell.
    """
    from scipy import special

    assert 0 < share <= 0.5 and degrees > 0, (share, degrees)
    return share if math.isinf(degrees) else float(special.stdtr(degrees, special.ndtri(share)))


def _bootstrap_p(value: float, draws: Floats, degrees: float) -> float:
    """Two-sided p of zero: the p at which the (expanded) percentile interval begins to hold it.

    With few degrees, the least p that the draws can tell would be too large for a family of tests:
    where no draw reaches zero, the value over the draws' standard deviation says how far it is.
    """
    from scipy import special

    sides = min(int(np.sum(draws <= 0)), int(np.sum(draws >= 0)))
    p = contracted(min(0.5, (sides + 1) / (len(draws) + 1)), degrees)
    if not sides and math.isfinite(degrees):
        p = min(p, float(special.stdtr(degrees, -abs(value) / float(draws.std()))))
    return 2 * p
