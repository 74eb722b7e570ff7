import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from results import stats
from results.stats.best import subset_weights

RNG = np.random.default_rng
GAPS = [0.3, 0.1, 0.9, 0.9, 0.5, 0.7, 0.2]


def curve(scores, **options):
    return stats.expected_best(np.array(scores, dtype=float), rng=RNG(0), **options)


def by_effort(scores, epochs, efforts, **options):
    return stats.expected_best_by_effort(
        np.array(scores, dtype=float),
        np.array(epochs),
        efforts=np.array(efforts, dtype=float),
        rng=RNG(0),
        **options,
    )


# --- After k trials -------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-10, 10), min_size=1, max_size=9))
def test_it_is_the_mean_of_the_best_over_all_subsets(scores):
    found = curve(scores, draws=10)
    expected = [
        np.mean([max(subset) for subset in itertools.combinations(scores, k)])
        for k in range(1, len(scores) + 1)
    ]
    assert found.value == pytest.approx(expected, abs=1e-9)
    assert found.at.tolist() == list(range(1, len(scores) + 1))


@pytest.mark.parametrize("trials", [1, 7, 60])
def test_the_weights_are_ratios_of_binomials(trials):
    sizes = np.arange(1, trials + 1)
    expected = [
        [math.comb(i - 1, k - 1) / math.comb(trials, k) for i in range(1, trials + 1)]
        for k in sizes
    ]
    assert subset_weights(trials, sizes) == pytest.approx(np.array(expected), rel=1e-9)


def test_ten_thousand_trials_neither_overflow_nor_lose_weight():
    weights = subset_weights(10_000, np.array([1, 100, 5000, 9999, 10_000]))
    assert weights.sum(axis=1) == pytest.approx(np.ones(5), rel=1e-9)
    assert (weights >= 0).all()


def test_it_is_unbiased_for_the_best_of_k():
    """The best of 5 uniform draws is 5/6 on average; 4 standard errors of 3,000 repeats."""
    values = [
        stats.expected_best(rng.uniform(size=12), rng=rng, sizes=np.array([5]), draws=1).value[0]
        for rng in [RNG(n) for n in range(3000)]
    ]
    assert abs(np.mean(values) - 5 / 6) < 4 * np.std(values) / math.sqrt(3000)


def test_it_ends_at_the_best_and_begins_at_the_mean():
    found = curve(GAPS)
    assert found.value[0] == pytest.approx(np.mean(GAPS)) and found.value[-1] == 0.9
    assert (np.diff(found.value) >= -1e-12).all()


def test_a_failed_trial_counts_as_the_worst_that_was_seen():
    assert curve([*GAPS, math.nan]).value == pytest.approx(curve([*GAPS, 0.1]).value)
    assert curve([*GAPS, math.nan]).value[0] < curve(GAPS).value[0]


def test_intervals_reach_to_half_of_the_trials_and_no_further():
    found = curve(RNG(1).normal(size=20))
    assert np.isfinite(found.low).tolist() == [k <= 10 for k in range(1, 21)]
    inner = slice(0, 10)
    assert (found.low[inner] < found.value[inner]).all()
    assert (found.value[inner] < found.high[inner]).all() and found.why == ""
    assert found.high[9] > found.value[-1], "it must reach above the best that was seen"


def test_sizes_beyond_half_alone_have_values_without_intervals():
    found = curve(RNG(1).normal(size=20), sizes=np.array([11, 20]))
    assert np.isfinite(found.value).all() and np.isnan(found.high).all()


def test_the_same_generator_gives_the_same_interval():
    scores = RNG(1).normal(size=20)
    assert curve(scores).low[:10].tolist() == curve(scores).low[:10].tolist()


