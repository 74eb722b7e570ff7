"""What is computed beside the primary analysis, as tables (pandas). Each says so in its files.

Nothing here is adjusted for how much is looked at, and nothing here makes a tier. Scores of test
sets are in the metric's own unit; what compares two entrants is turned so that more means: the
first is better. No drawing, no HTML.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from bench import metrics
from bench.ledger import StudyState
from bench.spec import content_hash
from results import stats
from results.analysis import TaskAnalysis, orient
from results.load import Run
from results.stats import BestCurve, Floats, Ints
from results.tables import frame, part_of

if TYPE_CHECKING:
    import pandas as pd

POINTS = 20
"""At most, of a curve of the expected best."""
DRAWS = 1000
"""Of its bootstrap, with few trials."""
DRAWN = 200_000
"""Trials that its bootstrap draws at most, so that a thousand take no longer than two hundred."""


def summaries(run: Run, analysis: TaskAnalysis) -> pd.DataFrame:
    """One row an entrant: mean, standard deviation, median and interquartile mean of its units.

    unit: what its result is repeated by: `seeds`; `searches` (means of their seeds) or `splits`
    where there are several. A number that is missing is NaN, for the reason in `why`.
    """
    rows = []
    for entry in analysis.entries:
        found = stats.summary(entry.units)
        rows.append(
            {
                "task": analysis.task.id,
                "entrant": entry.study.label,
                "metric": analysis.task.primary,
                "unit": unit(run),
                "units": found.seeds,
                "mean": found.mean,
                "std": found.deviation,
                "median": found.median,
                "interquartile_mean": found.interquartile_mean,
                "why": in_units(found.why, run),
            }
        )
    return frame(
        rows,
        "task entrant metric unit units mean std median interquartile_mean why",
        real=("mean", "std", "median", "interquartile_mean"),
    )


def unit(run: Run) -> str:
    """What an entrant's result is repeated by, in the plural."""
    if run.splits > 1:
        return "splits"
    return "searches" if run.searches > 1 else "seeds"


def in_units(why: str, run: Run) -> str:
    """A reason that speaks of seeds, in the units that there are."""
    plural = unit(run)
    singular = "search" if plural == "searches" else plural[:-1]
    words = {"seed": singular, "seeds": plural}
    return " ".join(words.get(word, word) for word in why.split(" "))


# --- Searches -------------------------------------------------------------------------------


def expected_best(run: Run, analysis: TaskAnalysis) -> pd.DataFrame:
    """The best validation score of a search that had been shorter: one row a point of a curve.

    Of each search two curves: by `epochs` of effort and by `trials`, of at most 20 points; the
    first by epochs is at the longest trial's. In the metric's own unit. Intervals (95 %,
    pointwise) end at half of the search; `why` says why a curve has none.

    Trials are taken as exchangeable. Those of a sampler that learns (TPE) are not: its good trials
    come late, and ASHA decides by the others how long a trial runs. For these the curve says what
    luck would have found with such trials in another order, not what this search would have found
    by then; it ends in the same point. Trials that run still, and those that ended without
    spending an epoch, are left out; one that failed counts as the worst.
    """
    key = content_hash([run.suite["seed"], "exploratory", analysis.task.id])
    rng = np.random.default_rng(int(key, 16))
    metric, sign = metrics.get(analysis.task.primary), orient(analysis.task.primary)
    rows = []
    for entry in analysis.entries:
        for study in entry.studies:
            for by, curve in _curves(run.progress(study.id), rng):
                whose = {
                    "task": analysis.task.id,
                    "entrant": study.label,
                    **part_of(study),
                    "by": by,
                    "metric": analysis.task.primary,
                }
                rows += [whose | point for point in _points(curve, sign, metric)]
    return frame(
        rows,
        "task entrant split_number search by metric at validation low high why",
        real=("validation", "low", "high"),
    )


def _curves(progress: StudyState, rng: np.random.Generator) -> Iterator[tuple[str, BestCurve]]:
    scores, epochs = _ended(progress)
    if not len(scores):
        return
    draws = min(DRAWS, DRAWN // len(scores) + 1)
    efforts = np.unique(np.rint(np.linspace(int(epochs.max()), int(epochs.sum()), POINTS)))
    yield (
        "epochs",
        stats.expected_best_by_effort(scores, epochs, rng=rng, efforts=efforts, draws=draws),
    )
    sizes = np.unique(np.rint(np.linspace(1, len(scores), POINTS))).astype(np.int64)
    yield "trials", stats.expected_best(scores, rng=rng, sizes=sizes, draws=draws)


def _ended(progress: StudyState) -> tuple[Floats, Ints]:
    """(trials,) each: best score, greater is better, NaN where it failed; epochs spent."""
    scores, epochs = [], []
    for trial in progress.trials.values():
        if trial.state == "running" or trial.effort < 1:
            continue
        best = None if trial.state == "failed" else trial.best()
        scores.append(math.nan if best is None else best[0])
        epochs.append(trial.effort)
    return np.array(scores, dtype=float), np.array(epochs, dtype=np.int64)


def _points(curve: BestCurve, sign: int, metric: metrics.Metric) -> Iterator[dict[str, Any]]:
    """The points of a curve in the metric's own unit, intervals cut to what it can be."""
    ends = (curve.low, curve.high) if sign > 0 else (-curve.high, -curve.low)
    low, high = (np.clip(end, metric.low, metric.high) for end in ends)
    for at, value, one, other in zip(curve.at, sign * curve.value, low, high, strict=True):
        yield {
            "at": int(at),
            "validation": float(value),
            "low": float(one),
            "high": float(other),
            "why": curve.why,
        }
