"""What the page shows of seeds: their scores, how far they differ, how they are compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from results import figures, layout
from results.analysis import TaskAnalysis
from results.load import Run
from results.seed_table import assumptions, scored_on

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

SHOWN = 24
"""Entrants with a row of their own on the page; the tables hold all."""
LISTED = 200
"""Replicates listed on the page at most."""


def view(run: Run, analysis: TaskAnalysis, found: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """The parts of the section on seeds."""
    table, seeds = found["exploratory_seed_variance"], found["seeds"]
    return {
        "replicates": layout.records(seeds.head(LISTED)),
        "all": len(seeds),
        "rows": layout.records(table.head(SHOWN)),
        "more": max(0, len(table) - SHOWN),
        "split": scored_on(run),
        "first": figures.ROWS if int((table["scored"] > 0).sum()) > figures.ROWS else 0,
        "failures": _failures(table),
        "assumptions": assumptions(run, analysis),
    }


def drawn(
    run: Run, found: Mapping[str, pd.DataFrame], metric: str, looks: figures.Styles
) -> dict[str, go.Figure]:
    """The figure, where any replicate has a score."""
    seeds, split = found["seeds"], scored_on(run)
    if not seeds[split].notna().any():
        return {}
    histograms = found["exploratory_seed_histograms"]
    figure = figures.seed_variance(seeds, histograms, metric=metric, split=split, looks=looks)
    return {"seeds": figure}


def _failures(table: pd.DataFrame) -> str:
    """How many trainings have no point; empty where none."""
    words = {"failed": "failed", "missing": "without a score"}
    said = [f"{number} {words[name]}" for name in words if (number := int(table[name].sum()))]
    return (
        f"Not shown: {', '.join(said)}, of {int(table['planned'].sum())} planned." if said else ""
    )
