"""Spaces: named parameters with conditions between them. Standard library only."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from typing import Any

from bench.errors import UserError
from bench.overrides import overridden
from bench.parameters import Config, Not, Parameter, Scalar, holds, in_words, named, unknown


def content_hash(value: object, *, length: int = 12) -> str:
    """A short hash of a JSON-serialisable value; the same for equal values on any machine."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()[:length]


# --- Spaces ---------------------------------------------------------------------------------


class Space(Mapping[str, Parameter]):
    """An ordered, named set of parameters; conditions look back to earlier ones."""

    def __init__(self, **parameters: Parameter) -> None:
        self._parameters = dict(parameters)
        mistakes = [
            mistake
            for name, parameter in parameters.items()
            for mistake in self._misplaced(name, parameter)
        ]
        if mistakes:
            raise UserError.of(mistakes, heading="space")

    def _misplaced(self, name: str, parameter: Parameter) -> Iterator[str]:
        """What is wrong with a parameter's condition."""
        names = list(self._parameters)
        for other, condition in (parameter.when or {}).items():
            if other not in self._parameters:
                yield f"{name}: `when` looks at {unknown('parameter', other, self)}"
            elif circle := self._circle(name, other):
                yield f"{name}: conditions go round in a circle: {circle}"
            elif names.index(other) >= names.index(name):
                yield f"{name}: `when` looks back to earlier parameters, {other!r} comes later"
            else:
                for value in named(condition):
                    if mistake := self[other].mistake(value):
                        yield f"{name}: `when` asks for {other} = {value!r}: {other} {mistake}"

    def _circle(self, name: str, other: str, way: tuple[str, ...] = ()) -> str | None:
        """The way from a parameter back to itself through conditions, if there is one."""
        if other == name:
            return " -> ".join((name, *way, name))
        for further in self._parameters[other].when or {}:
            if further in self._parameters and other not in way:
                found = self._circle(name, further, (*way, other))
                if found is not None:
                    return found
        return None

    def __getitem__(self, name: str) -> Parameter:
        return self._parameters[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def __len__(self) -> int:
        return len(self._parameters)

    def __repr__(self) -> str:
        return f"Space({', '.join(self)})"

    # --- composing ---

    def __or__(self, other: Mapping[str, Parameter]) -> Space:
        """Both spaces together; a name in both is a mistake."""
        if both := set(self) & set(other):
            raise UserError(f"two spaces both name {', '.join(sorted(both))}: rename one of them")
        return Space(**{**self._parameters, **other})

    def changed(self, **parameters: Parameter) -> Space:
        """The same space with some of its parameters replaced, each in its place."""
        if strange := [name for name in parameters if name not in self]:
            raise UserError(unknown("parameter", strange[0], self))
        return Space(**{**self._parameters, **parameters})

    def without(self, *names: str) -> Space:
        """The space without some of its parameters."""
        if strange := [name for name in names if name not in self]:
            raise UserError(unknown("parameter", strange[0], self))
        return Space(**{name: item for name, item in self.items() if name not in names})

    def overridden(self, overrides: Mapping[str, object], *, heading: str) -> Space:
        """The space with other things searched, as a suite asks for. By parameter: `"search"` has a
        held one searched, a list names the values to choose from, and a table gives a range:
        `low`, `high`, `log`, `default`. What may be pinned stays.

        Raises UserError, under the heading, with everything that is wrong.
        """
        changed, mistakes = {}, []
        for name, override in overrides.items():
            if name not in self:
                mistakes.append(unknown("parameter", name, self))
                continue
            try:
                changed[name] = overridden(self[name], override)
            except UserError as error:
                mistakes.append(f"{name}: {error}")
        if mistakes:
            raise UserError.of(mistakes, heading=heading)
        return self.changed(**changed)

    # --- configurations ---

    def resolve(
        self, suggest: Callable[[str, Parameter], Scalar], *, pinned: Mapping[str, Scalar]
    ) -> Config:
        """A configuration: pinned values as given, the other active ones from `suggest`.

        Parameters whose condition does not hold are left out, pinned or not, so that a
        configuration holds exactly what has an effect.
        """
        config: Config = {}
        for name, parameter in self.items():
            if holds(parameter.when, config):
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
                f"{name} has no effect unless {in_words(self[name].when)}"
                for name in settings
                if name not in config
            ]
        if mistakes:
            raise UserError.of(mistakes, heading=heading)
        return config

    def held(self) -> Config:
        """The defaults of the parameters that no search varies unless it is told to."""
        return {name: item.middle() for name, item in self.items() if item.held}

    def free(self, pins: Mapping[str, Scalar]) -> tuple[str, ...]:
        """The parameters that a search varies once these are pinned: not those that are held, nor
        those whose condition can no longer hold."""
        fixed = self.held() | dict(pins)
        possible: set[str] = set()
        for name, item in self.items():
            when = item.when or {}
            decided = {other: condition for other, condition in when.items() if other in fixed}
            if possible.issuperset(when) and holds(decided, fixed):
                possible.add(name)
        return tuple(name for name in self if name in possible and name not in fixed)

    # --- as a record ---

    def canonical(self) -> dict[str, dict[str, Any]]:
        """A JSON-serialisable description, the same for equal spaces."""
        return {name: _described(parameter) for name, parameter in self.items()}

    @property
    def hash(self) -> str:
        """A short hash of names, types, ranges, conditions and their order."""
        return content_hash(list(self.canonical().items()))


def _described(parameter: Parameter) -> dict[str, Any]:
    values = {item.name: getattr(parameter, item.name) for item in fields(parameter)}
    if values["when"] is not None:
        values["when"] = {
            name: {"not": list(named(condition))} if isinstance(condition, Not) else condition
            for name, condition in values["when"].items()
        }
    plain = {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}
    return {"type": type(parameter).__name__.lower(), **plain, "held": parameter.held}
