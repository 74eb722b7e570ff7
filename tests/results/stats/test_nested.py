"""Searches and splits as units: against the formulas, and against what must not be dropped."""

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from results import stats

NONE = np.zeros(0)


def table_of(rng, *, splits=1, searches=1, seeds=3):
    return [[rng.normal(size=seeds) for _ in range(searches)] for _ in range(splits)]


def test_one_search_on_one_split_is_the_seeds_estimate():
    rng = np.random.default_rng(0)
    (one,), (other,) = table_of(rng)[0], table_of(rng, seeds=4)[0]
    left_out = rng.normal(size=12) / 10
    assert repr(stats.nested_estimate([[one]], [left_out], splits=1)) == repr(
        stats.t_estimate(one, left_out)
    )
    assert repr(stats.nested_difference([[one]], [[other]], [left_out], splits=1)) == repr(
        stats.t_difference(one, other, left_out)
    )
    assert stats.nested_estimate([[]], [NONE], splits=1).why == "0 of at least 3 seeds"


def test_several_searches_are_the_units():
    rng = np.random.default_rng(1)
    table = table_of(rng, searches=4)
    left_out = rng.normal(size=15) / 10
    units = np.array([scores.mean() for scores in table[0]])
    found = stats.nested_estimate(table, [left_out], splits=1, searches=4)
    as_seeds = stats.t_estimate(units, left_out)
    for name in ("value", "low", "high", "degrees", "variance", "patient_variance", "blocks"):
        assert getattr(found, name) == pytest.approx(getattr(as_seeds, name)), name
    assert found.variance == pytest.approx(
        units.var(ddof=1) / 4 + stats.jackknife_variance(left_out)
    )
    pooled = np.mean([scores.var(ddof=1) for scores in table[0]])
    assert found.seed_variance == pytest.approx(pooled / 12)
    assert found.search_variance == pytest.approx(
        max(0.0, units.var(ddof=1) / 4 - pooled / 12), abs=1e-15
    )
    assert math.isnan(found.split_variance)


def test_independent_searches_of_two_entrants_differ_as_welch_has_it():
    rng = np.random.default_rng(2)
    one, other = table_of(rng, searches=3), table_of(rng, searches=5)
    still = np.full(40, 0.5)
    found = stats.nested_difference(one, other, [still], splits=1, searches=3)
    units = [[scores.mean() for scores in table[0]] for table in (one, other)]
    welch = scipy_stats.ttest_ind(*units, equal_var=False)
    assert found.p == pytest.approx(welch.pvalue)
    assert found.degrees == pytest.approx(welch.df)


def test_splits_are_paired_and_corrected_for_shared_training_patients():
    rng = np.random.default_rng(3)
    one, other = table_of(rng, splits=5, searches=3), table_of(rng, splits=5, searches=3)
    blocks = [rng.normal(size=6) / 10 for _ in range(5)]
    found = stats.nested_difference(one, other, blocks, splits=5)
    units = [np.mean([s.mean() for s in row]) for row in one]
    units = np.array(units) - [np.mean([s.mean() for s in row]) for row in other]
    square = (1 / 5 + 1 / 4) * units.var(ddof=1)
    reach = scipy_stats.t.ppf(0.975, 4) * math.sqrt(square)
    assert found.value == pytest.approx(units.mean())
    assert (found.low, found.high) == pytest.approx((found.value - reach, found.value + reach))
    assert found.degrees == 4 and found.variance == pytest.approx(square)
    assert found.p == pytest.approx(2 * scipy_stats.t.sf(abs(found.value) / math.sqrt(square), 4))
    assert found.patient_variance == pytest.approx(
        sum(stats.jackknife_variance(left_out) for left_out in blocks) / 25
    )
    assert found.blocks == 30
    assert stats.bounds(found, alpha=0.025) == pytest.approx((found.low, found.high))


def test_the_parts_are_those_that_the_scores_were_drawn_with():
    """Averages over experiments of 4 splits, 3 searches, 2 seeds; variances 1, 2, 3 of each."""
    rng = np.random.default_rng(4)
    parts = []
    for _ in range(1500):
        by_split = rng.normal(size=(4, 1, 1)) * math.sqrt(3)
        by_search = rng.normal(size=(4, 3, 1)) * math.sqrt(2)
        scores = by_split + by_search + rng.normal(size=(4, 3, 2))
        table = [list(searches) for searches in scores]
        found = stats.nested_estimate(table, [np.zeros(5)] * 4, splits=4)
        parts.append((found.seed_variance, found.search_variance, found.variance))
        assert found.split_variance == pytest.approx(
            max(0.0, found.variance - found.seed_variance - found.search_variance)
        )
    seeds, searches, whole = np.mean(parts, axis=0)
    assert seeds == pytest.approx(1 / 24, rel=0.05)
    assert searches == pytest.approx(2 / 12, rel=0.05)
    assert whole == pytest.approx((3 + 2 / 3 + 1 / 6) * (1 / 4 + 1 / 3), rel=0.05)


