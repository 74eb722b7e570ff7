"""What the replicates scored: means with their intervals, and each seed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from results.figures.looks import Styles, blank, by_row, rows_height, text, wrapped

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

ROWS = 24
"""Entrants whose seeds are drawn at most, from the top of the leaderboard."""
FOREST = 100
"""Entrants in a forest plot at most: where the first end, a reader turns to the table."""
TALLEST = 0.42
"""Of a histogram, in rows."""


def forest(leaderboard: pd.DataFrame, *, metric: str, looks: Styles) -> go.Figure:
    """Mean and 95 % interval of the first entrants with a mean, in the leaderboard's order."""
    shown = leaderboard[leaderboard["mean"].notna()].head(FOREST)
    figure = blank(x=metric, height=rows_height(min(len(leaderboard), FOREST)))
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


def seed_variance(
    seeds: pd.DataFrame, histograms: pd.DataFrame, *, metric: str, split: str, looks: Styles
) -> go.Figure:
    """Each replicate's score on a split as a point, with a box where an entrant has five or more,
    and a histogram above them where it has one. The first entrants only."""
    scored = seeds[seeds[split].notna()]
    entrants = list(dict.fromkeys(scored["entrant"]))[:ROWS]
    with_histogram = set(histograms["entrant"])
    each = 84 if with_histogram & set(entrants) else 54
    figure = blank(x=f"{split} {metric}", height=rows_height(len(entrants), each=each))
    for place, entrant in enumerate(entrants):
        rows, look = scored[scored["entrant"] == entrant], looks[entrant]
        boxed = len(rows) >= 5
        under = 0.2 if entrant in with_histogram else 0.0
        figure.add_box(
            x=rows[split].tolist(),
            y=[place + under] * len(rows),
            orientation="h",
            boxpoints="all",
            jitter=0.5,
            pointpos=0,
            width=0.5 - under,
            line={"color": look["color"] if boxed else "rgba(0,0,0,0)", "width": 1.5},
            fillcolor="rgba(0,0,0,0)",
            marker={"color": look["color"], "symbol": look["symbol"], "size": 8, "opacity": 0.8},
            customdata=rows["seed"].tolist(),
            hovertemplate=text(entrant) + "<br>%{x:.4f}, seed %{customdata}<extra></extra>",
            hoveron="points",
        )
        if entrant in with_histogram:
            bins = histograms[histograms["entrant"] == entrant]
            _histogram(figure, bins, ground=place + 0.01, entrant=entrant, look=look)
    figure.update_yaxes(
        range=[len(entrants) - 0.4, -0.6],
        tickvals=list(range(len(entrants))),
        ticktext=[wrapped(entrant) for entrant in entrants],
        showgrid=False,
    )
    return figure.update_layout(showlegend=False, barmode="overlay")


def _histogram(
    figure: go.Figure, bins: pd.DataFrame, *, ground: float, entrant: str, look: Mapping[str, str]
) -> None:
    """Bars above the ground of a row, the fullest as high as there is room."""
    figure.add_bar(
        x=bins["bin_low"].tolist(),
        y=(-TALLEST * bins["height"]).tolist(),
        base=ground,
        width=(bins["bin_high"] - bins["bin_low"]).tolist(),
        offset=0,
        marker={"color": look["color"], "opacity": 0.45, "line": {"width": 0}},
        customdata=bins[["seeds", "bin_low", "bin_high"]].to_numpy().tolist(),
        hovertemplate=text(entrant)
        + "<br>%{customdata[0]} seeds from %{customdata[1]:.4f} to %{customdata[2]:.4f}"
        + "<extra></extra>",
    )
