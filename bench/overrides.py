"""What a suite changes in a space: what of a parameter is searched, never what may be pinned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from bench.errors import UserError
from bench.parameters import Choice, Float, Int, Parameter, Text, among, is_number, unknown

SEARCH = "search"
"""What a suite writes in the place of a value to have a held parameter searched."""


def overridden(parameter: Parameter, override: object) -> Parameter:
    """A parameter as a suite changes it."""
    match parameter, override:
        case Text(), "search":
            raise UserError("a name is searched among a list of names: list them")
        case Choice(values=values), "search":
            return _listed(parameter, values if len(values) > 1 else values + parameter.also)
        case ((Float() | Int()), "search"):
            return replace(parameter, held=False)
        case ((Choice() | Text()), list()):
            return _listed(parameter, override)
        case ((Float() | Int()), dict()):
            return _ranged(parameter, override)
        case ((Choice() | Text()), _):
            raise UserError(f"takes a list of values, got {override!r}: a single value is pinned")
        case _:
            raise UserError(
                f'takes a table such as {{ low = 0.1, high = 0.5 }} or "search", got '
                f"{override!r}: a single value is pinned"
            )


def _listed(parameter: Choice | Text, values: Iterable[Any]) -> Choice:
    """A choice among these values. The default stays the first where it is among them, and what
    was known before can be pinned."""
    chosen = list(values)
    if len(chosen) == 1:
        raise UserError(f"a choice needs two or more values, got {chosen!r}: pin a single value")
    if mistakes := [mistake for value in chosen if (mistake := parameter.mistake(value))]:
        raise UserError("; ".join(mistakes))
    chosen.sort(key=lambda value: value != parameter.middle())
    if isinstance(parameter, Choice):
        known = parameter.values + parameter.also
    else:
        known = (parameter.default,)
    also = tuple(value for value in known if not among(value, tuple(chosen)))
    return Choice(*chosen, when=parameter.when, also=also)


def _ranged(parameter: Float | Int, table: Mapping[str, Any]) -> Float | Int:
    """The range of a table, within the limits of the parameter where it has any."""
    known = ("low", "high", "log", "default")
    if strange := [key for key in table if key not in known]:
        raise UserError(unknown("key", strange[0], known))
    for key, value in table.items():
        right = isinstance(value, bool) if key == "log" else is_number(value)
        if not right or (isinstance(parameter, Int) and isinstance(value, float)):
            what = "true or false" if key == "log" else "a number"
            whole = " without a fraction" * isinstance(parameter, Int) if key != "log" else ""
            raise UserError(f"{key} must be {what}{whole}, got {value!r}")
        if key != "log" and (mistake := parameter.mistake(value)) and parameter.limits:
            raise UserError(f"{key} {mistake}")
    low, high = table.get("low", parameter.low), table.get("high", parameter.high)
    default = table.get("default", parameter.default)
    if default is not None and not low <= default <= high and "default" not in table:
        default = None
    limits = parameter.limits or (min(low, parameter.low), max(high, parameter.high))
    changes: dict[str, Any] = {**table, "default": default, "held": False, "limits": limits}
    return replace(parameter, **changes)
