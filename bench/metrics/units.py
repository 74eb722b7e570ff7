"""Means over slices or over cases of what is computed of each one's confusion matrix.

A slice or a case is a *unit* here. A class that is in neither the truth nor the prediction of a
unit says nothing of it: the unit is left out of that class's mean.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from bench.metrics.counts import Array, mean_of_defined
from bench.metrics.metric import Metric


def by_case(
    counts: npt.ArrayLike, cases: npt.ArrayLike
) -> tuple[npt.NDArray[np.str_], npt.NDArray[np.intp], Array]:
    """The slices' counts added up by case.

    counts: (rows, classes, classes). cases: str (rows,). Returns the cases' ids, sorted; of each,
    its first row; and counts (cases, classes, classes).
    """
    counts = np.asarray(counts, dtype=np.float64)
    ids, first, of_row = np.unique(np.asarray(cases, str), return_index=True, return_inverse=True)
    summed = np.zeros((len(ids), *counts.shape[1:]))
    np.add.at(summed, of_row, counts)
    return ids, first, summed


def of_units(metric: Metric, matrices: Array) -> Array:
    """One value a unit and class, (units, classes), NaN where undefined.

    matrices: (units, classes, classes).
    """
    metric.must_take("slices", "cases")
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(metric.compute(np.asarray(matrices, dtype=np.float64)))


def from_sums(metric: Metric, totals: Array, defined: Array) -> Any:
    """The metric from its units' sum and number: (...) or, per class, (..., classes).

    totals: (..., classes), the sum over units of the values that are defined. defined: (...,
    classes), how many those are, or their weight.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        means = totals / defined
    return means if metric.per_class else mean_of_defined(means[..., 1:])


def sums(values: Array) -> tuple[Array, Array]:
    """What `from_sums` takes, of each unit alone: (units, classes) both, without NaN."""
    defined = ~np.isnan(values)
    return np.where(defined, values, 0.0), defined.astype(np.float64)


def mean(metric: Metric, matrices: Array) -> Any:
    """The metric over all these units, (units, classes, classes)."""
    totals, defined = sums(of_units(metric, matrices))
    return from_sums(metric, totals.sum(axis=0), defined.sum(axis=0))
