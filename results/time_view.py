"""What the page shows of scores over time: tables laid out, published values beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from results import figures, layout, published
from results.analysis import TaskAnalysis
from results.load import Run
from results.over_time import CROSSED
from results.published import FixedTime
from results.tables import metric_title

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

SHOWN = 24
"""Entrants with a row of their own on the page; the tables hold all."""


def view(run: Run, analysis: TaskAnalysis, found: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """The parts of the section on time; each is empty where there is nothing to say."""
    crossings = layout.records(found["exploratory_crossovers"])
    crossed = [row | _sides(row) for row in crossings if row["changes"]]
    bands = found["exploratory_over_time"]
    return {
        "fixed": layout.records(found["exploratory_fixed_time"]),
        "targets": _targets(found["exploratory_time_to_target"]),
        "crossed": crossed,
        "uncrossed": len(crossings) - len(crossed),
        "among": CROSSED if bands["entrant"].nunique() > CROSSED else 0,
        "published": _published(run, analysis),
        "unit": run.unit,
    }


def _sides(row: Mapping[str, Any]) -> dict[str, str]:
    """Who is ahead at the end of a pair, and the other; of equals, as they stand."""
    ahead = row["ahead_last"] or row["first"]
    return {"ahead": ahead, "behind": row["second" if ahead == row["first"] else "first"]}


def drawn(
    found: Mapping[str, pd.DataFrame], metric: str, looks: figures.Styles
) -> dict[str, go.Figure]:
    """The figure, where any training was validated."""
    table = found["exploratory_over_time"]
    if table.empty:
        return {}
    return {"curves": figures.score_against_seconds(table, metric=metric, looks=looks)}


def _targets(table: pd.DataFrame) -> dict[str, Any]:
    """A row an entrant, a column a target: seconds, and where it is not reached, until when."""
    aims = table[["share", "target"]].drop_duplicates()
    cells = {(row["entrant"], row["share"]): row for row in layout.records(table)}
    entrants = list(dict.fromkeys(table["entrant"]))
    return {
        "aims": layout.records(aims),
        "rows": [
            (entrant, [cells[entrant, share] for share in aims["share"]])
            for entrant in entrants[:SHOWN]
        ],
        "more": max(0, len(entrants) - SHOWN),
    }


def _published(run: Run, analysis: TaskAnalysis) -> list[dict[str, Any]]:
    """A group for each document, hardware and metric: a row a system and learning rate, a column a
    time. The order is the document's, and no rank."""
    groups: dict[tuple[str, str, str], list[FixedTime]] = {}
    for one in published.fixed_time(analysis.task.id):
        groups.setdefault((one.document, one.hardware, one.metric), []).append(one)
    return [_group(analysis, rows) for rows in groups.values()]


def _group(analysis: TaskAnalysis, rows: list[FixedTime]) -> dict[str, Any]:
    first = rows[0]
    times = sorted({one.seconds for one in rows})
    cells = {(one.system, one.learning_rate, one.seconds): one.printed for one in rows}
    return {
        "metric": metric_title(analysis.task, first.metric),
        "split": first.split,
        "hardware": first.hardware,
        "document": published.documents()[first.document],
        "place": first.place,
        "n": first.n,
        "note": first.note,
        "times": times,
        "rows": [
            {
                "system": system,
                "learning_rate": rate,
                "cells": [cells.get((system, rate, seconds), "") for seconds in times],
            }
            for system, rate in dict.fromkeys((one.system, one.learning_rate) for one in rows)
        ],
    }
