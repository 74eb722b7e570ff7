"""One search: its trials' curves, its parameters side by side and one by one.

These are many on a page. They are returned as what plotly's JSON says, `data` and `layout`, for
plotly's own objects take longer to make than everything that they hold.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from results.figures.looks import LEFT, PALETTE, blank, short, text

if TYPE_CHECKING:
    import pandas as pd

    from results.search_drawn import Scale

Specification = dict[str, Any]
"""`data` and `layout` of a plotly figure."""

GREY = PALETTE[-1]
_BANDS = {
    "lower": ("lower half", GREY, 0.35, 1.0),
    "upper": ("upper half", PALETTE[5], 0.6, 1.0),
    "best": ("best tenth", PALETTE[1], 0.95, 1.6),
}
"""Words, colour, opacity, width; the best are drawn last, over the others."""
_STATES = {
    "stopped": ("stopped early", GREY, 0.45, 1.0),
    "running": ("still open", PALETTE[4], 0.6, 1.0),
    "completed": ("trained to its end", PALETTE[0], 0.6, 1.2),
    "winner": ("winner", PALETTE[1], 1.0, 2.6),
}
COLUMNS = 4
"""Of the slices."""


def trial_curves(curves: pd.DataFrame, *, metric: str) -> Specification:
    """Validation metric over epochs, a line a trial; those of one state are one trace."""
    data = []
    for state, (words, color, opacity, width) in _STATES.items():
        rows = curves[curves["state"] == state]
        if rows.empty:
            continue
        data.append(
            {
                "type": "scatter",
                "x": _broken(rows, "epoch"),
                "y": _broken(rows, "validation"),
                "mode": "lines" if rows["trial"].duplicated().any() else "markers",
                "line": {"color": color, "width": width},
                "marker": {"color": color},
                "opacity": opacity,
                "name": words,
                "hovertemplate": words + "<br>%{y} at epoch %{x}<extra></extra>",
            }
        )
    layout = _layout(320, x="epoch", y=f"validation {text(metric)}")
    layout["yaxis"] |= {"automargin": False}
    layout["margin"] = layout["margin"] | {"l": LEFT}
    return {"data": data, "layout": layout}


def _layout(height: int, *, x: str = "", y: str = "") -> dict[str, Any]:
    """The look of all figures, with these titles."""
    base = _look()
    return base | {
        "height": height,
        "xaxis": base["xaxis"] | {"title": {"text": x}},
        "yaxis": base["yaxis"] | {"title": {"text": y}},
    }


@functools.cache
def _look() -> dict[str, Any]:
    look: dict[str, Any] = blank(x="", height=100).to_plotly_json()["layout"]
    del look["template"]  # none
    return look


def _broken(rows: pd.DataFrame, column: str) -> list[Any]:
    """The trials' lines one after another, with a gap after each."""
    found: list[Any] = []
    last = None
    for trial, value in zip(rows["trial"].tolist(), rows[column].tolist(), strict=True):
        if last is not None and trial != last:
            found.append(None)
        found.append(value)
        last = trial
    return found


def parallel(
    rows: pd.DataFrame, axes: Sequence[Scale], *, metric: str, ends: tuple[str, str]
) -> Specification:
    """A line a trial across the parameters' axes to its score, the last axis.

    ends: the score at the foot and at the head of its axis.
    """
    data = []
    for band, (words, color, opacity, width) in _BANDS.items():
        lines = rows[rows["band"] == band]
        if lines.empty:
            continue
        data.append(
            {
                "type": "scatter",
                "x": _broken(lines, "axis"),
                "y": _broken(lines, "place"),
                "mode": "lines",
                "line": {"color": color, "width": width},
                "opacity": opacity,
                "name": words,
                "hoverinfo": "skip",
            }
        )
    names = [*(axis.name for axis in axes), f"validation {metric}"]
    feet = [*(axis.low_words for axis in axes), ends[0]]
    heads = [*(axis.high_words for axis in axes), ends[1]]
    layout = _layout(380)
    layout["xaxis"] |= {
        "tickvals": list(range(len(names))),
        "ticktext": [short(name) for name in names],
        "range": [-0.4, len(names) - 0.6],
        "showgrid": True,
        "ticks": "",
    }
    layout["yaxis"] |= {
        "range": [-0.2, 1.12],
        "showgrid": False,
        "showticklabels": bool((rows["place"] < 0).any()),
        "tickvals": [min(rows["place"])],
        "ticktext": ["not set"],
        "ticks": "",
    }
    layout["annotations"] = [
        end
        for number, (foot, head) in enumerate(zip(feet, heads, strict=True))
        for end in (_end(number, 0, foot, "top"), _end(number, 1, head, "bottom"))
    ]
    return {"data": data, "layout": layout}


