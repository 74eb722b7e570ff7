"""Recorded spaces as Optuna's distributions: ranges widened, values kept apart, zeros left out."""

from __future__ import annotations

from typing import Any

from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from bench.distributions import distributions, is_number, params

RATE = {"type": "float", "low": 1e-4, "high": 1e-1, "log": True}
DEPTH = {"type": "int", "low": 2, "high": 9}


def of(parameter: dict[str, Any], *values: Any) -> Any:
    return distributions({"p": parameter}, [{"p": value} for value in values])["p"]


def test_a_range_is_the_searched_one() -> None:
    assert of(RATE, 1e-3) == FloatDistribution(1e-4, 1e-1, log=True)
    assert of(DEPTH, 4) == IntDistribution(2, 9)


def test_a_range_is_widened_at_either_end_to_what_was_tried() -> None:
    assert of(RATE, 1e-5, 1e-3) == FloatDistribution(1e-5, 1e-1, log=True)
    assert of(RATE, 1e-3, 0.5) == FloatDistribution(1e-4, 0.5, log=True)
    assert of(DEPTH, 1, 12) == IntDistribution(1, 12)


def test_a_zero_lies_on_no_log_scale_and_on_any_other() -> None:
    known = {"p": of(RATE, 0.0, 1e-3)}
    assert known["p"] == FloatDistribution(1e-4, 1e-1, log=True)
    assert params({"p": 0.0}, known) == {} and params({"p": 1e-3}, known) == {"p": 1e-3}
    plain = {"p": of({**RATE, "log": False}, 0.0)}
    assert plain["p"].low == 0 and params({"p": 0.0}, plain) == {"p": 0.0}


def test_a_choice_has_the_listed_values_then_the_tried_ones_once_each() -> None:
    choice = {"type": "choice", "values": ["adamw", "sgd"], "also": ["lion"]}
    assert of(choice, "sgd", "adam") == CategoricalDistribution(("adamw", "sgd", "lion", "adam"))


def test_a_truth_value_is_no_number_and_one_is_not_true() -> None:
    found = of({"type": "choice", "values": [True, 1, 1.0]}, True)
    assert [type(value) for value in found.choices] == [bool, int, float]
    assert is_number(1) and is_number(0.5) and not is_number(True) and not is_number("1")
    assert params({"p": True}, {"p": of(DEPTH, 4)}) == {}


def test_without_a_space_a_parameter_has_the_values_that_were_tried() -> None:
    assert of({}, 3, 1, 3) == CategoricalDistribution((3, 1))
    found = distributions({}, [{"a": "x"}, {"b": 2}, {"a": "y"}])
    assert found == {"a": CategoricalDistribution(("x", "y")), "b": CategoricalDistribution((2,))}


def test_whole_numbers_of_a_float_are_floats_and_what_is_out_of_range_is_left_out() -> None:
    known = {"p": FloatDistribution(0.0, 5.0), "q": IntDistribution(1, 5)}
    found = params({"p": 3, "q": 3}, known)
    assert found == {"p": 3.0, "q": 3} and isinstance(found["p"], float)
    assert isinstance(found["q"], int)
    assert params({"p": 6, "q": 0}, known) == {}
    assert params({"p": 0.0, "q": 5}, known) == {"p": 0.0, "q": 5}, "the ends are within"
