"""A classifier's replicates on one split: confusions, operating curves, calibration, as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bench import metrics
from results.predictions import Scores
from results.stats import Floats

CLASSES = 20
"""Of tasks with more classes there are no curves."""
SEEDS = 5
"""Trainings of an entrant with a curve of their own, beside the mean over all."""
BINS = 10
"""Of a reliability diagram, with as many cases each."""
FALSE_ALARMS = np.linspace(0, 1, 51) ** 2
"""Where a ROC curve is read: closer together where false alarms are rare."""
RECALLS = np.linspace(0, 1, 51)[1:]
"""Where a precision-recall curve is read; with nothing found there is no precision."""
MEAN = 0
"""The number of the mean over an entrant's trainings, in the place of a training's."""


def confusion(
    outputs: Sequence[Scores],
    names: Sequence[str],
    primary: Sequence[float],
    which: Sequence[Mapping[str, int]],
) -> list[dict[str, Any]]:
    """One row a true and a predicted class.

    share: of the true class's cases, mean over trainings, NaN where it has none. count: cases of
    one training, that of the median primary metric (of an even number, the lower of both); `which`
    says of each training which it is.
    """
    classes = len(names)
    matrices = np.stack(
        [metrics.confusion(o.labels, o.scores.argmax(axis=1), classes=classes) for o in outputs]
    ).astype(np.float64)
    with np.errstate(invalid="ignore"):
        shares = matrices / matrices.sum(axis=2, keepdims=True)
    defined = int(np.isfinite(primary).sum()) or len(primary)
    median = int(np.argsort(primary, kind="stable")[(defined - 1) // 2])
    return [
        {
            "true": names[true],
            "predicted": names[predicted],
            "trainings": len(outputs),
            "share": _mean(shares[:, true, predicted]),
            "share_std": _std(shares[:, true, predicted]),
            **which[median],
            "count": int(matrices[median, true, predicted]),
        }
        for true in range(classes)
        for predicted in range(classes)
    ]


def operating(outputs: Sequence[Scores]) -> list[dict[str, Any]]:
    """One row a point of a curve: `roc`, the recall at a share of false alarms; or
    `precision_recall`, the precision at a recall.

    Of two classes the second is positive; of several, each is against the rest, and a curve is the
    mean over classes. training: from 1, of the first few; 0: the mean over all, with `std`.
    """
    if outputs[0].classes > CLASSES:
        return []
    curves = [curve for one in outputs if (curve := curves_of(one)) is not None]
    rows = []
    for kind, grid, place in (("roc", FALSE_ALARMS, 0), ("precision_recall", RECALLS, 1)):
        values = np.array([curve[place] for curve in curves]).reshape(len(curves), len(grid))
        lines = [(MEAN, values.mean(axis=0))] if curves else []
        if len(curves) > 1:
            lines += list(enumerate(values[:SEEDS], 1))
        std = values.std(axis=0, ddof=1) if len(curves) > 1 else np.full(len(grid), np.nan)
        rows += [
            {"curve": kind, "training": number, "at": at, "value": value, "std": spread}
            for number, line in lines
            for at, value, spread in zip(
                grid.tolist(),
                line.tolist(),
                (std if number == MEAN else np.full(len(grid), np.nan)).tolist(),
                strict=True,
            )
        ]
    return rows


def curves_of(outputs: Scores) -> tuple[Floats, Floats] | None:
    """Recall at FALSE_ALARMS and precision at RECALLS, means over the classes that have both cases
    and others; None where no class has. Of two classes: of the second alone.

    Between two thresholds the ROC curve is a line (Fawcett 2006); precision at a recall is that of
    the first threshold that reaches it, as in the average precision.
    """
    classes = [1] if outputs.classes == 2 else range(outputs.classes)
    found = [
        _one_against_rest(positive, outputs.scores[:, number])
        for number in classes
        if 0 < (positive := outputs.labels == number).sum() < len(positive)
    ]
    if not found:
        return None
    recalls, precisions = zip(*found, strict=True)
    return np.mean(recalls, axis=0), np.mean(precisions, axis=0)


def _one_against_rest(positive: Any, scores: Any) -> tuple[Floats, Floats]:
    """positive: bool (cases,); scores: (cases,), greater for the positive."""
    order = np.argsort(-scores, kind="stable")
    last = np.flatnonzero(np.diff(scores[order], append=-np.inf))  # of equal scores
    hits = np.cumsum(positive[order])[last]
    alarms = last + 1
    recall = hits / hits[-1]
    false_alarms = (alarms - hits) / (len(positive) - hits[-1])
    first = np.searchsorted(recall, RECALLS - 1e-12)
    return (
        np.interp(FALSE_ALARMS, np.append(0, false_alarms), np.append(0, recall)),
        (hits / alarms)[first],
    )


def calibration(outputs: Sequence[Scores]) -> list[dict[str, Any]]:
    """One row a bin of cases by the probability of the class that they were given.

    Bins have as many cases each, in the order of that probability. confidence: its mean in the
    bin; accuracy: how many are right; means over trainings. ece: the expected calibration error
    (in bins of equal width) of all cases, mean over trainings.
    """
    bins = min(BINS, min(len(one.labels) for one in outputs))
    confidence, accuracy, sizes = [], [], []
    for one in outputs:
        top = one.scores.max(axis=1).astype(np.float64)
        right = one.scores.argmax(axis=1) == one.labels
        parts = np.array_split(np.argsort(top, kind="stable"), bins)
        confidence.append([top[part].mean() for part in parts])
        accuracy.append([right[part].mean() for part in parts])
        sizes.append([len(part) for part in parts])
    measure = metrics.get("ece").compute
    errors = np.array([float(measure(one.labels, one.scores)) for one in outputs])
    means, rights = np.array(confidence), np.array(accuracy)
    return [
        {
            "bin": number + 1,
            "cases": sizes[0][number],
            "trainings": len(outputs),
            "confidence": float(means[:, number].mean()),
            "accuracy": float(rights[:, number].mean()),
            "accuracy_std": _std(rights[:, number]),
            "ece": float(errors.mean()),
            "ece_std": _std(errors),
        }
        for number in range(bins)
    ]


def _mean(values: Floats) -> float:
    """Of the trainings where it is defined."""
    defined = values[np.isfinite(values)]
    return float(defined.mean()) if len(defined) else np.nan


def _std(values: Floats) -> float:
    defined = values[np.isfinite(values)]
    return float(defined.std(ddof=1)) if len(defined) > 1 else np.nan
