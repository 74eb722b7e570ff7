"""One search as the rows that its figures draw: thinned, so that a large run's page stays small.

Figures of one study show at most `room` trials: the best half of them, and an even sample of the
others. Scores are in the metric's own unit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.distributions import is_number
from results.importance import evenly
from results.search_space import Searched, Tried
from results.tables import frame

if TYPE_CHECKING:
    import pandas as pd

POINTS = 12
"""Of a trial's curve, at most."""
BANDS = ("best", "upper", "lower")
"""By score: the best tenth of the trials shown, the rest of the upper half, the lower half."""
MISSING = -0.12
"""Where a trial stands on the axis of a parameter that it does not have; the axis is [0, 1]."""
CHARACTERS = 18
"""Of a value on an axis, at most."""


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A parameter's axis: of numbers, or of values one beside the other."""

    name: str
    log: bool
    values: tuple[str, ...]
    """The values in words, in their order; empty of numbers."""
    low: float
    high: float
    """Of the numbers tried; of values: their first and last place."""
    low_words: str
    high_words: str

    def place(self, value: Any) -> float:
        """Where a value stands, in [0, 1]."""
        number = float(self.values.index(_words(value)) if self.values else value)
        low, high = self.low, self.high
        if self.log:
            number, low, high = math.log(number), math.log(low), math.log(high)
        return (number - low) / (high - low) if high > low else 0.5


def shown(one: Searched, room: int) -> list[Tried]:
    """The trials that figures show, by number."""
    ranked = sorted(one.searched, key=lambda t: (-t.value, t.trial.number))
    best, others = ranked[: room // 2], ranked[room // 2 :]
    others = sorted(others, key=lambda t: t.trial.number)
    return sorted([*best, *evenly(others, room - room // 2)], key=lambda t: t.trial.number)


def scales(one: Searched, trials: Sequence[Tried], names: Sequence[str]) -> list[Scale]:
    """The axes of these parameters, each over the values of these trials; a parameter that none of
    them has gets none."""
    found = []
    for name in names:
        values = [t.trial.config[name] for t in trials if name in t.trial.config]
        if values:
            found.append(_scale(name, one.space.get(name) or {}, values))
    return found


def _scale(name: str, parameter: Any, values: Sequence[Any]) -> Scale:
    if all(map(is_number, values)) and parameter.get("type", "float") in ("float", "int"):
        low, high = float(min(values)), float(max(values))
        log = bool(parameter.get("log")) and low > 0
        return Scale(
            name=name,
            log=log,
            values=(),
            low=low,
            high=high,
            low_words=f"{low:.3g}",
            high_words=f"{high:.3g}",
        )
    listed = [*parameter.get("values", ()), *parameter.get("also", ())]
    words = [_words(value) for value in values]
    order = [word for word in dict.fromkeys(map(_words, listed)) if word in words]
    order += sorted(set(words) - set(order))
    return Scale(
        name=name,
        log=False,
        values=tuple(order),
        low=0.0,
        high=float(len(order) - 1),
        low_words=_short(order[0]),
        high_words=_short(order[-1]),
    )


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _short(words: str) -> str:
    return words if len(words) <= CHARACTERS else words[: CHARACTERS - 1] + "…"


def bands(trials: Sequence[Tried]) -> dict[int, str]:
    """The band of each trial, by its number."""
    ranked = sorted(trials, key=lambda t: (-t.value, t.trial.number))
    tenth, half = math.ceil(len(ranked) / 10), math.ceil(len(ranked) / 2)
    return {
        tried.trial.number: BANDS[(place >= tenth) + (place >= half)]
        for place, tried in enumerate(ranked)
    }


def slices(one: Searched, trials: Sequence[Tried], axes: Sequence[Scale]) -> pd.DataFrame:
    """One row a trial and parameter that it has: value (a number or words) and score."""
    of = bands(trials)
    rows = [
        {
            "parameter": axis.name,
            "trial": tried.trial.number,
            "value": _on(axis, tried.trial.config[axis.name]),
            "validation": round(one.sign * tried.value, 4),
            "band": of[tried.trial.number],
        }
        for axis in axes
        for tried in trials
        if axis.name in tried.trial.config
    ]
    return frame(rows, "parameter trial value validation band", plain=("value",))


def _on(axis: Scale, value: Any) -> Any:
    return _words(value) if axis.values else float(f"{value:.4g}")


def parallel(one: Searched, trials: Sequence[Tried], axes: Sequence[Scale]) -> pd.DataFrame:
    """One row a trial and axis, the score's last: where its line crosses the axis.

    axis: its number; place: [0, 1], or MISSING of a parameter that the trial does not have. The
    score is at the top where it is best.
    """
    of = bands(trials)
    scores = [tried.value for tried in trials]
    low, high = min(scores), max(scores)
    rows = []
    for tried in trials:
        config = tried.trial.config
        places = [axis.place(config[axis.name]) if axis.name in config else MISSING
                  for axis in axes]  # fmt: skip
        places.append((tried.value - low) / (high - low) if high > low else 0.5)
        rows += [
            {
                "trial": tried.trial.number,
                "axis": number,
                "place": round(place, 3),
                "validation": round(one.sign * tried.value, 4),
                "band": of[tried.trial.number],
            }
            for number, place in enumerate(places)
        ]
    return frame(rows, "trial axis place validation band")


def curves(one: Searched, most: int) -> pd.DataFrame:
    """One row a trial and epoch shown: the validation score there, of at most `most` trials and
    POINTS epochs of each, its first and last among them."""
    winner = one.winner.trial.number if one.winner else None
    rows = []
    for tried in shown(one, most):
        trial = tried.trial
        line = [(e, r["score"]) for e, r in sorted(trial.reports.items()) if r["score"] is not None]
        step = (len(line) - 1) / (POINTS - 1)
        if step > 1:
            line = [line[round(step * place)] for place in range(POINTS)]
        state = "winner" if trial.number == winner else trial.state
        rows += [
            {
                "trial": trial.number,
                "state": state,
                "epoch": epoch,
                "validation": round(one.sign * score, 4),
            }
            for epoch, score in line
        ]
    return frame(rows, "trial state epoch validation")
