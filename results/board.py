"""The leaderboard as the page lays it out: what ranks, then groups of columns to switch on.

Also what stands around it: numbers that others published, and the entrants across tasks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench import metrics
from results import published
from results.layout import WINNERS, records
from results.leaderboard import secondary
from results.load import Run, TaskFacts
from results.tables import metric_title
from results.wording import NOTHING, count, duration, listed, score, spread

if TYPE_CHECKING:
    import pandas as pd

    from results.analysis import TaskAnalysis

SHOWN_PUBLISHED = 6
"""Published numbers that are shown without unfolding."""

_Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What stands in a cell, and what it is sorted by."""

    text: str
    aside: str = ""
    value: str = ""
    """A number in full, or nothing where there is none."""
    link: str = ""
    """The id of what it leads to."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a group."""

    title: str
    cell: Callable[[_Row], Cell]
    ascending: bool = False
    """Whether a reader who sorts by it wants the least first."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Columns that are shown or hidden together."""

    id: str
    title: str
    columns: tuple[Column, ...]
    exploratory: bool = False


def board_view(
    run: Run, analysis: TaskAnalysis, found: Mapping[str, pd.DataFrame], number: int
) -> Any:
    """The leaderboard of a task: its rows, each with the cells of its groups' columns.

    number: the task's on the page. A column in which nobody has a value is left out, and told in
    `missing`.
    """
    rows = records(found["leaderboard"])
    planned = _groups(run, analysis, rows, _winners(found["winners"], number))
    groups, kept, missing = [], [], []
    for group in planned:
        columns = [(column, [column.cell(row) for row in rows]) for column in group.columns]
        full = [one for one in columns if any(cell.text != NOTHING for cell in one[1])]
        missing += [c.title for c, _ in columns if c not in [column for column, _ in full]]
        if full:
            groups.append({"group": group, "columns": [column for column, _ in full]})
            kept += [cells for _, cells in full]
    return {
        "rows": [
            {**row, "cells": [cells[place] for cells in kept]} for place, row in enumerate(rows)
        ],
        "groups": groups,
        "missing": listed(missing, respectively=True) if rows else "",
        "ascending": not metrics.get(analysis.task.primary).greater_is_better,
    }


# --- Groups of columns ----------------------------------------------------------------------


def _groups(
    run: Run, analysis: TaskAnalysis, rows: Sequence[_Row], winners: Mapping[str, str]
) -> Iterable[Group]:
    """All groups, whatever of them has been recorded."""
    task = analysis.task
    of_class = _of_class(task)
    others = [] if run.sealed else secondary(run, analysis)
    single = [_metric(task, name) for name in others if name not in of_class]
    by_class = [_metric(task, name) for name in others if name in of_class]
    yield Group(id="metrics", title="Other metrics", columns=tuple(single), exploratory=True)
    yield Group(id="classes", title="By class", columns=tuple(by_class), exploratory=True)
    yield Group(id="cost", title="Cost", columns=_COST)
    validation = Column(
        title="Validation",
        cell=_plain("validation_mean", score),
        ascending=_less_is_better(task, task.primary),
    )
    search = (
        *(() if run.sealed else (validation, _GAP)),
        Column(title="Effort" if _in_seconds(rows) else "Epochs spent", cell=_effort),
        Column(title="Trials done / stopped / failed", cell=_trials),
        Column(title="Free parameters", cell=_whole("free_parameters")),
        Column(title="Enqueued first", cell=_whole("enqueued_trials")),
        Column(title="Winner", cell=lambda row: _winner(winners.get(row["entrant"]))),
    )
    yield Group(id="search", title="Search", columns=search)


def _of_class(task: TaskFacts) -> set[str]:
    """Names of metrics that are of one class each."""
    every = [metric.columns(task.classes) for metric in metrics.METRICS.values()]
    return {name for columns in every for name, of in columns.items() if of}


def _metric(task: TaskFacts, name: str) -> Column:
    def cell(row: _Row) -> Cell:
        mean = row[f"{name}_mean"]
        return Cell(text=spread(mean, row[f"{name}_std"]), value=_full(mean))

    return Column(title=metric_title(task, name), cell=cell, ascending=_less_is_better(task, name))


def _less_is_better(task: TaskFacts, name: str) -> bool:
    return any(
        name in metric.columns(task.classes) and not metric.greater_is_better
        for metric in metrics.METRICS.values()
    )


def _plain(name: str, shown: Callable[[Any], str]) -> Callable[[_Row], Cell]:
    return lambda row: Cell(text=shown(row[name]), value=_full(row[name]))


