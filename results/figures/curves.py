"""Scores over charged seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.figures.looks import Styles, blank, of_numbers, short, text

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

LINES = 12
"""Entrants drawn at most, from the top of the leaderboard."""
BANDS = 6
"""Entrants whose interval is drawn at most: more hide each other."""


def score_against_seconds(over_time: pd.DataFrame, *, metric: str, looks: Styles) -> go.Figure:
    """Mean validation metric over charged seconds of the first entrants, the interval as a band
    around the first of them; a table of `over_time`."""
    figure = blank(x="charged seconds of one training", y=f"validation {metric}", height=400)
    shown = list(dict.fromkeys(over_time["entrant"]))[:LINES]
    of_entrant = {name: rows for name, rows in over_time.groupby("entrant", sort=False)}
    for entrant in shown[:BANDS]:
        bounded = of_entrant[entrant].dropna(subset="low")
        if len(bounded) > 1:
            figure.add_scatter(
                x=[*bounded["charged_seconds"], *bounded["charged_seconds"][::-1]],
                y=[*bounded["high"], *bounded["low"][::-1]],
                mode="lines",
                line={"color": looks[entrant]["color"], "width": 0.5},
                fill="toself",
                opacity=0.22,
                legendgroup=text(entrant),
                showlegend=False,
                hoverinfo="skip",
            )
    for entrant in shown:
        rows, look = of_entrant[entrant], looks[entrant]
        figure.add_scatter(
            x=rows["charged_seconds"].tolist(),
            y=rows["validation"].tolist(),
            mode="lines" if len(rows) > 1 else "markers",
            line={"color": look["color"], "dash": look["dash"], "width": 2.4},
            marker={"color": look["color"], "symbol": look["symbol"], "size": 9},
            name=short(entrant),
            legendgroup=text(entrant),
            hovertemplate=text(entrant) + "<br>mean %{y:.4f} after %{x:.1f} s<extra></extra>",
        )
    return of_numbers(figure)
