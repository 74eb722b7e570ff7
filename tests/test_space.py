"""Spaces: parameters, conditions, composing, overriding, configurations, hashes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import UserError
from bench.parameters import (
    Choice,
    Config,
    Float,
    Int,
    Not,
    Parameter,
    Scalar,
    Text,
    holds,
    in_words,
    unknown,
)
from bench.space import Space, content_hash

# --- One parameter --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Float, Int])
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"low": 2, "high": 1}, "finite low < high, got low=2, high=1"),
        ({"low": 2, "high": 2}, "finite low < high, got low=2, high=2"),
        ({"low": 0, "high": 2, "log": True}, "0 < low < high, got low=0, high=2: raise low"),
        ({"low": -1, "high": 2, "log": True}, "raise low above 0"),
        ({"low": "1", "high": 2}, "a range needs numbers, got .1., 2"),
        ({"low": False, "high": True}, "a range needs numbers"),
        ({"low": 1, "high": 3, "default": 4}, r"the default must lie in \[1, 3\], got 4"),
        ({"low": 1, "high": 3, "default": "2"}, "the default must be a"),
        ({"low": 1, "high": 3, "limits": (2, 9)}, r"limits hold the whole range, got \(2, 9\)"),
        ({"low": 1, "high": 3, "limits": (0, 2)}, "limits hold the whole range"),
    ],
)
def test_a_range_that_cannot_be(kind: Any, given: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        kind(**given)


@pytest.mark.parametrize(("low", "high"), [(0, math.inf), (-math.inf, 0), (math.nan, 1)])
def test_a_range_is_finite(low: float, high: float) -> None:
    with pytest.raises(UserError, match="finite low < high"):
        Float(low, high)


@pytest.mark.parametrize(
    ("parameter", "middle"),
    [
        (Float(1, 3), 2.0),
        (Float(1e-4, 1e-2, log=True), 1e-3),
        (Float(1, 3, default=2.5), 2.5),
        (Float(1, 3, default=0.5, limits=(0, 3)), 0.5),
        (Int(1, 4), 2),
        (Int(1, 100, log=True), 10),
        (Int(1, 4, default=3), 3),
        (Choice("a", "b"), "a"),
        (Choice("a", also=("b",), held=True), "a"),
        (Text("none"), "none"),
    ],
)
def test_defaults(parameter: Parameter, middle: Scalar) -> None:
    assert parameter.middle() == pytest.approx(middle)
    assert parameter.mistake(parameter.middle()) is None


@pytest.mark.parametrize(
    ("parameter", "value", "said"),
    [
        (Float(0, 1), 1.5, "must lie in [0, 1], got 1.5"),
        (Float(0, 1), math.nan, "must lie in [0, 1], got nan"),
        (Float(0, 1), "0.5", "must be a number, got '0.5'"),
        (Float(0, 1), True, "must be a number, got True"),
        (Float(0, 1), None, "must be a number, got None"),
        (Float(1, 2, limits=(0, 10)), 10.5, "must lie in [0, 10], got 10.5"),
        (Int(0, 4), 5, "must lie in [0, 4], got 5"),
        (Int(0, 4), 2.0, "must be a whole number, got 2.0"),
        (Int(2, 4), True, "must be a whole number, got True"),
        (Int(2, 4, limits=(1, 9)), 0, "must lie in [1, 9], got 0"),
        (Choice("a", "b"), "c", "must be one of 'a', 'b', got 'c'"),
        (Choice("a", "b", also=("c",)), "d", "must be one of 'a', 'b', 'c', got 'd'"),
        (Choice(True, False), 1, "must be one of True, False, got 1"),
        (Choice(1, 2), True, "must be one of 1, 2, got True"),
        (Choice(*map(str, range(100, 113))), "11o", "value '11o': did you mean '11"),
        (Text("none"), "  ", "must be a name, got '  '"),
        (Text("none"), 3, "must be a name, got 3"),
    ],
)
def test_a_value_that_cannot_be_pinned(parameter: Parameter, value: object, said: str) -> None:
    assert said in str(parameter.mistake(value))
    assert not parameter.drawn(value)


@pytest.mark.parametrize(
    ("parameter", "value", "drawn"),
    [
        (Float(0, 1), 1, True),
        (Float(1, 2, limits=(0, 10)), 10, False),
        (Int(2, 4, limits=(1, 9)), 9, False),
        (Int(2, 4), 2, True),
        (Choice("a", "b", also=(3,)), 3, False),
        (Choice("a", "b", also=(3,)), "b", True),
        (Choice(8, 16), 8.0, True),
        (Text("none"), "none", False),
    ],
)
def test_what_may_be_pinned_and_what_a_search_draws(
    parameter: Parameter, value: object, drawn: bool
) -> None:
    assert parameter.mistake(value) is None
    assert parameter.drawn(value) == drawn


@pytest.mark.parametrize(
    ("values", "more", "said"),
    [
        ((), {}, r"two or more different values, got \(\)"),
        (("a",), {}, r"two or more different values, got \('a',\)"),
        (("a",), {"held": True}, "two or more different values"),
        (("a", "a"), {}, "two or more different values"),
        (("a", "b"), {"also": ("b",)}, "two or more different values"),
        ((), {"also": ("a", "b")}, "two or more different values"),
        (("a",), {"also": ("b",)}, r"searched needs two.*beside \('b',\): say held=True"),
    ],
)
def test_a_choice_of_nothing(values: Any, more: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        Choice(*values, **more)


def test_true_is_another_value_than_one() -> None:
    assert Choice(1, True).values == (1, True)


def test_a_text_is_held() -> None:
    assert Text("none").held and not Choice("a", "b").held


# --- Conditions -----------------------------------------------------------------------------

DEPTH = Choice("a", "b", "c")


@pytest.mark.parametrize(
    ("condition", "active"),
    [
        ("a", "a"),
        (("a", "c"), "ac"),
        (Not("a"), "bc"),
        (Not("a", "b"), "c"),
    ],
)
def test_when_a_parameter_is_active(condition: Any, active: str) -> None:
    space = Space(x=DEPTH, y=Int(1, 3, when={"x": condition}))
    assert {x for x in "abc" if "y" in space.defaults(pinned={"x": x})} == set(active)


def test_all_conditions_must_hold() -> None:
    when = {"x": "a", "y": Not("b")}
    assert holds(when, {"x": "a", "y": "a"})
    assert not holds(when, {"x": "a", "y": "b"})
    assert not holds(when, {"x": "b", "y": "a"})
    assert holds(None, {}) and holds({}, {})


@pytest.mark.parametrize("condition", ["a", Not("a"), ("a", "b")])
def test_a_parameter_that_is_not_active_fulfils_nothing(condition: Any) -> None:
    space = Space(x=DEPTH, y=Choice("a", "b", when={"x": "a"}), z=Int(1, 3, when={"y": condition}))
    assert set(space.defaults(pinned={"x": "b"})) == {"x"}


def test_conditions_in_words() -> None:
    when = {"optimizer": ("sgd", "lars"), "weights": Not("none"), "depth": 3}
    assert in_words(when) == (
        "optimizer is 'sgd' or 'lars' and weights is not 'none' and depth is 3"
    )
    assert in_words(None) == ""


def test_not_excludes_something() -> None:
    with pytest.raises(UserError, match="one or more values that it excludes"):
        Not()


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"y": Int(1, 2, when={"xx": "a"}), "x": DEPTH}, "y: `when` looks at unknown parameter"),
        ({"xy": DEPTH, "y": Int(1, 2, when={"xz": "a"})}, "'xz': did you mean 'xy'"),
        ({"y": Int(1, 2, when={"x": "a"}), "x": DEPTH}, "earlier parameters, 'x' comes later"),
        ({"x": Choice("a", "b", when={"x": "a"})}, "in a circle: x -> x"),
        (
            {"x": Choice("a", "b", when={"y": "a"}), "y": Choice("a", "b", when={"x": "a"})},
            "in a circle: x -> y -> x",
        ),
        (
            {
                "x": Choice("a", "b", when={"y": "a"}),
                "y": Choice("a", "b", when={"z": "a"}),
                "z": Choice("a", "b", when={"x": "a"}),
            },
            "x: conditions go round in a circle: x -> y -> z -> x",
        ),
        (
            {"x": DEPTH, "y": Int(1, 2, when={"x": "d"})},
            "y: `when` asks for x = 'd': x must be one of 'a', 'b', 'c', got 'd'",
        ),
        ({"x": DEPTH, "y": Int(1, 2, when={"x": ("a", "d")})}, "x = 'd'"),
        ({"x": DEPTH, "y": Int(1, 2, when={"x": Not("d")})}, "x = 'd'"),
        ({"x": Int(1, 2), "y": Int(1, 2, when={"x": 3})}, r"x must lie in \[1, 2\], got 3"),
    ],
)
def test_a_condition_that_cannot_be(parameters: dict[str, Parameter], said: str) -> None:
    with pytest.raises(UserError, match=said):
        Space(**parameters)


def test_a_circle_beside_the_way_does_not_go_on_for_ever() -> None:
    with pytest.raises(UserError, match="z -> y -> z"):
        Space(
            x=Choice("a", "b", when={"y": "a"}),
            y=Choice("a", "b", when={"z": "a"}),
            z=Choice("a", "b", when={"y": "a"}),
        )


def test_every_mistake_of_a_space_at_once() -> None:
    with pytest.raises(UserError) as caught:
        Space(x=DEPTH, y=Int(1, 2, when={"x": "d"}), z=Int(1, 2, when={"u": 1}))
    lines = str(caught.value).splitlines()
    assert lines[0] == "space: 2 mistakes" and "y: " in lines[1] and "z: " in lines[2]


def test_a_condition_may_look_at_what_only_may_be_pinned() -> None:
    space = Space(
        x=Choice("a", "b", also=("c",)),
        y=Int(1, 2, when={"x": "c"}),
        u=Float(0, 1, limits=(0, 9)),
        v=Int(1, 2, when={"u": 5}),
        w=Text("none"),
        t=Int(1, 2, when={"w": Not("none")}),
    )
    assert set(space.defaults()) == {"x", "u", "w"}
    assert set(space.defaults(pinned={"x": "c", "u": 5, "w": "any"})) == set(space)


# --- Composing ------------------------------------------------------------------------------

LEFT = Space(x=DEPTH, y=Int(1, 3, when={"x": "b"}))


def test_two_spaces_together() -> None:
    both = LEFT | Space(z=Float(0, 1))
    assert list(both) == ["x", "y", "z"] and isinstance(both, Space)
    assert list(LEFT | {"z": Float(0, 1, default=0.5)}) == ["x", "y", "z"]


def test_a_name_in_both_is_a_mistake() -> None:
    with pytest.raises(UserError, match="two spaces both name x, y: rename one"):
        LEFT | Space(y=Int(1, 2), x=Int(1, 2), z=Int(1, 2))


def test_a_replaced_parameter_keeps_its_place() -> None:
    changed = LEFT.changed(x=Choice("b", "a"))
    assert list(changed) == ["x", "y"] and changed["x"].middle() == "b"
    assert LEFT["x"].middle() == "a"
    with pytest.raises(UserError, match="unknown parameter 'xx': did you mean 'x'"):
        LEFT.changed(xx=Int(1, 2))
    with pytest.raises(UserError, match="`when` asks for x = 'b'"):
        LEFT.changed(x=Choice("a", "c"))


def test_a_space_without_some() -> None:
    assert list(LEFT.without("y")) == ["x"] and list(LEFT.without()) == ["x", "y"]
    with pytest.raises(UserError, match="unknown parameter 'z'"):
        LEFT.without("z")
    with pytest.raises(UserError, match="y: `when` looks at unknown parameter 'x'"):
        LEFT.without("x")


# --- Overriding -----------------------------------------------------------------------------

WIDE = Space(
    optimizer=Choice("adamw", "sgd", also=("lion", "lars")),
    rate=Float(1e-4, 1e-2, log=True, default=1e-3, limits=(1e-6, 1.0)),
    momentum=Float(0.8, 0.9, when={"optimizer": ("sgd", "lars")}),
    depth=Int(2, 4, default=3, limits=(1, 9)),
    smooth=Float(0.0, 0.2, default=0.1, held=True),
    freeze=Choice("none", "all", held=True, also=(1, 2)),
    alone=Choice("one", held=True, also=("two", "three")),
    weights=Text("none"),
    head=Int(1, 3, held=True, when={"weights": "none"}),
)


def overridden(**overrides: object) -> Space:
    return WIDE.overridden(overrides, heading="suite")


@pytest.mark.parametrize(
    ("name", "override", "expected"),
    [
        ("smooth", "search", Float(0.0, 0.2, default=0.1)),
        ("head", "search", Int(1, 3, when={"weights": "none"})),
        ("rate", "search", WIDE["rate"]),
        ("alone", "search", Choice("one", "two", "three")),
        ("freeze", ["none", 2], Choice("none", 2, also=("all", 1))),
        ("freeze", [2, "none"], Choice("none", 2, also=("all", 1))),
        ("freeze", [2, 1], Choice(2, 1, also=("none", "all"))),
    ],
)
def test_what_a_suite_has_searched(name: str, override: object, expected: Parameter) -> None:
    found = overridden(**{name: override})
    assert found[name] == expected and not found[name].held
    assert list(found) == list(WIDE)
    assert {other: found[other] for other in WIDE if other != name} == {
        other: WIDE[other] for other in WIDE if other != name
    }


@pytest.mark.parametrize(
    ("name", "override", "low", "high", "default"),
    [
        ("rate", {"low": 1e-5}, 1e-5, 1e-2, 1e-3),
        ("rate", {"low": 1e-5, "high": 1e-4}, 1e-5, 1e-4, math.sqrt(1e-9)),
        ("rate", {"high": 0.5, "default": 0.1}, 1e-4, 0.5, 0.1),
        ("depth", {"high": 9}, 2, 9, 3),
        ("depth", {"low": 5, "high": 9}, 5, 9, 7),
        ("smooth", {"high": 0.15}, 0.0, 0.15, 0.1),
    ],
)
def test_the_range_of_a_table(
    name: str, override: object, low: float, high: float, default: float
) -> None:
    found = overridden(**{name: override})[name]
    assert isinstance(found, Float | Int)
    assert (found.low, found.high) == (low, high) and not found.held
    assert found.middle() == pytest.approx(default)
    assert type(found) is type(WIDE[name])


def test_narrowing_what_is_searched_leaves_what_may_be_pinned() -> None:
    """So that an entrant may pin a document's setting, and conditions still know their values."""
    found = overridden(
        optimizer=["adamw", "lion"], rate={"low": 1e-3, "high": 5e-3}, depth={"high": 3}
    )
    assert found.mistakes({"optimizer": "lars", "rate": 1e-6, "depth": 9}) == []
    assert not found["optimizer"].drawn("sgd") and not found["rate"].drawn(1e-4)
    assert "momentum" in found.defaults(pinned={"optimizer": "lars"})


