"""What the page shows of a task's cases: confusions, curves, and a few cases to look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.errors import UserError
from results import cases, classified, figures, layout, pictures
from results.analysis import TaskAnalysis
from results.gallery import Kept, read_gallery
from results.load import Run, TaskFacts
from results.wording import score, spread

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

SHOWN = 4
"""Entrants whose confusions are shown without unfolding."""
WIDEST = 12
"""Classes of a confusion matrix on the page, at most."""
GALLERIES = 8
"""Entrants whose cases are shown."""
OPEN = 2
"""Of them without unfolding."""
CLASSES = 3
"""Probabilities shown of a case, beside that of the true class."""
LONGEST_NAME = 80
"""Characters of a case's id on the page."""
COLORS = ("#56B4E9", "#E69F00", "#CC79A7", "#009E73", "#F0E442", "#D55E00")
"""Of classes over a picture: those of Okabe & Ito that read on black."""


def view(run: Run, analysis: TaskAnalysis, found: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """The section's tables and pictures; `found` are the task's tables by name."""
    confusions = _confusions(found["exploratory_confusion"], analysis.task)
    galleries = list(_galleries(run, analysis))
    return {
        "split": cases.split_of(run),
        "sealed": run.sealed,
        "unshown": _unshown(analysis.task, found),
        "galleries_of": GALLERIES if len(analysis.entries) > GALLERIES else 0,
        "left_out": max(0, len(analysis.entries) - cases.ENTRANTS),
        "entrants": cases.ENTRANTS,
        "confusions": confusions[:SHOWN],
        "more_confusions": confusions[SHOWN:],
        "calibration": _calibration(found["exploratory_calibration"]),
        "binary": analysis.task.classes[1] if len(analysis.task.classes) == 2 else "",
        "galleries": galleries[:OPEN],
        "more_galleries": galleries[OPEN:],
        "legend": [
            (name, COLORS[place % len(COLORS)])
            for place, name in enumerate(analysis.task.classes[1:])
        ]
        if any(case["paths"] for gallery in galleries for case in gallery["cases"])
        else [],
    }


def drawn(
    found: Mapping[str, pd.DataFrame], task: TaskFacts, looks: figures.Styles
) -> dict[str, go.Figure]:
    """The section's figures that have something to show."""
    shown: dict[str, go.Figure] = {}
    curves, calibration = found["exploratory_operating"], found["exploratory_calibration"]
    binary = task.classes[1] if len(task.classes) == 2 else ""
    if len(curves):
        for kind in ("roc", "precision_recall"):
            shown[kind] = figures.operating(curves, kind=kind, binary=binary, looks=looks)
    if len(calibration):
        shown["reliability"] = figures.reliability(calibration, looks=looks)
    if len(summary := found["exploratory_case_dice_summary"]):
        dice = found["exploratory_case_dice"]
        shown["case_dice"] = figures.case_dice(summary, dice, looks=looks)
    return shown


# --- Tables ---------------------------------------------------------------------------------


def _unshown(task: TaskFacts, found: Mapping[str, pd.DataFrame]) -> str:
    """What the number of classes leaves out of the page, or of the tables too; else empty."""
    number, said = len(task.classes), []
    if number > WIDEST and len(found["exploratory_confusion"]):
        said.append(
            f"Confusions of {number} classes are in tables/exploratory_confusion.csv: more than "
            f"{WIDEST} are not shown."
        )
    if number > classified.CLASSES and len(found["exploratory_calibration"]):
        said.append(
            f"ROC and precision-recall curves are drawn for {classified.CLASSES} classes at most."
        )
    return " ".join(said)


def _confusions(table: pd.DataFrame, task: TaskFacts) -> list[dict[str, Any]]:
    """An entrant each: a row a true class, its number of cases, and cells with a share."""
    if len(task.classes) > WIDEST:
        return []
    shown = []
    for entrant, rows in table.groupby("entrant", sort=False):
        cells = layout.records(rows)
        lines = [
            cells[at : at + len(task.classes)] for at in range(0, len(cells), len(task.classes))
        ]
        shown.append(
            {
                "entrant": entrant,
                "trainings": cells[0]["trainings"],
                "replicate": cells[0]["replicate"] + 1,
                "predicted": [cell["predicted"] for cell in lines[0]],
                "rows": [
                    (line[0]["true"], sum(cell["count"] for cell in line), line) for line in lines
                ],
            }
        )
    return shown


def _calibration(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Each entrant with its calibration error."""
    first = table.groupby("entrant", sort=False).first() if len(table) else table
    return [(str(name), spread(row["ece"], row["ece_std"])) for name, row in first.iterrows()]


# --- Cases to look at -----------------------------------------------------------------------


def _galleries(run: Run, analysis: TaskAnalysis) -> Iterator[dict[str, Any]]:
    split = cases.split_of(run)
    for entry in analysis.entries[:GALLERIES]:
        for number, replicate in sorted(run.progress(entry.study.id).replicates.items()):
            if replicate.state != "completed" or not replicate.predictions:
                continue
            try:
                kept = read_gallery(run.home(entry.study.id), replicate.predictions, split)
            except UserError:
                continue  # which the analysis has among its problems
            if kept:
                yield {
                    "entrant": entry.study.label,
                    "replicate": number + 1,
                    "cases": [_case(one, analysis.task) for one in kept],
                }
                break


def _case(kept: Kept, task: TaskFacts) -> dict[str, Any]:
    true = _named(task.classes, kept.label)
    name = kept.id if len(kept.id) <= LONGEST_NAME else kept.id[: LONGEST_NAME - 1] + "…"
    chances = _chances(kept, task.classes)
    shown: dict[str, Any] = {
        "rank": kept.rank,
        "id": name,
        "text": kept.text,
        "true": true,
        "chances": chances,
        "quality": "" if chances else f"Dice {score(kept.quality)}",
        "facts": [(fact.replace("_", " "), f"{value:g}") for fact, value in kept.facts.items()],
        "image": "",
        "paths": [],
    }
    if kept.image is None:
        return shown
    found = "outlines of truth and prediction" if kept.true is not None else f"shows {true}"
    said = shown["quality"] or ", ".join(f"{name} {chance}" for name, chance, _ in chances)
    height, width = kept.image.shape[:2]
    return shown | {
        "image": pictures.data_uri(kept.image),
        "alt": f"{kept.rank.capitalize()} case {name}: {found}; {said}",
        "width": width,
        "height": height,
        "coarse": max(height, width) <= 64,
        "paths": list(_paths(kept, len(task.classes))),
    }


def _chances(kept: Kept, classes: Sequence[str]) -> list[tuple[str, str, bool]]:
    """The likeliest classes and the true one: name, probability, whether it is true."""
    if kept.scores is None:
        return []
    order = np.argsort(-kept.scores, kind="stable").tolist()
    chosen = order[:CLASSES] + [label for label in order[CLASSES:] if label == kept.label]
    return [
        (_named(classes, label), score(kept.scores[label]), label == kept.label) for label in chosen
    ]


def _paths(kept: Kept, classes: int) -> Iterator[dict[str, Any]]:
    """Outlines of each class but the first: of the truth, and of what was predicted."""
    if kept.true is None or kept.predicted is None:
        return
    for number in range(1, classes):
        for mask, predicted in ((kept.true, False), (kept.predicted, True)):
            if path := pictures.outline(mask == number):
                color = COLORS[(number - 1) % len(COLORS)]
                yield {"d": path, "color": color, "predicted": predicted}


def _named(classes: Sequence[str], label: int) -> str:
    return classes[label] if 0 <= label < len(classes) else str(label)
