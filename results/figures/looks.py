"""The look that all figures share: an entrant's colour, marker and dash, axes, labels.

Colours are Okabe & Ito's (2008), which people with any common colour blindness tell apart, and
which read on white and on near-black; marker and dash differ too. Ink, grid and background are
left to the page, which knows whether it is light or dark.
"""

from __future__ import annotations

import html
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import plotly.graph_objects as go

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C8C8C")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "pentagon", "star")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "solid")
Styles = Mapping[str, Mapping[str, str]]
"""By entrant: `color`, `symbol`, `dash`."""


def styles(entrants: Sequence[str]) -> Styles:
    """One look an entrant, the same in all figures; colours come round again after seven, with
    other symbols and dashes."""
    found = {}
    for index, entrant in enumerate(entrants):
        lap, place = divmod(index, len(PALETTE))
        found[entrant] = {
            "color": PALETTE[place],
            "symbol": SYMBOLS[(place + lap) % len(SYMBOLS)],
            "dash": DASHES[(place + lap) % len(DASHES)],
        }
    return found


def by_row(figure: go.Figure, entrants: Sequence[str]) -> go.Figure:
    """A row an entrant, the first on top, long labels on several lines."""
    figure.update_yaxes(
        type="category",
        categoryorder="array",
        categoryarray=[text(entrant) for entrant in entrants],
        range=[len(entrants) - 0.4, -0.6],
        tickvals=[text(entrant) for entrant in entrants],
        ticktext=[wrapped(entrant) for entrant in entrants],
        showgrid=False,
    )
    return figure.update_layout(showlegend=False)


def wrapped(label: str) -> str:
    lines = textwrap.wrap(label, 20, max_lines=3, placeholder=" …") or [label]
    return "<br>".join(map(text, lines))


def short(label: str) -> str:
    return text(label if len(label) <= 34 else label[:33] + "…")


def rows_height(rows: int, *, each: int = 44) -> int:
    return 90 + each * max(rows, 1)


def text(label: str) -> str:
    """A label for plotly, which reads a kind of HTML."""
    return html.escape(label, quote=False)


LEFT = 66
"""Pixels for the numbers and the title of an upright axis."""


def of_numbers(figure: go.Figure) -> go.Figure:
    """Upright axis of numbers below a legend: its room is fixed. Room after the numbers drawn would
    change how the legend wraps, which changes the height, which changes the numbers."""
    return figure.update_yaxes(automargin=False).update_layout(margin_l=LEFT)


def blank(*, x: str, height: int, y: str = "") -> go.Figure:
    import plotly.graph_objects as go

    figure = go.Figure()
    figure.update_layout(
        template="none",
        height=height,
        autosize=True,
        margin={"l": 8, "r": 16, "t": 8, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        hovermode="closest",
        dragmode=False,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "title": {"text": ""}},
    )
    axis: dict[str, Any] = {"automargin": True, "zeroline": False, "ticks": "outside", "ticklen": 4}
    figure.update_xaxes(title={"text": x}, **axis)
    figure.update_yaxes(title={"text": y}, **axis)
    return figure
