"""Every metric of classification: its direction, its range, and whether it takes labels or scores.

NumPy and counts; scikit-learn for ranking metrics alone, imported when one is asked for. What a
metric says of empty cases is written here once:

- A class without a case and without a prediction is left out of macro means; its F1 and its
  precision are NaN. A class that has cases and is never predicted has precision 0.
- Recall of a class without a case is NaN, and balanced accuracy and macro recall leave it out.
- Ranking metrics (AUROC, average precision) are NaN unless every class has a case.
- MCC is 0 where its denominator is 0 (all cases, or all predictions, in one class).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from bench.errors import UserError
from bench.spec import unknown

Array = npt.NDArray[np.float64]
EPSILON = 1e-15
"""Probabilities are cut off here before a logarithm is taken."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric as the whole project knows it."""

    id: str
    title: str
    takes: Literal["labels", "scores"]
    """Class indices (cases,), or probabilities (cases, classes)."""
    compute: Callable[..., Any]
    """Of a confusion matrix (..., classes, classes) for labels; of `true, scores` for scores."""
    greater_is_better: bool = True
    low: float = 0.0
    high: float = 1.0
    per_class: bool = False
    """Whether the outcome is one value a class, float64 (classes,)."""
    binary: bool = False
    """Whether it needs two classes, of which class 1 is the positive one."""

    def __call__(
        self, true: npt.ArrayLike, predicted: npt.ArrayLike, *, classes: int
    ) -> float | Array:
        """The metric of these cases; one value a class where `per_class`.

        true: class indices (cases,). predicted: class indices (cases,), or, where `takes` is
        "scores", probabilities float (cases, classes) whose rows sum to 1. Raises ValueError for
        the other kind of input: thresholded predictions are no scores.
        """
        if self.takes == "labels":
            predicted = np.asarray(predicted)
            if predicted.ndim != 1 or predicted.dtype.kind not in "iu":
                raise ValueError(
                    f"{self.id} takes class indices, integers of shape (cases,), got "
                    f"{predicted.dtype} {predicted.shape}: pass scores.argmax(axis=1)"
                )
            return self.of_confusion(confusion(true, predicted, classes=classes))
        return self._of_scores(*_scored(self.id, true, predicted, classes))

    def of_confusion(self, matrix: npt.ArrayLike) -> float | Array:
        """Of confusion matrices (..., classes, classes); (...) or, per class, (..., classes)."""
        matrix = np.asarray(matrix, dtype=np.float64)
        self._two(matrix.shape[-1])
        with np.errstate(divide="ignore", invalid="ignore"):
            value = self.compute(matrix)
        return float(value) if value.ndim == 0 else value

    def _of_scores(self, true: npt.NDArray[np.int64], scores: Array) -> float:
        self._two(scores.shape[1])
        return float(self.compute(true, scores))

    def _two(self, classes: int) -> None:
        if self.binary and classes != 2:
            raise ValueError(
                f"{self.id} is defined for two classes, got {classes}: take the per-class or the "
                "macro form"
            )

    def turned(self, value: float) -> float:
        """The value turned so that greater is better: what searches and ranks see."""
        return value if self.greater_is_better else -value


def confusion(
    true: npt.ArrayLike, predicted: npt.ArrayLike, *, classes: int
) -> npt.NDArray[np.int64]:
    """Counts (classes, classes), rows true, columns predicted.

    true, predicted: integers (cases,) in [0, classes). Raises ValueError for other input.
    """
    true, predicted = np.asarray(true), np.asarray(predicted)
    for name, labels in (("true", true), ("predicted", predicted)):
        _check_labels(name, labels, classes)
    if true.shape != predicted.shape:
        raise ValueError(f"{len(true)} true labels and {len(predicted)} predictions do not match")
    pairs = true.astype(np.int64) * classes + predicted.astype(np.int64)
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def _check_labels(name: str, labels: npt.NDArray[np.generic], classes: int) -> None:
    if labels.ndim != 1 or (labels.dtype.kind not in "iu" and labels.size):
        raise ValueError(
            f"{name} labels must be integers of shape (cases,), got {labels.dtype} {labels.shape}"
        )
    if labels.size and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise ValueError(
            f"{name} labels must lie in [0, {classes}), got {labels.min()} to {labels.max()}"
        )


