"""How far seeds differ: a row an entrant, histograms, and what a comparison of them takes for
granted."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from results.analysis import ALPHA, Entry, TaskAnalysis
from results.load import Run
from results.stats import MIN_SEEDS, Floats
from results.stats.estimates import SURE_SEEDS
from results.tables import frame, replicates_of

if TYPE_CHECKING:
    import pandas as pd

HISTOGRAM_SEEDS = 10
"""Fewer points are better seen as points."""
MOST_BINS = 40
"""Of one entrant."""


def tables(run: Run, analysis: TaskAnalysis) -> dict[str, pd.DataFrame]:
    """All of them by name."""
    return {
        "seed_variance": seed_variance(run, analysis),
        "seed_histograms": histograms(run, analysis),
    }


def scored_on(run: Run) -> str:
    """The split whose scores are shown: `validation` where the test split is sealed."""
    return "validation" if run.sealed else "test"


def seed_variance(run: Run, analysis: TaskAnalysis) -> pd.DataFrame:
    """One row an entrant: its trainings' scores in order statistics, and what became of them all.

    `planned` = `scored` + `failed` + `missing`; `split` says of which split the scores are. `low`
    and `high` are the primary analysis's interval of the mean, `method` how it was made.
    """
    rows = []
    for entry in analysis.entries:
        scores = _scores(run, analysis, entry)
        planned = sum(study.seeds for study in entry.studies)
        failed = sum(one.state == "failed" for _, _, one in replicates_of(run, entry))
        rows.append(
            {
                "task": analysis.task.id,
                "entrant": entry.study.label,
                "metric": analysis.task.primary,
                "split": scored_on(run),
                "planned": planned,
                "scored": len(scores),
                "failed": failed,
                "missing": max(0, planned - len(scores) - failed),
                **_order(scores),
                "low": entry.estimate.low,
                "high": entry.estimate.high,
                "method": entry.estimate.method,
                "why": entry.estimate.why,
            }
        )
    return frame(
        rows,
        "task entrant metric split planned scored failed missing lowest lower_quartile median"
        " upper_quartile highest std low high method why",
    )


def _scores(run: Run, analysis: TaskAnalysis, entry: Entry) -> Floats:
    """(trainings,), those with a defined score."""
    name = analysis.task.primary
    found = [
        (one.validation_metrics if run.sealed else one.test_metrics).get(name)
        for _, _, one in replicates_of(run, entry)
        if one.state != "failed"
    ]
    scores = np.array([value for value in found if value is not None], dtype=float)
    finite: Floats = scores[np.isfinite(scores)]
    return finite


def _order(scores: Floats) -> dict[str, float]:
    names = ("lowest", "lower_quartile", "median", "upper_quartile", "highest")
    quartiles = np.quantile(scores, [0, 0.25, 0.5, 0.75, 1]) if len(scores) else [math.nan] * 5
    std = float(scores.std(ddof=1)) if len(scores) > 1 else math.nan
    return {**dict(zip(names, map(float, quartiles), strict=True)), "std": std}


def histograms(run: Run, analysis: TaskAnalysis) -> pd.DataFrame:
    """One row an entrant and bin, of entrants with ten scores or more: how many lie in it.

    All have bins of one width, the median of the entrants' Freedman-Diaconis widths, at multiples
    of it. `height` is the count as a share of that entrant's fullest bin. The last bin holds its
    upper end.
    """
    scores = {entry.study.label: _scores(run, analysis, entry) for entry in analysis.entries}
    enough = {name: found for name, found in scores.items() if len(found) >= HISTOGRAM_SEEDS}
    width = _width(list(enough.values()))
    rows = []
    for name, found in enough.items():
        if not width:
            continue
        first, last = math.floor(found.min() / width), math.floor(found.max() / width) + 1
        counts, edges = np.histogram(found, bins=width * np.arange(first, last + 1))
        for count, low, high in zip(counts, edges[:-1], edges[1:], strict=True):
            rows.append(
                {
                    "task": analysis.task.id,
                    "entrant": name,
                    "metric": analysis.task.primary,
                    "split": scored_on(run),
                    "bin_low": float(low),
                    "bin_high": float(high),
                    "seeds": int(count),
                    "height": float(count / counts.max()),
                }
            )
    return frame(rows, "task entrant metric split bin_low bin_high seeds height")


def _width(samples: list[Floats]) -> float:
    """Of all bins; 0 where no score differs from another of its entrant."""
    spread = max((float(np.ptp(scores)) for scores in samples), default=0.0)
    if spread <= 0:
        return 0.0
    steps = [float(np.diff(np.histogram_bin_edges(one, bins="fd")[:2])[0]) for one in samples]
    varied = [step for step, one in zip(steps, samples, strict=True) if np.ptp(one) > 0]
    return max(float(np.median(varied)), spread / MOST_BINS)


# --- What a comparison takes for granted ----------------------------------------------------


def assumptions(run: Run, analysis: TaskAnalysis) -> list[str]:
    """Sentences: how intervals and comparisons of this task were made, and when they mislead."""
    methods: Counter[str] = Counter(entry.estimate.method for entry in analysis.entries)
    said = [_intervals(run, methods), _pairs(run, analysis)]
    said.append(_failures(run, analysis))
    few = [one for one in analysis.entries if MIN_SEEDS <= len(one.units) < SURE_SEEDS]
    if few and run.splits == 1:
        said.append(
            f"With fewer than {SURE_SEEDS} {run.unit} an interval cannot show that trainings end "
            "in two ways, well or badly, where one of the ways happens not to occur."
        )
    if run.searches == 1:
        said.append(
            "Seeds vary initialisation, order of the data and augmentation; the configuration was "
            "found by one search, and how far another search's would differ is not in these "
            "intervals."
        )
    if not analysis.task.groups_known:
        said.append("Which cases belong to one patient is unknown: intervals may be too narrow.")
    return [sentence for sentence in said if sentence]


def _intervals(run: Run, methods: Counter[str]) -> str:
    said = []
    if methods["t"] and run.splits > 1:
        said.append(
            "t intervals over splits, corrected for the training patients that splits share: an "
            "approximation, that takes the splits' means as about normal."
        )
    elif methods["t"]:
        said.append(
            f"t intervals, which take {run.unit} as independent, their scores as about normal, and "
            "patients as a random sample of those one wants to know about; variances may differ "
            "from entrant to entrant."
        )
    if methods["bootstrap"]:
        said.append(
            f"bootstrap intervals, which assume no shape, but that the {run.unit} and patients at "
            "hand stand for all others; widened for being few."
        )
    if not said:
        return "There are no intervals: the column Interval says why."
    return f"Intervals of the means: {' And '.join(said)}"


def _pairs(run: Run, analysis: TaskAnalysis) -> str:
    number = len(analysis.comparisons)
    if not number:
        return ""
    decided = sum(pair.better is not None for pair in analysis.comparisons)
    side = "split by split" if run.splits > 1 else f"{run.unit} of one independent of the other's"
    return (
        f"{number} {'pair' if number == 1 else 'pairs'} of entrants compared on the same patients, "
        f"{side}; differing at {100 * ALPHA:g} %: {decided}, after Holm's correction, which "
        "holds however the pairs depend on each other. That two cannot be told apart is no proof "
        "that they are equal."
    )


def _failures(run: Run, analysis: TaskAnalysis) -> str:
    states = [one.state for entry in analysis.entries for _, _, one in replicates_of(run, entry)]
    failed = states.count("failed")
    if not failed:
        return ""
    return (
        f"{failed} of {len(states)} trainings failed, and no mean holds them: if they failed "
        "because they trained badly, the means are too good."
    )
