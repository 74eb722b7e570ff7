"""Intervals, comparisons and tiers: pure functions of arrays.

Two things vary when an experiment is repeated: the seed of a training and the patients of the test
set. A mean over seeds therefore has two components of variance,

    SE^2 = s^2 / n  +  V,

s^2 the variance between the n seeds on this test set, V the variance of the seeds' mean between
test sets, by a delete-one-block jackknife over patients (blocks are patients, or random groups of
them where there are many). Both terms hold the interaction of seeds and patients, divided by n:
the sum errs to the safe side. Degrees of freedom: Welch 1947, Satterthwaite 1946. From ten seeds
on, a bootstrap draws patients jointly for all entrants and seeds independently for each; it draws
one fewer than there are, so that its variance is unbiased (McCarthy & Snowden 1985). Where there
are several searches of an entrant, or several splits, these are the units instead of the seeds
(`nested`).

Scores are in the metric's own unit; NaN is an undefined metric, and makes undefined what needs it.
"""

from __future__ import annotations

from results.stats.arrays import Bools, Floats, Ints
from results.stats.best import MIN_TRIALS, BestCurve, expected_best, expected_best_by_effort
from results.stats.bounds import bootstrap_bounds, bounds
from results.stats.estimates import (
    BOOTSTRAP_SEEDS,
    MAX_UNDEFINED,
    MIN_SEEDS,
    Estimate,
    bootstrap_estimate,
    t_difference,
    t_estimate,
)
from results.stats.many import holm, tiers, wilson
from results.stats.nested import Table, nested_difference, nested_estimate, unit_means
from results.stats.pairwise import Effects, effects, seeds_to_decide, t_differences
from results.stats.planning import SeedsNeeded, seeds_needed
from results.stats.reference import (
    Outcome,
    Profile,
    Ranks,
    anderson_darling,
    friedman_nemenyi,
    mann_whitney,
    mood_median,
    performance_profile,
    welch_if_normal,
    wilcoxon,
)
from results.stats.resampling import (
    blocks_of,
    jackknife_variance,
    leave_one_out,
    patient_draws,
    seed_means,
)
from results.stats.samples import (
    Effect,
    Summary,
    cliffs_delta,
    hedges_g,
    probability_of_improvement,
    summary,
)

__all__ = [
    "anderson_darling",
    "BestCurve",
    "blocks_of",
    "Bools",
    "bootstrap_bounds",
    "bootstrap_estimate",
    "BOOTSTRAP_SEEDS",
    "bounds",
    "cliffs_delta",
    "Effect",
    "Effects",
    "effects",
    "Estimate",
    "expected_best",
    "expected_best_by_effort",
    "Floats",
    "friedman_nemenyi",
    "hedges_g",
    "holm",
    "Ints",
    "jackknife_variance",
    "leave_one_out",
    "mann_whitney",
    "MAX_UNDEFINED",
    "MIN_SEEDS",
    "MIN_TRIALS",
    "mood_median",
    "nested_difference",
    "nested_estimate",
    "Outcome",
    "patient_draws",
    "performance_profile",
    "probability_of_improvement",
    "Profile",
    "Ranks",
    "seed_means",
    "seeds_needed",
    "seeds_to_decide",
    "SeedsNeeded",
    "Summary",
    "summary",
    "t_difference",
    "t_differences",
    "t_estimate",
    "Table",
    "tiers",
    "unit_means",
    "welch_if_normal",
    "wilcoxon",
    "wilson",
]