def _scored(
    id: str, true: npt.ArrayLike, scores: npt.ArrayLike, classes: int
) -> tuple[npt.NDArray[np.int64], Array]:
    """Labels and float64 scores, checked. Raises ValueError for what are no scores."""
    true, scores = np.asarray(true), np.asarray(scores)
    _check_labels("true", true, classes)
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


# --- Of a confusion matrix (..., classes, classes), rows true -------------------------------


def _hits(m: Array) -> Any:
    return np.diagonal(m, axis1=-2, axis2=-1)


def _accuracy(m: Array) -> Any:
    return _hits(m).sum(-1) / m.sum((-2, -1))


def _recall(m: Array) -> Any:
    return _hits(m) / m.sum(-1)


def _precision(m: Array) -> Any:
    """0 for a class that has cases and is never predicted, NaN for a class in neither."""
    return np.where((m.sum(-2) == 0) & (m.sum(-1) > 0), 0.0, _hits(m) / m.sum(-2))


def _f1(m: Array) -> Any:
    return 2 * _hits(m) / (m.sum(-1) + m.sum(-2))


def _specificity(m: Array) -> Any:
    negatives = m.sum((-2, -1))[..., None] - m.sum(-1)
    return (negatives - m.sum(-2) + _hits(m)) / negatives


def _mean(per_class: Callable[[Array], Any]) -> Callable[[Array], Any]:
    """The mean over the classes for which it is defined; NaN where it is for none."""

    def mean(m: Array) -> Any:
        values = per_class(m)
        defined = ~np.isnan(values)
        return np.where(defined, values, 0.0).sum(-1) / defined.sum(-1)

    return mean


def _weighted_f1(m: Array) -> Any:
    return (np.nan_to_num(_f1(m)) * m.sum(-1)).sum(-1) / m.sum((-2, -1))


def _mcc(m: Array) -> Any:
    """Source: Gorodkin 2004, the R_K statistic."""
    true, predicted, total = m.sum(-1), m.sum(-2), m.sum((-2, -1))
    covariance = _hits(m).sum(-1) * total - (true * predicted).sum(-1)
    spread = (total**2 - (true**2).sum(-1)) * (total**2 - (predicted**2).sum(-1))
    value = np.where(spread > 0, covariance / np.sqrt(np.where(spread > 0, spread, 1.0)), 0.0)
    return np.where(total > 0, value, np.nan)


def _of_class(per_class: Callable[[Array], Any], index: int) -> Callable[[Array], Any]:
    return lambda m: per_class(m)[..., index]


# --- Of true labels (cases,) and scores (cases, classes) ------------------------------------


def _ranking(name: str) -> Callable[[npt.NDArray[np.int64], Array], Any]:
    """Of two classes: class 1 against class 0; of more: the mean of each against the rest."""

    def compute(true: npt.NDArray[np.int64], scores: Array) -> Any:
        classes = scores.shape[1]
        if len(np.unique(true)) < classes:
            return np.asarray(np.nan)
        from sklearn import metrics as sklearn_metrics

        function = getattr(sklearn_metrics, name)
        positives = (1,) if classes == 2 else range(classes)
        return np.mean([function(true == index, scores[:, index]) for index in positives])

    return compute


def _log_loss(true: npt.NDArray[np.int64], scores: Array) -> Any:
    if not len(true):
        return np.asarray(np.nan)
    return -np.log(np.clip(scores[np.arange(len(true)), true], EPSILON, 1.0)).mean()


def _brier(true: npt.NDArray[np.int64], scores: Array) -> Any:
    """Mean squared error of the probabilities, summed over classes; halved for two classes.

    Source: Brier 1950; the halving makes it the usual (p - y)^2 of binary tasks.
    """
    if not len(true):
        return np.asarray(np.nan)
    classes = scores.shape[1]
    errors = ((scores - np.eye(classes)[true]) ** 2).sum(axis=1)
    return errors.mean() / (2 if classes == 2 else 1)


# --- The metrics ----------------------------------------------------------------------------


