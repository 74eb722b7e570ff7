"""Metrics of scores: true labels int64 (cases,) and probabilities float64 (cases, classes)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.metrics.counts import Array, check_labels

Labels = npt.NDArray[np.int64]
OfScores = Callable[[Labels, Array], Any]

EPSILON = 1e-15
"""Probabilities are cut off here before a logarithm is taken."""
BINS = 15
"""Of the expected calibration error."""


def checked(
    id: str, true: npt.ArrayLike, scores: npt.ArrayLike, classes: int
) -> tuple[Labels, Array]:
    """Labels and float64 scores. Raises ValueError for what are no scores."""
    true, scores = np.asarray(true), np.asarray(scores)
    check_labels("true", true, classes)
    if scores.ndim != 2 or scores.dtype.kind != "f":
        raise ValueError(
            f"{id} takes probabilities, floats of shape (cases, {classes}), got {scores.dtype} "
            f"{scores.shape}: labels and thresholded predictions are no scores"
        )
    if scores.shape != (len(true), classes):
        raise ValueError(
            f"{id} takes probabilities of shape ({len(true)}, {classes}), got {scores.shape}"
        )
    scores = scores.astype(np.float64)
    if not np.isfinite(scores).all() or scores.min(initial=0) < 0:
        raise ValueError(f"{id} takes probabilities in [0, 1], got NaN, infinite or negative ones")
    if len(scores) and not np.allclose(scores.sum(axis=1), 1.0, atol=1e-3):
        raise ValueError(f"{id} takes probabilities, rows must sum to 1: pass softmax outputs")
    if len(scores) and ((scores == 0) | (scores == 1)).all():
        raise ValueError(
            f"{id} takes probabilities, got only zeros and ones: thresholded predictions are no "
            "scores"
        )
    return true.astype(np.int64), scores


def ranking(name: str) -> OfScores:
    """Of two classes: class 1 against class 0; of more: the mean of each against the rest.

    NaN unless every class has a case. name: of a function of `sklearn.metrics`.
    """

    def compute(true: Labels, scores: Array) -> Any:
        classes = scores.shape[1]
        if len(np.unique(true)) < classes:
            return np.asarray(np.nan)
        values = one_against_rest(name)(true, scores)
        return values[1] if classes == 2 else values.mean()

    return compute


def one_against_rest(name: str) -> OfScores:
    """Each class against the rest, (classes,); NaN for a class that has no case, or all of them."""

    def compute(true: Labels, scores: Array) -> Any:
        from sklearn import metrics as sklearn_metrics

        function = getattr(sklearn_metrics, name)
        found = np.full(scores.shape[1], np.nan)
        for index in range(scores.shape[1]):
            positive = true == index
            if positive.any() and not positive.all():
                found[index] = function(positive, scores[:, index])
        return found

    return compute


def log_loss(true: Labels, scores: Array) -> Any:
    if not len(true):
        return np.asarray(np.nan)
    return log_losses(true, scores).mean()


def log_losses(true: Labels, scores: Array) -> Array:
    """Of each case, (cases,)."""
    return np.asarray(-np.log(np.clip(scores[np.arange(len(true)), true], EPSILON, 1.0)))


def brier(true: Labels, scores: Array) -> Any:
    """Mean squared error of the probabilities, summed over classes; halved for two classes.

    Source: Brier 1950; the halving makes it the usual (p - y)^2 of binary tasks.
    """
    if not len(true):
        return np.asarray(np.nan)
    return squared_errors(true, scores).mean()


def squared_errors(true: Labels, scores: Array) -> Array:
    """The Brier score of each case, (cases,)."""
    classes = scores.shape[1]
    errors = ((scores - np.eye(classes)[true]) ** 2).sum(axis=1)
    return np.asarray(errors / (2 if classes == 2 else 1))


def expected_calibration_error(true: Labels, scores: Array) -> Any:
    """How far the highest probability is from how often it is right, mean over cases.

    Cases are put by their highest probability into 15 bins of equal width, each with its upper
    edge; of each bin the distance of its accuracy from its mean probability counts, with the
    weight of its cases. Source: Guo et al. 2017, eq. 3; the bins are Naeini et al. 2015's.
    """
    if not len(true):
        return np.asarray(np.nan)
    bins, gaps = calibration_gaps(true, scores)
    return np.abs(np.bincount(bins, weights=gaps, minlength=BINS)).sum() / len(true)


def calibration_gaps(true: Labels, scores: Array) -> tuple[Labels, Array]:
    """Of each case its bin, (cases,), and by how much its outcome is above its probability."""
    top = scores.max(axis=1)
    right = scores.argmax(axis=1) == true
    edges = np.linspace(0, 1, BINS + 1)[1:-1]
    return np.searchsorted(edges, top), right - top
