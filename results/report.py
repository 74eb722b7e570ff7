"""Compiles a run's folder into `report.html`, which needs nothing else to open, and CSV tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from results import figures, sentences, tables
from results.compiled import Compiled, TaskTables, compile_run
from results.files import csv_text, replace_file
from results.leaderboard import secondary
from results.load import Run, load_run
from results.wording import (
    NAME_BEGIN,
    NAME_END,
    count,
    duration,
    interval,
    p_value,
    score,
    spread,
)

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

SHOWN_PAIRS = 15
"""Comparisons that are shown without unfolding."""
SHOWN_METRICS = 6
"""Secondary metrics that are shown without unfolding."""


def write_report(run_folder: Path) -> Path:
    """Write `report.html` and `tables/*.csv` into a run's folder; returns the page's path.

    Works for runs that are not finished and for runs without any result. Raises UserError where
    the folder is no run's.
    """
    compiled = compile_run(load_run(run_folder))
    for name, table in compiled.files().items():
        text = csv_text(table, phantom=compiled.run.phantom)
        replace_file(run_folder / "tables" / f"{name}.csv", text)
    path = run_folder / "report.html"
    replace_file(path, _render(compiled))
    return path


def _render(compiled: Compiled) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from plotly.offline import get_plotlyjs

    run = compiled.run
    environment = Environment(
        loader=PackageLoader("results", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        score=score,
        spread=spread,
        interval=interval,
        duration=duration,
        count=count,
        p_value=p_value,
        emphasised=_emphasised,
        css=_css,
    )
    labels = list(dict.fromkeys(study.label for study in run.studies.values()))
    looks = figures.styles(labels)
    return environment.get_template("report.html.j2").render(
        run=run,
        phantom=sentences.PHANTOM if run.phantom else "",
        created=_moment(run.record.get("created", "")),
        ended=_moment(run.ended),
        tasks=[
            {"number": number, **_task(run, task, looks)}
            for number, task in enumerate(compiled.tasks, 1)
        ],
        looks=looks,
        holes=_records(compiled.by_name["holes"]),
        data=_titled(run, compiled.by_name["data"]),
        duplicates=_titled(run, compiled.by_name["duplicates"]),
        openings=_records(compiled.by_name["openings"]),
        provenance=_records(compiled.by_name["provenance"]),
        protocol=sentences.protocol(run, compiled.analyses),
        notes=list(run.record.get("notes", [])),
        plotly=_inline(get_plotlyjs()),
    )


def _task(run: Run, task: TaskTables, looks: figures.Styles) -> dict[str, Any]:
    """What the page shows of one task."""
    analysis, found = task.analysis, task.by_name
    metric = tables.metric_title(analysis.task, analysis.task.primary)
    others = [(name, tables.metric_title(analysis.task, name)) for name in secondary(run, analysis)]
    return {
        "facts": analysis.task,
        "metric": metric,
        "verdict": sentences.verdict(run, analysis),
        "board": _records(found["leaderboard"]),
        "secondary": others[:SHOWN_METRICS],
        "more_metrics": others[SHOWN_METRICS:],
        "strata": _strata(found["strata"]),
        "predictive_values": _predictive_values(found["predictive_values"]),
        "pairs": _records(found["comparisons"]),
        "fold_pairs": len(found["comparisons"]) > SHOWN_PAIRS,
        "seeds": _records(found["seeds"]),
        "winners": _winners(found["winners"]),
        "figures": {name: _json(figure) for name, figure in _figures(found, metric, looks).items()},
    }


def _figures(
    found: Mapping[str, pd.DataFrame], metric: str, looks: figures.Styles
) -> dict[str, go.Figure]:
    """The figures that have something to show."""
    board, seeds = found["leaderboard"], found["seeds"]
    drawn: dict[str, go.Figure] = {}
    if board["mean"].notna().any():
        drawn["forest"] = figures.forest(board, metric=metric, looks=looks)
    if seeds["test"].notna().any():
        drawn["seeds"] = figures.seed_variance(seeds, metric=metric, looks=looks)
    if len(found["curves"]):
        drawn["curves"] = figures.score_against_seconds(found["curves"], metric=metric, looks=looks)
    if (found["search"]["kind"] == "best").any():
        drawn["search"] = figures.search(found["search"], metric=metric, looks=looks)
    return drawn


def _emphasised(text: str) -> Any:
    """A sentence with the entrants' names, and nothing else, made strong."""
    from markupsafe import Markup, escape

    safe = str(escape(text))
    return Markup(safe.replace(NAME_BEGIN, "<strong>").replace(NAME_END, "</strong>"))


def _css(text: str) -> str:
    """A text inside a CSS string: what could end it is left out."""
    return "".join(character for character in text if character.isalnum() or character in "-_. ")


def _json(figure: go.Figure) -> Any:
    """Inside `<script>`, no text of ours may end the element or open a comment."""
    from markupsafe import Markup

    text = figure.to_json()
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def _inline(script: str) -> Any:
    from markupsafe import Markup

    assert "</script" not in script.lower()
    return Markup(script)


def _winners(winners: pd.DataFrame) -> dict[str, Any]:
    """A row a parameter, a column an entrant: (value, pinned) or None where it has no effect.
    Parameters that nobody touched are left out."""
    touched = set(winners["parameter"][~winners["held"].astype(bool)])
    entrants = list(dict.fromkeys(winners["entrant"]))
    cells = {
        (row["parameter"], row["entrant"]): (_value(row["value"]), row["pinned"])
        for row in winners.to_dict("records")
    }
    return {
        "entrants": entrants,
        "rows": [
            (name, [cells.get((name, entrant)) for entrant in entrants])
            for name in dict.fromkeys(winners["parameter"])
            if name in touched
        ],
    }


def _strata(strata: pd.DataFrame) -> list[dict[str, Any]]:
    """A table a fact: a row an entrant, a column a value of the fact."""
    found = []
    for fact in dict.fromkeys(strata["fact"]):
        rows = strata[strata["fact"] == fact]
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


def _predictive_values(table: pd.DataFrame) -> dict[str, Any]:
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


def _titled(run: Run, table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows, with the tasks' titles."""
    titles = {id: task.title for id, task in run.tasks.items()}
    return [{**row, "title": titles.get(row["task"], row["task"])} for row in _records(table)]


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.to_dict("records")  # type: ignore[assignment]
    return rows


def _moment(text: str) -> str:
    """`2026-11-21T10:15:00.123+00:00` as `2026-11-21 10:15 UTC`."""
    return f"{text[:10]} {text[11:16]} UTC" if len(text) >= 16 else text