@pytest.mark.parametrize(
    ("name", "override", "said"),
    [
        ("rat", "search", "unknown parameter 'rat': did you mean 'rate'"),
        ("weights", "search", "weights: a name is searched among a list of names: list them"),
        ("optimizer", "sgd", "optimizer: takes a list of values, got 'sgd': a single value is pi"),
        ("optimizer", {"low": 1}, "optimizer: takes a list of values"),
        ("optimizer", ["sgd"], r"a choice needs two or more values, got \['sgd'\]: pin a single"),
        ("optimizer", ["sgd", "sdg"], "optimizer: must be one of 'adamw'.*got 'sdg'"),
        ("optimizer", ["sgd", "sgd"], "two or more different values"),
        ("optimizer", ["sgd", ["adamw"]], "must be one of"),
        ("freeze", [1, True], "must be one of .* got True"),
        ("weights", ["a", 1], "weights: must be a name, got 1"),
        ("rate", 0.1, 'rate: takes a table such as { low = 0.1, high = 0.5 } or "search", got 0.1'),
        ("rate", [0.1, 0.2], "rate: takes a table"),
        ("rate", {"lo": 1}, "rate: unknown key 'lo': did you mean 'low'"),
        ("rate", {"low": "a"}, "rate: low must be a number, got 'a'"),
        ("rate", {"log": 1}, "rate: log must be true or false, got 1"),
        ("rate", {"low": 1e-9}, r"rate: low must lie in \[1e-06, 1\], got 1e-09"),
        ("rate", {"low": 0.1}, "rate: a range needs finite low < high"),
        ("rate", {"default": 3}, r"rate: default must lie in \[1e-06, 1\], got 3"),
        ("depth", {"low": 1.5}, "depth: low must be a number without a fraction, got 1.5"),
        ("depth", {"high": 10}, r"depth: high must lie in \[1, 9\], got 10"),
        ("smooth", {"log": True}, "smooth: a log scale needs 0 < low"),
    ],
)
def test_an_override_that_cannot_be(name: str, override: object, said: str) -> None:
    with pytest.raises(UserError, match="suite: " + said if name == "rat" else said):
        overridden(**{name: override})


