"""Parameters: their types, ranges and conditions. Standard library only."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bench.errors import UserError

Scalar = bool | int | float | str
Config = dict[str, Scalar]
"""A trial's configuration: flat, JSON-serialisable, active parameters only."""


# --- Conditions -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, init=False)
class Not:
    """In a condition: any value but these."""

    values: tuple[Scalar, ...]

    def __init__(self, *values: Scalar) -> None:
        if not values:
            raise UserError("Not() in a condition needs one or more values that it excludes")
        object.__setattr__(self, "values", values)


When = Mapping[str, "Scalar | tuple[Scalar, ...] | Not"]
"""By an earlier parameter's name: the value that it must have, a tuple of such values, or
`Not(...)`. All must hold, and a parameter that is not active has no value."""


def named(condition: Scalar | tuple[Scalar, ...] | Not) -> tuple[Scalar, ...]:
    """The values that a condition speaks of."""
    if isinstance(condition, Not):
        return condition.values
    return condition if isinstance(condition, tuple) else (condition,)


def holds(when: When | None, config: Mapping[str, Scalar]) -> bool:
    """Whether a condition holds in a configuration."""
    for name, condition in (when or {}).items():
        if name not in config:
            return False
        if (config[name] in named(condition)) == isinstance(condition, Not):
            return False
    return True


def in_words(when: When | None) -> str:
    """A condition as it reads in a sentence: `optimizer is 'sgd' and weights is not 'none'`."""
    return " and ".join(
        f"{name} is {'not ' * isinstance(condition, Not)}{' or '.join(map(repr, named(condition)))}"
        for name, condition in (when or {}).items()
    )


# --- Parameters -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Float:
    """A real parameter in [low, high], uniform or, with `log`, uniform in its logarithm."""

    low: float
    high: float
    log: bool = field(default=False, kw_only=True)
    default: float | None = field(default=None, kw_only=True)
    when: When | None = field(default=None, kw_only=True)
    """Active only where this holds."""
    held: bool = field(default=False, kw_only=True)
    """Keeps its default unless it is pinned, or a suite has it searched."""
    limits: tuple[float, float] | None = field(default=None, kw_only=True)
    """What may be pinned, where that is more than a search draws from: both ends included."""

    def __post_init__(self) -> None:
        _check_range(self)
        object.__setattr__(self, "low", float(self.low))
        object.__setattr__(self, "high", float(self.high))

    def middle(self) -> float:
        """The default, or the middle of the range on its own scale."""
        if self.default is not None:
            return self.default
        if self.log:
            return math.sqrt(self.low * self.high)
        return (self.low + self.high) / 2

    def drawn(self, value: object) -> bool:
        """Whether a search may draw this value."""
        return is_number(value) and self.low <= value <= self.high  # type: ignore[operator]

    def mistake(self, value: object) -> str | None:
        """What is wrong with a value for this parameter; None where it is allowed."""
        if not is_number(value):
            return f"must be a number, got {value!r}"
        low, high = self.limits or (self.low, self.high)
        if not low <= value <= high:  # type: ignore[operator]
            return f"must lie in [{low:g}, {high:g}], got {value!r}"
        return None


@dataclass(frozen=True, slots=True)
class Int:
    """A whole parameter in [low, high], both ends included. The fields are those of Float."""

    low: int
    high: int
    log: bool = field(default=False, kw_only=True)
    default: int | None = field(default=None, kw_only=True)
    when: When | None = field(default=None, kw_only=True)
    held: bool = field(default=False, kw_only=True)
    limits: tuple[int, int] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        _check_range(self)

    def middle(self) -> int:
        """The default, or the middle of the range on its own scale."""
        if self.default is not None:
            return self.default
        if self.log:
            return round(math.sqrt(self.low * self.high))
        return (self.low + self.high) // 2

    def drawn(self, value: object) -> bool:
        """Whether a search may draw this value."""
        if isinstance(value, bool) or not isinstance(value, int):
            return False
        return self.low <= value <= self.high

    def mistake(self, value: object) -> str | None:
        """What is wrong with a value for this parameter; None where it is allowed."""
        if isinstance(value, bool) or not isinstance(value, int):
            return f"must be a whole number, got {value!r}"
        low, high = self.limits or (self.low, self.high)
        if not low <= value <= high:
            return f"must lie in [{low}, {high}], got {value!r}"
        return None


