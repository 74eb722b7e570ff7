"""Axial CT slices, pixel by pixel: background or liver, tumours being part of the liver.

The protocol is that of Joakimsen 2021 (ConvMixerSeg): volumes are split 0.6/0.2/0.2 before they are
cut into slices, and 10 slices with and 10 without liver are drawn from each.
"""

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
    return sampling.samples(case, volume, options, _liver)


def _liver(mask: np.ndarray, size: int) -> np.ndarray:
    return sampling.regrid(mask, size).clip(max=1)


TASK = Task(
    title="Liver CT, segmentation of the liver",
    dataset="lits",
    kind="image_segmentation",
    classes=("background", "liver"),
    primary="mcc",
    margin=0.02,
    metrics=(
        "mcc",
        "accuracy",
        "per_class_iou",
        "per_class_precision",
        "per_class_recall",
        "per_class_dice",
        "per_class_slice_dice",
        "per_class_case_dice",
        "mean_case_dice",
    ),
    closing_metrics=(
        "per_class_voe",
        "per_class_rvd",
        "per_class_assd_mm",
        "per_class_hd95_mm",
        "per_class_surface_share",
    ),
    split=GroupSplit(train=0.6, validation=0.2, test=0.2),
    samples=samples,
    options=sampling.options(with_liver=10, without_liver=10),
)