@pytest.mark.parametrize(
    "override",
    [
        {"optimizer": "search"},
        {"weights": ["imagenet", "dino"]},
    ],
)
def test_conditions_still_know_their_values(override: dict[str, object]) -> None:
    found = overridden(**override)
    assert found.mistakes({"optimizer": "lars", "weights": "none"}) == []


def test_true_is_no_whole_number() -> None:
    assert not Int(0, 4).drawn(True)


def test_every_mistake_of_an_override_at_once() -> None:
    with pytest.raises(UserError) as caught:
        overridden(rat=1, depth=3, optimizer=["sgd"])
    assert str(caught.value).splitlines()[0] == "suite: 3 mistakes"


def test_no_override_changes_nothing() -> None:
    assert overridden().hash == WIDE.hash


# --- Configurations -------------------------------------------------------------------------


def test_what_is_held_is_not_free() -> None:
    assert WIDE.held() == {
        "smooth": 0.1, "freeze": "none", "alone": "one", "weights": "none", "head": 2
    }  # fmt: skip
    assert WIDE.free({}) == ("optimizer", "rate", "momentum", "depth")
    assert WIDE.free({"rate": 0.1, "smooth": 0.2}) == ("optimizer", "momentum", "depth")
    assert WIDE.free({"optimizer": "adamw"}) == ("rate", "depth")


