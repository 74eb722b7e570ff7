import itertools
import math
import statistics
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate
from scipy import stats as scipy_stats

from results import stats

RNG = np.random.default_rng

scores_of_seeds = st.lists(
    st.one_of(st.floats(-1, 1), st.sampled_from([0.0, 0.5, math.nan])), max_size=12
).map(lambda values: np.array(values, dtype=float))


# --- Summary --------------------------------------------------------------------------------


def test_a_summary_on_a_worked_example():
    found = stats.summary(np.array([0.1, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0]))
    assert found.seeds == 8 and found.why == ""
    assert found.mean == pytest.approx(0.69375)
    assert found.median == pytest.approx(0.75)
    assert found.interquartile_mean == pytest.approx((0.6 + 0.7 + 0.8 + 0.9) / 4)
    assert found.deviation == pytest.approx(
        statistics.stdev([0.1, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1])
    )


def test_an_outlier_moves_the_mean_and_not_the_interquartile_mean():
    usual = np.linspace(0.8, 0.9, 9)
    spoilt = np.append(usual[1:], 0.0)
    change = stats.summary(usual).mean - stats.summary(spoilt).mean
    assert change > 0.08
    robust = stats.summary(usual).interquartile_mean - stats.summary(spoilt).interquartile_mean
    assert abs(robust) < 0.02


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_interquartile_mean_of_fewer_than_four_is_the_mean(count):
    found = stats.summary(np.array([0.1, 0.5, 0.6])[:count])
    assert found.interquartile_mean == pytest.approx(found.mean)


def test_a_summary_says_what_is_missing_and_why():
    assert stats.summary(np.zeros(0)).why == "0 of at least 1 seed"
    one = stats.summary(np.array([0.7]))
    assert one.mean == 0.7 and math.isnan(one.deviation) and "one seed" in one.why
    undefined = stats.summary(np.array([0.7, math.nan]))
    assert math.isnan(undefined.median) and "undefined for 1 of 2 seeds" in undefined.why


# --- The probability of improvement ---------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(scores_of_seeds, scores_of_seeds)
def test_improvement_is_the_share_of_pairs_with_ties_half(first, second):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = stats.probability_of_improvement(first, second)
        delta = stats.cliffs_delta(first, second)
        stats.hedges_g(first, second), stats.summary(first)
    values = np.concatenate([first, second])
    if not len(first) or not len(second) or np.isnan(values).any():
        assert math.isnan(found.value) and found.why
        return
    wins = [(a > b) + 0.5 * (a == b) for a, b in itertools.product(first, second)]
    assert found.value == pytest.approx(np.mean(wins), abs=1e-12)
    assert delta.value == pytest.approx(2 * np.mean(wins) - 1, abs=1e-12)
    if min(len(first), len(second)) < 3:
        assert math.isnan(found.low) and "of at least 3 seeds" in found.why
    else:
        assert 0 <= found.low <= found.value + 1e-12 and found.value - 1e-12 <= found.high <= 1
        assert found.high - found.low > 0.01


def test_improvement_of_the_one_is_none_of_the_other():
    first, second = RNG(0).normal(0.3, 1, 7), RNG(1).normal(0, 1, 5)
    one = stats.probability_of_improvement(first, second)
    other = stats.probability_of_improvement(second, first)
    assert (one.value, one.low, one.high) == pytest.approx(
        (1 - other.value, 1 - other.high, 1 - other.low), abs=1e-6
    )


def test_the_ends_of_the_interval_solve_newcombes_equation():
    found = stats.probability_of_improvement(RNG(2).normal(1, 1, 6), RNG(3).normal(0, 1, 9))
    for end in (found.low, found.high):
        more = (6 + 9) / 2 - 1
        spread = 1 + more * (1 - end) / (2 - end) + more * end / (1 + end)
        error = math.sqrt(end * (1 - end) * spread / (6 * 9))
        assert abs(found.value - end) / error == pytest.approx(1.959964, rel=1e-4)


def test_three_seeds_above_three_are_not_yet_always():
    found = stats.probability_of_improvement(np.array([3.0, 4, 5]), np.array([0.0, 1, 2]))
    assert found.value == found.high == 1 and 0.4 < found.low < 0.6
    found = stats.probability_of_improvement(np.array([0.0, 1, 2]), np.array([3.0, 4, 5]))
    assert found.value == found.low == 0 and 0.4 < found.high < 0.6


