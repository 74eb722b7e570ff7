"""What the replicates said of the cases, as tables (pandas): confusions, curves, calibration, Dice.

Of the test split; of the validation split where the run is sealed. Of at most `ENTRANTS` entrants,
the first of the leaderboard, so that a thousand take no longer than ten. No drawing, no HTML.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.errors import UserError
from bench.metrics import counts, units
from results import classified
from results.analysis import Entry, TaskAnalysis
from results.load import Run, StudyFacts
from results.predictions import Counts, Outputs, Scores
from results.tables import frame, part_of

if TYPE_CHECKING:
    import pandas as pd

ENTRANTS = 10
"""Entrants whose cases are looked at."""


@dataclass(frozen=True, kw_only=True)
class Scored:
    """A replicate's outputs for the split that is looked at."""

    study: StudyFacts
    number: int
    """Of the replicate."""
    primary: float
    """The primary metric on that split; NaN where it is undefined."""
    outputs: Outputs


def tables(run: Run, analysis: TaskAnalysis) -> dict[str, pd.DataFrame]:
    """`confusion`, `operating`, `calibration`, `case_dice` and `case_dice_summary`; each without
    rows where the task or the predictions give none."""
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in _COLUMNS}
    for entry in analysis.entries[:ENTRANTS]:
        whose = {"task": analysis.task.id, "entrant": entry.study.label, "split": split_of(run)}
        outputs = list(scored(run, entry))
        for name, found in _of_entrant(outputs, analysis.task.classes).items():
            rows[name] += [whose | row for row in found]
    return {name: frame(rows[name], columns) for name, columns in _COLUMNS.items()}


_COLUMNS = {
    "confusion": "task entrant split true predicted trainings share share_std"
    " split_number search replicate count",
    "operating": "task entrant split curve training at value std",
    "calibration": "task entrant split bin cases trainings confidence accuracy accuracy_std"
    " ece ece_std",
    "case_dice": "task entrant split class case trainings dice",
    "case_dice_summary": "task entrant split class cases low quartile_1 median quartile_3 high",
}


def split_of(run: Run) -> str:
    """The split whose cases are looked at."""
    return "validation" if run.sealed else "test"


def scored(run: Run, entry: Entry) -> Iterator[Scored]:
    """An entrant's replicates with sound outputs for that split.

    Files that cannot be read are among the analysis' problems already.
    """
    split = split_of(run)
    for study in entry.studies:
        for number, replicate in sorted(run.progress(study.id).replicates.items()):
            if replicate.state != "completed" or not replicate.predictions:
                continue
            try:
                outputs = getattr(run.predictions(study.id, number), split)
            except UserError:
                continue
            if outputs is None or outputs.fault() or not len(outputs.ids):
                continue
            found = getattr(replicate, f"{split}_metrics")
            primary = found.get(run.tasks[study.task].primary)
            yield Scored(
                study=study,
                number=number,
                primary=np.nan if primary is None else primary,
                outputs=outputs,
            )


def _of_entrant(
    found: Sequence[Scored], names: Sequence[str]
) -> Mapping[str, list[dict[str, Any]]]:
    classifiers = [one for one in found if isinstance(one.outputs, Scores)]
    outputs = [one.outputs for one in classifiers if isinstance(one.outputs, Scores)]
    segmenters = [one.outputs for one in found if isinstance(one.outputs, Counts)]
    if outputs and outputs[0].classes == len(names):
        return {
            "confusion": classified.confusion(
                outputs, names, [one.primary for one in classifiers], list(map(_which, classifiers))
            ),
            "operating": classified.operating(outputs),
            "calibration": classified.calibration(outputs),
        }
    if segmenters and segmenters[0].classes == len(names):
        dice = _case_dice(segmenters, names)
        return {"case_dice": dice, "case_dice_summary": _summaries(dice)}
    return {}


def _which(one: Scored) -> dict[str, int]:
    return {**part_of(one.study), "replicate": one.number}


# --- Segmenters -----------------------------------------------------------------------------


def _case_dice(outputs: Sequence[Counts], names: Sequence[str]) -> list[dict[str, Any]]:
    """One row a class but the first and a case in which it is: its Dice, all slices of the case
    together, mean over the trainings that saw the case."""
    values: dict[tuple[int, str], list[float]] = {}
    for one in outputs:
        ids, _, matrices = units.by_case(one.counts, one.cases)
        with np.errstate(divide="ignore", invalid="ignore"):
            dice = np.asarray(counts.f1(matrices))
        for number in range(1, len(names)):
            for case, value in zip(ids.tolist(), dice[:, number].tolist(), strict=True):
                if np.isfinite(value):
                    values.setdefault((number, case), []).append(value)
    return [
        {
            "class": names[number],
            "case": case,
            "trainings": len(found),
            "dice": float(np.mean(found)),
        }
        for (number, case), found in sorted(values.items())
    ]


def _summaries(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row a class: quartiles of its cases' Dice, the least and the greatest."""
    found = []
    for name in dict.fromkeys(row["class"] for row in rows):
        dice = [row["dice"] for row in rows if row["class"] == name]
        low, first, median, third, high = np.quantile(dice, (0, 0.25, 0.5, 0.75, 1)).tolist()
        found.append(
            {
                "class": name,
                "cases": len(dice),
                "low": low,
                "quartile_1": first,
                "median": median,
                "quartile_3": third,
                "high": high,
            }
        )
    return found
