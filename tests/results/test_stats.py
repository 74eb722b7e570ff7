import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from results import stats

RNG = np.random.default_rng


def blocks_mean(values: np.ndarray) -> np.ndarray:
    """Leave-one-out means of (patients,)."""
    return np.array([np.delete(values, i).mean() for i in range(len(values))])


# --- The jackknife and the t interval -------------------------------------------------------


def test_the_jackknife_of_a_mean_is_its_squared_standard_error():
    values = RNG(0).normal(size=30)
    expected = scipy_stats.sem(values) ** 2
    assert stats.jackknife_variance(blocks_mean(values)) == pytest.approx(expected, rel=1e-12)


def test_the_jackknife_needs_two_blocks_and_defined_values():
    assert math.isnan(stats.jackknife_variance(np.array([0.5])))
    assert math.isnan(stats.jackknife_variance(np.array([0.5, math.nan, 0.4])))


def test_without_patient_variance_it_is_the_t_interval_of_scipy():
    scores = np.array([0.81, 0.84, 0.79, 0.83])
    found = stats.t_estimate(scores, np.full(40, scores.mean()))
    low, high = scipy_stats.t.interval(0.95, 3, scores.mean(), scipy_stats.sem(scores))
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-12)
    assert found.degrees == pytest.approx(3)
    assert found.patient_variance < 1e-20


def test_without_seed_variance_it_is_the_t_interval_over_patients():
    patients = RNG(1).normal(0.8, 0.1, size=25)
    found = stats.t_estimate(np.full(3, patients.mean()), blocks_mean(patients))
    low, high = scipy_stats.t.interval(0.95, 24, patients.mean(), scipy_stats.sem(patients))
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-9)


def test_the_two_variances_add_up_with_welch_satterthwaite_degrees():
    scores, patients = np.array([0.7, 0.8, 0.9]), RNG(2).normal(0.8, 0.3, size=12)
    found = stats.t_estimate(scores, blocks_mean(patients))
    a, b = scores.var(ddof=1) / 3, scipy_stats.sem(patients) ** 2
    assert found.seed_variance == pytest.approx(a)
    assert found.patient_variance == pytest.approx(b)
    degrees = (a + b) ** 2 / (a**2 / 2 + b**2 / 11)
    reach = scipy_stats.t.ppf(0.975, degrees) * math.sqrt(a + b)
    assert found.degrees == pytest.approx(degrees)
    assert found.high - found.low == pytest.approx(2 * reach)


def test_a_difference_without_patient_variance_is_welchs_test():
    first, second = np.array([0.9, 0.93, 0.91, 0.97]), np.array([0.8, 0.86, 0.9])
    found = stats.t_difference(first, second, np.full(50, 0.1))
    welch = scipy_stats.ttest_ind(first, second, equal_var=False)
    assert found.p == pytest.approx(welch.pvalue, rel=1e-9)
    interval = welch.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=1e-9)


def test_a_difference_of_patients_alone_is_the_paired_t_test():
    rng = RNG(3)
    hard = rng.normal(0, 0.3, size=20)
    first, second = 0.8 + hard + rng.normal(0, 0.02, 20), 0.77 + hard + rng.normal(0, 0.02, 20)
    left_out = blocks_mean(first) - blocks_mean(second)
    found = stats.t_difference(np.full(3, first.mean()), np.full(3, second.mean()), left_out)
    assert found.p == pytest.approx(scipy_stats.ttest_rel(first, second).pvalue, rel=1e-6)
    assert found.p < 0.01 < scipy_stats.ttest_ind(first, second).pvalue


@pytest.mark.parametrize("count", [0, 1, 2])
def test_fewer_than_three_seeds_bear_no_interval(count):
    found = stats.t_estimate(np.linspace(0.5, 0.6, count), np.full(9, 0.5))
    assert found.method == "none" and math.isnan(found.low) and not found.testable
    assert found.why == f"{count} of at least 3 seeds"


def test_an_undefined_seed_is_not_dropped_in_silence():
    found = stats.t_estimate(np.array([0.5, math.nan, 0.6]), np.full(9, 0.5))
    assert math.isnan(found.value) and "undefined for 1 of 3 seeds" in found.why


def test_one_patient_bears_no_interval():
    found = stats.t_estimate(np.array([0.5, 0.7, 0.6]), np.array([0.6]))
    assert found.method == "none" and "two or more patients" in found.why


def test_constant_scores_have_no_interval_but_can_be_told_apart_by_many_patients():
    same = stats.t_difference(np.full(3, 0.9), np.full(3, 0.9), np.zeros(8))
    assert same.p == 1 and same.method == "none"
    many = stats.t_difference(np.ones(3), np.zeros(3), np.ones(30))
    assert many.p == pytest.approx(2 * 0.5**30) and math.isnan(many.low)
    few = stats.t_difference(np.ones(3), np.zeros(3), np.ones(3))
    assert few.p == pytest.approx(0.25)


# --- The bootstrap --------------------------------------------------------------------------


def test_resampled_seeds_have_the_variance_of_their_mean():
    scores = RNG(4).normal(0.8, 0.05, size=10)
    means = stats.seed_means(np.tile(scores, (200_000, 1)), RNG(5))
    assert means.mean() == pytest.approx(scores.mean(), abs=1e-4)
    assert means.var() == pytest.approx(scores.var(ddof=1) / 10, rel=0.02)


