"""Compiles a run's folder into `report.html`, which needs nothing else to open, and CSV tables."""

from __future__ import annotations

import json
import math
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.ledger import uncollected
from results import (
    cases_view,
    exploratory,
    figures,
    layout,
    methods,
    search_view,
    seed_view,
    sentences,
    spending,
    tables,
    time_view,
)
from results.board import across_view, board_view, published_view
from results.compiled import Compiled, TaskTables, compile_run
from results.files import csv_text, replace_file
from results.load import Run, load_run
from results.wording import (
    NAME_BEGIN,
    NAME_END,
    NOTHING,
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

MOST_PAIRS = 300
"""Comparisons on the page: those of many entrants are more than anybody reads."""
SHOWN_PAIRS = 15
"""Comparisons that are shown without unfolding."""


@uncollected()
def write_report(run_folder: Path, *, renewed: bool = False) -> Path:
    """Write `report.html` and `tables/*.csv` into a run's folder; returns the page's path.

    Works for runs that are not finished and for runs without any result. Raises UserError where
    the folder is no run's.
    """
    return write_page(load_run(run_folder), run_folder, renewed=renewed)


@uncollected()
def write_page(run: Run, run_folder: Path, *, renewed: bool = False) -> Path:
    """Write the report of a run, or of several that were merged, into any folder.

    renewed: it is written anew every minute, and an open page shows that.
    """
    compiled = compile_run(run)
    for name, table in compiled.files().items():
        text = csv_text(table, phantom=compiled.run.phantom)
        replace_file(run_folder / "tables" / f"{name}.csv", text)
    path = run_folder / "report.html"
    replace_file(path, _render(compiled, renewed=renewed))
    return path


def _render(compiled: Compiled, *, renewed: bool) -> str:
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
        standard_error=_standard_error,
        emphasised=_emphasised,
        css=_css,
        figure_json=_json,
    )
    labels = list(dict.fromkeys(study.label for study in run.studies.values()))
    looks = figures.styles(labels)
    return environment.get_template("report.html.j2").render(
        run=weakref.proxy(run),  # contexts are in cycles, which would keep the whole ledger
        opened=methods.opened(run),
        renewed=renewed and not run.finished and run.state.paused is None,
        phantom=sentences.PHANTOM if run.phantom else "",
        created=_moment(run.record.get("created", "")),
        ended=_moment(run.ended),
        tasks=[
            {"number": number, **_task(run, task, number, looks)}
            for number, task in enumerate(compiled.tasks, 1)
        ],
        looks=looks,
        primary=_primary(run),
        holes=layout.records(compiled.by_name["holes"]),
        data=_titled(run, compiled.by_name["data"]),
        duplicates=_titled(run, compiled.by_name["duplicates"]),
        cost=_cost(run, compiled.by_name["cost"]),
        openings=layout.records(compiled.by_name["openings"]),
        provenance=layout.records(compiled.by_name["provenance"]),
        across=across_view(run, compiled.by_name["across"]),
        protocol=methods.protocol(run, compiled.analyses),
        notes=list(run.record.get("notes", [])),
        plotly=_inline(get_plotlyjs()),
    )


def _task(run: Run, task: TaskTables, number: int, looks: figures.Styles) -> dict[str, Any]:
    """What the page shows of one task."""
    analysis, found = task.analysis, task.by_name
    metric = tables.metric_title(analysis.task, analysis.task.primary)
    return {
        "facts": analysis.task,
        "metric": metric,
        "verdict": sentences.verdict(run, analysis),
        "board": layout.records(found["leaderboard"]),
        "leaderboard": board_view(run, analysis, found, number),
        "published": published_view(analysis.task, found["published"]),
        "exploratory": _exploratory(run, found),
        "cases": cases_view.view(run, analysis, found),
        "drawn": _drawn(found),
        "searches": search_view.view(
            task.searched, found, metric=metric, room=search_view.room(run)
        ),
        "uncertainty": layout.uncertainty(analysis),
        "strata": layout.strata(found["strata"]),
        "predictive_values": layout.predictive_values(found["predictive_values"]),
        "outside": layout.records(found["outside"]),
        "pairs": layout.records(_leading(found["comparisons"], found["leaderboard"])),
        "all_pairs": len(found["comparisons"]),
        "fold_pairs": len(found["comparisons"]) > SHOWN_PAIRS,
        "time": time_view.view(run, analysis, found),
        "seed_variance": seed_view.view(run, analysis, found),
        "several_splits": found["seeds"]["split_number"].nunique() > 1,
        "several_searches": found["seeds"]["search"].nunique() > 1,
        "winners": layout.winners(found["winners"]),
        "figures": {
            name: _json(figure)
            for name, figure in (
                _figures(run, found, metric, looks) | cases_view.drawn(found, analysis.task, looks)
            ).items()
        },
    }


