"""The best of a search that had been shorter: after k of its trials, after so many epochs.

Both take the trials as exchangeable: true of random search and of grids in random order. A search
that learns has its good trials late, so that for it they say what luck alone would have found.
A trial without a score (failed, diverged) spent its effort and found nothing: it counts as the
worst score that was seen.

Intervals are a studentised bootstrap over trials, and end at half of them: beyond, the best rests
on a few trials, and no interval from them holds. A plain percentile bootstrap, which cannot reach
above the best that was seen, covers 60 to 85 % there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from results.stats.arrays import Floats, Ints

MIN_TRIALS = 5
"""For an interval."""
PERMUTATIONS = 2_000
"""Orders of the trials for a value against effort."""


@dataclass(frozen=True, kw_only=True)
class BestCurve:
    """Expected best score, with pointwise intervals. All arrays are (points,)."""

    at: Floats
    """Trials, or epochs of effort."""
    value: Floats
    low: Floats
    high: Floats
    """Ends of the interval; NaN where there is none."""
    why: str = ""
    """Why there is nothing, or nowhere an interval."""


def expected_best(
    scores: Floats,
    *,
    rng: np.random.Generator,
    sizes: Ints | None = None,
    draws: int = 1000,
    confidence: float = 0.95,
) -> BestCurve:
    """Expected best of k of the n trials, drawn without replacement: unbiased for every k.

    scores: (n,), greater is better. sizes: (points,), the k in [1, n]; all of them if None. The
    mean of the best over all subsets of k, sum_i C(i - 1, k - 1) / C(n, k) x_(i). The interval is
    a bootstrap-t over trials with a jackknife for its standard error, for k up to n / 2.
    Sources: Tang et al. 2020 and Dodge et al. 2021 for the estimator; Efron & Tibshirani 1993,
    ch. 12.5, for the interval.
    """
    known, why = _known(scores)
    k = np.arange(1, len(scores) + 1, dtype=np.int64) if sizes is None else sizes
    gap = np.full(len(k), math.nan)
    curve = BestCurve(at=k.astype(float), value=gap, low=gap, high=gap, why=why)
    if why or not len(k):
        return curve
    assert k.min() >= 1 and k.max() <= len(known), "k trials of n: 1 <= k <= n"
    ordered = np.sort(known)
    curve = replace(curve, value=subset_weights(len(known), k) @ ordered)
    if why := _no_interval(ordered):
        return replace(curve, why=why)
    low, high = gap.copy(), gap.copy()
    inner = np.flatnonzero(2 * k <= len(known))
    if len(inner):
        low[inner], high[inner] = _student_ends(ordered, k[inner], rng, draws, confidence)
    return replace(curve, low=low, high=high)


def subset_weights(trials: int, sizes: Ints) -> Floats:
    """The chance that the i-th smallest of n values is the largest of k drawn without replacement.

    Returns (len(sizes), trials), rows summing to 1. Built downward from k / n, the chance of the
    largest, by C(i - 2, k - 1) / C(i - 1, k - 1) = (i - k) / (i - 1): no large factorials.
    """
    rank = np.arange(trials, 1, -1, dtype=float)
    ratio = np.clip((rank - sizes[:, None]) / (rank - 1), 0.0, None)
    first = sizes[:, None] / trials
    downward = np.concatenate([first, first * np.cumprod(ratio, axis=1)], axis=1)
    return np.asarray(downward[:, ::-1], dtype=float)


def expected_best_by_effort(
    scores: Floats,
    epochs: Ints,
    *,
    rng: np.random.Generator,
    efforts: Floats,
    draws: int = 1000,
    confidence: float = 0.95,
) -> BestCurve:
    """Expected best after so many epochs, had the same trials come in another order.

    scores: (n,), greater is better. epochs: (n,), what each trial spent, at least 1 each. efforts:
    (points,), epochs in all. A trial counts once its last epoch fits; the mean is over random
    orders of the trials, and equals `expected_best` of effort / epochs where all spent the same.
    NaN below the longest trial's epochs, where not every order has a trial to its end. Trials that
    were stopped early count with the epochs and the score that they came to. The interval reaches
    as far to each side as that of `expected_best` of as many trials as the effort buys at the
    trials' mean epochs, for up to half of the whole effort.
    """
    known, why = _known(scores)
    gap = np.full(len(efforts), math.nan)
    curve = BestCurve(at=efforts, value=gap, low=gap, high=gap, why=why)
    if why:
        return curve
    assert len(epochs) == len(known) and epochs.min() >= 1, "every trial spent an epoch at least"
    value = _mean_best(known, epochs, efforts, rng)
    value[efforts < epochs.max()] = math.nan
    curve = replace(curve, value=value)
    if why := _no_interval(known):
        return replace(curve, why=why)
    trials = np.clip(np.rint(efforts / epochs.mean()), 1, len(known)).astype(np.int64)
    sizes, back = np.unique(trials, return_inverse=True)
    by_trials = expected_best(scores, rng=rng, sizes=sizes, draws=draws, confidence=confidence)
    within = np.where(2 * efforts <= epochs.sum(), 0.0, math.nan)
    return replace(
        curve,
        low=value + (by_trials.low - by_trials.value)[back] + within,
        high=value + (by_trials.high - by_trials.value)[back] + within,
    )


def _mean_best(scores: Floats, epochs: Ints, efforts: Floats, rng: np.random.Generator) -> Floats:
    """(points,): the mean over random orders of the best that fits into each effort; -inf where an
    order has none, which happens below the longest trial's epochs only."""
    total = np.zeros(len(efforts))
    # As many orders at a time as the processor's cache holds.
    portion = max(1, 50_000 // max(len(scores), len(efforts)))
    for begin in range(0, PERMUTATIONS, portion):
        size = min(portion, PERMUTATIONS - begin)
        order = np.stack([rng.permutation(len(scores)) for _ in range(size)])
        best = np.full((size, len(scores) + 1), -math.inf)
        np.maximum.accumulate(scores[order], axis=1, out=best[:, 1:])
        spent = np.cumsum(epochs[order], axis=1)
        # One ascending row of all orders: each begins beyond the end of the one before.
        far = max(float(spent[0, -1]), float(efforts.max(initial=0.0))) + 1.0
        shift = far * np.arange(size)[:, None]
        fits = np.searchsorted((spent + shift).ravel(), efforts + shift, side="right")
        fits -= len(scores) * np.arange(size)[:, None]
        for row in np.take_along_axis(best, fits, axis=1):
            total += row
    return total / PERMUTATIONS


def _student_ends(
    ordered: Floats, sizes: Ints, rng: np.random.Generator, draws: int, confidence: float
) -> tuple[Floats, Floats]:
    """Ends of the bootstrap-t interval for each size; NaN where too many draws do not vary."""
    weights = subset_weights(len(ordered), sizes)
    shorter = subset_weights(len(ordered) - 1, sizes)
    value = weights @ ordered
    error = np.array([_jackknife_error(ordered[None], left)[0] for left in shorter])
    student = np.empty((draws, len(sizes)))
    # In portions that the processor's cache holds.
    portion = max(1, 100_000 // len(ordered))
    for begin in range(0, draws, portion):
        rows = slice(begin, min(begin + portion, draws))
        drawn = rng.choice(ordered, size=(rows.stop - begin, len(ordered)))
        drawn.sort(axis=1)
        off = drawn @ weights.T - value
        errors = np.stack([_jackknife_error(drawn, left) for left in shorter], axis=1)
        flat = errors <= 1e-9 * error
        # A draw without variation is infinitely far off, on its side.
        far = np.copysign(math.inf, off)
        student[rows] = np.where(flat, far, off / np.where(flat, 1.0, errors))
    tail = (1 - confidence) / 2
    reach = np.quantile(student, [1 - tail, tail], axis=0, method="nearest")
    ends = value - np.where(np.isfinite(reach).all(axis=0), reach, math.nan) * error
    return ends[0], ends[1]


def _jackknife_error(ordered: Floats, weights: Floats) -> Floats:
    """Standard error of a weighted sum of sorted values by leaving out one at a time.

    ordered: (draws, n), rows ascending. weights: (n - 1,), of what is left. Returns (draws,).
    Source: Efron & Tibshirani 1993, eq. 11.5.
    """
    count = ordered.shape[1]
    best, above = np.empty_like(ordered), np.empty_like(ordered)
    best[:, 0] = above[:, -1] = 0.0
    np.cumsum(ordered[:, :-1] * weights, axis=1, out=best[:, 1:])
    np.cumsum((ordered[:, 1:] * weights)[:, ::-1], axis=1, out=above[:, -2::-1])
    best += above
    return np.asarray(best.std(axis=1) * math.sqrt(count - 1), dtype=float)


def _known(scores: Floats) -> tuple[Floats, str]:
    """The scores with what is missing at the worst; and why there is nothing to say, if so."""
    defined = np.isfinite(scores)
    if not len(scores):
        return scores, "no trials"
    if not defined.any():
        return scores, "no trial has a score"
    return np.where(defined, scores, scores[defined].min()), ""


def _no_interval(scores: Floats) -> str:
    """Why there is no interval; empty where there is one."""
    if len(scores) < MIN_TRIALS:
        return f"{len(scores)} of at least {MIN_TRIALS} trials for an interval"
    if float(np.ptp(scores)) <= 1e-12 * max(1.0, float(np.abs(scores).max())):
        return "all trials score the same: nothing to estimate an interval from"
    return ""