def test_resampled_patients_have_the_variance_of_their_mean():
    values = RNG(6).normal(size=12)
    weights = np.concatenate(list(stats.patient_draws(12, 100_000, RNG(7))))
    assert weights.shape == (100_000, 12) and (weights.sum(axis=1) == 11).all()
    assert (weights @ values / 11).var() == pytest.approx(values.var(ddof=1) / 12, rel=0.02)


def test_a_bootstrap_interval_holds_the_middle_of_the_draws():
    draws = RNG(8).normal(0.02, 0.01, size=100_000)
    found = stats.bootstrap_estimate(
        0.02, draws, blocks=40, seed_variance=0.0, patient_variance=1e-4
    )
    assert (found.low, found.high) == pytest.approx((0.02 - 0.0196, 0.02 + 0.0196), abs=3e-4)
    assert found.p == pytest.approx(2 * scipy_stats.norm.sf(2), rel=0.05)
    assert found.method == "bootstrap"


def test_a_bootstrap_p_is_never_zero_nor_above_one():
    def p(draws):
        return stats.bootstrap_estimate(
            float(draws.mean()), draws, blocks=40, seed_variance=0.0, patient_variance=0.0
        ).p

    assert p(np.linspace(1, 2, 999)) == pytest.approx(2 / 1000)
    assert p(np.array([-1e-3, 1e-3] * 50)) == 1


def test_a_few_undefined_draws_are_left_out_many_are_not():
    draws = RNG(9).normal(0.5, 0.1, size=1000)
    draws[:40] = math.nan
    options = {"blocks": 9, "seed_variance": 0.0, "patient_variance": 0.0}
    assert stats.bootstrap_estimate(0.5, draws, **options).method == "bootstrap"
    draws[:60] = math.nan
    found = stats.bootstrap_estimate(0.5, draws, **options)
    assert found.method == "none" and "too many resamples" in found.why


# --- Many entrants --------------------------------------------------------------------------


def test_holm_on_a_worked_example():
    found = stats.holm(np.array([0.01, 0.04, 0.03, 0.005]))
    assert found == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_leaves_undefined_tests_out():
    found = stats.holm(np.array([0.01, math.nan, 0.9]))
    assert found[[0, 2]] == pytest.approx([0.02, 0.9]) and math.isnan(found[1])
    assert stats.holm(np.zeros(0)).shape == (0,)


def test_holm_rejects_no_less_than_bonferroni_and_keeps_the_order():
    p = RNG(10).uniform(size=30) ** 3
    found = stats.holm(p)
    assert (found <= np.minimum(1, 30 * p) + 1e-12).all() and (found >= p).all()
    assert (np.diff(found[np.argsort(p)]) >= 0).all()


def test_a_tier_counts_who_is_better():
    better = np.array([[0, 0, 1], [0, 0, 1], [0, 0, 0]], dtype=bool)
    assert stats.tiers(better).tolist() == [1, 1, 3]
    assert stats.tiers(np.zeros((0, 0), dtype=bool)).tolist() == []


def test_blocks_are_even_and_every_group_has_one():
    few = stats.blocks_of(7, limit=200, rng=RNG(0))
    assert few.tolist() == list(range(7))
    many = stats.blocks_of(1001, limit=200, rng=RNG(0))
    sizes = np.bincount(many)
    assert len(sizes) == 200 and set(sizes) == {5, 6}
    assert many.tolist() != stats.blocks_of(1001, limit=200, rng=RNG(1)).tolist()


# --- Coverage -------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("seeds", "patients"), [(3, 10), (5, 30), (10, 20), (10, 60)])
def test_intervals_cover_and_equal_entrants_are_rarely_told_apart(seeds, patients):
    """Additive seed and patient effects, truth 0; 95 % +- 4 binomial errors of 800 repeats."""
    rng = RNG(seeds * 100 + patients)
    inside = false = 0
    repeats = 800
    for _ in range(repeats):
        hard = rng.normal(size=patients)
        both = [_entrant(rng, seeds, hard) for _ in range(2)]
        one, difference = _estimates(both, rng, patients)
        inside += one.low <= 0 <= one.high
        false += difference.p <= 0.05
    assert inside / repeats >= 0.95 - 4 * math.sqrt(0.95 * 0.05 / repeats)
    assert false / repeats <= 0.05 + 4 * math.sqrt(0.95 * 0.05 / repeats)


def _entrant(rng, seeds, hard):
    """(patients, seeds)"""
    noise = rng.normal(0, 0.5, size=(len(hard), seeds))
    return hard[:, None] + rng.normal(0, 0.3, size=seeds) + noise


def _estimates(both, rng, patients):
    def under(weights, table):
        return weights @ table / weights.sum(axis=1, keepdims=True)

    first, second = (table.mean(axis=0) for table in both)
    out = [under(stats.leave_one_out(patients), table).mean(axis=1) for table in both]
    one = stats.t_estimate(first, out[0])
    difference = stats.t_difference(first, second, out[0] - out[1])
    if len(first) < stats.BOOTSTRAP_SEEDS:
        return one, difference
    weights = list(stats.patient_draws(patients, 1000, rng))
    means = [
        stats.seed_means(np.concatenate([under(part, table) for part in weights]), rng)
        for table in both
    ]
    options = {"blocks": patients, "seed_variance": 0.0, "patient_variance": 0.0}
    return (
        stats.bootstrap_estimate(one.value, means[0], **options),
        stats.bootstrap_estimate(difference.value, means[0] - means[1], **options),
    )
