"""The tests that published comparisons name: for suites that reproduce one, not for verdicts.

They see the scores of seeds, or the ranks of entrants over tasks, and no patients. SciPy's tests,
with an outcome and a reason where SciPy has an error, a warning or NaN.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from results.stats.arrays import Floats

NORMALITY = 0.05
"""Below this Anderson-Darling p, Welch's t is not computed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a test found: NaN, with the reason, where it cannot be computed."""

    statistic: float = math.nan
    p: float = math.nan
    """Two-sided where the test has sides."""
    why: str = ""


def mood_median(*samples: Floats) -> Outcome:
    """Mood's test that samples have one median: (seeds,) each, two samples or more.

    Pearson's chi-square on the counts above the median of all, values equal to it counted below;
    with Yates' correction for two samples. p is 1 where no value lies above: nothing tells the
    samples apart. Source: Mood 1950, ch. 16.
    """
    from scipy import stats

    if why := _missing(samples, fewest=1):
        return Outcome(why=why)
    pooled = np.concatenate(samples)
    if pooled.max() <= np.median(pooled):
        return Outcome(statistic=0.0, p=1.0, why="no score lies above the common median")
    found = stats.median_test(*samples)
    return Outcome(statistic=float(found.statistic), p=float(found.pvalue))


def anderson_darling(scores: Floats) -> Outcome:
    """Anderson and Darling's test that scores are normal, of unknown mean and variance.

    scores: (seeds,), at least 3. p is interpolated in SciPy's table, whose ends are 0.01 and 0.15:
    these stand for "or less" and "or more". Sources: Anderson & Darling 1954; Stephens 1974.
    """
    from scipy import stats

    if why := _missing([scores], fewest=3):
        return Outcome(why=why)
    if _constant(scores):
        return Outcome(why="all scores are the same")
    found = stats.anderson(scores, "norm", method="interpolate")
    return Outcome(statistic=float(found.statistic), p=float(found.pvalue))


def welch_if_normal(first: Floats, second: Floats) -> Outcome:
    """Welch's t test of two means, where neither sample is clearly not normal.

    first, second: (seeds,) each, at least 3. A low p of `anderson_darling` for either withholds
    it; with few seeds that test has little power, and its silence proves nothing.
    Source: Welch 1947.
    """
    from scipy import stats

    for name, scores in (("first", first), ("second", second)):
        normal = anderson_darling(scores)
        if normal.why:
            return Outcome(why=f"the {name}: {normal.why}")
        if normal.p < NORMALITY:
            return Outcome(why=f"the {name} is not normal: Anderson-Darling p = {normal.p:.3g}")
    found = stats.ttest_ind(first, second, equal_var=False)
    return Outcome(statistic=float(found.statistic), p=float(found.pvalue))


def mann_whitney(first: Floats, second: Floats) -> Outcome:
    """Mann and Whitney's U of the first, (seeds,) each, at least 1; exact for up to 8 without
    ties, else normal with continuity. Source: Mann & Whitney 1947."""
    from scipy import stats

    if why := _missing([first, second], fewest=1):
        return Outcome(why=why)
    found = stats.mannwhitneyu(first, second)
    return Outcome(statistic=float(found.statistic), p=float(found.pvalue))


def wilcoxon(first: Floats, second: Floats) -> Outcome:
    """Wilcoxon's signed-rank test of pairs: (pairs,) each, the smaller rank sum and its p.

    Pairs without a difference are left out; where none differs, p is 1. Exact for few pairs
    without ties. With fewer than six pairs p cannot be below 0.05. Source: Wilcoxon 1945.
    """
    from scipy import stats

    assert len(first) == len(second), "signed ranks are of pairs"
    if why := _missing([first, second], fewest=1):
        return Outcome(why=why)
    if not np.any(first != second):
        return Outcome(statistic=0.0, p=1.0, why="no pair differs")
    found = stats.wilcoxon(first[first != second], second[first != second])
    return Outcome(statistic=float(found.statistic), p=float(found.pvalue))


@dataclass(frozen=True, kw_only=True)
class Ranks:
    """Entrants ranked over tasks, and who cannot be told apart."""

    friedman: Outcome
    mean_ranks: Floats
    """(entrants,): 1 is best."""
    critical_difference: float
    """Of mean ranks: those that differ by more differ significantly (Nemenyi)."""
    groups: tuple[tuple[int, ...], ...]
    """Entrants, best first, that cannot be told apart; the largest such groups, of two or more."""


