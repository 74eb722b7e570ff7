"""Intervals, comparisons and tiers: pure functions of arrays.

Two things vary when an experiment is repeated: the seed of a training and the patients of the test
set. A mean over seeds therefore has two components of variance,

    SE^2 = s^2 / n  +  V,

s^2 the variance between the n seeds on this test set, V the variance of the seeds' mean between
test sets, by a delete-one-block jackknife over patients (blocks are patients, or random groups of
them where there are many). Both terms hold the interaction of seeds and patients, divided by n:
the sum errs to the safe side. Degrees of freedom: Welch 1947, Satterthwaite 1946. From ten seeds
on, a bootstrap draws patients jointly for all entrants and seeds independently for each; it draws
one fewer than there are, so that its variance is unbiased (McCarthy & Snowden 1985).

Scores are in the metric's own unit; NaN is an undefined metric, and makes undefined what needs it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

MIN_SEEDS = 3
"""For an interval, a comparison or a tier."""
BOOTSTRAP_SEEDS = 10
"""From here on the hierarchical bootstrap."""
MAX_UNDEFINED = 0.05
"""The largest share of bootstrap draws in which the metric may be undefined."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """A mean over seeds, or the difference of two, with its uncertainty."""

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
    degrees: float = math.nan
    """Degrees of freedom; NaN for the bootstrap."""
    method: Literal["t", "bootstrap", "none"] = "none"
    why: str = ""
    """Why there is no interval."""

    @property
    def testable(self) -> bool:
        """Whether seeds and patients were enough to compare it with another."""
        return math.isfinite(self.p)


# --- Resampling patients --------------------------------------------------------------------


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


# --- One entrant, two entrants --------------------------------------------------------------


def t_estimate(scores: Floats, left_out: Floats, *, confidence: float = 0.95) -> Estimate:
    """Mean and t interval of one entrant.

    scores: (seeds,) on the whole test set. left_out: (blocks,), the seeds' mean without each
    block.
    """
    if why := _no_mean(scores):
        return Estimate(value=float(np.mean(scores)) if len(scores) else math.nan, why=why)
    return _t(float(scores.mean()), [scores], left_out, confidence)


def t_difference(
    first: Floats, second: Floats, left_out: Floats, *, confidence: float = 0.95
) -> Estimate:
    """Difference of two entrants' means, first - second, with interval and p.

    first, second: (seeds,) each, independent. left_out: (blocks,), the difference of the seeds'
    means without each block: patients are the same for both.
    """
    if why := _no_mean(first) or _no_mean(second):
        both = len(first) and len(second)
        value = float(first.mean() - second.mean()) if both else math.nan
        return Estimate(value=value, why=why)
    return _t(float(first.mean() - second.mean()), [first, second], left_out, confidence)


def _no_mean(scores: Floats) -> str:
    """Why these scores bear no interval; empty where they do."""
    if len(scores) < MIN_SEEDS:
        return f"{len(scores)} of at least {MIN_SEEDS} seeds"
    if undefined := int(np.sum(~np.isfinite(scores))):
        return f"the metric is undefined for {undefined} of {len(scores)} seeds"
    return ""


def _t(value: float, samples: list[Floats], left_out: Floats, confidence: float) -> Estimate:
    from scipy import stats

    parts = [(float(s.var(ddof=1)) / len(s), len(s) - 1) for s in samples]
    by_seed = sum(variance for variance, _ in parts)
    by_patient = jackknife_variance(left_out)
    if not math.isfinite(by_patient):
        return Estimate(value=value, seed_variance=by_seed, why=_no_patients(left_out))
    parts.append((by_patient, len(left_out) - 1))
    square = by_seed + by_patient
    if _is_rounding(square, value):
        return Estimate(
            value=value,
            p=_constant_p(value, len(left_out)),
            seed_variance=0.0,
            patient_variance=0.0,
            why="neither seeds nor patients vary: nothing to estimate an interval from",
        )
    degrees = square**2 / sum(variance**2 / freedom for variance, freedom in parts)
    error = math.sqrt(square)
    reach = float(stats.t.ppf((1 + confidence) / 2, degrees)) * error
    return Estimate(
        value=value,
        low=value - reach,
        high=value + reach,
        p=float(2 * stats.t.sf(abs(value) / error, degrees)),
        seed_variance=by_seed,
        patient_variance=by_patient,
        degrees=degrees,
        method="t",
    )


def _is_rounding(square: float, value: float) -> bool:
    """Whether a variance is zero but for the rounding of the arithmetic."""
    return square <= (1e-12 * max(1.0, abs(value))) ** 2


def _no_patients(left_out: Floats) -> str:
    if len(left_out) < 2:
        return "the test set must hold two or more patients"
    return "the metric is undefined when a patient is left out"


def _constant_p(value: float, blocks: int) -> float:
    """Two-sided p of a value that neither seeds nor patients change.

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
    confidence: float = 0.95,
) -> Estimate:
    """Percentile interval and two-sided p from bootstrap draws of a mean or of a difference.

    draws: (draws,), of patients in `blocks` blocks. Up to 5 % undefined draws are left out; with
    more there is no interval. The p is twice the smaller share of draws on either side of zero,
    and never 0 (Davison & Hinkley 1997, eq. 4.11).
    """
    finite = draws[np.isfinite(draws)]
    bare = Estimate(value=value, seed_variance=seed_variance, patient_variance=patient_variance)
    if not math.isfinite(value):
        return replace(bare, why="the metric is undefined for a seed")
    if not len(draws) or len(finite) < (1 - MAX_UNDEFINED) * len(draws):
        why = "the metric is undefined for too many resamples of the patients"
        return replace(bare, why=why)
    if _is_rounding(float(finite.var()), value):
        why = "neither seeds nor patients vary: nothing to estimate an interval from"
        return replace(bare, p=_constant_p(value, blocks), why=why)
    tail = (1 - confidence) / 2
    low, high = np.quantile(finite, [tail, 1 - tail])
    sides = min(int(np.sum(finite <= 0)), int(np.sum(finite >= 0)))
    return replace(
        bare,
        low=float(low),
        high=float(high),
        p=min(1.0, 2 * (sides + 1) / (len(finite) + 1)),
        method="bootstrap",
    )


def wilson(share: float, cases: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """The score interval of a share of independent cases. Source: Wilson 1927.

    share: in [0, 1]. cases: at least 1.
    """
    from scipy import stats

    z = float(stats.norm.ppf((1 + confidence) / 2))
    middle = share + z**2 / (2 * cases)
    reach = z * math.sqrt(share * (1 - share) / cases + z**2 / (4 * cases**2))
    scale = 1 + z**2 / cases
    return max(0.0, (middle - reach) / scale), min(1.0, (middle + reach) / scale)


# --- Many entrants --------------------------------------------------------------------------


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
