"""The leaderboard of a task as a table: one row an entrant, best first, failed ones included."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bench import metrics
from bench.ledger import Replicate, Trial
from results.analysis import Entry, TaskAnalysis, orient
from results.holes import cause
from results.load import Run
from results.tables import replicates_of, variances

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "task",
    "tier",
    "entrant",
    "group",
    "family",
    "metric",
    "mean",
    "std",
    "median",
    "low",
    "high",
    "interval",
    "seeds",
    "seeds_planned",
    "seeds_failed",
    "searches",
    "splits",
    "seed_variance",
    "search_variance",
    "split_variance",
    "patient_variance",
    "validation_mean",
    "validation_std",
    "validation_seeds",
    "gap",
    "parameters",
    "free_parameters",
    "enqueued_trials",
    "effort_epochs",
    "effort",
    "effort_planned",
    "effort_unit",
    "trials_completed",
    "trials_stopped",
    "trials_failed",
    "trials_repeated",
    "trials_running",
    "search_seconds",
    "replicate_seconds",
    "examples_per_second",
    "peak_memory_mb",
    "note",
)
"""`gap` is validation minus test, turned so that more than 0 means: test was worse.
`examples_per_second`: training cases per charged second, the median of the replicates.
`peak_memory_mb`: of the GPU while training, the most of any replicate."""


def leaderboard(run: Run, analysis: TaskAnalysis) -> pd.DataFrame:
    """One row an entrant; secondary test metrics follow as `<id>_mean` and `<id>_std`."""
    import pandas as pd

    others = secondary(run, analysis)
    rows = [_row(run, analysis, entry, others) for entry in analysis.entries]
    columns = [*COLUMNS, *(f"{id}_{part}" for id in others for part in ("mean", "std"))]
    table = pd.DataFrame(rows, columns=columns)
    for column in ("tier", "parameters"):
        table[column] = table[column].astype("Int64")
    return table


def secondary(run: Run, analysis: TaskAnalysis) -> list[str]:
    """Names of the other metrics that a replicate of this task recorded, the task's order first."""
    classes = analysis.task.classes
    listed = [name for id in analysis.task.metrics for name in metrics.columns(id, classes)]
    recorded: dict[str, None] = {}
    for entry in analysis.entries:
        for replicate in _scored(run, entry):
            recorded.update(dict.fromkeys(replicate.test_metrics))
    listed = [name for name in listed if name in recorded]
    return [name for name in dict.fromkeys([*listed, *recorded]) if name != analysis.task.primary]


def _scored(run: Run, entry: Entry) -> list[Replicate]:
    """The replicates with a test score; of a sealed run, which has none, all that completed."""
    if run.sealed:
        return [one for _, _, one in replicates_of(run, entry) if one.state == "completed"]
    return [training.replicate for training in entry.trainings]


def _row(run: Run, analysis: TaskAnalysis, entry: Entry, others: Sequence[str]) -> dict[str, Any]:
    study, task = entry.study, analysis.task
    searches = [run.progress(study.id) for study in entry.studies]
    trials = [trial for progress in searches for trial in progress.trials.values()]
    replicates = _scored(run, entry)
    validation = _values(replicates, task.primary, split="validation")
    mean, std, median = _spread(entry.scores)
    validation_mean, validation_std, _ = _spread(validation)
    row: dict[str, Any] = {
        "task": task.id,
        "tier": entry.tier,
        "entrant": study.label,
        "group": study.group or "",
        "family": study.family,
        "metric": task.primary,
        "mean": mean,
        "std": std,
        "median": median,
        "low": entry.estimate.low,
        "high": entry.estimate.high,
        "interval": entry.estimate.method,
        "seeds": len(entry.scores),
        "seeds_planned": sum(study.seeds for study in entry.studies),
        "seeds_failed": sum(one.state == "failed" for _, _, one in replicates_of(run, entry)),
        "searches": len({study.search_number for study in entry.studies}),
        "splits": len({study.fold for study in entry.studies}),
        **variances(entry.estimate),
        "validation_mean": validation_mean,
        "validation_std": validation_std,
        "validation_seeds": sum(map(math.isfinite, validation)),
        "gap": orient(task.primary) * (validation_mean - mean),
        "parameters": _parameters(replicates),
        "free_parameters": len(study.free),
        "enqueued_trials": sum(trial.origin == "enqueued" for trial in trials),
        "effort_epochs": sum(progress.effort for progress in searches),
        "effort": sum(run.effort(one) for one in entry.studies),
        "effort_planned": sum(one.effort_planned for one in entry.studies),
        "effort_unit": "charged seconds" if study.in_seconds else "epochs",
        **{f"trials_{state}": number for state, number in _by_state(trials).items()},
        "search_seconds": sum(trial.charged_seconds for trial in trials),
        "replicate_seconds": sum(
            replicate.charged_seconds for _, _, replicate in replicates_of(run, entry)
        ),
        "examples_per_second": _of_costs(replicates, "examples_per_second", np.median),
        "peak_memory_mb": _of_costs(replicates, "peak_memory_mb", np.max),
        "note": _note(run, entry),
    }
    for id in others:
        row[f"{id}_mean"], row[f"{id}_std"], _ = _spread(_values(replicates, id, split="test"))
    return row


def _by_state(trials: Sequence[Trial]) -> dict[str, int]:
    """How many trials are in each state."""
    found = dict.fromkeys(("completed", "stopped", "failed", "repeated", "running"), 0)
    for trial in trials:
        found[trial.state] += 1
    return found


def _values(replicates: Sequence[Replicate], metric: str, *, split: str) -> Sequence[float]:
    found = []
    for replicate in replicates:
        source = replicate.test_metrics if split == "test" else replicate.validation_metrics
        value = source.get(metric)
        found.append(math.nan if value is None else float(value))
    return found


def _spread(values: Sequence[float] | Any) -> tuple[float, float, float]:
    """Mean, standard deviation (n - 1) and median; NaN below two values: one is no result."""
    array = np.asarray(values, dtype=float)
    if len(array) < 2:
        return math.nan, math.nan, math.nan
    return float(array.mean()), float(array.std(ddof=1)), float(np.median(array))


def _parameters(replicates: Sequence[Replicate]) -> int | None:
    counts = [r.cost["parameters"] for r in replicates if r.cost.get("parameters") is not None]
    return int(counts[0]) if counts else None


def _of_costs(
    replicates: Sequence[Replicate], name: str, summary: Callable[[list[float]], Any]
) -> float:
    """One number of what the replicates cost; NaN where none recorded it."""
    values = [value for one in replicates if (value := one.cost.get(name)) is not None]
    return float(summary(values)) if values else math.nan


def _note(run: Run, entry: Entry) -> str:
    """Why this row has no tier or interval; empty where it has both."""
    failed = [study for study in entry.studies if run.progress(study.id).state == "failed"]
    if failed:
        part = f"{failed[0].part} " if failed[0].part else ""
        return f"{part}failed: {cause(run.progress(failed[0].id).why)}"
    if run.sealed:
        return "validation only: the test split is sealed"
    if not len(entry.scores):
        return "no test score yet" if not run.finished else "no test score"
    if len(entry.scores) < 2:
        return "one seed: no result"
    if entry.estimate.why:
        return f"no interval: {entry.estimate.why}"
    return ""
