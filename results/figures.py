"""Figures (plotly) from finished tables: they draw and do no arithmetic.

Colours are Okabe & Ito's (2008), which people with any common colour blindness tell apart, and
which read on white and on near-black; marker and dash differ too. Ink, grid and background are
left to the page, which knows whether it is light or dark.
"""

from __future__ import annotations

import html
import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C8C8C")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "pentagon", "star")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "solid")
BANDS = 6
"""Intervals drawn as bands at most in one figure: more hide each other."""

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


def forest(leaderboard: pd.DataFrame, *, metric: str, looks: Styles) -> go.Figure:
    """Mean and 95 % interval of each entrant with a mean, in the leaderboard's order."""
    figure = _figure(x=metric, height=_rows_height(len(leaderboard)))
    shown = leaderboard[leaderboard["mean"].notna()]
    for row in shown.to_dict("records"):
        look = looks[row["entrant"]]
        bounded = math.isfinite(row["low"])
        figure.add_scatter(
            x=[row["low"], row["high"]] if bounded else [],
            y=[_text(row["entrant"])] * 2 if bounded else [],
            mode="lines",
            line={"color": look["color"], "width": 2.5},
            hoverinfo="skip",
        )
        figure.add_scatter(
            x=[row["mean"]],
            y=[_text(row["entrant"])],
            mode="markers",
            marker={
                "color": look["color"],
                "symbol": look["symbol"] if bounded else look["symbol"] + "-open",
                "size": 11,
            },
            hovertemplate=_text(row["entrant"])
            + "<br>mean %{x:.4f}"
            + (f"<br>{row['low']:.4f} to {row['high']:.4f}" if bounded else "<br>no interval")
            + "<extra></extra>",
        )
    return _by_row(figure, list(shown["entrant"]))


def seed_variance(seeds: pd.DataFrame, *, metric: str, looks: Styles) -> go.Figure:
    """Each replicate's test score as a point, with a box where an entrant has five or more."""
    scored = seeds[seeds["test"].notna()]
    entrants = list(dict.fromkeys(scored["entrant"]))
    figure = _figure(x=metric, height=_rows_height(len(entrants), each=54))
    for entrant in entrants:
        rows, look = scored[scored["entrant"] == entrant], looks[entrant]
        boxed = len(rows) >= 5
        figure.add_box(
            x=rows["test"].tolist(),
            y=[_text(entrant)] * len(rows),
            orientation="h",
            boxpoints="all",
            jitter=0.5,
            pointpos=0,
            width=0.5,
            line={"color": look["color"] if boxed else "rgba(0,0,0,0)", "width": 1.5},
            fillcolor="rgba(0,0,0,0)",
            marker={"color": look["color"], "symbol": look["symbol"], "size": 8, "opacity": 0.8},
            customdata=rows["seed"].tolist(),
            hovertemplate=_text(entrant) + "<br>%{x:.4f}, seed %{customdata}<extra></extra>",
            hoveron="points",
        )
    return _by_row(figure, entrants)


def score_against_seconds(curves: pd.DataFrame, *, metric: str, looks: Styles) -> go.Figure:
    """Validation metric over charged seconds: replicates thin, their mean strong."""
    figure = _figure(x="charged seconds of one training", y=f"validation {metric}", height=380)
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
                name=_short(entrant),
                legendgroup=_text(entrant),
                showlegend=bool(number == strong),
                customdata=rows["epoch"].tolist(),
                hovertemplate=_text(entrant)
                + f", {label}<br>%{{y:.4f}} after %{{x:.1f}} s (epoch %{{customdata}})"
                + "<extra></extra>",
            )
    return figure


_MARKS = {
    "completed": ("trained to its end", "circle-open", 7),
    "stopped": ("stopped early", "line-ns-open", 8),
    "failed": ("failed", "x-thin-open", 8),
}


def search(trajectory: pd.DataFrame, *, metric: str, looks: Styles) -> go.Figure:
    """The best so far over the effort spent, with a mark where each trial ended."""
    figure = _figure(x="epochs spent by the search", y=f"validation {metric}", height=380)
    shown: set[str] = set()
    for whose, of_entrant in trajectory.groupby(["entrant", "split_number", "search"], sort=False):
        entrant = str(whose[0])
        look = looks[entrant]
        best = of_entrant[of_entrant["kind"] == "best"]
        figure.add_scatter(
            x=best["effort_epochs"].tolist(),
            y=best["validation"].tolist(),
            mode="lines",
            line={"color": look["color"], "dash": look["dash"], "width": 2.4, "shape": "hv"},
            name=_short(entrant),
            legendgroup=_text(entrant),
            showlegend=entrant not in shown,
            hovertemplate=_text(entrant) + "<br>best %{y:.4f} after %{x} epochs<extra></extra>",
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
                legendgroup=_text(entrant),
                showlegend=False,
                customdata=rows["trial"].tolist(),
                hovertemplate=_text(entrant)
                + f"<br>trial %{{customdata}} {words}, %{{y:.4f}}<extra></extra>",
            )
    return figure


def expected_best(curves: pd.DataFrame, *, metric: str, looks: Styles) -> go.Figure:
    """Expected best validation metric over epochs of effort: a line a search, and its interval as
    a band where there are so few that bands can be told apart."""
    figure = _figure(
        x="epochs of effort, trials in any order", y=f"validation {metric}", height=380
    )
    shown: set[str] = set()
    by_epochs = curves[(curves["by"] == "epochs") & curves["validation"].notna()]
    lines = by_epochs.groupby(["entrant", "split_number", "search"], sort=False)
    few = len(lines) <= BANDS
    for whose, rows in lines:
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
                legendgroup=_text(entrant),
                showlegend=False,
                hoverinfo="skip",
            )
        figure.add_scatter(
            x=rows["at"].tolist(),
            y=rows["validation"].tolist(),
            mode="lines",
            line={"color": look["color"], "dash": look["dash"], "width": 2.4 if few else 1.2},
            name=_short(entrant),
            legendgroup=_text(entrant),
            showlegend=entrant not in shown,
            hovertemplate=_text(entrant) + "<br>%{y:.4f} after %{x} epochs<extra></extra>",
        )
        shown.add(entrant)
    return figure


def _by_row(figure: go.Figure, entrants: Sequence[str]) -> go.Figure:
    """A row an entrant, the first on top, long labels on several lines."""
    figure.update_yaxes(
        type="category",
        categoryorder="array",
        categoryarray=[_text(entrant) for entrant in entrants],
        range=[len(entrants) - 0.4, -0.6],
        tickvals=[_text(entrant) for entrant in entrants],
        ticktext=[_wrapped(entrant) for entrant in entrants],
        showgrid=False,
    )
    return figure.update_layout(showlegend=False)


def _wrapped(label: str) -> str:
    lines = textwrap.wrap(label, 20, max_lines=3, placeholder=" …") or [label]
    return "<br>".join(map(_text, lines))


def _short(label: str) -> str:
    return _text(label if len(label) <= 34 else label[:33] + "…")


def _rows_height(rows: int, *, each: int = 44) -> int:
    return 90 + each * max(rows, 1)


def _text(label: str) -> str:
    """A label for plotly, which reads a kind of HTML."""
    return html.escape(label, quote=False)


def _figure(*, x: str, height: int, y: str = "") -> go.Figure:
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
