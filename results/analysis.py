"""The one confirmatory analysis of a task: means, intervals, comparisons of all pairs, tiers.

Resamples patients jointly for all entrants and hands arrays to `results.stats`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench import metrics
from bench.spec import content_hash
from results import stats
from results.draws import Draws
from results.load import Run, StudyFacts, TaskFacts
from results.panel import Measure, Panel, number
from results.stats import Estimate, Floats

ALPHA = 0.05


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One entrant's result on one task."""

    study: StudyFacts
    seeds: tuple[int, ...]
    """Numbers of the replicates with a test score."""
    scores: Floats
    """(seeds,) the primary test metric; NaN where it is undefined."""
    estimate: Estimate
    tier: int | None = None
    measure: Measure | None = None
    """None where patients cannot be resampled."""


@dataclass(frozen=True, kw_only=True)
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
    problems: tuple[tuple[str, int, str], ...]
    """Study, replicate, and what is wrong with its predictions."""
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


def analyse(run: Run, task_id: str) -> TaskAnalysis:
    """The analysis of one task, from whatever of it is there."""
    task = run.tasks[task_id]
    rng = np.random.default_rng(int(content_hash([run.suite["seed"], "analysis", task_id]), 16))
    panel = Panel(run, task, rng)
    draws = Draws(panel, rng)
    entries = [_entry(study, panel, draws) for study in run.of_task(task_id)]
    able = [entry for entry in entries if entry.measure and entry.estimate.testable]
    comparisons = _compare(able, draws, task)
    better = np.zeros((len(able), len(able)), dtype=bool)
    index = {entry.study.id: number for number, entry in enumerate(able)}
    for pair in comparisons:
        sides = index[pair.first.id], index[pair.second.id]
        if pair.better is not None:
            better[sides[pair.better], sides[1 - pair.better]] = True
    tier = dict(zip(index, stats.tiers(better).tolist(), strict=True))
    ranked = [replace(entry, tier=tier.get(entry.study.id)) for entry in entries]
    return TaskAnalysis(
        task=task,
        entries=tuple(sorted(ranked, key=lambda entry: _place(entry, task))),
        comparisons=tuple(comparisons),
        problems=tuple(panel.problems),
        patients=panel.patients,
        bootstrapped=draws.used,
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


def _entry(study: StudyFacts, panel: Panel, draws: Draws) -> Entry:
    scored = panel.scored[study.id]
    scores = np.array([number(one.test_metrics.get(panel.task.primary)) for one in scored])
    measure = panel.measure(study.id)
    return Entry(
        study=study,
        seeds=tuple(one.number for one in scored),
        scores=scores,
        measure=measure,
        estimate=_within(
            metrics.get(panel.task.primary), _estimate(study.id, scores, measure, panel, draws)
        ),
    )


def _estimate(
    study: str, scores: Floats, measure: Measure | None, panel: Panel, draws: Draws
) -> Estimate:
    if measure is None:
        bare = stats.t_estimate(scores, np.zeros(0))
        if len(scores) >= stats.MIN_SEEDS and panel.blocks != 1:
            return Estimate(value=bare.value, why="not all of its predictions can be used")
        return bare
    left_out = draws.left_out(study, measure)
    estimate = stats.t_estimate(scores, left_out)
    if len(scores) < stats.BOOTSTRAP_SEEDS or estimate.method == "none":
        return estimate
    return stats.bootstrap_estimate(
        estimate.value,
        draws.means(study, measure),
        blocks=draws.blocks,
        seed_variance=estimate.seed_variance,
        patient_variance=estimate.patient_variance,
        degrees=estimate.degrees,
    )


def _within(metric: metrics.Metric, estimate: Estimate) -> Estimate:
    """The estimate with its interval cut to the values that the metric can have."""
    low, high = max(estimate.low, metric.low), min(estimate.high, metric.high)
    return estimate if estimate.method == "none" else replace(estimate, low=low, high=high)


def _compare(entries: Sequence[Entry], draws: Draws, task: TaskFacts) -> list[Comparison]:
    pairs = list(itertools.combinations(entries, 2))
    differences = [_difference(first, second, draws) for first, second in pairs]
    adjusted = stats.holm(np.array([difference.p for difference in differences]))
    found = []
    for (first, second), difference, p in zip(pairs, differences, adjusted.tolist(), strict=True):
        ahead = difference.value * orient(task.primary) > 0
        found.append(
            Comparison(
                first=first.study,
                second=second.study,
                difference=difference,
                p_holm=p,
                better=(0 if ahead else 1) if p <= ALPHA else None,
            )
        )
    return found


def _difference(first: Entry, second: Entry, draws: Draws) -> Estimate:
    assert first.measure is not None and second.measure is not None
    left_out = draws.left_out(first.study.id, first.measure) - draws.left_out(
        second.study.id, second.measure
    )
    difference = stats.t_difference(first.scores, second.scores, left_out)
    fewest = min(len(first.scores), len(second.scores))
    if fewest < stats.BOOTSTRAP_SEEDS or difference.method == "none":
        return difference
    return stats.bootstrap_estimate(
        difference.value,
        draws.means(first.study.id, first.measure) - draws.means(second.study.id, second.measure),
        blocks=draws.blocks,
        seed_variance=difference.seed_variance,
        patient_variance=difference.patient_variance,
        degrees=difference.degrees,
    )
