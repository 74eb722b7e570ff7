"""Grids: each configuration once, ends included, nothing endless."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import UserError
from bench.grid import MOST, grid, mistakes, values
from bench.spec import Choice, Float, Int, Space

SPACE = Space(
    optimizer=Choice("adamw", "sgd"),
    momentum=Float(0.8, 0.99, when={"optimizer": "sgd"}),
    depth=Int(1, 4),
    clip=Choice("none", "norm", held=True),
)


def test_what_is_not_active_makes_no_second_point():
    configs = grid(SPACE, SPACE.held(), 3, seed=1)
    assert len(configs) == 3 + 3 * 3
    assert len({tuple(sorted(config.items())) for config in configs}) == len(configs)
    assert all(("momentum" in config) == (config["optimizer"] == "sgd") for config in configs)
    assert {config["clip"] for config in configs} == {"none"}
    pinned = SPACE.held() | {"optimizer": "adamw"}
    assert [c["depth"] for c in grid(SPACE, pinned, None, seed=0)] != [1, 2, 3, 4]  # shuffled
    assert sorted(c["depth"] for c in grid(SPACE, pinned, None, seed=0)) == [1, 2, 3, 4]


def test_the_seed_fixes_the_order():
    first, second, other = (grid(SPACE, SPACE.held(), 4, seed=seed) for seed in (1, 1, 2))
    assert first == second != other


def test_logarithmic_ranges_are_spaced_by_ratios():
    assert values(Float(1e-4, 1e-2, log=True), 3) == pytest.approx([1e-4, 1e-3, 1e-2])
    assert values(Float(0, 1), 3) == [0, 0.5, 1]
    assert values(Int(8, 128, log=True), 5) == [8, 16, 32, 64, 128]
    assert values(Float(0, 1, default=0.3), 1) == [0.3]


@given(
    low=st.floats(1e-6, 1e3),
    ratio=st.floats(1.001, 1e6),
    points=st.integers(2, 50),
    log=st.booleans(),
)
def test_values_are_what_a_search_could_have_drawn(low, ratio, points, log):
    parameter = Float(low, low * ratio, log=log)
    found = values(parameter, points)
    assert len(found) == points and found[0] == low and found[-1] == parameter.high
    assert all(map(parameter.drawn, found)) and found == sorted(found)


@given(low=st.integers(1, 500), width=st.integers(1, 500), points=st.integers(2, 40))
def test_whole_numbers_stay_whole_and_different(low, width, points):
    parameter = Int(low, low + width, log=bool(width % 2))
    found = values(parameter, points)
    assert all(map(parameter.drawn, found)) and len(set(found)) == len(found) <= points
    assert found[0] == low and found[-1] == low + width


def test_an_endless_grid_is_refused_at_once():
    space = Space(**{f"p{n}": Choice(*range(10)) for n in range(30)})
    (mistake,) = mistakes(space, {}, None)
    assert f"{MOST:,}" in mistake and "30 parameters" in mistake
    with pytest.raises(UserError, match="at most"):
        grid(space, {}, None, seed=0)
