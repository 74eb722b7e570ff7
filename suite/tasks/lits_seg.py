"""Axial CT slices, pixel by pixel: background, liver, tumour. Judged per slice and per volume."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from bench.spec import Case, GroupSplit, Sample, Scalar, Task
from suite.ct import sampling

if TYPE_CHECKING:
    import numpy as np


def samples(case: Case, volume: Any, options: Mapping[str, Scalar]) -> Iterator[Sample]:
    """A volume's slices, as `suite.ct.sampling.samples` chooses and shows them, with their masks on
    the same grid."""
    return sampling.samples(case, volume, options, _classes)


def _classes(mask: np.ndarray, size: int) -> np.ndarray:
    return sampling.regrid(mask, size)


TASK = Task(
    title="Liver CT, segmentation of liver and tumour",
    dataset="lits",
    kind="image_segmentation",
    classes=("background", "liver", "tumour"),
    primary="mean_case_dice",
    margin=0.02,
    metrics=(
        "accuracy",
        "mcc",
        "per_class_dice",
        "mean_dice",
        "per_class_iou",
        "mean_iou",
        "per_class_slice_dice",
        "per_class_case_dice",
        "mean_case_dice",
        "per_class_precision",
        "per_class_recall",
    ),
    closing_metrics=(
        "per_class_voe",
        "per_class_rvd",
        "per_class_assd_mm",
        "per_class_hd95_mm",
        "per_class_surface_share",
        "lesion_precision",
        "lesion_recall",
        "lesion_f1",
    ),
    split=GroupSplit(train=0.6, validation=0.2, test=0.2),
    samples=samples,
    options=sampling.options(),
)
