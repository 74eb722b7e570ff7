"""Scores over charged seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.figures.looks import Styles, blank, short, text

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


def score_against_seconds(curves: pd.DataFrame, *, metric: str, looks: Styles) -> go.Figure:
    """Validation metric over charged seconds: replicates thin, their mean strong."""
    figure = blank(x="charged seconds of one training", y=f"validation {metric}", height=380)
    for entrant in dict.fromkeys(curves["entrant"]):
        of_entrant = curves[curves["entrant"] == entrant]
        numbers = list(dict.fromkeys(of_entrant["replicate"]))
        strong = -1 if -1 in numbers else numbers[0]
        for number in numbers:
            rows = of_entrant[of_entrant["replicate"] == number]
            label = "mean" if number == -1 else f"seed {number + 1}"
            figure.add_scatter(
                x=rows["charged_seconds"].tolist(),
                y=rows["validation"].tolist(),
                mode="lines",
                line={
                    "color": looks[entrant]["color"],
                    "dash": looks[entrant]["dash"],
                    "width": 2.6 if number == strong else 1,
                },
                opacity=1 if number == strong else 0.35,
                name=short(entrant),
                legendgroup=text(entrant),
                showlegend=bool(number == strong),
                customdata=rows["epoch"].tolist(),
                hovertemplate=text(entrant)
                + f", {label}<br>%{{y:.4f}} after %{{x:.1f}} s (epoch %{{customdata}})"
                + "<extra></extra>",
            )
    return figure
