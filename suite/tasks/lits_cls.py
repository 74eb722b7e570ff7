"""Axial CT slices: no liver, liver, or liver with tumour."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from bench.spec import Case, GroupSplit, Sample, Scalar, Task
from suite.ct import sampling

if TYPE_CHECKING:
    import numpy as np


def samples(case: Case, volume: Any, options: Mapping[str, Scalar]) -> Iterator[Sample]:
    """A volume's slices, as `suite.ct.sampling.samples` chooses and shows them.

    A slice with any tumour voxel is 2, else with any liver voxel 1, else 0; judged at the full
    resolution.
    """
    return sampling.samples(case, volume, options, _worst)


def _worst(mask: np.ndarray, size: int) -> int:
    return int(mask.max())


TASK = Task(
    title="Liver CT, slice classification",
    dataset="lits",
    kind="image_classification",
    classes=("no liver", "liver", "tumour"),
    primary="macro_f1",
    margin=0.02,
    metrics=(
        "accuracy",
        "macro_f1",
        "weighted_f1",
        "micro_f1",
        "balanced_accuracy",
        "mcc",
        "auroc",
        "average_precision",
        "log_loss",
        "ece",
        "brier",
        "per_class_f1",
        "per_class_recall",
        "per_class_precision",
        "per_class_specificity",
    ),
    split=GroupSplit(train=0.6, validation=0.2, test=0.2),
    samples=samples,
    options=sampling.options(),
    version=2,
)
