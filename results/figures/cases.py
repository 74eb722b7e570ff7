"""What entrants say of the cases: operating curves, calibration, Dice by case."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from results.figures.looks import Styles, blank, by_row, of_numbers, rows_height, short, text

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

FEW = 5
"""Entrants with thin lines for single trainings at most: more hide each other."""
BOXES = 30
"""Rows of boxes at most."""
POINTS = 1500
"""Cases drawn as points beside their boxes, at most."""


def operating(curves: pd.DataFrame, *, kind: str, binary: str, looks: Styles) -> go.Figure:
    """One kind of curve: trainings thin, their mean strong. binary: the positive class; empty
    where a curve is a mean over classes."""
    of = f" of {text(binary)}" if binary else ", mean over classes"
    axes = {
        "roc": (f"false alarms{of}", f"recall{of}"),
        "precision_recall": (f"recall{of}", f"precision{of}"),
    }
    figure = blank(x=axes[kind][0], y=axes[kind][1], height=380)
    if kind == "roc":
        _diagonal(figure)
    rows = curves[curves["curve"] == kind]
    few = rows["entrant"].nunique() <= FEW
    for (whose, training), points in rows.groupby(["entrant", "training"], sort=False):
        entrant = str(whose)
        strong = training == 0
        if not (strong or few):
            continue
        figure.add_scatter(
            x=points["at"].round(4).tolist(),
            y=points["value"].round(4).tolist(),
            mode="lines",
            line={
                "color": looks[entrant]["color"],
                "dash": looks[entrant]["dash"],
                "width": 2.4 if strong else 1,
            },
            opacity=1 if strong else 0.3,
            name=short(entrant),
            legendgroup=text(entrant),
            showlegend=bool(strong),
            hovertemplate=text(entrant)
            + (", mean" if strong else f", training {training}")
            + "<br>%{y:.3f} at %{x:.3f}<extra></extra>",
        )
    _unit_square(figure)
    return of_numbers(figure)


def reliability(calibration: pd.DataFrame, *, looks: Styles) -> go.Figure:
    """How often a class that is given with some probability is right."""
    figure = blank(x="probability of the class given", y="share that is right", height=380)
    _diagonal(figure)
    spread = calibration["entrant"].nunique() <= FEW
    for whose, rows in calibration.groupby("entrant", sort=False):
        entrant = str(whose)
        look = looks[entrant]
        bars: dict[str, Any] = {"array": rows["accuracy_std"].round(4).tolist(), "thickness": 1}
        figure.add_scatter(
            x=rows["confidence"].round(4).tolist(),
            y=rows["accuracy"].round(4).tolist(),
            error_y=bars if spread and rows["accuracy_std"].notna().all() else None,
            mode="lines+markers",
            line={"color": look["color"], "dash": look["dash"], "width": 2},
            marker={"color": look["color"], "symbol": look["symbol"], "size": 7},
            name=short(entrant),
            customdata=rows["cases"].tolist(),
            hovertemplate=text(entrant)
            + "<br>%{y:.3f} right at %{x:.3f}, %{customdata} cases<extra></extra>",
        )
    return of_numbers(figure)


def case_dice(summary: pd.DataFrame, cases: pd.DataFrame, *, looks: Styles) -> go.Figure:
    """Boxes over cases (quartiles, least and greatest), a row an entrant and class; with a point a
    case where these are few."""
    shown = summary.head(BOXES).to_dict("records")
    figure = blank(x="Dice of a case", height=rows_height(len(shown), each=48))
    several = summary["class"].nunique() > 1
    labels = []
    for row in shown:
        entrant, name = row["entrant"], row["class"]
        labels.append(f"{name}: {entrant}" if several else entrant)
        look, place = looks[entrant], text(labels[-1])
        figure.add_box(
            y=[place],
            orientation="h",
            q1=[row["quartile_1"]],
            median=[row["median"]],
            q3=[row["quartile_3"]],
            lowerfence=[row["low"]],
            upperfence=[row["high"]],
            width=0.5,
            line={"color": look["color"], "width": 1.5},
            fillcolor="rgba(0,0,0,0)",
            hoverinfo="x",
        )
        of = cases[(cases["entrant"] == entrant) & (cases["class"] == name)]
        if len(cases) <= POINTS:
            figure.add_scatter(
                x=of["dice"].round(4).tolist(),
                y=[place] * len(of),
                mode="markers",
                marker={"color": look["color"], "symbol": look["symbol"], "size": 6},
                opacity=0.45,
                customdata=[text(case) for case in of["case"]],
                hovertemplate="%{customdata}<br>%{x:.3f}<extra></extra>",
            )
    return by_row(figure, labels)


def _diagonal(figure: go.Figure) -> None:
    """Of chance, or of perfect calibration."""
    line = {"color": "#8C8C8C", "width": 1, "dash": "dot"}
    figure.add_shape(type="line", x0=0, y0=0, x1=1, y1=1, line=line, layer="below")


def _unit_square(figure: go.Figure) -> None:
    margin = math.ldexp(1, -6)
    figure.update_xaxes(range=[-margin, 1 + margin])
    figure.update_yaxes(range=[-margin, 1 + margin])
