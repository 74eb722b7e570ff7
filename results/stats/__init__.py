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

from results.stats.arrays import Bools, Floats, Ints
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
from results.stats.resampling import (
    blocks_of,
    jackknife_variance,
    leave_one_out,
    patient_draws,
    seed_means,
)

__all__ = [
    "BOOTSTRAP_SEEDS",
    "Bools",
    "Estimate",
    "Floats",
    "Ints",
    "MAX_UNDEFINED",
    "MIN_SEEDS",
    "blocks_of",
    "bootstrap_estimate",
    "holm",
    "jackknife_variance",
    "leave_one_out",
    "patient_draws",
    "seed_means",
    "t_difference",
    "t_estimate",
    "tiers",
    "wilson",
]