def test_with_many_seeds_it_is_near_the_bootstrap():
    first, second = RNG(4).normal(0.5, 1, 60), RNG(5).normal(0, 1, 50)
    found = stats.probability_of_improvement(first, second)
    rng, draws = RNG(6), []
    for _ in range(1000):
        a, b = rng.choice(first, 60), rng.choice(second, 50)
        draws.append(np.mean(a[:, None] > b) + 0.5 * np.mean(a[:, None] == b))
    assert (found.low, found.high) == pytest.approx(np.quantile(draws, [0.025, 0.975]), abs=0.02)


# --- Hedges' g ------------------------------------------------------------------------------


def test_hedges_g_on_a_worked_example():
    first, second = np.array([2.0, 4, 6]), np.array([0.0, 2, 4])
    found = stats.hedges_g(first, second)
    # d = 2 / 2 = 1; J(4) = gamma(2) / (sqrt(2) gamma(1.5)) = 0.7979
    assert found.value == pytest.approx(0.797885, rel=1e-5)
    assert found.low < 0 < found.value < found.high


def test_the_interval_of_g_excludes_zero_just_where_students_t_does():
    rng = RNG(7)
    for _ in range(30):
        first, second = rng.normal(0.8, 1, 8), rng.normal(0, 1, 6)
        found = stats.hedges_g(first, second)
        p = scipy_stats.ttest_ind(first, second).pvalue
        assert (found.low > 0 or found.high < 0) == (p < 0.05)


def test_the_ends_of_the_interval_are_the_effects_that_would_hardly_give_this_t():
    first, second = RNG(9).normal(2, 1, 4), RNG(10).normal(0, 1, 3)
    found = stats.hedges_g(first, second)
    t, scale = scipy_stats.ttest_ind(first, second).statistic, math.sqrt(1 / 4 + 1 / 3)
    tails = [scipy_stats.nct.cdf(t, 5, end / scale) for end in (found.low, found.high)]
    assert tails == pytest.approx([0.975, 0.025], abs=1e-4)


def test_g_is_unbiased_and_its_interval_covers():
    """Truth 1.0 with 4 and 5 seeds; 4 standard errors of 2,000 repeats."""
    rng = RNG(8)
    found = [stats.hedges_g(rng.normal(1, 1, 4), rng.normal(0, 1, 5)) for _ in range(2000)]
    values = np.array([one.value for one in found])
    assert abs(values.mean() - 1) < 4 * values.std() / math.sqrt(2000)
    inside = np.mean([one.low <= 1 <= one.high for one in found])
    assert abs(inside - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 2000)


def test_g_without_variation_has_no_unit():
    found = stats.hedges_g(np.full(4, 0.3), np.full(4, 0.1))
    assert math.isnan(found.value) and "no unit" in found.why
    assert "of at least 2 seeds" in stats.hedges_g(np.array([0.3]), np.array([0.1, 0.2])).why
    two = stats.hedges_g(np.array([0.3, 0.4]), np.array([0.1, 0.2]))
    assert math.isfinite(two.value) and math.isnan(two.low) and "at least 3 seeds" in two.why


def test_an_interval_that_rounding_would_spoil_is_not_given():
    base = np.array([0.0, 1e-9, 2e-9])
    found = stats.hedges_g(base + 1, base)
    assert found.value > 1e8
    assert (math.isnan(found.low) and "hardly vary" in found.why) or found.low < found.value


# --- Coverage -------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("seeds", "shift"), [(3, 1.0), (5, 1.0), (10, 2.5), (25, 0.0)])
def test_the_interval_of_improvement_covers(seeds, shift):
    """At least 93 % less 3 binomial errors of 1,000; from five seeds on."""
    truth = integrate.quad(
        lambda x: scipy_stats.norm.pdf(x) * scipy_stats.norm.cdf(x + shift), -8, 8
    )[0]
    rng, inside = RNG(seeds), 0
    for _ in range(1000):
        found = stats.probability_of_improvement(
            rng.normal(shift, 1, seeds), rng.normal(0, 1, seeds)
        )
        inside += found.low <= truth <= found.high
    floor = 0.93 if seeds >= 5 else 0.88
    assert inside / 1000 >= floor - 3 * math.sqrt(0.93 * 0.07 / 1000)