def test_pinned_values_beside_defaults() -> None:
    config = WIDE.defaults(pinned={"optimizer": "lars", "weights": "here", "head": 1})
    assert config == {
        "optimizer": "lars", "rate": 1e-3, "momentum": pytest.approx(0.85), "depth": 3,
        "smooth": 0.1, "freeze": "none", "alone": "one", "weights": "here",
    }  # fmt: skip
    assert list(config) == [name for name in WIDE if name in config]


def test_what_is_pinned_is_not_suggested() -> None:
    asked = []

    def suggest(name: str, parameter: Parameter) -> Scalar:
        asked.append(name)
        return parameter.middle()

    WIDE.resolve(suggest, pinned={"rate": 0.5, "freeze": 2})
    assert asked == ["optimizer", "depth", "smooth", "alone", "weights", "head"]


def test_settings_are_settled_or_refused_all_at_once() -> None:
    assert WIDE.settled({"rate": 0.5}, heading="trial")["rate"] == 0.5
    with pytest.raises(UserError) as caught:
        WIDE.settled({"rat": 0.5, "rate": 5.0, "depth": "a", "weights": ""}, heading="trial")
    message = str(caught.value)
    assert message.splitlines()[0] == "trial: 4 mistakes"
    for said in ("did you mean 'rate'", "rate must lie in", "depth must be a", "weights must be"):
        assert said in message


