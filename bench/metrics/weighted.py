"""Metrics of scores under many sets of weights of the same cases, for resampling.

Of labels int64 (cases,), probabilities float64 (cases, classes), and weights, not negative,
(draws, cases): (draws,), as the metric's `compute` has it of cases that are there as often as their
weight says. NaN where it is undefined. Fastest where the weights of a case lie next to each other
in memory: where `weights` is a view of (cases, draws).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from bench.metrics import scores as of_scores
from bench.metrics.counts import Array
from bench.metrics.scores import Labels

Bools = npt.NDArray[np.bool_]

TINY = np.finfo(np.float64).tiny

Weighted = Callable[[Labels, Array, Array], Array]
OfClass = Callable[[Bools, Array, Array], Array]
"""Of whether a case is positive (cases,), its score (cases,), and weights (cases, draws): (draws,);
anything where all weight is on one side."""


def ranking(of_class: OfClass) -> Weighted:
    """Of two classes: class 1 against class 0; of more: the mean of each against the rest."""

    def compute(true: Labels, scores: Array, weights: Array) -> Array:
        classes, by_case = scores.shape[1], weights.T
        held = np.eye(classes)[true].T @ by_case  # (classes, draws)
        with np.errstate(divide="ignore", invalid="ignore"):
            found = [
                of_class(true == index, scores[:, index], by_case)
                for index in ([1] if classes == 2 else range(classes))
            ]
        return np.where((held > 0).all(axis=0), np.mean(found, axis=0), np.nan)

    return compute


def auroc(positive: Bools, scores: Array, weights: Array) -> Array:
    """The weight of the pairs in which the positive case scores higher, equals half.

    Source: Hanley & McNeil 1982; of each positive case the negative weight below it is looked up
    in one cumulative sum over the sorted negative cases.
    """
    negative = np.flatnonzero(~positive)
    negative = negative[np.argsort(scores[negative])]
    below = np.zeros((len(negative) + 1, weights.shape[1]))
    np.cumsum(weights[negative], axis=0, out=below[1:])
    sides = [
        np.searchsorted(scores[negative], scores[positive], side) for side in ("left", "right")
    ]
    of_positive = weights[positive]
    wins = sum(np.einsum("ij,ij->j", of_positive, below[side]) for side in sides) / 2
    return np.asarray(wins / (of_positive.sum(axis=0) * below[-1]))


def average_precision(positive: Bools, scores: Array, weights: Array) -> Array:
    """Precision at each threshold times the recall that it adds, no interpolation.

    Thresholds are the distinct scores; one above which there is no weight adds none.
    Source: scikit-learn's `average_precision_score`.
    """
    order = np.argsort(-scores)
    ranked, hit = scores[order], positive[order]
    # Recall grows at the scores of positive cases only: the last place of each such score.
    thresholds = np.unique(ranked[hit])[::-1]
    last = np.searchsorted(-ranked, -thresholds, "right") - 1
    all_above = np.cumsum(weights[order], axis=0)[last]
    above = np.cumsum(weights[order[hit]], axis=0)[np.cumsum(hit)[last] - 1]
    added = np.diff(above, axis=0, prepend=0.0)
    # Where no weight is above there is none of positive cases either: 0 / TINY.
    precision = above / np.maximum(all_above, TINY)
    return np.asarray(np.einsum("ij,ij->j", added, precision) / above[-1])


def log_loss(true: Labels, scores: Array, weights: Array) -> Array:
    return _mean(of_scores.log_losses(true, scores), weights)


def brier(true: Labels, scores: Array, weights: Array) -> Array:
    return _mean(of_scores.squared_errors(true, scores), weights)


def expected_calibration_error(true: Labels, scores: Array, weights: Array) -> Array:
    bins, gaps = of_scores.calibration_gaps(true, scores)
    by_bin = np.eye(of_scores.BINS)[bins] * gaps[:, None]  # (cases, bins)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.abs(weights @ by_bin).sum(axis=1) / weights.sum(axis=1))


def _mean(values: Array, weights: Array) -> Array:
    """(draws,): the weighted mean over cases; NaN where there is no weight."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(weights @ values / weights.sum(axis=1))
