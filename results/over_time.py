"""Validation scores over charged seconds of training: means with bands, crossovers, targets.

Between two validations a training's score is taken to move in a straight line: with steps, means
would jump whenever one seed ends its epoch a moment before another. A mean is over all of an
entrant's seeds, so it begins when the last of them has a score and ends when the first of them
ends. Seconds are those of the run's ordinary trainings, which may have shared a device; where that
must not be, suites name time budgets (`fixed_time`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bench import metrics
from bench.ledger import Replicate
from results.analysis import Entry, TaskAnalysis, orient
from results.load import Run
from results.stats import MIN_SEEDS, Floats, Ints
from results.tables import frame, replicates_of

if TYPE_CHECKING:
    import pandas as pd

POINTS = 80
"""Of a curve at most, in the table and the figure; crossovers and targets are found on all."""
CROSSED = 8
"""Entrants, from the top of the leaderboard, whose curves are held against each other."""
SHARES = (0.9, 0.95, 1.0)
"""Of the runner-up's best mean: the targets."""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """The mean validation metric of an entrant, in the metric's own unit."""

    entrant: str
    units: int
    """Seeds, or searches (means of their seeds), or splits."""
    seconds: Floats
    """(moments,), ascending: charged seconds at which any of the trainings has a new score."""
    mean: Floats
    """(moments,), with straight lines between."""
    low: Floats
    high: Floats
    """(moments,), ends of a pointwise 95 % t interval over the units; NaN where there is none."""
    why: str
    """Why there is none."""

    def at(self, seconds: Floats) -> Floats:
        """The mean at these moments, none of them outside its own."""
        return np.interp(seconds, self.seconds, self.mean)


def tables(run: Run, analysis: TaskAnalysis) -> dict[str, pd.DataFrame]:
    """All of them by name."""
    curves = mean_curves(run, analysis)
    return {
        "over_time": over_time(analysis, curves),
        "crossovers": crossovers(analysis, curves),
        "time_to_target": targets(analysis, curves),
    }


def mean_curves(run: Run, analysis: TaskAnalysis) -> list[Curve]:
    """A curve for each entrant whose trainings were validated, in the leaderboard's order."""
    found = (_curve(run, analysis, entry) for entry in analysis.entries)
    return [curve for curve in found if curve is not None]


def over_time(analysis: TaskAnalysis, curves: Sequence[Curve]) -> pd.DataFrame:
    """One row an entrant and moment, at most 80 of each entrant: the mean and its interval."""
    rows = []
    for curve in curves:
        count = len(curve.seconds)
        kept = np.unique(np.rint(np.linspace(0, count - 1, min(count, POINTS))).astype(np.int64))
        for place in kept:
            rows.append(
                {
                    "task": analysis.task.id,
                    "entrant": curve.entrant,
                    "metric": analysis.task.primary,
                    "units": curve.units,
                    "charged_seconds": float(curve.seconds[place]),
                    "validation": float(curve.mean[place]),
                    "low": float(curve.low[place]),
                    "high": float(curve.high[place]),
                    "why": curve.why,
                }
            )
    return frame(
        rows,
        "task entrant metric units charged_seconds validation low high why",
        real=("charged_seconds", "validation", "low", "high"),
    )


def crossovers(analysis: TaskAnalysis, curves: Sequence[Curve]) -> pd.DataFrame:
    """One row a pair of the first entrants: who is ahead first, who last, and since when.

    Of the time in which both have a mean. `since_seconds`: from then on the one that is ahead at
    the end stays ahead; the first common moment where it was ahead throughout; missing where they
    are equal at the end. `changes`: how often the lead went from one to the other.
    """
    rows = []
    for first, second in itertools.combinations(curves[:CROSSED], 2):
        moments = np.union1d(first.seconds, second.seconds)
        begin = max(first.seconds[0], second.seconds[0])
        end = min(first.seconds[-1], second.seconds[-1])
        moments = moments[(moments >= begin) & (moments <= end)]
        if not len(moments):
            continue
        lead = orient(analysis.task.primary) * (first.at(moments) - second.at(moments))
        ahead = np.sign(lead)
        names = {1.0: first.entrant, -1.0: second.entrant, 0.0: ""}
        led = ahead[ahead != 0]
        behind = np.flatnonzero(ahead != ahead[-1])
        rows.append(
            {
                "task": analysis.task.id,
                "first": first.entrant,
                "second": second.entrant,
                "metric": analysis.task.primary,
                "ahead_first": names[float(led[0])] if len(led) else "",
                "ahead_last": names[float(ahead[-1])],
                "since_seconds": _since(moments, lead, behind) if ahead[-1] else math.nan,
                "changes": int(np.sum(led[1:] != led[:-1])),
                "until_seconds": float(end),
            }
        )
    return frame(
        rows,
        "task first second metric ahead_first ahead_last since_seconds changes until_seconds",
        real=("since_seconds",),
    )


