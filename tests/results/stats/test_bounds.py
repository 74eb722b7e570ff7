import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from results import stats

RNG = np.random.default_rng


def test_the_bounds_without_patient_variance_are_welchs_one_sided_intervals():
    first, second = np.array([0.9, 0.93, 0.91, 0.97]), np.array([0.8, 0.86, 0.9])
    found = stats.bounds(stats.t_difference(first, second, np.full(50, 0.1)), alpha=0.05)
    welch = scipy_stats.ttest_ind(first, second, equal_var=False, alternative="greater")
    assert found[0] == pytest.approx(welch.confidence_interval(0.95).low, rel=1e-9)
    welch = scipy_stats.ttest_ind(first, second, equal_var=False, alternative="less")
    assert found[1] == pytest.approx(welch.confidence_interval(0.95).high, rel=1e-9)


@pytest.mark.parametrize("confidence", [0.8, 0.9, 0.95])
def test_both_bounds_are_the_interval_of_twice_the_error(confidence):
    left_out = RNG(0).normal(0.1, 0.01, size=20)
    estimate = stats.t_estimate(np.array([0.7, 0.8, 0.9]), left_out, confidence=confidence)
    found = stats.bounds(estimate, alpha=(1 - confidence) / 2)
    assert found == pytest.approx((estimate.low, estimate.high))


def test_an_interval_cut_to_the_metric_leaves_the_bounds_as_they_are():
    from dataclasses import replace

    estimate = stats.t_estimate(np.array([0.7, 0.8, 0.9]), RNG(0).normal(0.8, 0.01, size=20))
    cut = replace(estimate, low=max(0.0, estimate.low), high=0.81)
    assert stats.bounds(cut, alpha=0.05) == stats.bounds(estimate, alpha=0.05)


@pytest.mark.parametrize(("patients", "decided"), [(2, False), (4, False), (5, True), (30, True)])
def test_what_does_not_vary_is_bounded_by_itself_if_patients_are_enough(patients, decided):
    same = stats.t_difference(np.full(3, 0.9), np.full(3, 0.8), np.full(patients, 0.1))
    low, high = stats.bounds(same, alpha=0.05)
    assert (low, high) == ((same.value, same.value) if decided else (-math.inf, math.inf))


@pytest.mark.parametrize(
    ("scores", "left_out"),
    [
        (np.array([0.7, 0.8]), np.zeros(9)),
        (np.array([0.7, 0.8, math.nan]), np.zeros(9)),
        (np.array([0.7, 0.8, 0.9]), np.zeros(1)),
        (np.array([0.7, 0.8, 0.9]), np.array([0.1, math.nan])),
    ],
    ids=["two seeds", "NaN", "one patient", "NaN without a patient"],
)
def test_without_an_interval_there_are_no_bounds(scores, left_out):
    estimate = stats.t_estimate(scores, left_out)
    assert np.isnan(stats.bounds(estimate, alpha=0.05)).all() and estimate.why


def test_a_bootstraps_bounds_come_from_its_draws():
    draws = RNG(1).normal(0.02, 0.01, size=100_000)
    low, high = stats.bootstrap_bounds(draws, alpha=0.05)
    assert low == pytest.approx(0.02 - 1.645 * 0.01, abs=3e-4)
    assert high == pytest.approx(0.02 + 1.645 * 0.01, abs=3e-4)
    estimate = stats.bootstrap_estimate(
        0.02, draws, blocks=9, seed_variance=5e-5, patient_variance=5e-5
    )
    with pytest.raises(AssertionError, match="draws"):
        stats.bounds(estimate, alpha=0.05)


def test_a_bootstrap_with_few_undefined_draws_has_bounds_with_many_it_has_none():
    draws = RNG(2).normal(0.5, 0.1, size=1000)
    draws[:40] = math.nan
    assert np.isfinite(stats.bootstrap_bounds(draws, alpha=0.05)).all()
    draws[:60] = math.nan
    assert np.isnan(stats.bootstrap_bounds(draws, alpha=0.05)).all()
    assert np.isnan(stats.bootstrap_bounds(np.zeros(0), alpha=0.05)).all()


def test_each_bound_errs_as_often_as_it_says():
    """5 % + 4 binomial errors of 2,000 repeats with truth 0, seeds and patients both normal."""
    rng, wrong = RNG(3), np.zeros(2)
    for _ in range(2000):
        patients, seeds = rng.normal(0, 1, size=30), rng.normal(0, 0.2, size=4)
        left_out = (patients.sum() - patients) / 29
        estimate = stats.t_estimate(patients.mean() + seeds, left_out)
        low, high = stats.bounds(estimate, alpha=0.05)
        wrong += low > 0, high < 0
    assert (wrong / 2000 <= 0.05 + 4 * math.sqrt(0.05 * 0.95 / 2000)).all()
    assert (wrong / 2000 >= 0.02).all()
