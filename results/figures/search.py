"""How the searches went."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from results.figures.looks import Styles, blank, of_numbers, short, text

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


SEARCHES = 40
"""Drawn in one figure at most, from the top of the leaderboard."""
BANDS = 6
"""Intervals drawn as bands at most in one figure: more hide each other."""

_MARKS = {
    "completed": ("trained to its end", "circle-open", 7),
    "stopped": ("stopped early", "line-ns-open", 8),
    "failed": ("failed", "x-thin-open", 8),
}


def search(trajectory: pd.DataFrame, *, metric: str, looks: Styles) -> go.Figure:
    """The best so far over the effort spent, with a mark where each trial ended; of the first
    searches."""
    figure = blank(x="epochs spent by the search", y=f"validation {metric}", height=380)
    shown: set[str] = set()
    every = trajectory.groupby(["entrant", "split_number", "search"], sort=False)
    for whose, of_entrant in islice(every, SEARCHES):
        entrant = str(whose[0])
        look = looks[entrant]
        best = of_entrant[of_entrant["kind"] == "best"]
        figure.add_scatter(
            x=best["effort_epochs"].tolist(),
            y=best["validation"].tolist(),
            mode="lines",
            line={"color": look["color"], "dash": look["dash"], "width": 2.4, "shape": "hv"},
            name=short(entrant),
            legendgroup=text(entrant),
            showlegend=entrant not in shown,
            hovertemplate=text(entrant) + "<br>best %{y:.4f} after %{x} epochs<extra></extra>",
        )
        shown.add(entrant)
        for kind, (words, symbol, size) in _MARKS.items():
            rows = of_entrant[(of_entrant["kind"] == kind) & of_entrant["validation"].notna()]
            if rows.empty:
                continue
            figure.add_scatter(
                x=rows["effort_epochs"].tolist(),
                y=rows["validation"].tolist(),
                mode="markers",
                marker={
                    "symbol": symbol,
                    "size": size,
                    "color": look["color"],
                    "line": {"width": 1.5, "color": look["color"]},
                },
                opacity=0.75,
                legendgroup=text(entrant),
                showlegend=False,
                customdata=rows["trial"].tolist(),
                hovertemplate=text(entrant)
                + f"<br>trial %{{customdata}} {words}, %{{y:.4f}}<extra></extra>",
            )
    return of_numbers(figure)


def expected_best(curves: pd.DataFrame, *, metric: str, looks: Styles) -> go.Figure:
    """Expected best validation metric over epochs of effort: a line a search, and its interval as
    a band where there are so few that bands can be told apart."""
    figure = blank(x="epochs of effort, trials in any order", y=f"validation {metric}", height=380)
    shown: set[str] = set()
    by_epochs = curves[(curves["by"] == "epochs") & curves["validation"].notna()]
    lines = by_epochs.groupby(["entrant", "split_number", "search"], sort=False)
    few = len(lines) <= BANDS
    for whose, rows in islice(lines, SEARCHES):
        entrant = str(whose[0])
        look = looks[entrant]
        bounded = rows[rows["low"].notna()]
        if few and len(bounded):
            figure.add_scatter(
                x=[*bounded["at"], *bounded["at"][::-1]],
                y=[*bounded["high"], *bounded["low"][::-1]],
                mode="lines",
                line={"color": look["color"], "width": 0.6},
                fill="toself",
                opacity=0.25,
                legendgroup=text(entrant),
                showlegend=False,
                hoverinfo="skip",
            )
        figure.add_scatter(
            x=rows["at"].tolist(),
            y=rows["validation"].tolist(),
            mode="lines" if len(rows) > 1 else "markers",
            line={"color": look["color"], "dash": look["dash"], "width": 2.4 if few else 1.2},
            marker={"color": look["color"], "symbol": look["symbol"], "size": 9},
            name=short(entrant),
            legendgroup=text(entrant),
            showlegend=entrant not in shown,
            hovertemplate=text(entrant) + "<br>%{y:.4f} after %{x} epochs<extra></extra>",
        )
        shown.add(entrant)
    return of_numbers(figure)