def _since(moments: Floats, values: Floats, behind: Ints) -> float:
    """When values cross zero after the last of the places `behind`."""
    return _crossing(moments, values, int(behind[-1])) if len(behind) else float(moments[0])


def _crossing(moments: Floats, values: Floats, place: int) -> float:
    """When a straight line from this place to the next is zero."""
    before, after = float(values[place]), float(values[place + 1])
    share = before / (before - after)
    return float(moments[place] + share * (moments[place + 1] - moments[place]))


def targets(analysis: TaskAnalysis, curves: Sequence[Curve]) -> pd.DataFrame:
    """One row an entrant and target: the first moment at which its mean is there.

    The targets are the best mean of the runner-up's curve, which two entrants reach, and shares of
    it; of a metric of which less is better, that mean alone. With one entrant its own best mean.
    `seconds` is missing where it is not reached within `until_seconds`.
    """
    sign = orient(analysis.task.primary)
    best = sorted((float((sign * curve.mean).max()) for curve in curves), reverse=True)
    aims: list[tuple[float, float]] = []
    if best:
        aim = best[min(1, len(best) - 1)]
        shares = SHARES if sign > 0 and aim > 0 else SHARES[-1:]
        aims = [(share, share * aim) for share in shares]
    rows = []
    for curve in curves:
        for share, aim in aims:
            missed = sign * curve.mean - aim
            there = np.flatnonzero(missed >= 0)
            rows.append(
                {
                    "task": analysis.task.id,
                    "entrant": curve.entrant,
                    "metric": analysis.task.primary,
                    "share": share,
                    "target": sign * aim,
                    "seconds": _since(curve.seconds, missed, np.arange(there[0]))
                    if len(there)
                    else math.nan,
                    "until_seconds": float(curve.seconds[-1]),
                }
            )
    return frame(rows, "task entrant metric share target seconds until_seconds", real=("seconds",))


# --- Curves ---------------------------------------------------------------------------------


def _curve(run: Run, analysis: TaskAnalysis, entry: Entry) -> Curve | None:
    sign = orient(analysis.task.primary)
    lines = list(_lines(run, entry))
    if not lines:
        return None
    begin = max(seconds[0] for _, seconds, _ in lines)
    end = min(seconds[-1] for _, seconds, _ in lines)
    if begin > end:
        return None
    moments = np.unique(np.concatenate([seconds for _, seconds, _ in lines]))
    moments = moments[(moments >= begin) & (moments <= end)]
    by_unit: dict[Any, list[Floats]] = {}
    for unit, seconds, scores in lines:
        by_unit.setdefault(unit, []).append(sign * np.interp(moments, seconds, scores))
    values = np.array([np.mean(rows, axis=0) for rows in by_unit.values()])
    low, high, why = _interval(run, values, metrics.get(analysis.task.primary))
    return Curve(
        entrant=entry.study.label,
        units=len(values),
        seconds=moments,
        mean=values.mean(axis=0),
        low=low,
        high=high,
        why=why,
    )


def _lines(run: Run, entry: Entry) -> Iterator[tuple[Any, Floats, Floats]]:
    """Of each training that did not fail: its unit, seconds so far, and scores, epoch by epoch.

    Those that still train are left out as soon as one has ended: a mean over both would end where
    the youngest stands.
    """
    trained = [one for one in replicates_of(run, entry) if one[2].state != "failed"]
    ended = [one for one in trained if one[2].state != "running"]
    for study, number, replicate in ended or trained:
        seconds, scores = _line(replicate)
        if len(scores):
            unit = {
                "seeds": (study.id, number),
                "searches": study.search_number,
                "splits": study.fold,
            }[run.unit]
            yield unit, seconds, scores


def _line(replicate: Replicate) -> tuple[Floats, Floats]:
    reports = [report for _, report in sorted(replicate.reports.items())]
    seconds = np.cumsum([report["charged_seconds"] for report in reports])
    known = [place for place, report in enumerate(reports) if report["score"] is not None]
    return seconds[known], np.array([reports[place]["score"] for place in known], dtype=float)


def _interval(run: Run, values: Floats, metric: metrics.Metric) -> tuple[Floats, Floats, str]:
    """values: (units, moments). Ends of the interval at each moment, and why there is none."""
    from scipy import special

    units, moments = values.shape
    none = np.full(moments, math.nan)
    if run.splits > 1:
        return none, none, "splits share training patients, and are not independent"
    if units < MIN_SEEDS:
        return none, none, f"{units} of at least {MIN_SEEDS} {run.unit}"
    reach = special.stdtrit(units - 1, 0.975) * values.std(axis=0, ddof=1) / math.sqrt(units)
    mean = values.mean(axis=0)
    return (
        np.clip(mean - reach, metric.low, metric.high),
        np.clip(mean + reach, metric.low, metric.high),
        "",
    )