def friedman_nemenyi(scores: Floats, *, alpha: float = 0.05) -> Ranks:
    """Friedman's test over tasks, with Nemenyi's critical difference and groups.

    scores: (tasks, entrants), greater is better, ties share their mean rank; two tasks and three
    entrants at least. Groups are of use where Friedman's p is at most alpha. The chi-square of
    Friedman is rough below ten tasks.
    Sources: Friedman 1937; Nemenyi 1963; Demsar 2006, section 3.2.2.
    """
    from scipy import stats

    tasks, entrants = scores.shape
    unranked = np.full(entrants, math.nan)
    why = "" if np.isfinite(scores).all() else "a score is undefined"
    if tasks < 2 or entrants < 3:
        why = f"{tasks} tasks and {entrants} entrants, of at least 2 and 3"
    if why:
        outcome = Outcome(why=why)
        return Ranks(friedman=outcome, mean_ranks=unranked, critical_difference=math.nan, groups=())
    ranks = stats.rankdata(-scores, axis=1).mean(axis=0)
    quantile = float(stats.studentized_range.isf(alpha, entrants, math.inf)) / math.sqrt(2)
    critical = quantile * math.sqrt(entrants * (entrants + 1) / (6 * tasks))
    if (scores == scores[:, :1]).all():
        friedman = Outcome(statistic=0.0, p=1.0, why="all entrants are equal on every task")
    else:
        found = stats.friedmanchisquare(*scores.T)
        friedman = Outcome(statistic=float(found.statistic), p=float(found.pvalue))
    return Ranks(
        friedman=friedman,
        mean_ranks=ranks,
        critical_difference=critical,
        groups=_groups(ranks, critical),
    )


def _groups(ranks: Floats, critical: float) -> tuple[tuple[int, ...], ...]:
    """The longest stretches of the ranking that span the critical difference at most."""
    order = np.argsort(ranks, kind="stable")
    found: list[tuple[int, ...]] = []
    reached = 0
    for begin in range(len(order)):
        span = ranks[order] - ranks[order[begin]]
        end = int(np.searchsorted(span, critical, side="right"))
        if end - begin > 1 and end > reached:
            found.append(tuple(order[begin:end].tolist()))
        reached = max(reached, end)
    return tuple(found)


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A performance profile; arrays (thresholds,)."""

    thresholds: Floats
    share: Floats
    low: Floats
    high: Floats
    why: str = ""
    """Why there is nothing, or no interval."""


def performance_profile(
    scores: Sequence[Floats],
    thresholds: Floats,
    *,
    rng: np.random.Generator,
    draws: int = 2000,
    confidence: float = 0.95,
) -> Profile:
    """Share of an entrant's runs that score above each threshold, each task counting alike.

    scores: one (runs,) array a task, on a scale that the tasks share. The interval is a pointwise
    percentile bootstrap of runs within each task, and is too short below about ten runs.
    Source: Agarwal et al. 2021, section 4.2 (run-score distributions).
    """
    gap = np.full(len(thresholds), math.nan)
    if why := _missing(scores, fewest=1):
        return Profile(thresholds=thresholds, share=gap, low=gap, high=gap, why=why)
    above = [task[:, None] > thresholds for task in scores]
    share = np.mean([task.mean(axis=0) for task in above], axis=0)
    if why := _missing(scores, fewest=2):
        return Profile(thresholds=thresholds, share=share, low=gap, high=gap, why=why)
    drawn = np.zeros((draws, len(thresholds)))
    for task in above:
        # How often each run was drawn, rather than the runs: one product instead of a large copy.
        weights = rng.multinomial(len(task), np.full(len(task), 1 / len(task)), size=draws)
        drawn += weights @ task.astype(float) / len(task) / len(above)
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
    return Profile(thresholds=thresholds, share=share, low=low, high=high)


def _missing(samples: Sequence[Floats], *, fewest: int) -> str:
    """Why a test cannot be computed; empty where it can."""
    if not len(samples):
        return "no samples"
    if (count := min(len(scores) for scores in samples)) < fewest:
        return f"{count} of at least {fewest} scores"
    undefined = sum(int(np.sum(~np.isfinite(scores))) for scores in samples)
    return f"{undefined} of the scores are undefined" if undefined else ""


def _constant(scores: Floats) -> bool:
    """Whether scores are the same but for the rounding of the arithmetic."""
    return float(np.ptp(scores)) <= 1e-12 * max(1.0, float(np.abs(scores).max()))
