"""What the scores of seeds say by themselves: of one entrant, and of one against another.

Seeds only: how often and how far trainings differ on these patients. Whether they would on others
is for `t_difference` and the bootstrap to say.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from results.stats.arrays import Floats
from results.stats.estimates import MIN_SEEDS


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """The scores of an entrant's seeds in a few numbers, in the metric's unit."""

    seeds: int
    mean: float = math.nan
    deviation: float = math.nan
    """Standard deviation between seeds, divisor n - 1; NaN for one seed."""
    median: float = math.nan
    interquartile_mean: float = math.nan
    why: str = ""
    """Why a number is missing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Effect:
    """The size of a difference between two entrants' seeds, with its interval."""

    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    why: str = ""
    """Why there is no value, or no interval."""


def summary(scores: Floats) -> Summary:
    """Mean, standard deviation, median and interquartile mean of seeds.

    scores: (seeds,). The interquartile mean leaves out int(seeds / 4) of the lowest and as many
    of the highest (Agarwal et al. 2021, rliable): of fewer than four it is the mean. One undefined
    score makes all undefined.
    """
    if why := _unusable(scores, fewest=1):
        return Summary(seeds=len(scores), why=why)
    alone, cut = len(scores) == 1, len(scores) // 4
    # What scipy.stats.trim_mean does; that module takes longer to load than a page to make.
    middle = np.partition(scores, (cut, len(scores) - cut - 1))[cut : len(scores) - cut]
    return Summary(
        seeds=len(scores),
        mean=float(scores.mean()),
        deviation=math.nan if alone else float(scores.std(ddof=1)),
        median=float(np.median(scores)),
        interquartile_mean=float(middle.mean()),
        why="one seed has no standard deviation" if alone else "",
    )


def probability_of_improvement(
    first: Floats, second: Floats, *, confidence: float = 0.95
) -> Effect:
    """The probability that a seed of the first scores higher than one of the second, ties half.

    first, second: (seeds,) each, independent. In [0, 1]: the Mann-Whitney U / (n m). For a metric
    of which less is better, exchange the two. The interval is Newcombe's fifth method: it holds
    with three seeds too, where a bootstrap's collapses on 0 or 1 as soon as all of one lie above
    all of the other. No interval below three seeds.
    Sources: Mann & Whitney 1947; Newcombe 2006, part 2, method 5 (variance: Hanley & McNeil 1982).
    """
    if why := _unusable(first, second, fewest=1):
        return Effect(why=why)
    above = np.sign(first[:, None] - second)
    value = float((above.sum() + above.size) / 2) / above.size
    if why := _unusable(first, second, fewest=MIN_SEEDS):
        return Effect(value=value, why=why)
    low, high = _newcombe(value, len(first), len(second), confidence)
    return Effect(value=value, low=low, high=high)


def _newcombe(value: float, first: int, second: int, confidence: float) -> tuple[float, float]:
    """Where (value - x)^2 = z^2 var(x): the interval of P(A > B), in [0, 1]."""
    from scipy import optimize, special

    z = float(special.ndtri((1 + confidence) / 2))
    more = (first + second) / 2 - 1

    def excess(x: float) -> float:
        spread = 1 + more * ((1 - x) / (2 - x) + x / (1 + x))
        return (value - x) ** 2 - z**2 * x * (1 - x) * spread / (first * second)

    # The value itself lies inside, but 0 and 1 are roots of their own: start short of them.
    low = optimize.brentq(excess, 0.0, min(value, 1 - 1e-9)) if value > 0 else 0.0
    high = optimize.brentq(excess, max(value, 1e-9), 1.0) if value < 1 else 1.0
    return float(low), float(high)


def cliffs_delta(first: Floats, second: Floats, *, confidence: float = 0.95) -> Effect:
    """P(first > second) - P(first < second) over seeds, in [-1, 1], with its interval.

    2 P - 1 of `probability_of_improvement`, whose terms hold. Source: Cliff 1993.
    """
    share = probability_of_improvement(first, second, confidence=confidence)
    return Effect(
        value=2 * share.value - 1, low=2 * share.low - 1, high=2 * share.high - 1, why=share.why
    )


def hedges_g(first: Floats, second: Floats, *, confidence: float = 0.95) -> Effect:
    """The difference of the seeds' means in standard deviations between seeds, bias corrected.

    first, second: (seeds,) each, independent. (mean - mean) / pooled standard deviation *
    J(n + m - 2), J(f) = gamma(f / 2) / (sqrt(f / 2) gamma((f - 1) / 2)). The interval inverts
    Student's non-central t, exact for normal scores of one variance. No value below two seeds or
    where no seed differs, no interval below three seeds.
    Sources: Hedges 1981; Steiger & Fouladi 1997 for the interval.
    """
    from scipy import special

    if why := _unusable(first, second, fewest=2):
        return Effect(why=why)
    freedom = len(first) + len(second) - 2
    squares = float(((first - first.mean()) ** 2).sum() + ((second - second.mean()) ** 2).sum())
    deviation = math.sqrt(squares / freedom)
    size = max(abs(float(first.mean())), abs(float(second.mean())))
    if deviation <= 1e-12 * max(1.0, size):
        return Effect(why="no seed differs from another of its entrant: there is no unit")
    ratio = float(first.mean() - second.mean()) / deviation
    correction = math.exp(
        special.gammaln(freedom / 2) - special.gammaln((freedom - 1) / 2)
    ) / math.sqrt(freedom / 2)
    value = ratio * correction
    if why := _unusable(first, second, fewest=MIN_SEEDS):
        return Effect(value=value, why=why)
    scale = math.sqrt(1 / len(first) + 1 / len(second))
    tail = (1 - confidence) / 2
    ends = special.nctdtrinc(freedom, np.array([1 - tail, tail]), ratio / scale)
    # Far out (|t| above 1e4) the inversion is lost in rounding; SciPy's own says where.
    if not np.allclose(special.nctdtr(freedom, ends, ratio / scale), [1 - tail, tail], atol=1e-3):
        return Effect(value=value, why="too large for an interval: seeds hardly vary")
    low, high = (float(end) * scale for end in ends)
    return Effect(value=value, low=low, high=high)


def _unusable(*samples: Floats, fewest: int) -> str:
    """Why nothing is to be had from these scores; empty where something is."""
    if (count := min(map(len, samples))) < fewest:
        return f"{count} of at least {fewest} seed{'s' if fewest > 1 else ''}"
    for scores in samples:
        if undefined := int(np.sum(~np.isfinite(scores))):
            return f"the metric is undefined for {undefined} of {len(scores)} seeds"
    return ""
