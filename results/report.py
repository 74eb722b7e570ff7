"""Compiles a run's folder into `report.html`, which needs nothing else to open, and CSV tables."""

from __future__ import annotations

import csv
import io
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from results import figures, sentences, tables
from results.analysis import TaskAnalysis, analyse
from results.holes import holes
from results.leaderboard import leaderboard, secondary
from results.load import Run, load_run
from results.wording import NAME_BEGIN, NAME_END, count, duration, interval, p_value, score, spread

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

SHOWN_PAIRS = 15
"""Comparisons that are shown without unfolding."""


def write_report(run_folder: Path) -> Path:
    """Write `report.html` and `tables/*.csv` into a run's folder; returns the page's path.

    Works for runs that are not finished and for runs without any result. Raises UserError where
    the folder is no run's.
    """
    run = load_run(run_folder)
    analyses = [analyse(run, task) for task in run.tasks]
    boards = {analysis.task.id: leaderboard(run, analysis) for analysis in analyses}
    missing = holes(run, analyses)
    _write_tables(run, analyses, boards, missing)
    page = _render(run, analyses, boards, missing)
    path = run_folder / "report.html"
    _replace(path, page)
    return path


# --- CSV ------------------------------------------------------------------------------------


def _write_tables(
    run: Run,
    analyses: Sequence[TaskAnalysis],
    boards: Mapping[str, pd.DataFrame],
    missing: pd.DataFrame,
) -> None:
    per_task = {
        "leaderboard": [boards[analysis.task.id] for analysis in analyses],
        "comparisons": [tables.comparisons(analysis) for analysis in analyses],
        "seeds": [tables.seeds(run, analysis) for analysis in analyses],
        "trials": [tables.trials(run, analysis) for analysis in analyses],
        "curves": [tables.curves(run, analysis) for analysis in analyses],
        "search": [tables.trajectory(run, analysis) for analysis in analyses],
        "winners": [tables.winners(run, analysis) for analysis in analyses],
    }
    whole = {name: _stacked(parts) for name, parts in per_task.items()}
    whole["holes"] = missing
    whole["data"] = tables.data(run)
    whole["openings"] = tables.openings(run)
    whole["provenance"] = tables.provenance(run)
    for name, table in whole.items():
        _replace(run.folder / "tables" / f"{name}.csv", csv_text(table, phantom=run.phantom))


def _stacked(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Tables below each other; columns that only some have are empty in the others."""
    import pandas as pd

    columns = list(dict.fromkeys(column for part in parts for column in part.columns))
    filled = [part for part in parts if len(part)] or list(parts[:1])
    table: pd.DataFrame = pd.concat(filled, ignore_index=True).reindex(columns=columns)
    return table


def csv_text(table: pd.DataFrame, *, phantom: bool) -> str:
    """A table as CSV whose first column says whether its data are real.

    A text that a spreadsheet would take for a formula gets a leading apostrophe; numbers are
    written in full.
    """
    stamp = "phantom" if phantom else "real"
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["data", *map(_cell, table.columns)])
    for row in table.itertuples(index=False, name=None):
        writer.writerow([stamp, *map(_cell, row)])
    return out.getvalue()


def _cell(value: Any) -> Any:
    import pandas as pd

    if isinstance(value, str):
        return "'" + value if value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
    return "" if pd.isna(value) else value


def _replace(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


# --- HTML -----------------------------------------------------------------------------------


def _render(
    run: Run,
    analyses: Sequence[TaskAnalysis],
    boards: Mapping[str, pd.DataFrame],
    missing: pd.DataFrame,
) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from plotly.offline import get_plotlyjs

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
            {"number": number, **_task(run, analysis, boards[analysis.task.id], looks)}
            for number, analysis in enumerate(analyses, 1)
        ],
        looks=looks,
        holes=missing.to_dict("records"),
        data=_data(run),
        openings=tables.openings(run).to_dict("records"),
        provenance=tables.provenance(run).to_dict("records"),
        protocol=sentences.protocol(run, analyses),
        notes=list(run.record.get("notes", [])),
        plotly=_inline(get_plotlyjs()),
    )


def _task(
    run: Run, analysis: TaskAnalysis, board: pd.DataFrame, looks: figures.Styles
) -> dict[str, Any]:
    task = analysis.task
    metric = tables.metric_title(task, task.primary)
    pairs = tables.comparisons(analysis).to_dict("records")
    return {
        "facts": task,
        "metric": metric,
        "verdict": sentences.verdict(run, analysis),
        "board": board.to_dict("records"),
        "secondary": [(id, tables.metric_title(task, id)) for id in secondary(run, analysis)],
        "pairs": pairs,
        "fold_pairs": len(pairs) > SHOWN_PAIRS,
        "seeds": tables.seeds(run, analysis).to_dict("records"),
        "winners": _winners(tables.winners(run, analysis)),
        "figures": _figures(run, analysis, board, metric, looks),
    }


def _figures(
    run: Run, analysis: TaskAnalysis, board: pd.DataFrame, metric: str, looks: figures.Styles
) -> dict[str, Any]:
    """The figures that have something to show, as JSON that is safe inside a page."""
    seeds, curves = tables.seeds(run, analysis), tables.curves(run, analysis)
    trajectory = tables.trajectory(run, analysis)
    found: dict[str, go.Figure] = {}
    if board["mean"].notna().any():
        found["forest"] = figures.forest(board, metric=metric, looks=looks)
    if seeds["test"].notna().any():
        found["seeds"] = figures.seed_variance(seeds, metric=metric, looks=looks)
    if len(curves):
        found["curves"] = figures.score_against_seconds(curves, metric=metric, looks=looks)
    if (trajectory["kind"] == "best").any():
        found["search"] = figures.search(trajectory, metric=metric, looks=looks)
    return {name: _json(figure) for name, figure in found.items()}


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
    """A row a parameter, a column an entrant: (value, pinned) or None where it has no effect."""
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
        ],
    }


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)


def _data(run: Run) -> list[dict[str, Any]]:
    return [
        {**row, "title": run.tasks[row["task"]].title if row["task"] in run.tasks else row["task"]}
        for row in _records(tables.data(run))
    ]


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.to_dict("records")  # type: ignore[assignment]
    return rows


def _moment(text: str) -> str:
    """`2026-11-21T10:15:00.123+00:00` as `2026-11-21 10:15 UTC`."""
    return f"{text[:10]} {text[11:16]} UTC" if len(text) >= 16 else text
