"""Spaces: named, typed parameters with conditions between them. Standard library only."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field

from bench.errors import UserError

Scalar = bool | int | float | str
Config = dict[str, Scalar]
"""A trial's configuration: flat, JSON-serialisable, active parameters only."""


@dataclass(frozen=True, slots=True)
class Float:
    """A real parameter in [low, high], uniform or, with `log`, uniform in its logarithm."""

    low: float
    high: float
    log: bool = field(default=False, kw_only=True)
    default: float | None = field(default=None, kw_only=True)
    when: Mapping[str, Scalar] | None = field(default=None, kw_only=True)
    """Active only where another parameter has this value."""

    def __post_init__(self) -> None:
        _check_range(self.low, self.high, log=self.log)
        object.__setattr__(self, "low", float(self.low))
        object.__setattr__(self, "high", float(self.high))

    def middle(self) -> float:
        """The default, or the middle of the range on its own scale."""
        if self.default is not None:
            return self.default
        if self.log:
            return math.sqrt(self.low * self.high)
        return (self.low + self.high) / 2

    def mistake(self, value: object) -> str | None:
        """What is wrong with a value for this parameter; None where it is allowed."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"must be a number, got {value!r}"
        if not self.low <= value <= self.high:
            return f"must lie in [{self.low:g}, {self.high:g}], got {value!r}"
        return None


@dataclass(frozen=True, slots=True)
class Int:
    """A whole parameter in [low, high], both ends included."""

    low: int
    high: int
    log: bool = field(default=False, kw_only=True)
    default: int | None = field(default=None, kw_only=True)
    when: Mapping[str, Scalar] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        _check_range(self.low, self.high, log=self.log)

    def middle(self) -> int:
        """The default, or the middle of the range on its own scale."""
        if self.default is not None:
            return self.default
        if self.log:
            return round(math.sqrt(self.low * self.high))
        return (self.low + self.high) // 2

    def mistake(self, value: object) -> str | None:
        """What is wrong with a value for this parameter; None where it is allowed."""
        if isinstance(value, bool) or not isinstance(value, int):
            return f"must be a whole number, got {value!r}"
        if not self.low <= value <= self.high:
            return f"must lie in [{self.low}, {self.high}], got {value!r}"
        return None


@dataclass(frozen=True, slots=True, init=False)
class Choice:
    """One of several values; the first is the default."""

    values: tuple[Scalar, ...]
    when: Mapping[str, Scalar] | None

    def __init__(self, *values: Scalar, when: Mapping[str, Scalar] | None = None) -> None:
        if len(values) < 2 or len(set(values)) < len(values):
            raise UserError(f"a choice needs two or more different values, got {values!r}")
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "when", when)

    def middle(self) -> Scalar:
        """The default: the first value."""
        return self.values[0]

    def mistake(self, value: object) -> str | None:
        """What is wrong with a value for this parameter; None where it is allowed."""
        if value not in self.values or any(
            isinstance(value, bool) != isinstance(v, bool) for v in self.values if v == value
        ):
            return f"must be one of {', '.join(map(repr, self.values))}, got {value!r}"
        return None


Parameter = Float | Int | Choice


def _check_range(low: float, high: float, *, log: bool) -> None:
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise UserError(f"a range needs finite low < high, got {low=}, {high=}")
    if log and low <= 0:
        raise UserError(f"a log scale needs 0 < low < high, got {low=}, {high=}: raise low above 0")


class Space(Mapping[str, Parameter]):
    """An ordered, named set of parameters; conditions look back to earlier ones."""

    def __init__(self, **parameters: Parameter) -> None:
        self._parameters = dict(parameters)
        seen: dict[str, Parameter] = {}
        for name, parameter in parameters.items():
            for other, value in (parameter.when or {}).items():
                if other not in seen:
                    raise UserError(
                        f"{name}: `when` looks back to an earlier parameter, {other!r} is none"
                    )
                if mistake := seen[other].mistake(value):
                    raise UserError(f"{name}: `when` asks for {other} = {value!r}: {mistake}")
            seen[name] = parameter

    def __getitem__(self, name: str) -> Parameter:
        return self._parameters[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def __len__(self) -> int:
        return len(self._parameters)

    def __repr__(self) -> str:
        return f"Space({', '.join(self)})"

    def __or__(self, other: Mapping[str, Parameter]) -> Space:
        """Both spaces together; a name in both is a mistake."""
        if both := set(self) & set(other):
            raise UserError(f"two spaces both name {', '.join(sorted(both))}: rename one of them")
        return Space(**{**self._parameters, **other})

    def resolve(
        self, suggest: Callable[[str, Parameter], Scalar], *, pinned: Mapping[str, Scalar]
    ) -> Config:
        """A configuration: pinned values as given, the other active ones from `suggest`.

        Parameters whose condition does not hold are left out, pinned or not, so that a
        configuration holds exactly what has an effect.
        """
        config: Config = {}
        for name, parameter in self.items():
            if all(config.get(other) == value for other, value in (parameter.when or {}).items()):
                config[name] = pinned[name] if name in pinned else suggest(name, parameter)
        return config

    def defaults(self, *, pinned: Mapping[str, Scalar] | None = None) -> Config:
        """The configuration of every parameter's default."""
        return self.resolve(lambda _, parameter: parameter.middle(), pinned=pinned or {})

    def mistakes(self, pins: Mapping[str, object]) -> list[str]:
        """What is wrong with these values; unknown names come with the nearest known one."""
        found = []
        for name, value in pins.items():
            if name not in self:
                found.append(unknown("parameter", name, self))
            elif mistake := self[name].mistake(value):
                found.append(f"{name} {mistake}")
        return found

    def settled(self, settings: Mapping[str, Scalar], *, heading: str) -> Config:
        """The defaults with these settings.

        Raises UserError, under the heading, with every setting that is unknown, out of range or
        without effect.
        """
        mistakes = self.mistakes(settings)
        config: Config = {}
        if not mistakes:
            config = self.defaults(pinned=settings)
            mistakes = [
                f"{name} has no effect unless {_condition(self[name].when)}"
                for name in settings
                if name not in config
            ]
        if mistakes:
            raise UserError.of(mistakes, heading=heading)
        return config

    def free(self, pins: Mapping[str, object]) -> tuple[str, ...]:
        """The parameters that a search varies once these are pinned."""
        return tuple(name for name in self if name not in pins)

    def canonical(self) -> dict[str, dict[str, object]]:
        """A JSON-serialisable description, the same for equal spaces."""
        return {
            name: {"type": type(parameter).__name__.lower(), **asdict(parameter)}
            for name, parameter in self.items()
        }


def _condition(when: Mapping[str, Scalar] | None) -> str:
    return " and ".join(f"{name} = {value!r}" for name, value in (when or {}).items())


def unknown(noun: str, value: object, known: Iterable[str]) -> str:
    """The sentence for an unknown name: the value, the nearest known one, or all of them."""
    from difflib import get_close_matches

    names = sorted(known)
    near = get_close_matches(str(value), names, n=1, cutoff=0.5)
    if near:
        return f"unknown {noun} {value!r}: did you mean {near[0]!r}?"
    return f"unknown {noun} {value!r}: known are {', '.join(names) or 'none'}"