def test_a_setting_without_effect_is_refused() -> None:
    with pytest.raises(UserError, match="momentum has no effect unless optimizer is 'sgd' or 'la"):
        WIDE.settled({"momentum": 0.85}, heading="trial")
    with pytest.raises(UserError, match="head has no effect unless weights is 'none'"):
        WIDE.settled({"weights": "x", "head": 1}, heading="trial")


# --- As a record ----------------------------------------------------------------------------


def test_equal_spaces_have_one_form_and_one_hash() -> None:
    def make() -> Space:
        return Space(x=DEPTH, y=Float(1, 2, when={"x": Not("a")}), z=Int(1, 2, when={"x": "b"}))

    assert make().canonical() == make().canonical() and make().hash == make().hash
    assert Space(y=Float(1, 2)).hash == Space(y=Float(1.0, 2.0)).hash
    assert len(make().hash) == 12


def test_a_form_is_plain_json() -> None:
    found = WIDE.canonical()
    assert json.loads(json.dumps(found)) == json.loads(json.dumps(found, sort_keys=True))
    assert found["optimizer"]["type"] == "choice"
    assert found["optimizer"]["values"] == ["adamw", "sgd"]
    assert found["freeze"]["also"] == [1, 2] and found["freeze"]["held"]
    assert found["rate"]["limits"] == [1e-6, 1.0] and found["rate"]["log"]
    assert found["weights"] == {"type": "text", "default": "none", "when": None, "held": True}