def _labels(id: str, title: str, compute: Callable[[Array], Any], **more: object) -> Metric:
    return Metric(id=id, title=title, takes="labels", compute=compute, **more)  # type: ignore[arg-type]


def _scores(id: str, title: str, compute: Callable[..., Any], **more: object) -> Metric:
    return Metric(id=id, title=title, takes="scores", compute=compute, **more)  # type: ignore[arg-type]


METRICS: Mapping[str, Metric] = {
    metric.id: metric
    for metric in (
        _labels("accuracy", "Accuracy", _accuracy),
        _labels("balanced_accuracy", "Balanced accuracy", _mean(_recall)),
        _labels("macro_f1", "Macro F1", _mean(_f1)),
        _labels("micro_f1", "Micro F1", _accuracy),
        _labels("weighted_f1", "Weighted F1", _weighted_f1),
        _labels("macro_precision", "Macro precision", _mean(_precision)),
        _labels("macro_recall", "Macro recall", _mean(_recall)),
        _labels("mcc", "MCC", _mcc, low=-1.0),
        _labels("per_class_f1", "F1", _f1, per_class=True),
        _labels("per_class_recall", "Recall", _recall, per_class=True),
        _labels("per_class_precision", "Precision", _precision, per_class=True),
        _labels("per_class_specificity", "Specificity", _specificity, per_class=True),
        _labels("sensitivity", "Sensitivity", _of_class(_recall, 1), binary=True),
        _labels("specificity", "Specificity", _of_class(_recall, 0), binary=True),
        _labels("precision", "Precision", _of_class(_precision, 1), binary=True),
        _labels("f1", "F1", _of_class(_f1, 1), binary=True),
        _scores("auroc", "AUROC", _ranking("roc_auc_score")),
        _scores("average_precision", "Average precision", _ranking("average_precision_score")),
        _scores("log_loss", "Log loss", _log_loss, greater_is_better=False, high=-np.log(EPSILON)),
        _scores("brier", "Brier score", _brier, greater_is_better=False, high=2.0),
    )
}
PER_CLASS = "per_class_"


def get(id: str) -> Metric:
    """The metric of that id; UserError with the nearest known id where there is none."""
    if id not in METRICS:
        raise UserError(unknown("metric", id, METRICS))
    return METRICS[id]


def from_confusion(id: str, matrix: npt.ArrayLike) -> float | Array:
    """A label metric of confusion matrices (..., classes, classes), as `Metric.of_confusion`.

    Raises ValueError for a metric of scores.
    """
    metric = get(id)
    if metric.takes != "labels":
        raise ValueError(f"{id} takes scores: it cannot be computed from counts")
    return metric.of_confusion(matrix)


def slug(class_name: str) -> str:
    """A class's name as part of a metric's: "No liver" gives "no_liver"."""
    return re.sub(r"[^a-z0-9]+", "_", class_name.lower()).strip("_")


def columns(id: str, class_names: Sequence[str]) -> list[str]:
    """The names under which a metric is recorded: its id, or one a class: `f1_no_liver`."""
    if not get(id).per_class:
        return [id]
    return [f"{id.removeprefix(PER_CLASS)}_{slug(name)}" for name in class_names]


def evaluate(
    ids: Sequence[str],
    *,
    true: npt.ArrayLike,
    scores: npt.ArrayLike,
    class_names: Sequence[str],
) -> dict[str, float]:
    """These metrics by name, flat: per-class ones as `f1_liver`, `recall_no_liver`.

    true: integers (cases,). scores: probabilities float (cases, classes); labels are their argmax,
    the first class of equals. NaN where a metric is undefined on these cases. Raises UserError for
    an unknown id, ValueError for scores that are none.
    """
    classes = len(class_names)
    true, checked = _scored("a model's output", true, scores, classes)
    matrix = confusion(true, checked.argmax(axis=1), classes=classes)
    found: dict[str, float] = {}
    for id in ids:
        metric = get(id)
        if metric.takes == "labels":
            values = np.atleast_1d(metric.of_confusion(matrix))
        else:
            values = np.atleast_1d(metric._of_scores(true, checked))
        found.update(zip(columns(id, class_names), map(float, values), strict=True))
    return found
