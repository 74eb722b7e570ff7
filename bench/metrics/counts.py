"""Metrics of confusion matrices: counts (..., classes, classes), rows true, columns predicted.

Every function takes any number of matrices at once, so that resampled test sets are one array.
What they say of empty classes is written in `bench.metrics`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
OfCounts = Callable[[Array], Any]


def confusion(
    true: npt.ArrayLike, predicted: npt.ArrayLike, *, classes: int
) -> npt.NDArray[np.int64]:
    """Counts (classes, classes), rows true, columns predicted.

    true, predicted: integers (cases,) in [0, classes). Raises ValueError for other input.
    """
    true, predicted = np.asarray(true), np.asarray(predicted)
    for name, labels in (("true", true), ("predicted", predicted)):
        check_labels(name, labels, classes)
    if true.shape != predicted.shape:
        raise ValueError(f"{len(true)} true labels and {len(predicted)} predictions do not match")
    pairs = true.astype(np.int64) * classes + predicted.astype(np.int64)
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def check_labels(name: str, labels: npt.NDArray[np.generic], classes: int) -> None:
    """Raises ValueError unless these are integers (cases,) in [0, classes)."""
    if labels.ndim != 1 or (labels.dtype.kind not in "iu" and labels.size):
        raise ValueError(
            f"{name} labels must be integers of shape (cases,), got {labels.dtype} {labels.shape}"
        )
    if labels.size and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise ValueError(
            f"{name} labels must lie in [0, {classes}), got {labels.min()} to {labels.max()}"
        )


# --- Per class: (..., classes, classes) to (..., classes) -----------------------------------


def hits(m: Array) -> Any:
    return np.diagonal(m, axis1=-2, axis2=-1)


def recall(m: Array) -> Any:
    return hits(m) / m.sum(-1)


def precision(m: Array) -> Any:
    """0 for a class that has cases and is never predicted, NaN for a class in neither."""
    return np.where((m.sum(-2) == 0) & (m.sum(-1) > 0), 0.0, hits(m) / m.sum(-2))


def f1(m: Array) -> Any:
    """2TP / (2TP + FP + FN), which of pixels is called Dice. Source: Dice 1945."""
    return 2 * hits(m) / (m.sum(-1) + m.sum(-2))


def iou(m: Array) -> Any:
    """TP / (TP + FP + FN). Source: Jaccard 1912."""
    return hits(m) / (m.sum(-1) + m.sum(-2) - hits(m))


def specificity(m: Array) -> Any:
    negatives = m.sum((-2, -1))[..., None] - m.sum(-1)
    return (negatives - m.sum(-2) + hits(m)) / negatives


def negative_predictive_value(m: Array) -> Any:
    """TN / (TN + FN); 0 where there are negatives and none is predicted."""
    total = m.sum((-2, -1))[..., None]
    called = total - m.sum(-2)
    value = (called - m.sum(-1) + hits(m)) / called
    return np.where((called == 0) & (total > m.sum(-1)), 0.0, value)


# --- Of all classes: (..., classes, classes) to (...) ---------------------------------------


def accuracy(m: Array) -> Any:
    return hits(m).sum(-1) / m.sum((-2, -1))


def mcc(m: Array) -> Any:
    """Source: Gorodkin 2004, the R_K statistic."""
    true, predicted, total = m.sum(-1), m.sum(-2), m.sum((-2, -1))
    covariance = hits(m).sum(-1) * total - (true * predicted).sum(-1)
    spread = (total**2 - (true**2).sum(-1)) * (total**2 - (predicted**2).sum(-1))
    value = np.where(spread > 0, covariance / np.sqrt(np.where(spread > 0, spread, 1.0)), 0.0)
    return np.where(total > 0, value, np.nan)


def mean(per_class: OfCounts) -> OfCounts:
    """The mean over the classes for which it is defined; NaN where it is for none."""
    return lambda m: mean_of_defined(per_class(m))


def foreground_mean(per_class: OfCounts) -> OfCounts:
    """The same over all classes but the first, the background."""
    return lambda m: mean_of_defined(per_class(m)[..., 1:])


def weighted(per_class: OfCounts) -> OfCounts:
    """The mean over classes, each with the weight of its cases."""
    return lambda m: (np.nan_to_num(per_class(m)) * m.sum(-1)).sum(-1) / m.sum((-2, -1))


def of_class(per_class: OfCounts, index: int) -> OfCounts:
    return lambda m: per_class(m)[..., index]


def mean_of_defined(values: Array) -> Any:
    """The mean over the last axis of what is not NaN; NaN where nothing is."""
    defined = ~np.isnan(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(defined, values, 0.0).sum(-1) / defined.sum(-1)


# --- Predictive values at a stated prevalence -----------------------------------------------


def at_prevalence(matrix: npt.ArrayLike, prevalence: float) -> Array:
    """The shares of a population in which the positive class has this prevalence.

    matrix: counts (..., 2, 2) of a test set, class 1 positive. prevalence: in (0, 1). Returns
    shares (..., 2, 2) that sum to 1, with the test set's sensitivity and specificity: a test set
    is often richer in positives than the population that a model is meant for.
    """
    matrix = np.asarray(matrix, dtype=np.float64)
    if matrix.shape[-2:] != (2, 2):
        raise ValueError(f"a prevalence needs counts (..., 2, 2), got {matrix.shape}")
    if not 0 < prevalence < 1:
        raise ValueError(f"a prevalence lies in (0, 1), got {prevalence}")
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = matrix / matrix.sum(-1, keepdims=True)
    return np.asarray(rates * np.array([[1 - prevalence], [prevalence]]))


def ppv_at(matrix: npt.ArrayLike, prevalence: float) -> Any:
    """Positive predictive value at a prevalence, float64 (...); NaN where a class has no case.

    matrix, prevalence: as `at_prevalence` takes them. Source: Altman & Bland 1994, BMJ 309:102.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return precision(at_prevalence(matrix, prevalence))[..., 1]


def npv_at(matrix: npt.ArrayLike, prevalence: float) -> Any:
    """Negative predictive value at a prevalence: see `ppv_at`."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return precision(at_prevalence(matrix, prevalence))[..., 0]