@pytest.mark.parametrize(
    "other",
    [
        Space(x=DEPTH, y=Int(1, 3)),
        Space(x=DEPTH, y=Int(1, 4, when={"x": "b"})),
        Space(x=DEPTH, y=Int(1, 3, when={"x": Not("b")})),
        Space(x=DEPTH, y=Int(1, 3, when={"x": ("b", "c")})),
        Space(x=DEPTH, y=Int(1, 3, when={"x": "b"}, held=True)),
        Space(x=DEPTH, y=Int(1, 3, when={"x": "b"}, limits=(0, 9))),
        Space(x=DEPTH, y=Int(1, 3, when={"x": "b"}, log=True)),
        Space(x=DEPTH, y=Float(1, 3, when={"x": "b"})),
        Space(x=Choice("a", "b", also=("c",)), y=Int(1, 3, when={"x": "b"})),
        Space(x=Choice("b", "a", "c"), y=Int(1, 3, when={"x": "b"})),
        Space(x=DEPTH),
    ],
)
def test_different_spaces_have_different_hashes(other: Space) -> None:
    assert other.hash != LEFT.hash


def test_the_order_of_parameters_counts() -> None:
    one, two = Int(1, 2), Int(1, 3)
    assert Space(x=one, y=two).hash != Space(y=two, x=one).hash


def test_hashes_of_values() -> None:
    assert content_hash({"a": 1, "b": [2]}) == content_hash({"b": [2], "a": 1})
    assert content_hash({"a": 1}) != content_hash({"a": 2})
    assert len(content_hash(1, length=20)) == 20


def test_the_sentence_for_what_is_unknown() -> None:
    assert unknown("space", "visoin", ["vision", "text"]) == (
        "unknown space 'visoin': did you mean 'vision'?"
    )
    assert unknown("space", "q", ["vision", "text"]).endswith("known are text, vision")
    assert unknown("space", "q", []).endswith("known are none")
    assert unknown("space", "q", map(str, range(50))).endswith("there are 50, none like it")


# --- Any space ------------------------------------------------------------------------------

SCALARS = st.one_of(st.integers(-5, 5), st.text("abc", max_size=2), st.booleans())