@pytest.mark.parametrize(
    ("scores", "why"),
    [
        ([], "no trials"),
        ([math.nan, math.nan], "no trial has a score"),
        ([0.5], "1 of at least 5 trials"),
        ([0.5] * 8, "all trials score the same"),
        ([0.1, 0.2, 0.3, 0.4], "4 of at least 5 trials"),
    ],
)
def test_too_little_has_a_reason_and_no_interval(scores, why):
    for found in (curve(scores), by_effort(scores, [3] * len(scores), [3, 6])):
        assert why in found.why
        assert np.isnan(found.low).all() and np.isnan(found.high).all()
        assert len(found.value) == len(found.at)
        if np.isfinite(scores).any():
            assert np.isfinite(found.value[found.at >= 3]).all()
        else:
            assert np.isnan(found.value).all()


def test_many_ties_leave_no_infinite_ends():
    found = curve([0.0] * 15 + [1.0])
    assert not np.isinf(found.low).any() and not np.isinf(found.high).any()


# --- After so many epochs -------------------------------------------------------------------


def test_it_is_the_mean_over_all_orders_of_the_trials():
    scores, epochs = [0.3, 0.9, 0.1, 0.6, 0.5], [3, 9, 1, 3, 1]
    efforts = [9, 10, 12, 14, 17, 20]
    expected = np.zeros(len(efforts))
    orders = list(itertools.permutations(range(5)))
    for order in orders:
        spent = np.cumsum([epochs[i] for i in order])
        for place, effort in enumerate(efforts):
            done = [scores[i] for i, end in zip(order, spent, strict=True) if end <= effort]
            expected[place] += max(done) / len(orders)
    # 2,000 orders of values within [0.1, 0.9]: 4 standard errors.
    assert by_effort(scores, epochs, efforts).value == pytest.approx(expected, abs=0.03)


def test_trials_of_one_length_agree_with_the_count_of_trials():
    scores = RNG(2).normal(size=12)
    found = by_effort(scores, [4] * 12, [4, 9, 20, 24, 47, 48, 999])
    trials = curve(scores, sizes=np.array([1, 2, 5, 6, 11, 12, 12]))
    assert found.value == pytest.approx(trials.value, abs=0.1)
    assert found.value[-2:] == pytest.approx([scores.max()] * 2)
    assert np.isfinite(found.low).tolist() == [True] * 4 + [False] * 3


def test_below_the_longest_trial_there_is_no_value():
    found = by_effort(GAPS, [1, 1, 1, 1, 1, 1, 9], [1, 8, 9])
    assert np.isnan(found.value).tolist() == [True, True, False]
    assert np.isnan(found.low[:2]).all()


def test_cheap_failures_cost_little_effort():
    dear = by_effort([*GAPS, *[math.nan] * 7], [4] * 14, [20]).value[0]
    cheap = by_effort([*GAPS, *[math.nan] * 7], [4] * 7 + [1] * 7, [20]).value[0]
    assert cheap > dear


# --- Coverage -------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("trials", [20, 50])
@pytest.mark.parametrize("shape", ["normal", "beta", "exponential"])
def test_intervals_of_the_expected_best_cover(trials, shape):
    """At least 92 % less 3 binomial errors of 500 repeats, up to half of the trials."""
    drawn = {
        "normal": scipy_stats.norm(),
        "beta": scipy_stats.beta(5, 1.2),
        "exponential": scipy_stats.expon(),
    }[shape]
    sizes = np.array([1, trials // 8, trials // 4, trials // 2])
    share = (np.arange(200_000) + 0.5) / 200_000
    truth = np.array([(drawn.ppf(share) * k * share ** (k - 1)).mean() for k in sizes])
    rng, inside = RNG(trials), np.zeros(4)
    for _ in range(500):
        scores = drawn.rvs(trials, random_state=rng)
        found = stats.expected_best(scores, rng=rng, sizes=sizes, draws=500)
        inside += (found.low <= truth) & (truth <= found.high)
    assert (inside / 500 >= 0.92 - 3 * math.sqrt(0.92 * 0.08 / 500)).all(), inside / 500
