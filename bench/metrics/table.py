"""All metrics by id."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from bench.errors import UserError
from bench.metrics import counts, lesions, scores, surfaces, weighted
from bench.metrics.metric import Metric, Takes
from bench.spec import unknown


def _of(takes: Takes) -> Callable[..., Metric]:
    def make(id: str, title: str, compute: Callable[..., Any], **more: Any) -> Metric:
        return Metric(id=id, title=title, takes=takes, compute=compute, **more)

    return make


_labels, _scores = _of("labels"), _of("scores")
_slices, _cases, _volumes = _of("slices"), _of("cases"), _of("volumes")

_CLASSIFICATION = (
    _labels("accuracy", "Accuracy", counts.accuracy),
    _labels("balanced_accuracy", "Balanced accuracy", counts.mean(counts.recall)),
    _labels("macro_f1", "Macro F1", counts.mean(counts.f1)),
    _labels("micro_f1", "Micro F1", counts.accuracy),
    _labels("weighted_f1", "Weighted F1", counts.weighted(counts.f1)),
    _labels("macro_precision", "Macro precision", counts.mean(counts.precision)),
    _labels("micro_precision", "Micro precision", counts.accuracy),
    _labels("weighted_precision", "Weighted precision", counts.weighted(counts.precision)),
    _labels("macro_recall", "Macro recall", counts.mean(counts.recall)),
    _labels("micro_recall", "Micro recall", counts.accuracy),
    _labels("weighted_recall", "Weighted recall", counts.weighted(counts.recall)),
    _labels("mcc", "MCC", counts.mcc, low=-1.0),
    _labels("per_class_f1", "F1", counts.f1, per_class=True),
    _labels("per_class_recall", "Recall", counts.recall, per_class=True),
    _labels("per_class_precision", "Precision", counts.precision, per_class=True),
    _labels("per_class_specificity", "Specificity", counts.specificity, per_class=True),
    _labels(
        "per_class_npv",
        "Negative predictive value",
        counts.negative_predictive_value,
        per_class=True,
    ),
    _labels("sensitivity", "Sensitivity", counts.of_class(counts.recall, 1), binary=True),
    _labels("specificity", "Specificity", counts.of_class(counts.recall, 0), binary=True),
    _labels("precision", "Precision", counts.of_class(counts.precision, 1), binary=True),
    _labels("npv", "Negative predictive value", counts.of_class(counts.precision, 0), binary=True),
    _labels("f1", "F1", counts.of_class(counts.f1, 1), binary=True),
    _scores(
        "auroc",
        "AUROC",
        scores.ranking("roc_auc_score"),
        weighted=weighted.ranking(weighted.auroc),
    ),
    _scores(
        "average_precision",
        "Average precision",
        scores.ranking("average_precision_score"),
        weighted=weighted.ranking(weighted.average_precision),
    ),
    _scores("per_class_auroc", "AUROC", scores.one_against_rest("roc_auc_score"), per_class=True),
    _scores(
        "per_class_average_precision",
        "Average precision",
        scores.one_against_rest("average_precision_score"),
        per_class=True,
    ),
    _scores(
        "log_loss",
        "Log loss",
        scores.log_loss,
        weighted=weighted.log_loss,
        greater_is_better=False,
        high=float(-np.log(scores.EPSILON)),
    ),
    _scores(
        "brier",
        "Brier score",
        scores.brier,
        weighted=weighted.brier,
        greater_is_better=False,
        high=2.0,
    ),
    _scores(
        "ece",
        "Expected calibration error",
        scores.expected_calibration_error,
        weighted=weighted.expected_calibration_error,
        greater_is_better=False,
    ),
)

_SEGMENTATION = (
    _labels("per_class_dice", "Dice", counts.f1, per_class=True),
    _labels("mean_dice", "Mean Dice", counts.foreground_mean(counts.f1)),
    _labels("per_class_iou", "IoU", counts.iou, per_class=True),
    _labels("mean_iou", "Mean IoU", counts.foreground_mean(counts.iou)),
    _slices("per_class_slice_dice", "Dice per slice", counts.f1, per_class=True),
    _slices("mean_slice_dice", "Mean Dice per slice", counts.f1),
    _slices("per_class_slice_iou", "IoU per slice", counts.iou, per_class=True),
    _slices("mean_slice_iou", "Mean IoU per slice", counts.iou),
    _cases("per_class_case_dice", "Dice per case", counts.f1, per_class=True),
    _cases("mean_case_dice", "Mean Dice per case", counts.f1),
    _cases("per_class_case_iou", "IoU per case", counts.iou, per_class=True),
    _cases("mean_case_iou", "Mean IoU per case", counts.iou),
)

_DISTANCE = {"per_class": True, "greater_is_better": False, "high": float("inf")}
_OF_VOLUMES = (
    _volumes(
        "per_class_voe",
        "Volumetric overlap error",
        surfaces.volumetric_overlap_error,
        per_class=True,
        greater_is_better=False,
    ),
    _volumes(
        "per_class_rvd",
        "Relative volume difference",
        surfaces.relative_volume_difference,
        signed=True,
        low=-1.0,
        **_DISTANCE,
    ),
    _volumes(
        "per_class_assd_mm",
        "Average surface distance (mm)",
        surfaces.average_symmetric_surface_distance,
        **_DISTANCE,
    ),
    _volumes(
        "per_class_hd95_mm", "95 % Hausdorff distance (mm)", surfaces.hausdorff_95, **_DISTANCE
    ),
    _volumes(
        "per_class_surface_share",
        "Volumes with a surface distance",
        surfaces.has_surfaces,
        per_class=True,
    ),
    _volumes("lesion_precision", "Lesion precision", lesions.precision, lesions=True),
    _volumes("lesion_recall", "Lesion recall", lesions.recall, lesions=True),
    _volumes("lesion_f1", "Lesion F1", lesions.f1, lesions=True),
)

METRICS: Mapping[str, Metric] = {
    metric.id: metric for metric in (*_CLASSIFICATION, *_SEGMENTATION, *_OF_VOLUMES)
}


def get(id: str) -> Metric:
    """The metric of that id; UserError with the nearest known id where there is none."""
    if id not in METRICS:
        raise UserError(unknown("metric", id, METRICS))
    return METRICS[id]
