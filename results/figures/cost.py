"""What was spent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.figures.looks import PALETTE, blank, by_row, rows_height, text

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

_COLORS = (PALETTE[0], PALETTE[5], PALETTE[1], PALETTE[3], PALETTE[2], PALETTE[6])
"""Of the parts, in their order; none is an entrant's here."""


def spending(bars: pd.DataFrame, *, unit: str) -> go.Figure:
    """A bar a study, stacked of its parts; columns `study`, `part`, `amount` in `unit`."""
    studies = list(dict.fromkeys(bars["study"]))
    figure = blank(x=unit, height=rows_height(len(studies), each=58) + 30)
    for place, (part, rows) in enumerate(bars.groupby("part", sort=False)):
        figure.add_bar(
            x=rows["amount"].tolist(),
            y=[text(study) for study in rows["study"]],
            orientation="h",
            name=text(str(part)),
            marker={"color": _COLORS[place % len(_COLORS)]},
            hovertemplate="%{y}<br>" + f"{text(str(part))}: %{{x:.3g}} {unit}<extra></extra>",
        )
    by_row(figure, studies)
    return figure.update_layout(
        barmode="stack", bargap=0.4, showlegend=True, legend_traceorder="normal"
    )