@dataclass(frozen=True, slots=True, init=False)
class Choice:
    """One of several values; the first is the default."""

    values: tuple[Scalar, ...]
    when: When | None
    held: bool
    """Keeps its default unless it is pinned, or a suite has it searched."""
    also: tuple[Scalar, ...]
    """Further values: they may be pinned or listed by a suite, a search alone draws none."""

    def __init__(
        self,
        *values: Scalar,
        when: When | None = None,
        held: bool = False,
        also: tuple[Scalar, ...] = (),
    ) -> None:
        for value in (*values, *also):
            if not isinstance(value, bool | int | float | str):
                raise UserError(f"a choice is among numbers, booleans and strings, got {value!r}")
        every = [(type(value), value) for value in (*values, *also)]
        if len(every) < 2 or not values or len(set(every)) < len(every):
            raise UserError(f"a choice needs two or more different values, got {values + also!r}")
        if len(values) == 1 and not held:
            raise UserError(
                f"a choice that is searched needs two or more values, got {values!r} beside "
                f"{also!r}: say held=True"
            )
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "when", when)
        object.__setattr__(self, "held", held)
        object.__setattr__(self, "also", also)

    def middle(self) -> Scalar:
        """The default: the first value."""
        return self.values[0]

    def drawn(self, value: object) -> bool:
        """Whether a search may draw this value."""
        return among(value, self.values)

    def mistake(self, value: object) -> str | None:
        """What is wrong with a value for this parameter; None where it is allowed."""
        every = self.values + self.also
        if among(value, every):
            return None
        if len(every) > 12 and isinstance(value, str):
            return unknown("value", value, map(str, every)).removeprefix("unknown ")
        return f"must be one of {', '.join(map(repr, every))}, got {value!r}"


@dataclass(frozen=True, slots=True)
class Text:
    """A name out of many, such as a model's: held, unless a suite lists names to choose from.

    Which names there are is found out when a model is built.
    """

    default: str
    when: When | None = field(default=None, kw_only=True)

    @property
    def held(self) -> bool:
        return True

    def middle(self) -> str:
        """The default."""
        return self.default

    def drawn(self, value: object) -> bool:
        """Whether a search may draw this value: it draws none."""
        return False

    def mistake(self, value: object) -> str | None:
        """What is wrong with a value for this parameter; None where it is allowed."""
        if not isinstance(value, str) or not value.strip():
            return f"must be a name, got {value!r}"
        return None


Parameter = Float | Int | Choice | Text


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def among(value: object, values: tuple[Scalar, ...]) -> bool:
    """Whether it is one of the values; True is not 1, but 1.0 is."""
    return any(v == value and isinstance(v, bool) == isinstance(value, bool) for v in values)


def _check_range(parameter: Float | Int) -> None:
    low, high = parameter.low, parameter.high
    ends = (low, high, *(parameter.limits or ()))
    if not all(is_number(end) for end in ends):
        raise UserError(f"a range needs numbers, got {', '.join(map(repr, ends))}")
    if isinstance(parameter, Int) and not all(isinstance(end, int) for end in ends):
        raise UserError(f"whole numbers have whole ends, got {', '.join(map(repr, ends))}")
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise UserError(f"a range needs finite low < high, got {low=}, {high=}")
    if parameter.log and low <= 0:
        raise UserError(f"a log scale needs 0 < low < high, got {low=}, {high=}: raise low above 0")
    if parameter.limits and not parameter.limits[0] <= low < high <= parameter.limits[1]:
        raise UserError(f"limits hold the whole range, got {parameter.limits} for [{low}, {high}]")
    if parameter.default is not None and (mistake := parameter.mistake(parameter.default)):
        raise UserError(f"the default {mistake}")


def unknown(noun: str, value: object, known: Iterable[str]) -> str:
    """The sentence for an unknown name: the value, the nearest known one, or all of them."""
    from difflib import get_close_matches

    names = sorted(known)
    near = get_close_matches(str(value), names, n=1, cutoff=0.5)
    if near:
        return f"unknown {noun} {value!r}: did you mean {near[0]!r}?"
    if len(names) > 40:
        return f"unknown {noun} {value!r}: there are {len(names)}, none like it"
    return f"unknown {noun} {value!r}: known are {', '.join(names) or 'none'}"
