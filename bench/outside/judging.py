"""Checked predictions judged by a task's metrics, as a run's own replicates are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bench import metrics
from bench.data.prepared import SplitData
from bench.metrics import volumes
from bench.outside.tables import Table
from bench.spec import Task
from bench.train.volumes import whole_volumes

Outputs = Table | np.ndarray
"""A classifier's table; or a segmenter's prepared masks, uint8 (rows, height, width)."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One training on one split; see `bench.train.evaluate` for the arrays."""

    metrics: dict[str, float]
    arrays: dict[str, np.ndarray]
    notes: tuple[str, ...] = ()


def takes_labels(metric: str) -> bool:
    """Whether a classifier's labels are enough for it."""
    return metrics.get(metric).takes == "labels"


def judge(task: Task, outputs: Outputs, split: SplitData, *, closing: bool) -> Judged:
    """outputs: of the split's rows, in their order. closing: with the closing metrics."""
    ids = [*task.metrics, *(task.closing_metrics if closing else ())]
    if isinstance(outputs, Table):
        return _classified(task, ids, outputs, split)
    return _segmented(task, ids, outputs, split)


def _classified(task: Task, ids: list[str], table: Table, split: SplitData) -> Judged:
    scores = table.scores.astype(np.float32)
    if not table.labels_only:  # As of our own replicates: what was rounded to 0 is not quite 0.
        scores = np.maximum(scores, np.finfo(np.float32).tiny)
    arrays = {
        "ids": np.array(split.ids),
        "groups": np.array(split.groups),
        "labels": split.labels,
        "scores": scores,
        **{f"fact_{name}": split.facts[name] for name in task.strata},
    }
    if not table.labels_only:
        found = metrics.evaluate(ids, true=split.labels, scores=scores, class_names=task.classes)
        return Judged(metrics=found, arrays=arrays)
    predicted = scores.argmax(axis=1)
    matrix = metrics.confusion(split.labels, predicted, classes=len(task.classes))
    left_out = [id for id in ids if not takes_labels(id)]
    found = {}
    for id in ids:
        if id not in left_out:
            values = np.atleast_1d(metrics.from_confusion(id, matrix)).tolist()
            found.update(zip(metrics.columns(id, task.classes), values, strict=True))
    notes = [f"labels only: without {', '.join(left_out)}"] if left_out else []
    return Judged(metrics=found, arrays=arrays, notes=tuple(notes))


def _segmented(task: Task, ids: list[str], masks: np.ndarray, split: SplitData) -> Judged:
    assert split.masks is not None, "a segmentation's splits have masks"
    classes = len(task.classes)
    counts = np.stack(
        [
            metrics.confusion(true.ravel(), predicted.ravel(), classes=classes)
            for true, predicted in zip(split.masks, masks, strict=True)
        ]
    ).astype(np.int32)
    cases = np.array(split.cases)
    of_volumes = [id for id in ids if metrics.get(id).takes == "volumes"]
    found = metrics.evaluate_counts(
        [id for id in ids if id not in of_volumes],
        counts=counts,
        cases=cases,
        class_names=task.classes,
    )
    arrays = {
        "ids": np.array(split.ids),
        "groups": np.array(split.groups),
        "cases": cases,
        "counts": counts,
    }
    if not of_volumes:
        return Judged(metrics=found, arrays=arrays)
    measured, notes = _measured(task, of_volumes, split.masks, masks, split)
    if measured:
        found |= volumes.summarise(of_volumes, list(measured.values()), task.classes)
        arrays |= volumes.as_arrays(measured)
    return Judged(metrics=found, arrays=arrays, notes=notes)


def _measured(
    task: Task, ids: list[str], true: np.ndarray, predicted: np.ndarray, split: SplitData
) -> tuple[dict[str, Mapping[str, float]], tuple[str, ...]]:
    """By volume, these metrics of it; and why some volumes were left out."""
    whole, reasons = whole_volumes(split)
    measured: dict[str, Mapping[str, float]] = {
        volume.case: volumes.measure(
            ids,
            np.asarray(true[volume.rows]),
            np.asarray(predicted[volume.rows]),
            spacing=volume.spacing,
            class_names=task.classes,
        )
        for volume in whole
    }
    return measured, tuple(f"metrics in 3D: {reason}" for reason in reasons)
