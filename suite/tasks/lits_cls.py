"""Axial CT slices: no liver, liver, or liver with tumour."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from bench.errors import UserError
from bench.spec import Case, GroupSplit, Sample, Scalar, Task

if TYPE_CHECKING:
    import numpy as np


def samples(case: Case, volume: Any, options: Mapping[str, Scalar]) -> Iterator[Sample]:
    """A volume's slices from feet to head, as grey images of the HU window.

    A slice with any tumour voxel is 2, else with any liver voxel 1, else 0; judged at the full
    resolution. `with_liver` and `without_liver` choose that many slices of each kind, spread
    evenly over the volume; 0 takes all.
    """
    import numpy as np

    size, low, high = (options[name] for name in ("image_size", "window_low", "window_high"))
    _check(size, low, high)
    labels = volume.mask.reshape(len(volume.mask), -1).max(axis=1).astype(int)
    chosen = np.concatenate(
        [
            _spread(np.flatnonzero(labels > 0), int(options["with_liver"])),
            _spread(np.flatnonzero(labels == 0), int(options["without_liver"])),
        ]
    )
    for index in np.sort(chosen):
        image = window(volume.hu[index], low=float(low), high=float(high))
        yield Sample(
            id=f"{case.id}/{index:04d}",
            input=resize(image, int(size))[np.newaxis],
            label=int(labels[index]),
        )


def window(hu: np.ndarray, *, low: float, high: float) -> np.ndarray:
    """HU as uint8 of the same shape: `low` and less is 0, `high` and more is 255."""
    import numpy as np

    scaled = (np.clip(hu, low, high).astype(np.float32) - low) * (255 / (high - low))
    return np.round(scaled).astype(np.uint8)


def resize(image: np.ndarray, size: int) -> np.ndarray:
    """uint8 (rows, columns) as (size, size): padded with air to a square, then antialiased."""
    import numpy as np
    from PIL import Image

    side = max(image.shape)
    if image.shape != (side, side):
        top, left = (side - image.shape[0]) // 2, (side - image.shape[1]) // 2
        square = np.zeros((side, side), np.uint8)
        square[top : top + image.shape[0], left : left + image.shape[1]] = image
        image = square
    if side == size:
        return image
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR))


def _spread(indices: np.ndarray, count: int) -> np.ndarray:
    """`count` of the indices, evenly spread; all where there are no more, or where count is 0."""
    import numpy as np

    if count == 0 or count >= len(indices):
        return indices
    return indices[((np.arange(count) + 0.5) * len(indices) / count).astype(int)]


def _check(size: Scalar, low: Scalar, high: Scalar) -> None:
    if size < 8:  # type: ignore[operator]
        raise UserError(f"lits_cls: image_size must be at least 8, got {size}")
    if low >= high:  # type: ignore[operator]
        raise UserError(
            f"lits_cls: a window needs window_low < window_high, got {low} and {high}: "
            "raise window_high"
        )


TASK = Task(
    title="Liver CT, slice classification",
    dataset="lits",
    kind="image_classification",
    classes=("no liver", "liver", "tumour"),
    primary="macro_f1",
    margin=0.02,
    metrics=(
        "accuracy",
        "macro_f1",
        "balanced_accuracy",
        "mcc",
        "auroc",
        "log_loss",
        "per_class_f1",
        "per_class_recall",
        "per_class_precision",
    ),
    split=GroupSplit(train=0.6, validation=0.2, test=0.2),
    samples=samples,
    options={
        "image_size": 224,
        "window_low": -160,
        "window_high": 240,
        "with_liver": 0,
        "without_liver": 0,
    },
)