def _end(number: int, place: int, words: str, anchor: str) -> dict[str, Any]:
    """What stands at an end of an axis."""
    return {
        "x": number,
        "y": place,
        "yanchor": anchor,
        "text": text(words),
        "showarrow": False,
        "font": {"size": 11},
    }


def slices(rows: pd.DataFrame, axes: Sequence[Scale], *, metric: str) -> Specification:
    """Validation metric against each parameter: a small plot each, four in a row."""
    lines = -(-len(axes) // COLUMNS)
    layout = _layout(70 + 210 * lines)
    across, up = layout.pop("xaxis"), layout.pop("yaxis")
    data: list[dict[str, Any]] = []
    for number, axis in enumerate(axes):
        suffix = "" if number == 0 else str(number + 1)
        layout[f"xaxis{suffix}"] = across | _across(number, suffix, axis)
        layout[f"yaxis{suffix}"] = up | _up(number, suffix, metric, lines)
        of_axis = rows[rows["parameter"] == axis.name]
        for band, (words, color, opacity, _) in _BANDS.items():
            points = of_axis[of_axis["band"] == band]
            if number and points.empty:  # the first ones stand in the legend
                continue
            values = points["value"].tolist()
            data.append(
                {
                    "type": "scatter",
                    "x": [text(value) for value in values] if axis.values else values,
                    "y": points["validation"].tolist(),
                    "xaxis": f"x{suffix}",
                    "yaxis": f"y{suffix}",
                    "mode": "markers",
                    "marker": {"color": color, "size": 5},
                    "opacity": opacity,
                    "name": words,
                    "legendgroup": band,
                    "showlegend": number == 0,
                    "hovertemplate": "%{x}<br>%{y}<extra></extra>",
                }
            )
    return {"data": data, "layout": layout}


def _across(number: int, suffix: str, axis: Scale) -> dict[str, Any]:
    """The axis of the parameter, in its place of the grid."""
    column = number % COLUMNS
    look: dict[str, Any] = {
        "domain": [column / COLUMNS + 0.03 * (column > 0), (column + 1) / COLUMNS - 0.01],
        "anchor": f"y{suffix}",
        "title": {"text": short(axis.name), "standoff": 4},
        "nticks": 4,
    }
    if axis.values:
        return look | {
            "type": "category",
            "categoryorder": "array",
            "categoryarray": [text(value) for value in axis.values],
            "tickvals": list(range(len(axis.values))),
            "ticktext": [text(value[:12]) for value in axis.values],
        }
    if not axis.log:
        return look
    decades = math.log10(axis.high / axis.low)
    every = max(1, math.ceil(decades / 3))  # more would stand upright, over the next row
    return look | {"type": "log", "exponentformat": "power", "dtick": every, "tickangle": 0}


def _up(number: int, suffix: str, metric: str, lines: int) -> dict[str, Any]:
    """The axis of the score, which all small plots share."""
    row, column = divmod(number, COLUMNS)
    look: dict[str, Any] = {
        "domain": [1 - (row + 1) / lines + (0.1 if lines > 1 else 0), 1 - row / lines],
        "anchor": f"x{suffix}",
        "title": {"text": text(metric) if column == 0 else ""},
        "nticks": 4,
        "showticklabels": column == 0,
    }
    return look | {"matches": "y"} if number else look
