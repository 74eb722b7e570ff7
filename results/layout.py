"""Tables as the page lays them out: rows and cells, a column an entrant or a value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from results.analysis import TaskAnalysis

if TYPE_CHECKING:
    import pandas as pd


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.to_dict("records")  # type: ignore[assignment]
    return rows


WINNERS = 40
"""Winning configurations that stand side by side on the page at most."""
_SOURCES = {
    "seeds": "seed_variance",
    "searches": "search_variance",
    "splits": "split_variance",
    "patients": "patient_variance",
}


def uncertainty(analysis: TaskAnalysis) -> dict[str, Any]:
    """The parts of each mean's variance and all of it, as standard errors in the metric's unit.

    A column for each source that any entrant has; a row for each entrant that has any.
    """
    rows = []
    for entry in analysis.entries:
        parts = {name: getattr(entry.estimate, field) for name, field in _SOURCES.items()}
        if any(map(math.isfinite, parts.values())):
            errors = {name: math.sqrt(variance) for name, variance in parts.items()}
            rows.append((entry.study.label, errors, math.sqrt(entry.estimate.variance)))
    sources = [
        name for name in _SOURCES if any(math.isfinite(errors[name]) for _, errors, _ in rows)
    ]
    return {
        "sources": sources,
        "rows": [
            (label, [errors[name] for name in sources], whole) for label, errors, whole in rows
        ],
    }


def winners(table: pd.DataFrame) -> dict[str, Any]:
    """A row a parameter, a column an entrant: (value, pinned) or None where it has no effect.
    Parameters that nobody touched are left out, and entrants beyond the first `WINNERS`: `more`
    counts them."""
    touched = set(table["parameter"][~table["held"].astype(bool)])
    rows = records(table)
    several = len({(row["split_number"], row["search"]) for row in rows}) > 1
    every = list(dict.fromkeys(_winner(row, several) for row in rows))
    entrants = every[:WINNERS]
    cells = {
        (row["parameter"], _winner(row, several)): (_value(row["value"]), row["pinned"])
        for row in rows
    }
    return {
        "entrants": entrants,
        "more": len(every) - len(entrants),
        "rows": [
            (name, [cells.get((name, entrant)) for entrant in entrants])
            for name in dict.fromkeys(table["parameter"])
            if name in touched
        ],
    }


def _winner(row: Mapping[str, Any], several: bool) -> str:
    """Whose configuration it is: the entrant's, or of one of its searches."""
    part = f", split {row['split_number']}, search {row['search']}" if several else ""
    return f"{row['entrant']}{part}"


def strata(table: pd.DataFrame) -> list[dict[str, Any]]:
    """A table a fact: a row an entrant, a column a value of the fact."""
    found = []
    for fact in dict.fromkeys(table["fact"]):
        rows = table[table["fact"] == fact]
        cells = {(row["entrant"], row["value"]): row for row in rows.to_dict("records")}
        values = sorted(set(rows["value"]))
        cases = {value: next(c for (_, v), c in cells.items() if v == value) for value in values}
        found.append(
            {
                "title": str(fact).replace("_", " "),
                "values": [(_value(value), cases[value]) for value in values],
                "rows": [
                    (entrant, [cells.get((entrant, value)) for value in values])
                    for entrant in dict.fromkeys(rows["entrant"])
                ],
            }
        )
    return found


def predictive_values(table: pd.DataFrame) -> dict[str, Any]:
    """A row an entrant, a column a prevalence."""
    cells = {(row["entrant"], row["prevalence"]): row for row in table.to_dict("records")}
    prevalences = list(dict.fromkeys(table["prevalence"]))
    return {
        "prevalences": [f"{100 * prevalence:g} %" for prevalence in prevalences],
        "rows": [
            (entrant, [cells[entrant, prevalence] for prevalence in prevalences])
            for entrant in dict.fromkeys(table["entrant"])
        ],
    }


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)
