import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from results import stats

RNG = np.random.default_rng


def pair(seed, *, shift=0.0, size=25):
    rng = RNG(seed)
    return rng.normal(shift, 1, size), rng.normal(0, 1, size)


# --- Two samples ----------------------------------------------------------------------------


@pytest.mark.parametrize("shift", [0.0, 0.7, 2.0])
def test_the_tests_agree_with_scipy(shift):
    first, second = pair(1, shift=shift)
    for found, expected in [
        (stats.mood_median(first, second), scipy_stats.median_test(first, second)),
        (stats.mann_whitney(first, second), scipy_stats.mannwhitneyu(first, second)),
        (stats.wilcoxon(first, second), scipy_stats.wilcoxon(first, second)),
        (
            stats.welch_if_normal(first, second),
            scipy_stats.ttest_ind(first, second, equal_var=False),
        ),
    ]:
        assert found.statistic == pytest.approx(expected.statistic)
        assert found.p == pytest.approx(expected.pvalue) and found.why == ""


@pytest.mark.parametrize("seed", range(3))
def test_anderson_darling_agrees_with_scipy_and_its_own_table(seed):
    scores = RNG(seed).gamma(4, size=30)
    expected = scipy_stats.anderson(scores, "norm", method="interpolate")
    found = stats.anderson_darling(scores)
    assert (found.statistic, found.p) == pytest.approx((expected.statistic, expected.pvalue))
    # The statistic from its definition.
    z = scipy_stats.norm.cdf(np.sort((scores - scores.mean()) / scores.std(ddof=1)))
    odd = 2 * np.arange(1, 31) - 1
    assert found.statistic == pytest.approx(
        -30 - np.mean(odd * (np.log(z) + np.log(1 - z[::-1]))), rel=1e-9
    )


def test_mann_whitney_without_ties_is_exact():
    found = stats.mann_whitney(np.array([4.0, 5, 6]), np.array([1.0, 2, 3]))
    assert found.statistic == 9 and found.p == pytest.approx(2 / 20)


def test_wilcoxon_leaves_equal_pairs_out():
    first, second = pair(2, size=9)
    with_ties = stats.wilcoxon(np.append(first, [1.0, 2.0]), np.append(second, [1.0, 2.0]))
    assert with_ties == stats.wilcoxon(first, second)


def test_five_pairs_cannot_be_significant_by_wilcoxon():
    found = stats.wilcoxon(np.arange(1.0, 6) * 10, np.zeros(5))
    assert found.p == pytest.approx(2 / 2**5)


def test_welch_is_withheld_where_a_sample_is_clearly_not_normal():
    first, second = pair(1)
    skewed = np.exp(2 * second)
    found = stats.welch_if_normal(first, skewed)
    assert math.isnan(found.p) and "the second is not normal" in found.why
    assert "the first is not normal" in stats.welch_if_normal(skewed, first).why


def test_mood_takes_more_than_two_samples():
    samples = [RNG(n).normal(n / 3, 1, 20) for n in range(4)]
    expected = scipy_stats.median_test(*samples)
    found = stats.mood_median(*samples)
    assert (found.statistic, found.p) == pytest.approx((expected.statistic, expected.pvalue))