def test_with_one_seed_a_search_the_seeds_are_within_the_searches():
    rng = np.random.default_rng(5)
    table = table_of(rng, searches=5, seeds=1)
    found = stats.nested_estimate(table, [rng.normal(size=9)], splits=1)
    assert math.isnan(found.seed_variance) and found.method == "t"
    assert found.search_variance == pytest.approx(np.var(np.concatenate(table[0]), ddof=1) / 5)


def test_searches_with_unlike_numbers_of_seeds_count_alike():
    table = [[np.array([1.0, 2.0, 3.0]), np.array([5.0]), np.array([0.0, 2.0])]]
    found = stats.nested_estimate(table, [np.array([0.0, 0.1])], splits=1)
    assert found.value == pytest.approx((2 + 5 + 1) / 3)
    within = (2 + 0 + 2) / 3
    assert found.seed_variance == pytest.approx(within * (1 / 3 + 1 + 1 / 2) / 9)


@pytest.mark.parametrize("empty", [[], [NONE]])
@pytest.mark.parametrize("count", [1, 2])
def test_fewer_than_three_searches_bear_no_interval(count, empty):
    rng = np.random.default_rng(6)
    table = [[*table_of(rng, searches=count, seeds=9)[0], *empty]]
    found = stats.nested_estimate(table, [rng.normal(size=20)], splits=1, searches=3)
    assert found.why == f"{count} of at least 3 searches" and not found.testable
    assert found.value == pytest.approx(np.mean(table[0][:count]))


def test_one_search_is_no_match_for_several():
    rng = np.random.default_rng(7)
    one, other = table_of(rng, searches=3), table_of(rng, seeds=10)
    found = stats.nested_difference(one, other, [rng.normal(size=20)], splits=1)
    assert found.why == "1 of at least 3 searches" and math.isnan(found.p)


@pytest.mark.parametrize("absent", [[], [NONE], None])
def test_all_planned_splits_must_be_there(absent):
    rng = np.random.default_rng(8)
    table = table_of(rng, splits=5)
    table[2:3] = [] if absent is None else [absent]
    found = stats.nested_estimate(table, [rng.normal(size=4)] * len(table), splits=5)
    assert found.why == "4 of 5 splits" and math.isnan(found.low)
    whole = table_of(rng, splits=5)
    pair = stats.nested_difference(whole, table, [rng.normal(size=4)] * 5, splits=5)
    assert pair.why == "4 of 5 splits" and not pair.testable


def test_two_splits_bear_no_interval():
    table = table_of(np.random.default_rng(9), splits=2)
    assert stats.nested_estimate(table, [NONE] * 2, splits=2).why == "2 of at least 3 splits"


@pytest.mark.parametrize(("splits", "searches"), [(1, 3), (3, 1)])
def test_an_undefined_training_makes_the_whole_undefined(splits, searches):
    rng = np.random.default_rng(10)
    table = table_of(rng, splits=splits, searches=searches)
    table[-1][-1][1] = math.nan
    found = stats.nested_estimate(table, [rng.normal(size=4)] * splits, splits=splits)
    assert math.isnan(found.value) and math.isnan(found.low)
    assert found.why == "the metric is undefined for 1 of 9 trainings"


def test_splits_that_do_not_differ_have_no_interval_and_patients_tell_them_apart_or_not():
    table = [[np.full(2, 0.25)]] * 3
    still = stats.nested_estimate(table, [np.full(4, 0.25)] * 3, splits=3)
    assert math.isnan(still.low) and still.p == pytest.approx(2 * 0.5**12)
    assert stats.bounds(still, alpha=0.05) == (0.25, 0.25)
    chance = stats.nested_estimate(table, [np.array([0.2, 0.3])] * 3, splits=3)
    assert math.isnan(chance.low) and not chance.testable
    assert "the splits do not differ" in chance.why
    assert all(map(math.isnan, stats.bounds(chance, alpha=0.05)))


def test_splits_bear_an_interval_where_patients_cannot_be_resampled():
    table = table_of(np.random.default_rng(11), splits=4)
    found = stats.nested_estimate(table, [NONE] * 4, splits=4)
    assert found.method == "t" and found.low < found.value < found.high
    assert math.isnan(found.patient_variance) and math.isnan(found.split_variance)


def test_unit_means_are_of_each_search_s_trainings():
    scores = np.arange(12.0).reshape(2, 6)
    found = stats.unit_means(scores, np.array([4, 1, 4, 1, 1, 9]))
    np.testing.assert_allclose(found, [[8 / 3, 1, 5], [26 / 3, 7, 11]])


def test_drawn_searches_have_the_variance_of_their_mean():
    rng = np.random.default_rng(12)
    scores = rng.normal(size=30)
    searches = np.repeat(np.arange(10), 3)
    draws = stats.seed_means(stats.unit_means(np.tile(scores, (50_000, 1)), searches), rng)
    units = scores.reshape(10, 3).mean(axis=1)
    assert draws.var() == pytest.approx(units.var(ddof=1) / 10, rel=0.05)


def test_no_number_of_seeds_is_forecast_for_searches():
    rng = np.random.default_rng(13)
    table = table_of(rng, searches=3)
    found = stats.nested_estimate(table, [rng.normal(size=9)], splits=1)
    assert "searches or splits" in stats.seeds_needed(found, seeds=3, alpha=0.05).why
