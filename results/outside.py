"""Predictions made elsewhere beside a run's entrants: scored on the same cases, and marked.

They change nothing of the run's own analysis: neither its tiers nor its Holm adjustment.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from bench import ledger, metrics
from bench.spec import content_hash
from results import stats
from results.analysis import ALPHA, Entry, TaskAnalysis, orient
from results.contenders import Contenders
from results.load import Run, StudyFacts
from results.panel import Member, Split
from results.stats import Estimate
from results.tables import frame
from results.wording import score

if TYPE_CHECKING:
    import pandas as pd

MARK = "made elsewhere: its tuning effort, data and choice of epoch are not known to this run"
COLUMNS = (
    "task entrant on metric place better_entrants compared mean std low high interval trainings "
    "scores scored sources mark note"
)
"""`place` is 1 + the number of `better_entrants`, those of the run that are significantly better;
`compared`: with how many of them."""


def rows(run: Run, analysis: TaskAnalysis) -> pd.DataFrame:
    """One row a model made elsewhere and split that it was scored on, in the order of first scores.

    Of several scorings under one label the last counts. Secondary metrics follow as `<id>_mean`.
    A place needs three trainings, as a tier does, and the test split: on validation, the run's own
    settings and epochs were chosen.
    """
    shown = _shown(run, analysis.task.id)
    secondary = [
        name
        for name in dict.fromkeys(
            name for event in shown for one in event["metrics"] for name in one
        )
        if name != analysis.task.primary
    ]
    found = [_row(run, analysis, event, secondary) for event in shown]
    columns = " ".join([COLUMNS, *(f"{name}_mean" for name in secondary)])
    return frame(found, columns, whole=["place"])


def _shown(run: Run, task: str) -> list[ledger.Event]:
    """The last scoring under each label on each split."""
    found: dict[tuple[str, str], ledger.Event] = {}
    for event in run.state.outside:
        if event["task"] == task:
            found[event["label"], event["on"]] = event
    return list(found.values())


def _row(
    run: Run, analysis: TaskAnalysis, event: ledger.Event, secondary: Sequence[str]
) -> dict[str, Any]:
    task = analysis.task
    against = _Against(run, analysis, event)
    scores = _values(event, task.primary)
    mean, std = _spread(scores)
    row = {
        "task": task.id,
        "entrant": event["label"],
        "on": event["on"],
        "metric": task.primary,
        "place": None if against.better is None else 1 + len(against.better),
        "better_entrants": ", ".join(against.better or ()),
        "compared": against.compared,
        "mean": mean,
        "std": std,
        "low": against.estimate.low,
        "high": against.estimate.high,
        "interval": against.estimate.method,
        "trainings": len(scores),
        "scores": " · ".join(map(score, scores)),
        "scored": event["t"],
        "sources": ", ".join(one.get("source", "") for one in event["predictions"]),
        "mark": MARK,
        "note": "; ".join([*against.notes, *event["notes"]]),
    }
    return row | {f"{name}_mean": _spread(_values(event, name))[0] for name in secondary}


def _values(event: ledger.Event, metric: str) -> list[float]:
    """A metric of each training; NaN where it is undefined or was left out."""
    found = (one.get(metric) for one in event["metrics"])
    return [math.nan if value is None else float(value) for value in found]


def _spread(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation; NaN below two values: one is no result."""
    if len(values) < 2:
        return math.nan, math.nan
    return float(np.mean(values)), float(np.std(values, ddof=1))


class _Against:
    """One model made elsewhere against the entrants that have a tier."""

    def __init__(self, run: Run, analysis: TaskAnalysis, event: ledger.Event) -> None:
        self.better: list[str] | None = None
        """Labels of entrants that are significantly better; None where it has no place."""
        self.compared = 0
        self.notes: list[str] = []
        self._task, on = analysis.task, cast(Split, event["on"])
        ours = [entry for entry in analysis.entries if entry.tier is not None and on == "test"]
        seed = content_hash([run.suite["seed"], "outside", analysis.task.id, event["label"], on])
        guest, members = _as_studies(run, event)
        self._field = Contenders(
            {
                **{entry.study.id: [(run, study) for study in entry.studies] for entry in ours},
                guest: members,
            },
            analysis.task,
            np.random.default_rng(int(seed, 16)),
            split=on,
            searches=run.searches,
        )
        self.estimate = _within(metrics.get(analysis.task.primary), self._field.estimate(guest))
        trainings = len(event["metrics"])
        if problems := [one for one in self._field.problems if one.key == guest]:
            self.notes.append(f"training {problems[0].number + 1}: {problems[0].what}")
        elif trainings == 1:
            self.notes.append("one training is no result")
        elif self.estimate.why:
            why = self.estimate.why.replace("seeds", "trainings").replace("searches", "trainings")
            self.notes.append(f"no interval: {why}")
        if on == "validation":
            self.notes.append(
                "no place: on validation, where the settings and epochs of the run were chosen"
            )
        elif self._field.measurable(guest) and self.estimate.testable:
            self._compare(guest, ours)

    def _compare(self, guest: str, ours: Sequence[Entry]) -> None:
        able = [entry for entry in ours if self._field.measurable(entry.study.id)]
        if not able:
            self.notes.append("no place: no entrant of the run has a tier")
            return
        differences = [self._field.difference(entry.study.id, guest) for entry in able]
        adjusted = stats.holm(np.array([one.p for one in differences]))
        sign = orient(self._task.primary)
        self.compared = len(able)
        self.better = [
            entry.study.label
            for entry, one, p in zip(able, differences, adjusted.tolist(), strict=True)
            if p <= ALPHA and one.value * sign > 0
        ]


def _within(metric: metrics.Metric, estimate: Estimate) -> Estimate:
    """The estimate with its interval cut to the values that the metric can have."""
    low, high = max(estimate.low, metric.low), min(estimate.high, metric.high)
    return estimate if estimate.method == "none" else replace(estimate, low=low, high=high)


def _as_studies(run: Run, event: ledger.Event) -> tuple[str, list[Member]]:
    """A key, and the trainings of one event in the shape of studies with replicates.

    Where the run's entrants were searched several times, each training stands for a search.
    """
    key = f"outside\x1f{event['label']}"
    of_task = run.of_task(event["task"])[0]
    on_test = event["on"] == "test"
    state = ledger.RunState()
    studies: dict[str, StudyFacts] = {}
    for number, (measured, reference) in enumerate(
        zip(event["metrics"], event["predictions"], strict=True)
    ):
        search = number if run.searches > 1 else 0
        id = f"{key}\x1f{search}"
        if id not in studies:
            studies[id] = replace(
                of_task, id=id, label=event["label"], search_number=search, part="", group=None
            )
            state.studies[id] = ledger.StudyState(id)
        state.studies[id].replicates[number] = ledger.Replicate(
            seed=0,
            config={},
            number=number,
            state="completed",
            test_metrics=measured if on_test else {},
            validation_metrics={} if on_test else measured,
            predictions=reference,
        )
    home = Path(event.get("home", run.folder))  # of a merged run's events, see results.merge
    guests = replace(run, folder=home, studies=studies, state=state)
    return key, [(guests, study) for study in studies.values()]
