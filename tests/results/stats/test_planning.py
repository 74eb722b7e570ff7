import math

import numpy as np
import pytest

from results import stats
from results.stats import Estimate

RNG = np.random.default_rng


def difference(*, mean=0.01, seeds=5, patients=40, spread=0.02, by_patient=1e-3, rng=None):
    """A t difference whose seeds have exactly this mean and spread."""
    rng = rng or RNG(0)
    noise = rng.normal(size=(2, seeds))
    noise = (noise - noise.mean(axis=1, keepdims=True)) / noise.std(axis=1, ddof=1, keepdims=True)
    left_out = rng.normal(size=patients)
    left_out = (left_out - left_out.mean()) / left_out.std() * by_patient / math.sqrt(patients - 1)
    return stats.t_difference(mean + spread * noise[0], spread * noise[1], mean + left_out)


def decided(estimate: Estimate, against: float, alpha: float) -> bool:
    low, high = stats.bounds(estimate, alpha=alpha)
    return low > against or high < against


@pytest.mark.parametrize("against", [0.0, -0.005, 0.03])
@pytest.mark.parametrize("by_patient", [0.0, 1e-3, 3e-3])
def test_the_number_is_the_first_at_which_the_bounds_exclude_the_value(against, by_patient):
    now = difference(by_patient=by_patient, spread=0.03)
    assert not decided(now, against, 0.05)
    found = stats.seeds_needed(now, seeds=5, against=against, alpha=0.05)
    assert found.seeds is not None and found.seeds > 5
    at, before = (
        difference(by_patient=by_patient, spread=0.03, seeds=n)
        for n in (found.seeds, found.seeds - 1)
    )
    assert decided(at, against, 0.05) and not decided(before, against, 0.05)


@pytest.mark.parametrize("spread", [0.0065, 0.0074, 0.012])
def test_one_seed_more_can_be_enough(spread):
    now = difference(spread=spread, seeds=3, by_patient=0.0)
    found = stats.seeds_needed(now, seeds=3, alpha=0.05).seeds
    later = {n: difference(spread=spread, seeds=n, by_patient=0.0) for n in range(3, 20)}
    assert found == next(n for n in range(4, 20) if decided(later[n], 0.0, 0.05))
    assert not decided(now, 0.0, 0.05) and (found == 4) == (spread == 0.0065)


@pytest.mark.parametrize("by_patient", [0.007, 0.02])
def test_patients_forbid_what_no_number_of_seeds_can_decide(by_patient):
    found = stats.seeds_needed(difference(by_patient=by_patient), seeds=5, alpha=0.05)
    assert found.seeds is None and "more patients" in found.why


def test_the_cap_is_said():
    now = difference(spread=0.2, by_patient=1e-4)
    found = stats.seeds_needed(now, seeds=5, alpha=0.05, cap=100)
    assert found.seeds is None and found.why == "more than 100 seeds"
    assert stats.seeds_needed(now, seeds=5, alpha=0.05, cap=5000).seeds > 100
    assert stats.seeds_needed(now, seeds=5, alpha=0.05, cap=5).why == "more than 5 seeds"


def test_a_difference_on_the_limit_is_never_decided():
    now = difference(mean=0.01)
    found = stats.seeds_needed(now, seeds=5, against=now.value, alpha=0.05)
    assert found.seeds is None and "on the limit" in found.why


def test_a_smaller_difference_takes_more_seeds():
    numbers = [
        stats.seeds_needed(difference(mean=mean), seeds=5, alpha=0.05).seeds
        for mean in (0.012, 0.008, 0.005, 0.004)
    ]
    assert None not in numbers and numbers == sorted(numbers) and numbers[0] < numbers[-1]


def test_unequal_spread_takes_as_many_as_the_bounds_say():
    rng = RNG(3)
    noise = rng.normal(size=6)
    noise = (noise - noise.mean()) / noise.std(ddof=1)
    now = stats.t_difference(0.01 + 0.03 * noise, np.zeros(6), np.full(30, 0.01))
    found = stats.seeds_needed(now, seeds=6, alpha=0.05).seeds
    # One entrant alone varies: Student's t with N - 1 degrees.
    from scipy.stats import t

    expected = next(n for n in range(7, 999) if t.isf(0.05, n - 1) * 0.03 / math.sqrt(n) < 0.01)
    assert found == expected


def test_a_bootstrap_is_forecast_by_its_variances_and_never_sooner():
    now = difference(seeds=10)
    draws = RNG(4).normal(now.value, math.sqrt(now.seed_variance), size=2000)
    bootstrap = stats.bootstrap_estimate(
        now.value,
        draws,
        blocks=40,
        seed_variance=now.seed_variance,
        patient_variance=now.patient_variance,
    )
    by_t = stats.seeds_needed(now, seeds=10, alpha=0.01).seeds
    found = stats.seeds_needed(bootstrap, seeds=10, alpha=0.01).seeds
    assert by_t is not None and found is not None and by_t <= found <= by_t + 2


def test_without_an_interval_there_is_a_reason_and_no_number():
    few = stats.t_difference(np.array([0.1, 0.2]), np.array([0.1, 0.3]), np.zeros(9))
    found = stats.seeds_needed(few, seeds=2, alpha=0.05)
    assert found.seeds is None and found.why == "2 of at least 3 seeds"
    same = stats.t_difference(np.full(3, 0.9), np.full(3, 0.8), np.full(3, 0.1))
    assert "more patients" in stats.seeds_needed(same, seeds=3, alpha=0.05).why
