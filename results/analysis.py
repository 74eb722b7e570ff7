"""The one confirmatory analysis of a task: means, intervals, comparisons of all pairs, tiers.

Resamples patients jointly for all entrants and hands arrays to `results.stats`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench import metrics
from bench.spec import content_hash
from results import stats
from results.contenders import Contenders, Problem, Training
from results.load import Run, StudyFacts, TaskFacts
from results.stats import Estimate, Floats

ALPHA = 0.05


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One entrant's result on one task."""

    studies: tuple[StudyFacts, ...]
    """Its splits and searches, in order."""
    trainings: tuple[Training, ...]
    """Its replicates with a test score."""
    units: Floats
    """(units,): the scores that its result is repeated by: of seeds, of searches' means, or of
    splits' means. NaN where the metric is undefined."""
    estimate: Estimate
    tier: int | None = None

    @property
    def study(self) -> StudyFacts:
        """The first of its studies: what all of them share is read there."""
        return self.studies[0]

    @property
    def scores(self) -> Floats:
        """(trainings,): the primary test metric of each."""
        return np.array([training.score for training in self.trainings])


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Two entrants with a tier on one task."""

    first: StudyFacts
    second: StudyFacts
    difference: Estimate
    """Of the metric, first - second."""
    p_holm: float
    better: int | None
    """0 or 1: the first or second is significantly better; None: they cannot be told apart."""


@dataclass(frozen=True, kw_only=True)
class TaskAnalysis:
    """All that the statistics say of a task."""

    task: TaskFacts
    entries: tuple[Entry, ...]
    """Best first: by tier, then by mean; those without a tier last."""
    comparisons: tuple[Comparison, ...]
    problems: tuple[Problem, ...]
    """What is wrong with predictions."""
    patients: int
    """Groups of the test set; 0 where no predictions could be read."""
    bootstrapped: bool
    """Whether any interval or comparison is a bootstrap's."""

    def between(self, one: StudyFacts, other: StudyFacts) -> Comparison | None:
        """The comparison of these two, in whichever order it was made."""
        for comparison in self.comparisons:
            if {comparison.first.id, comparison.second.id} == {one.id, other.id}:
                return comparison
        return None


def analyse(run: Run, task_id: str, *, time_budget_s: float | None = None) -> TaskAnalysis:
    """The analysis of one task, from whatever of it is there; of a fixed-time comparison of it,
    where that is named."""
    task = run.tasks[task_id]
    name = ["analysis", task_id, *([] if time_budget_s is None else [time_budget_s])]
    rng = np.random.default_rng(int(content_hash([run.suite["seed"], *name]), 16))
    entrants = {studies[0].id: studies for studies in run.entrants_of(task_id, time_budget_s)}
    field = Contenders(
        {key: [(run, study) for study in studies] for key, studies in entrants.items()},
        task,
        rng,
        split="test",
        splits=run.splits,
        searches=run.searches if time_budget_s is None else 1,
    )
    entries = {key: _entry(key, studies, field) for key, studies in entrants.items()}
    able = [key for key, one in entries.items() if field.measurable(key) and one.estimate.testable]
    comparisons = _compare(able, entries, field)
    better = np.zeros((len(able), len(able)), dtype=bool)
    place = {key: number for number, key in enumerate(able)}
    for pair in comparisons:
        sides = place[pair.first.id], place[pair.second.id]
        if pair.better is not None:
            better[sides[pair.better], sides[1 - pair.better]] = True
    tier = dict(zip(able, stats.tiers(better).tolist(), strict=True))
    ranked = [replace(entry, tier=tier.get(key)) for key, entry in entries.items()]
    return TaskAnalysis(
        task=task,
        entries=tuple(sorted(ranked, key=lambda entry: _place(entry, task))),
        comparisons=tuple(comparisons),
        problems=tuple(field.problems),
        patients=field.patients,
        bootstrapped=field.bootstrapped,
    )


def orient(metric: str) -> int:
    """1 for a metric of which more is better, else -1."""
    return 1 if metrics.get(metric).greater_is_better else -1


def _place(entry: Entry, task: TaskFacts) -> tuple[float, ...]:
    value = entry.estimate.value
    worst = -orient(task.primary) * value if math.isfinite(value) else math.inf
    return (
        entry.tier if entry.tier is not None else math.inf,
        0 if len(entry.scores) > 1 else 1,
        worst,
    )


# --- Estimates ------------------------------------------------------------------------------


def _entry(key: str, studies: tuple[StudyFacts, ...], field: Contenders) -> Entry:
    return Entry(
        studies=studies,
        trainings=tuple(field.trainings(key)),
        units=field.units(key),
        estimate=_within(metrics.get(field.task.primary), field.estimate(key)),
    )


def _within(metric: metrics.Metric, estimate: Estimate) -> Estimate:
    """The estimate with its interval cut to the values that the metric can have."""
    low, high = max(estimate.low, metric.low), min(estimate.high, metric.high)
    return estimate if estimate.method == "none" else replace(estimate, low=low, high=high)


def _compare(
    keys: Sequence[str], entries: Mapping[str, Entry], field: Contenders
) -> list[Comparison]:
    pairs = list(itertools.combinations(keys, 2))
    differences = field.differences(pairs)
    adjusted = stats.holm(np.array([difference.p for difference in differences]))
    found, sign = [], orient(field.task.primary)
    for (first, second), difference, p in zip(pairs, differences, adjusted.tolist(), strict=True):
        ahead = difference.value * sign > 0
        found.append(
            Comparison(
                first=entries[first].study,
                second=entries[second].study,
                difference=difference,
                p_holm=p,
                better=(0 if ahead else 1) if p <= ALPHA else None,
            )
        )
    return found
