"""What the replicates scored: means with their intervals, and each seed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from results.figures.looks import Styles, blank, by_row, rows_height, text

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


def forest(leaderboard: pd.DataFrame, *, metric: str, looks: Styles) -> go.Figure:
    """Mean and 95 % interval of each entrant with a mean, in the leaderboard's order."""
    figure = blank(x=metric, height=rows_height(len(leaderboard)))
    shown = leaderboard[leaderboard["mean"].notna()]
    for row in shown.to_dict("records"):
        look = looks[row["entrant"]]
        bounded = math.isfinite(row["low"])
        figure.add_scatter(
            x=[row["low"], row["high"]] if bounded else [],
            y=[text(row["entrant"])] * 2 if bounded else [],
            mode="lines",
            line={"color": look["color"], "width": 2.5},
            hoverinfo="skip",
        )
        figure.add_scatter(
            x=[row["mean"]],
            y=[text(row["entrant"])],
            mode="markers",
            marker={
                "color": look["color"],
                "symbol": look["symbol"] if bounded else look["symbol"] + "-open",
                "size": 11,
            },
            hovertemplate=text(row["entrant"])
            + "<br>mean %{x:.4f}"
            + (f"<br>{row['low']:.4f} to {row['high']:.4f}" if bounded else "<br>no interval")
            + "<extra></extra>",
        )
    return by_row(figure, list(shown["entrant"]))


def seed_variance(seeds: pd.DataFrame, *, metric: str, looks: Styles) -> go.Figure:
    """Each replicate's test score as a point, with a box where an entrant has five or more."""
    scored = seeds[seeds["test"].notna()]
    entrants = list(dict.fromkeys(scored["entrant"]))
    figure = blank(x=metric, height=rows_height(len(entrants), each=54))
    for entrant in entrants:
        rows, look = scored[scored["entrant"] == entrant], looks[entrant]
        boxed = len(rows) >= 5
        figure.add_box(
            x=rows["test"].tolist(),
            y=[text(entrant)] * len(rows),
            orientation="h",
            boxpoints="all",
            jitter=0.5,
            pointpos=0,
            width=0.5,
            line={"color": look["color"] if boxed else "rgba(0,0,0,0)", "width": 1.5},
            fillcolor="rgba(0,0,0,0)",
            marker={"color": look["color"], "symbol": look["symbol"], "size": 8, "opacity": 0.8},
            customdata=rows["seed"].tolist(),
            hovertemplate=text(entrant) + "<br>%{x:.4f}, seed %{customdata}<extra></extra>",
            hoveron="points",
        )
    return by_row(figure, entrants)