def _leading(pairs: pd.DataFrame, board: pd.DataFrame) -> pd.DataFrame:
    """As many pairs as the page has room for: where there are more, the leaderboard's first with
    all others, then its second, and so on."""
    if len(pairs) <= MOST_PAIRS:
        return pairs
    place = {entrant: number for number, entrant in enumerate(board["entrant"])}
    sides = np.sort([pairs["first"].map(place), pairs["second"].map(place)], axis=0)
    return pairs.iloc[np.lexsort(sides[::-1])[:MOST_PAIRS]]


def _drawn(found: Mapping[str, pd.DataFrame]) -> dict[str, int]:
    """How many entrants or searches a figure draws where there are more; 0 where it draws all."""
    searches = found["search"][["entrant", "split_number", "search"]].drop_duplicates()
    scored = int(found["leaderboard"]["mean"].notna().sum())
    return {
        "searches": figures.SEARCHES if len(searches) > figures.SEARCHES else 0,
        "forest": figures.FOREST if scored > figures.FOREST else 0,
    }


def _cost(run: Run, table: pd.DataFrame) -> dict[str, Any]:
    """What the page shows of the run's cost."""
    found = spending.view(run, table)
    return found | {"figure": _json(figures.spending(found["bars"], unit=found["unit"]))}


def _exploratory(run: Run, found: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """The tables of what is beside the primary analysis."""
    summaries, effects = found["exploratory_summaries"], found["exploratory_effects"]
    return {
        "unit": exploratory.unit(run),
        "summaries": layout.records(summaries) if summaries["units"].any() else [],
        "effects": layout.records(_leading(effects, found["leaderboard"])),
        "all_effects": len(effects),
        "fold_effects": len(effects) > SHOWN_PAIRS,
    }


def _figures(
    run: Run, found: Mapping[str, pd.DataFrame], metric: str, looks: figures.Styles
) -> dict[str, go.Figure]:
    """The figures that have something to show."""
    board = found["leaderboard"]
    drawn: dict[str, go.Figure] = {}
    if board["mean"].notna().any():
        drawn["forest"] = figures.forest(board, metric=metric, looks=looks)
    drawn |= time_view.drawn(found, metric, looks) | seed_view.drawn(run, found, metric, looks)
    if (found["search"]["kind"] == "best").any():
        drawn["search"] = figures.search(found["search"], metric=metric, looks=looks)
    best = found["exploratory_expected_best"]
    if best[best["by"] == "epochs"]["validation"].notna().any():
        drawn["expected_best"] = figures.expected_best(best, metric=metric, looks=looks)
    return drawn


def _emphasised(text: str) -> Any:
    """A sentence with the entrants' names, and nothing else, made strong."""
    from markupsafe import Markup, escape

    safe = str(escape(text))
    return Markup(safe.replace(NAME_BEGIN, "<strong>").replace(NAME_END, "</strong>"))


def _standard_error(value: float) -> str:
    """Four decimals: three would leave one digit of most."""
    return f"{value:.4f}" if math.isfinite(value) else NOTHING


def _css(text: str) -> str:
    """A text inside a CSS string: what could end it is left out."""
    return "".join(character for character in text if character.isalnum() or character in "-_. ")


def _json(figure: go.Figure | dict[str, Any]) -> Any:
    """Inside `<script>`, no text of ours may end the element or open a comment."""
    from markupsafe import Markup

    if isinstance(figure, dict):
        text = json.dumps(figure, separators=(",", ":"))
    else:
        text = figure.to_json()
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def _inline(script: str) -> Any:
    from markupsafe import Markup

    assert "</script" not in script.lower()
    return Markup(script)


def _primary(run: Run) -> str:
    """The suite's primary analysis, in words."""
    analysis = str(run.suite.get("primary", "mean_difference"))
    return {"mean_difference": "difference of means"}.get(analysis, analysis)


def _titled(run: Run, table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows, with the tasks' titles."""
    titles = {id: task.title for id, task in run.tasks.items()}
    return [{**row, "title": titles.get(row["task"], row["task"])} for row in layout.records(table)]


def _moment(text: str) -> str:
    """`2026-11-21T10:15:00.123+00:00` as `2026-11-21 10:15 UTC`."""
    return f"{text[:10]} {text[11:16]} UTC" if len(text) >= 16 else text
