"""What the page shows of a task's searches: one study after another, thinned where there are many.

Figures are drawn of a limited number of studies, and of a limited number of trials of each; the
tables hold every study.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from results import figures, layout, search_drawn
from results.load import Run
from results.search_space import Searched
from results.wording import score

if TYPE_CHECKING:
    import pandas as pd

STUDIES = 24
"""Of a run that are drawn, at most, or one of each task."""
TRIALS = 200
"""Of one study in its figures, at most."""
TRIALS_IN_ALL = 1000
"""Of all studies drawn, at most, or FEWEST of each."""
FEWEST = 40
CURVES = 60
"""Trials of one study whose curves are drawn, at most: a third of those shown."""
PARAMETERS = 8
"""Of one study in its figures, at most: the most important."""


@dataclass(frozen=True, kw_only=True)
class Room:
    """How much of each task's searches the page has room for."""

    studies: int
    trials: int


def room(run: Run) -> Room:
    """By how many studies and tasks the run has."""
    drawn = max(1, min(STUDIES, len(run.studies)))
    return Room(
        studies=max(1, STUDIES // max(1, len(run.tasks))),
        trials=max(FEWEST, min(TRIALS, TRIALS_IN_ALL // drawn)),
    )


def view(
    found: Sequence[Searched], tables: Mapping[str, pd.DataFrame], *, metric: str, room: Room
) -> dict[str, Any]:
    """The section of one task.

    tables: `exploratory_rungs`, `exploratory_gains`, `exploratory_importance`. Empty, and so
    without a section, where no trial has a score. Studies stand in the leaderboard's order.
    """
    if not any(one.scored for one in found):
        return {}
    ranks = {label: place for place, label in enumerate(tables["leaderboard"]["entrant"])}
    ordered = sorted(found, key=lambda one: _order(one, ranks))
    drawn = [one for one in ordered if one.scored][: room.studies]
    with_own = {one.study.id for one in drawn}
    rows = {row["study"]: row for row in layout.records(tables["exploratory_gains"])}
    return {
        "studies": [_study(one, tables, rows[one.study.id], metric, room) for one in drawn],
        "gains": [
            {
                **rows[one.study.id],
                "entrant": one.study.label,
                "part": one.study.part,
                "anchor": one.anchor,
                "own": one.study.id in with_own,
            }
            for one in ordered
        ],
        "left": sum(bool(one.scored) for one in ordered) - len(drawn),
        "fold": len(ordered) > STUDIES,
    }


def _order(one: Searched, ranks: Mapping[str, int]) -> tuple[bool, int, int, int]:
    """First searches before further ones, so that every entrant is drawn before any twice."""
    study = one.study
    split = 0 if study.fold is None else study.fold.number
    return (
        study.time_budget_s is not None,
        split + study.search_number,
        ranks.get(study.label, len(ranks)),
        split,
    )


def _study(
    one: Searched,
    tables: Mapping[str, pd.DataFrame],
    gain: Mapping[str, Any],
    metric: str,
    room: Room,
) -> dict[str, Any]:
    shares = _rows(tables["exploratory_importance"], one)
    trials = search_drawn.shown(one, room.trials)
    names = [row["parameter"] for row in shares]
    axes = search_drawn.scales(one, trials, names[:PARAMETERS])
    return {
        "anchor": one.anchor,
        "entrant": one.study.label,
        "name": one.study.name,
        "gain": gain,
        "unit": one.unit,
        "rungs": _rows(tables["exploratory_rungs"], one),
        "importance": shares,
        "asked": any(math.isfinite(row["ped_anova"]) for row in shares),
        "why": next((row["why"] for row in shares if not math.isfinite(row["quarters"])), ""),
        "varied": len(names),
        "axes": len(axes),
        "shown": len(trials),
        "of": len(one.searched),
        "figures": _figures(one, trials, axes, metric, room),
    }


def _rows(table: pd.DataFrame, one: Searched) -> list[dict[str, Any]]:
    return layout.records(table[table["study"] == one.study.id])


def _figures(
    one: Searched,
    trials: Sequence[Any],
    axes: Sequence[search_drawn.Scale],
    metric: str,
    room: Room,
) -> dict[str, Any]:
    """The figures that have something to show."""
    curves = search_drawn.curves(one, min(CURVES, max(1, room.trials // 3)))
    drawn = {"curves": figures.trial_curves(curves, metric=metric)} if len(curves) else {}
    if axes and len(trials) > 1:
        worst, best = (one.sign * end(t.value for t in trials) for end in (min, max))
        drawn["parallel"] = figures.parallel(
            search_drawn.parallel(one, trials, axes),
            axes,
            metric=metric,
            ends=(score(worst), score(best)),
        )
        drawn["slices"] = figures.slices(
            search_drawn.slices(one, trials, axes), axes, metric=metric
        )
    return drawn
