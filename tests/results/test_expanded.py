"""The bootstrap's interval and p, widened for the few seeds and patients they come from."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from results import stats
from results.stats.estimates import contracted, expanded

NORMAL = np.asarray(scipy_stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000))
"""Draws without any noise of drawing."""
PARTS = {"blocks": 40, "seed_variance": 0.5, "patient_variance": 0.5}


@pytest.mark.parametrize("degrees", [4.0, 9.0, 17.3, 60.0])
def test_of_normal_draws_it_is_the_t_interval(degrees):
    found = stats.bootstrap_estimate(0.8, 0.8 + 0.02 * NORMAL, degrees=degrees, **PARTS)
    low, high = scipy_stats.t.interval(0.95, degrees, 0.8, 0.02)
    assert (found.low, found.high) == pytest.approx((low, high), abs=2e-4)
    assert found.degrees == degrees and found.method == "bootstrap"
    bounds = stats.bootstrap_bounds(0.8 + 0.02 * NORMAL, alpha=0.05, degrees=degrees)
    assert bounds == pytest.approx(scipy_stats.t.interval(0.90, degrees, 0.8, 0.02), abs=2e-4)


@pytest.mark.parametrize("value", [0.5, -1.7, 3.0])
def test_of_normal_draws_the_p_is_the_t_tests(value):
    found = stats.bootstrap_estimate(value, value + NORMAL, degrees=12, **PARTS)
    assert found.p == pytest.approx(2 * scipy_stats.t.sf(abs(value), 12), rel=0.05)


def test_a_p_that_no_draw_resolves_is_that_of_the_draws_deviation():
    found = stats.bootstrap_estimate(8.0, 8.0 + NORMAL[10::20], degrees=12, **PARTS)
    assert found.p == pytest.approx(2 * scipy_stats.t.sf(8.0, 12), rel=0.05)


@given(tail=st.floats(1e-4, 0.5), degrees=st.floats(4, 1e6))
def test_fewer_degrees_leave_out_less(tail, degrees):
    assert 0 < expanded(tail, degrees) <= tail + 1e-12
    assert expanded(tail, degrees) <= expanded(tail, 2 * degrees) + 1e-12
    assert expanded(tail, math.inf) == tail
    assert contracted(expanded(tail, degrees), degrees) == pytest.approx(tail, rel=1e-6)


@given(
    shift=st.floats(-4, 4),
    degrees=st.floats(9, 100),
    seed=st.integers(0, 50),
    confidence=st.sampled_from([0.8, 0.9, 0.95]),
)
def test_the_interval_holds_zero_where_p_is_not_small(shift, degrees, seed, confidence):
    draws = shift + np.random.default_rng(seed).gamma(4, size=2000) / 2 - 2
    found = stats.bootstrap_estimate(
        float(draws.mean()), draws, degrees=degrees, confidence=confidence, **PARTS
    )
    alpha = 1 - confidence
    assert found.low < found.value < found.high
    if found.low > 0 or found.high < 0:
        assert found.p < alpha + 0.01
    else:
        assert found.p > alpha - 0.01
