"""A model judged on one split: metrics, and the arrays that they can be computed from again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from bench import metrics
from bench.data.images import Images
from bench.data.prepared import SplitData
from bench.data.texts import Texts
from bench.metrics import volumes
from bench.spec import Task
from bench.train.predict import predict, predict_masks
from bench.train.volumes import Spacing, whole_volumes


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One split; arrays in its order, but for those of volumes."""

    metrics: dict[str, float]
    arrays: dict[str, np.ndarray]
    """Of a classifier: `labels` int64 (rows,) and `scores`, probabilities float32 (rows, classes).
    Of a segmenter: `counts` int32 (rows, classes, classes), rows true; with closing metrics,
    `volumes` str (volumes,) and `volume_<metric>` float64 (volumes,)."""
    notes: tuple[str, ...] = ()
    """What was left out, and why."""


def judge(
    task: Task,
    model: nn.Module,
    source: Images | Texts,
    split: SplitData,
    *,
    closing: bool = False,
) -> Outcome:
    """A model on a split. source, split: the same rows. `closing`: with the closing metrics.

    Raises NotFinite where the model's outputs are.
    """
    ids = [*task.metrics, *(task.closing_metrics if closing else ())]
    if isinstance(source, Images) and source.segmentation:
        return _segmented(task, ids, model, source, split)
    labels, scores = predict(model, source)
    return Outcome(
        metrics=metrics.evaluate(ids, true=labels, scores=scores, class_names=task.classes),
        arrays={"labels": labels, "scores": scores},
    )


def _segmented(
    task: Task, ids: list[str], model: nn.Module, images: Images, split: SplitData
) -> Outcome:
    of_volumes = [id for id in ids if metrics.get(id).takes == "volumes"]
    measured: dict[str, Mapping[str, float]] = {}

    def measure(case: str, true: np.ndarray, predicted: np.ndarray, spacing: Spacing) -> None:
        measured[case] = volumes.measure(
            of_volumes, true, predicted, spacing=spacing, class_names=task.classes
        )

    counts = predict_masks(model, images, split, measure if of_volumes else None)
    found = metrics.evaluate_counts(
        [id for id in ids if id not in of_volumes],
        counts=counts,
        cases=np.array(split.cases),
        class_names=task.classes,
    )
    arrays: dict[str, Any] = {"counts": counts}
    notes: list[str] = []
    if of_volumes:
        notes = [f"metrics in 3D: {reason}" for reason in whole_volumes(split)[1]]
    if measured:
        found |= volumes.summarise(of_volumes, list(measured.values()), task.classes)
        arrays |= volumes.as_arrays(measured)
    return Outcome(metrics=found, arrays=arrays, notes=tuple(notes))
