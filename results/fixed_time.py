"""Fixed-time comparisons: what each entrant reaches in so many charged seconds of training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from results.analysis import TaskAnalysis, analyse
from results.load import Run
from results.stats import summary
from results.tables import frame

if TYPE_CHECKING:
    import pandas as pd


def timed(run: Run, task: str) -> list[TaskAnalysis]:
    """The analyses of a task's time budgets, ascending."""
    return [analyse(run, task, time_budget_s=budget) for budget in run.time_budgets(task)]


def fixed_time(run: Run, analyses: Sequence[TaskAnalysis]) -> pd.DataFrame:
    """One row a time budget and entrant, best first: test score, and what its trainings took.

    `tier` compares the entrants of one budget alone, with Holm's correction within it. Epochs and
    seconds are medians over trainings; `wall_seconds` adds set-up, validation and checkpoints.
    """
    rows: list[dict[str, Any]] = []
    for analysis in analyses:
        for entry in analysis.entries:
            found = summary(entry.units)
            trained = [training.replicate for training in entry.trainings]
            rows.append(
                {
                    "task": analysis.task.id,
                    "budget_s": entry.study.time_budget_s,
                    "tier": entry.tier,
                    "entrant": entry.study.label,
                    "metric": analysis.task.primary,
                    "mean": found.mean,
                    "std": found.deviation,
                    "low": entry.estimate.low,
                    "high": entry.estimate.high,
                    "seeds": len(entry.scores),
                    "seeds_planned": sum(study.seeds for study in entry.studies),
                    "epochs": _median([one.epoch for one in trained]),
                    "charged_seconds": _median([one.charged_seconds for one in trained]),
                    "wall_seconds": _median(
                        [one.charged_seconds + one.free_seconds for one in trained]
                    ),
                    "search_seconds": sum(run.effort(study) for study in entry.studies),
                    "note": "" if entry.tier else entry.estimate.why,
                }
            )
    return frame(
        rows,
        "task budget_s tier entrant metric mean std low high seeds seeds_planned epochs"
        " charged_seconds wall_seconds search_seconds note",
        whole=("tier",),
    )


def _median(values: list[float]) -> float:
    return float(np.median(values)) if values else float("nan")
