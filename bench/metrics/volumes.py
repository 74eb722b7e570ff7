"""Metrics of whole volumes: measured volume by volume, so that memory holds one, then put together.

measured = [measure(ids, true, predicted, spacing=..., class_names=...) for each volume]
metrics = summarise(ids, measured, class_names)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.metrics import lesions
from bench.metrics.metric import Metric
from bench.metrics.surfaces import Pair
from bench.metrics.table import get

LESIONS = ("lesion_tp", "lesion_fp", "lesion_fn")
"""Under which names a volume's lesions are counted: found, false, missed."""


def measure(
    ids: Sequence[str],
    true: npt.NDArray[np.uint8],
    predicted: npt.NDArray[np.uint8],
    *,
    spacing: Sequence[float],
    class_names: Sequence[str],
) -> dict[str, float]:
    """These metrics of one volume by name, NaN where undefined; lesions as counts.

    ids: of metrics whose `takes` is "volumes". true, predicted: class indices (slices, rows,
    columns). spacing: mm between slices, rows and columns. Lesions are those of the last class.
    Raises ValueError for other input.
    """
    metrics = _of_volumes(ids)
    _check(true, predicted, spacing, len(class_names))
    found: dict[str, float] = {}
    millimetres = (float(spacing[0]), float(spacing[1]), float(spacing[2]))
    for index in range(1, len(class_names)):
        pair = Pair.of(true, predicted, index, millimetres)
        for metric in metrics:
            if not metric.lesions:
                found[list(metric.columns(class_names))[index - 1]] = float(metric.compute(pair))
        if index == len(class_names) - 1 and any(metric.lesions for metric in metrics):
            counts = lesions.count(pair.true, pair.predicted)
            found.update(zip(LESIONS, map(float, counts), strict=True))
    return found


def summarise(
    ids: Sequence[str], measured: Sequence[Mapping[str, float]], class_names: Sequence[str]
) -> dict[str, float]:
    """These metrics over volumes, as recorded.

    measured: what `measure` gave for each, with the same ids. Values are means over the volumes
    for which they are defined, NaN where there is none; lesions are pooled.
    """
    found: dict[str, float] = {}
    for metric in _of_volumes(ids):
        if metric.lesions:
            counts = np.array([[one[name] for name in LESIONS] for one in measured]).reshape(-1, 3)
            with np.errstate(divide="ignore", invalid="ignore"):
                found[metric.id] = float(metric.compute(counts.sum(axis=0)))
            continue
        for name in metric.columns(class_names):
            defined = [one[name] for one in measured if not math.isnan(one[name])]
            found[name] = float(np.mean(defined)) if defined else math.nan
    return found


def as_arrays(measured: Mapping[str, Mapping[str, float]]) -> dict[str, npt.NDArray[Any]]:
    """What was measured of each volume, by its name, as a file of predictions has it: `volumes`
    (volumes,) and `volume_<name>` (volumes,); nothing where nothing was measured."""
    if not measured:
        return {}
    names = next(iter(measured.values()))
    return {
        "volumes": np.array(list(measured)),
        **{f"volume_{n}": np.array([one[n] for one in measured.values()]) for n in names},
    }


def _of_volumes(ids: Sequence[str]) -> list[Metric]:
    metrics = [get(id) for id in ids]
    for metric in metrics:
        metric.must_take("volumes")
    return metrics


def _check(
    true: npt.NDArray[np.uint8],
    predicted: npt.NDArray[np.uint8],
    spacing: Sequence[float],
    classes: int,
) -> None:
    if true.ndim != 3 or not true.size or true.shape != predicted.shape:
        raise ValueError(
            "a volume's masks must have one shape (slices, rows, columns), none of them 0, got "
            f"{true.shape} and {predicted.shape}"
        )
    if len(spacing) != 3 or not all(math.isfinite(one) and one > 0 for one in spacing):
        raise ValueError(f"spacing must be three lengths above 0 in mm, got {tuple(spacing)}")
    for name, mask in (("true", true), ("predicted", predicted)):
        if mask.dtype.kind not in "iu" or int(mask.max(initial=0)) >= classes:
            raise ValueError(f"the {name} mask must hold integers in [0, {classes})")