@st.composite
def parameters(draw: Any, earlier: Mapping[str, Parameter]) -> Parameter:
    """A parameter that may look back to earlier ones."""
    when: dict[str, Any] = {}
    choices = [name for name, item in earlier.items() if isinstance(item, Choice)]
    for name in (
        draw(st.lists(st.sampled_from(choices), unique=True, max_size=2)) if choices else []
    ):
        item = earlier[name]
        assert isinstance(item, Choice)
        some = st.lists(
            st.sampled_from(item.values + item.also), min_size=1, max_size=2, unique_by=repr
        )
        values = draw(some)
        when[name] = draw(st.sampled_from([values[0], tuple(values), Not(*values)]))
    held = draw(st.booleans())
    kind = draw(st.sampled_from(["float", "int", "choice", "text"]))
    if kind == "text":
        return Text(draw(st.text("abc", min_size=1, max_size=3)), when=when or None)
    if kind == "choice":
        values = draw(st.lists(SCALARS, min_size=3, max_size=6, unique_by=lambda v: (type(v), v)))
        return Choice(*values[:2], also=tuple(values[2:]), held=held, when=when or None)
    log, integral = draw(st.booleans()), kind == "int"
    low = draw(st.integers(1 if log else -10, 20))
    high = low + draw(st.integers(1, 30))
    limits = draw(st.sampled_from([None, (low, high), (low - 3, high + 7)]))
    default = draw(st.one_of(st.none(), st.integers(low, high)))
    given: dict[str, Any] = {"log": log, "limits": limits, "default": default, "held": held}
    return (Int if integral else Float)(low, high, when=when or None, **given)


@st.composite
def spaces(draw: Any) -> Space:
    found: dict[str, Parameter] = {}
    for number in range(draw(st.integers(1, 7))):
        found[f"p{number}"] = draw(parameters(found))
    return Space(**found)


def drawn(data: Any, parameter: Parameter) -> Scalar:
    """A value that a search may draw; of a name, any."""
    match parameter:
        case Choice(values=values):
            found: Scalar = data.draw(st.sampled_from(values))
        case Int(low=low, high=high):
            found = data.draw(st.integers(low, high))
        case Float(low=low, high=high):
            found = data.draw(st.floats(low, high))
        case _:
            return parameter.middle()
    assert parameter.drawn(found)
    return found


@given(space=spaces(), data=st.data())
def test_any_resolved_configuration_has_no_mistakes(space: Space, data: Any) -> None:
    config: Config = space.resolve(lambda _, parameter: drawn(data, parameter), pinned={})
    assert space.mistakes(config) == []
    for name, parameter in space.items():
        assert (name in config) == holds(parameter.when, config)
    assert space.settled(config, heading="again") == config
    assert json.loads(json.dumps(config)) == config


@given(space=spaces())
def test_any_space_has_defaults_and_can_be_recorded(space: Space) -> None:
    defaults = space.defaults()
    assert space.mistakes(defaults) == []
    assert set(space.free({})).isdisjoint(space.held())
    idle = set(space) - {*space.free({}), *space.held()}
    assert idle.isdisjoint(space.defaults())
    assert json.loads(json.dumps(space.canonical())) is not None
    again = Space(**dict(space))
    assert again.hash == space.hash == (space.without() | {}).hash


@given(space=spaces())
def test_any_held_parameter_can_be_freed(space: Space) -> None:
    freeable = [name for name, item in space.items() if item.held and not isinstance(item, Text)]
    free = space.overridden(dict.fromkeys(freeable, "search"), heading="suite")
    assert set(freeable) <= set(free.free({}))
    assert free.defaults() == space.defaults()
    assert free.overridden(dict.fromkeys(freeable, "search"), heading="suite").hash == free.hash


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Int(1.5, 3), "whole numbers have whole ends, got 1.5, 3"),  # type: ignore[arg-type]
        (lambda: Int(1, 3, limits=(0.5, 9)), "whole ends"),  # type: ignore[arg-type]
        (lambda: Choice([1], 2), "numbers, booleans and strings"),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_parameter_is_refused(make: Callable[[], object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        make()