def _rate(value: Any) -> str:
    """Three digits; more only before the point."""
    return f"{value:.3g}" if 0 < value < 100 else count(value)


def _whole(name: str) -> Callable[[_Row], Cell]:
    return lambda row: Cell(text=str(row[name]), value=str(row[name]))


def _effort(row: _Row) -> Cell:
    if row["effort_unit"] == "epochs":
        spent, planned = str(row["effort_epochs"]), f"/{int(row['effort_planned'])}"
    else:
        spent, planned = duration(row["effort"]), f" of {duration(row['effort_planned'])}"
    return Cell(text=spent, aside=planned, value=_full(row["effort"]))


def _in_seconds(rows: Sequence[_Row]) -> bool:
    return any(row["effort_unit"] != "epochs" for row in rows)


def _trials(row: _Row) -> Cell:
    states = [row[f"trials_{state}"] for state in ("completed", "stopped", "failed")]
    more = [(row["trials_running"], "open"), (row["trials_repeated"], "repeated")]
    return Cell(
        text=" / ".join(map(str, states)),
        aside="".join(f" + {number} {what}" for number, what in more if number),
        value=str(sum(states)),
    )


def _winner(anchor: str | None) -> Cell:
    return Cell(text="configuration", link=anchor) if anchor else Cell(text=NOTHING)


def _winners(table: pd.DataFrame, number: int) -> dict[str, str]:
    """By entrant: the id of its first column in the table of winning configurations, if it is
    shown there."""
    if table["held"].astype(bool).all():
        return {}
    studies = table[["entrant", "split_number", "search"]].drop_duplicates()["entrant"]
    return {
        entrant: f"winner-{number}-{place}"
        for place, entrant in reversed(list(enumerate(studies.head(WINNERS), 1)))
    }


_COST = (
    Column(title="Parameters", cell=_plain("parameters", count), ascending=True),
    Column(title="Search, charged", cell=_plain("search_seconds", duration), ascending=True),
    Column(
        title="Replicates, charged",
        cell=_plain("replicate_seconds", duration),
        ascending=True,
    ),
    Column(title="Cases/s in training", cell=_plain("examples_per_second", _rate)),
    Column(title="Peak GPU memory, MB", cell=_plain("peak_memory_mb", count), ascending=True),
)
_GAP = Column(title="Gap to test", cell=_plain("gap", score), ascending=True)


def _full(value: Any) -> str:
    """A number to sort by."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return ""
    return f"{number:.7g}" if math.isfinite(number) else ""


# --- Published numbers ----------------------------------------------------------------------


def published_numbers(task: TaskFacts) -> pd.DataFrame:
    """What others published on a task, of the metrics that it has: `results.published`."""
    named = [task.primary, *(name for id in task.metrics for name in _names(task, id))]
    table = published.as_table(task.id, named)
    table.insert(0, "task", task.id)
    return table


def _names(task: TaskFacts, id: str) -> list[str]:
    return metrics.columns(id, task.classes) if id in metrics.METRICS else []


def published_view(task: TaskFacts, table: pd.DataFrame) -> dict[str, Any]:
    """The rows with metrics and documents in words, and whether they are folded."""
    citations = published.documents() if len(table) else {}
    rows = [
        {
            **row,
            "metric": metric_title(task, row["metric"]),
            "citation": citations[row["document"]],
            "runs": count(row["n"]),
        }
        for row in records(table)
    ]
    return {"rows": rows, "fold": len(rows) > SHOWN_PUBLISHED}


# --- Across tasks ---------------------------------------------------------------------------


def across_view(run: Run, table: pd.DataFrame) -> dict[str, Any]:
    """A row an entrant with a cell a task, None where it was not entered; {} for one task, and
    where there is no result yet."""
    if len(run.tasks) < 2 or not table["mean"].notna().any():
        return {}
    cells = {(row["entrant"], row["task"]): row for row in records(table)}
    ranks = {entrant: row["mean_rank"] for (entrant, _), row in cells.items()}
    return {
        "tasks": [
            {
                "title": t.title,
                "metric": metric_title(t, t.primary),
                "id": t.id,
                "ascending": not metrics.get(t.primary).greater_is_better,
            }
            for t in run.tasks.values()
        ],
        "ranked": any(map(math.isfinite, ranks.values())),
        "rows": [
            {
                "entrant": entrant,
                "cells": [cells.get((entrant, id)) for id in run.tasks],
                "mean_rank": rank,
            }
            for entrant, rank in ranks.items()
        ],
    }
