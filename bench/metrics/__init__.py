"""Every metric: its direction, its range, and what it is computed of.

Classifiers are judged by labels and scores (`evaluate`); segmenters by the confusion counts of
their slices, pooled over all pixels, as a mean over slices, or as a mean over cases, which are
volumes (`evaluate_counts`); and by whole volumes in mm (`bench.metrics.volumes`).

NumPy and counts; scikit-learn for ranking metrics, SciPy for lesions and MONAI for surfaces,
imported when one is asked for. What a metric says of empty cases is written here once:

- A class without a case and without a prediction is left out of macro means; its F1, Dice, IoU and
  precision are NaN. A class that has cases and is never predicted has precision 0; where every case
  is predicted to be of a class, its negative predictive value is 0, if others have cases.
- Recall of a class without a case is NaN, and balanced accuracy and macro recall leave it out.
- AUROC and average precision of a class are NaN if no case, or every case, is of it; their means
  over classes are NaN unless every class has a case.
- MCC is 0 where its denominator is 0 (all cases, or all predictions, in one class).
- Means called `mean_` are over all classes but the first, the background.
- A slice or a volume with a class in neither truth nor prediction is left out of that class's mean
  over slices or volumes; with a class in one alone, its Dice and IoU are 0 and its volumetric
  overlap error is 1.
- There is no relative volume difference without truth, and no surface distance where truth or
  prediction is empty: such volumes are left out of the mean. How many of the volumes that hold the
  class at all have a distance says `per_class_surface_share`.
- Lesion precision is NaN where no lesion is and none is predicted, 0 where none is predicted but
  some are; lesion recall is NaN without lesions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from bench.metrics import units
from bench.metrics.counts import Array, at_prevalence, confusion, npv_at, ppv_at
from bench.metrics.metric import Metric, slug
from bench.metrics.scores import checked
from bench.metrics.table import METRICS, get

__all__ = [
    "METRICS",
    "Metric",
    "at_prevalence",
    "columns",
    "confusion",
    "evaluate",
    "evaluate_counts",
    "from_confusion",
    "get",
    "npv_at",
    "ppv_at",
    "slug",
]


def from_confusion(id: str, matrix: npt.ArrayLike) -> float | Array:
    """A label metric of confusion matrices (..., classes, classes), as `Metric.of_confusion`.

    Raises ValueError for a metric of anything else.
    """
    return get(id).of_confusion(matrix)


def columns(id: str, class_names: Sequence[str]) -> list[str]:
    """The names under which a metric is recorded: its id, or one a class: `f1_no_liver`."""
    return list(get(id).columns(class_names))


def evaluate(
    ids: Sequence[str],
    *,
    true: npt.ArrayLike,
    scores: npt.ArrayLike,
    class_names: Sequence[str],
) -> dict[str, float]:
    """These metrics by name, flat: per-class ones as `f1_liver`, `recall_no_liver`.

    ids: of metrics of labels or scores. true: integers (cases,). scores: probabilities float
    (cases, classes); labels are their argmax, the first class of equals. NaN where a metric is
    undefined on these cases. Raises UserError for an unknown id, ValueError for scores that are
    none and for metrics of masks.
    """
    classes = len(class_names)
    true, probabilities = checked("a model's output", true, scores, classes)
    matrix = confusion(true, probabilities.argmax(axis=1), classes=classes)
    found: dict[str, float] = {}
    for id in ids:
        metric = get(id)
        metric.must_take("labels", "scores")
        value = (
            metric.of_confusion(matrix)
            if metric.takes == "labels"
            else metric.of_scores(true, probabilities)
        )
        found.update(_named(metric, value, class_names))
    return found


def evaluate_counts(
    ids: Sequence[str],
    *,
    counts: npt.ArrayLike,
    cases: npt.ArrayLike,
    class_names: Sequence[str],
) -> dict[str, float]:
    """These metrics of masks by name, flat: per-class ones as `dice_liver`.

    ids: of metrics of labels (over all pixels at once), slices or cases. counts: confusion counts
    of each slice, integers (slices, classes, classes), rows true. cases: str (slices,), the volume
    that each comes from. NaN where a metric is undefined. Raises UserError for an unknown id,
    ValueError for other input and for metrics of scores or of volumes.
    """
    counts, cases = np.asarray(counts), np.asarray(cases)
    classes = len(class_names)
    if counts.ndim != 3 or counts.shape[1:] != (classes, classes) or counts.dtype.kind not in "iu":
        raise ValueError(
            f"counts must be integers of shape (slices, {classes}, {classes}), got "
            f"{counts.dtype} {counts.shape}"
        )
    if cases.shape != counts.shape[:1]:
        raise ValueError(f"{len(counts)} slices need as many cases, got {cases.shape}")
    if counts.min(initial=0) < 0:
        raise ValueError("counts must not be negative")
    matrices = {
        "labels": counts.sum(axis=0, dtype=np.float64),
        "slices": counts.astype(np.float64),
        "cases": units.by_case(counts, cases)[2],
    }
    found: dict[str, float] = {}
    for id in ids:
        metric = get(id)
        metric.must_take("labels", "slices", "cases")
        matrix = matrices[metric.takes]
        pooled = metric.takes == "labels"
        value = metric.of_confusion(matrix) if pooled else units.mean(metric, matrix)
        found.update(_named(metric, value, class_names))
    return found


def _named(metric: Metric, value: float | Array, class_names: Sequence[str]) -> dict[str, float]:
    values = np.atleast_1d(value).tolist()
    return dict(zip(metric.columns(class_names), values, strict=True))
