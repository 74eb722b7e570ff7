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
from results.analysis import ALPHA, Comparison, Entry, TaskAnalysis, orient
from results.load import Run
from results.stats import BestCurve, Effect, Floats, Ints
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
                "why": _in_units(found.why, run),
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


def _in_units(why: str, run: Run) -> str:
    """A reason that speaks of seeds, in the units that there are."""
    plural = unit(run)
    singular = "search" if plural == "searches" else plural[:-1]
    words = {"seed": singular, "seeds": plural}
    return " ".join(words.get(word, word) for word in why.split(" "))


# --- Pairs ----------------------------------------------------------------------------------


def effects(run: Run, analysis: TaskAnalysis) -> pd.DataFrame:
    """One row a pair of entrants with a tier: how large the difference is, and what would decide.

    probability: that a unit of the first is better than one of the second; cliffs_delta: twice
    that, less 1; hedges_g: the difference in standard deviations between units. Intervals are of
    the units alone, on these patients. `seeds_needed`, of each entrant in all, and `more_seeds`,
    than the larger of both has, where the pair is undecided and seeds would decide it: a forecast
    for this comparison by itself (two-sided 5 %), without Holm's correction; else missing, for the
    reason in `undecided_why`, which is empty where the pair is decided.
    """
    entries = {entry.study.id: entry for entry in analysis.entries}
    rows = [
        _pair(run, analysis, pair, entries[pair.first.id], entries[pair.second.id])
        for pair in analysis.comparisons
    ]
    return frame(
        rows,
        "task first second metric unit first_units second_units"
        " probability probability_low probability_high"
        " cliffs_delta cliffs_delta_low cliffs_delta_high"
        " hedges_g hedges_g_low hedges_g_high why"
        " decided seeds_needed more_seeds undecided_why",
        whole=("seeds_needed", "more_seeds"),
    )


def _pair(
    run: Run, analysis: TaskAnalysis, pair: Comparison, first: Entry, second: Entry
) -> dict[str, Any]:
    sign = orient(analysis.task.primary)
    one, other = sign * first.units, sign * second.units
    sizes = {
        "probability": stats.probability_of_improvement(one, other),
        "cliffs_delta": stats.cliffs_delta(one, other),
        "hedges_g": stats.hedges_g(one, other),
    }
    reasons = list(dict.fromkeys(filter(None, (size.why for size in sizes.values()))))
    if run.splits > 1:
        sizes = {name: Effect(value=size.value) for name, size in sizes.items()}
        reasons = ["splits share training patients, and are not independent: no intervals"]
    row: dict[str, Any] = {
        "task": analysis.task.id,
        "first": pair.first.label,
        "second": pair.second.label,
        "metric": analysis.task.primary,
        "unit": unit(run),
        "first_units": len(one),
        "second_units": len(other),
    }
    for name, size in sizes.items():
        row |= {name: size.value, f"{name}_low": size.low, f"{name}_high": size.high}
    return (
        row | {"why": _in_units("; ".join(reasons), run)} | _to_decide(pair, len(one), len(other))
    )


def _to_decide(pair: Comparison, first: int, second: int) -> dict[str, Any]:
    """Whether the pair is decided, and what would decide it."""
    found = {"decided": pair.better is not None, "seeds_needed": None, "more_seeds": None}
    if pair.better is not None:
        return found | {"undecided_why": ""}
    if pair.difference.p <= ALPHA:
        return found | {"undecided_why": "decided by itself, not after Holm's correction"}
    now = max(first, second)
    needed = stats.seeds_needed(pair.difference, seeds=now, alpha=ALPHA / 2)
    more = None if needed.seeds is None else needed.seeds - now
    return found | {
        "seeds_needed": needed.seeds,
        "more_seeds": more,
        "undecided_why": needed.why,
    }


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
