"""Many pairs at once give what each gives by itself."""

import itertools
import math
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from results import stats
from results.stats import best, pairwise


@st.composite
def fields(draw):
    """Entrants with scores of their own, and common blocks of patients; some of them odd."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    blocks = draw(st.sampled_from([0, 1, 2, 5, 30]))
    scores, left_out = [], []
    for kind in draw(
        st.lists(st.sampled_from(["plain", "flat", "few", "nan", "hole"]), min_size=2, max_size=7)
    ):
        one = rng.normal(0.7, 0.05, size=draw(st.integers(3, 6)))
        left = one.mean() + rng.normal(0, 0.002, size=blocks)
        if kind == "flat":
            one, left = np.full_like(one, 0.5), np.full_like(left, 0.5)
        if kind == "few":
            one = one[: draw(st.integers(0, 2))]
        if kind == "nan":
            one[0] = math.nan
        if kind == "hole" and blocks:
            left[0] = math.nan
        scores.append(np.round(one, draw(st.sampled_from([2, 12]))))
        left_out.append(left)
    return scores, left_out


def all_pairs(scores):
    return np.array(list(itertools.combinations(range(len(scores)), 2))).T


def close(one, other):
    found, wanted = asdict(one), asdict(other)
    assert found == {
        name: pytest.approx(value, rel=1e-9, abs=1e-15, nan_ok=True)
        if isinstance(value, float)
        else value
        for name, value in wanted.items()
    }


@settings(max_examples=80, deadline=None)
@given(fields())
def test_differences_of_all_pairs_are_those_of_each(field):
    scores, left_out = field
    first, second = all_pairs(scores)
    found = stats.t_differences(scores, left_out, first, second)
    for a, b, estimate in zip(first, second, found, strict=True):
        wanted = stats.t_difference(scores[a], scores[b], left_out[a] - left_out[b])
        assert (estimate is None) == (wanted.method == "none")
        if estimate is not None:
            close(estimate, wanted)


@settings(max_examples=50, deadline=None)
@given(fields())
def test_effect_sizes_of_all_pairs_are_those_of_each(field):
    scores, _ = field
    first, second = all_pairs(scores)
    found = stats.effects(scores, first, second)
    sizes = (stats.probability_of_improvement, stats.cliffs_delta, stats.hedges_g)
    for size, of_all in zip(sizes, found.values(), strict=True):
        for row, (a, b) in enumerate(zip(first, second, strict=True)):
            one = stats.Effect(
                value=float(of_all.value[row]),
                low=float(of_all.low[row]),
                high=float(of_all.high[row]),
                why=of_all.why[row],
            )
            close(one, size(scores[a], scores[b]))


def test_portions_of_pairs_are_put_together_again(monkeypatch):
    rng = np.random.default_rng(1)
    scores = list(rng.normal(0.7, 0.05, (9, 4)))
    left_out = [one.mean() + rng.normal(0, 0.002, 10) for one in scores]
    pairs = all_pairs(scores)
    whole = stats.t_differences(scores, left_out, *pairs)
    sizes = stats.effects(scores, *pairs)
    monkeypatch.setattr(pairwise, "PORTION", 50)
    assert stats.t_differences(scores, left_out, *pairs) == whole
    for name, found in stats.effects(scores, *pairs).items():
        np.testing.assert_array_equal(found.high, sizes[name].high)


def test_no_pairs_have_no_differences():
    nobody = np.zeros(0, dtype=np.int64)
    assert stats.t_differences([], [], nobody, nobody) == []
    assert all(len(size.value) == 0 for size in stats.effects([], nobody, nobody).values())


def test_seeds_to_decide_are_those_of_each_difference():
    rng = np.random.default_rng(4)
    differences = [
        stats.t_difference(
            rng.normal(0.70, 0.05, 4), rng.normal(0.70, 0.05, 4), rng.normal(0, spread, 40)
        )
        for spread in np.geomspace(1e-6, 1e-3, 150)
    ]
    undecided = [one for one in differences if one.p > 0.05]
    found = stats.seeds_to_decide(undecided, np.full(len(undecided), 4), alpha=0.025)
    wanted = [stats.seeds_needed(one, seeds=4, alpha=0.025) for one in undecided]
    assert found == wanted
    numbers = {one.seeds for one in wanted if one.seeds}
    assert min(numbers) < 36 and any(36 < n <= 204 for n in numbers) and max(numbers) > 204
    assert {one.why for one in wanted} >= {"", "more than 1000 seeds"}


def test_as_many_seeds_as_are_tried_at_most_leave_nothing_to_try():
    difference = stats.t_difference(
        np.linspace(0, 1, 1000), np.linspace(0.01, 1.01, 1000), np.linspace(0, 1e-9, 9)
    )
    found = stats.seeds_to_decide([difference], np.array([1000]), alpha=0.025)
    assert found == [stats.seeds_needed(difference, seeds=1000, alpha=0.025)]


@pytest.mark.parametrize("trials", [1, 9, 300])
def test_the_mean_best_is_that_of_one_order_after_another(trials):
    rng = np.random.default_rng(2)
    scores, epochs = rng.normal(size=trials), rng.integers(1, 10, trials)
    efforts = np.unique(np.rint(np.linspace(1, epochs.sum(), 20)))
    total, orders = np.zeros(len(efforts)), np.random.default_rng(5)
    for _ in range(best.PERMUTATIONS):
        order = orders.permutation(trials)
        highest = np.concatenate([[-math.inf], np.maximum.accumulate(scores[order])])
        total += highest[np.searchsorted(np.cumsum(epochs[order]), efforts, side="right")]
    found = best._mean_best(scores, epochs, efforts, np.random.default_rng(5))
    np.testing.assert_array_equal(found, total / best.PERMUTATIONS)