@pytest.mark.parametrize(
    "test", [stats.mood_median, stats.mann_whitney, stats.wilcoxon, stats.welch_if_normal]
)
def test_nothing_undefined_and_constant_have_an_outcome(test):
    for first in (np.zeros(0), np.array([0.1, math.nan, 0.3])):
        found = test(first, first)
        assert math.isnan(found.p) and found.why
    same = test(np.full(6, 0.5), np.full(6, 0.5))
    if test is stats.welch_if_normal:
        assert "all scores are the same" in same.why and math.isnan(same.p)
    else:
        assert same.p == 1


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(*[st.sampled_from([0.0, 0.1, 0.5, 0.7, 1.0, math.nan])] * 3), max_size=12)
)
def test_no_input_warns_or_raises_and_what_is_missing_has_a_reason(rows):
    table = np.array(rows, dtype=float).reshape(-1, 3)
    first, second = table[:, 0], table[:, 1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        outcomes = [
            stats.mood_median(first, second),
            stats.anderson_darling(first),
            stats.welch_if_normal(first, second),
            stats.mann_whitney(first, second),
            stats.wilcoxon(first, second),
            stats.friedman_nemenyi(table).friedman,
        ]
        stats.performance_profile([first, second], np.linspace(0, 1, 3), rng=RNG(0), draws=9)
    for found in outcomes:
        assert 0 <= found.p <= 1 if math.isfinite(found.p) else found.why


# --- Ranks over tasks -----------------------------------------------------------------------


def test_friedman_agrees_with_scipy_and_ranks_the_best_first():
    table = RNG(4).normal(size=(12, 4)) + [0, 1, 2, 3]
    found = stats.friedman_nemenyi(table)
    expected = scipy_stats.friedmanchisquare(*table.T)
    assert (found.friedman.statistic, found.friedman.p) == pytest.approx(
        (expected.statistic, expected.pvalue)
    )
    assert np.argsort(found.mean_ranks).tolist() == [3, 2, 1, 0]
    assert found.mean_ranks.sum() == pytest.approx(10)


@pytest.mark.parametrize(
    ("entrants", "quantile"), [(3, 2.343), (4, 2.569), (5, 2.728), (10, 3.164)]
)
def test_the_critical_difference_is_that_of_demsars_table(entrants, quantile):
    found = stats.friedman_nemenyi(RNG(5).normal(size=(14, entrants)), alpha=0.05)
    expected = quantile * math.sqrt(entrants * (entrants + 1) / (6 * 14))
    assert found.critical_difference == pytest.approx(expected, rel=5e-4)


def test_groups_are_the_longest_stretches_within_the_critical_difference():
    # Mean ranks 1, 2, 3, 4 over 10 tasks: CD = 2.569 * sqrt(20 / 60) = 1.483.
    table = np.tile([4.0, 3, 2, 1], (10, 1))
    found = stats.friedman_nemenyi(table)
    assert found.mean_ranks.tolist() == [1, 2, 3, 4]
    assert found.groups == ((0, 1), (1, 2), (2, 3))
    # Over 3 tasks CD is 2.708: only first and last differ.
    assert stats.friedman_nemenyi(table[:3]).groups == ((0, 1, 2), (1, 2, 3))
    # Over 2 it is 3.317, more than there is: all in one.
    assert stats.friedman_nemenyi(table[:2]).groups == ((0, 1, 2, 3),)
    # Over 100 every one differs.
    assert stats.friedman_nemenyi(np.tile([4.0, 3, 2, 1], (100, 1))).groups == ()


def test_ties_share_their_rank():
    found = stats.friedman_nemenyi(np.array([[1.0, 1, 0], [2, 1, 1], [1, 1, 1]]))
    assert found.mean_ranks == pytest.approx([(1.5 + 1 + 2) / 3, (1.5 + 2.5 + 2) / 3, 7.5 / 3])


def test_equal_entrants_are_one_group_and_too_few_have_a_reason():
    same = stats.friedman_nemenyi(np.ones((5, 3)))
    assert same.friedman.p == 1 and same.groups == ((0, 1, 2),)
    for table in (np.ones((1, 3)), np.ones((5, 2)), np.full((5, 3), math.nan)):
        found = stats.friedman_nemenyi(table)
        assert found.friedman.why and found.groups == () and math.isnan(found.critical_difference)


# --- Performance profiles -------------------------------------------------------------------


def test_a_profile_is_the_share_of_runs_above_with_tasks_alike():
    found = stats.performance_profile(
        [np.array([0.1, 0.5, 0.9, 0.9]), np.array([0.4, 0.6])],
        np.array([0.0, 0.5, 0.95]),
        rng=RNG(0),
    )
    assert found.share == pytest.approx([1, (0.5 + 0.5) / 2, 0])
    assert (found.low <= found.share).all() and (found.share <= found.high).all()
    assert found.low[1] < 0.3 and found.high[1] > 0.7


def test_the_interval_of_a_profile_has_the_binomial_spread():
    scores = np.repeat([0.0, 1.0], 50)
    found = stats.performance_profile([scores, scores], np.array([0.5]), rng=RNG(1), draws=20_000)
    reach = 1.96 * math.sqrt(0.25 / 200)
    assert (found.low[0], found.high[0]) == pytest.approx((0.5 - reach, 0.5 + reach), abs=0.01)


def test_a_profile_without_scores_has_a_reason():
    taus = np.array([0.1, 0.2])
    none = stats.performance_profile([], taus, rng=RNG(0))
    assert none.why == "no samples" and np.isnan(none.share).all()
    undefined = stats.performance_profile([np.array([0.1, math.nan])], taus, rng=RNG(0))
    assert "undefined" in undefined.why and np.isnan(undefined.share).all()
    one = stats.performance_profile([np.array([0.15])], taus, rng=RNG(0))
    assert one.share.tolist() == [1, 0] and np.isnan(one.low).all() and one.why
