"""Volumes as 2D samples: which slices, which grey levels, which grid. What CT tasks share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from bench.errors import UserError
from bench.spec import Case, Choice, Float, Int, Sample, Scalar, Space
from suite.ct.volume import Volume

if TYPE_CHECKING:
    import numpy as np

Label = Callable[["np.ndarray", int], Any]
"""`label(mask, size)`: a slice's mask (rows, columns) as the label of a sample of that size."""


def options(*, with_liver: int = 0, without_liver: int = 0) -> Space:
    """What a suite may set of a CT task, with a task's own numbers of slices as the defaults."""
    windowed = {"intensity": "window"}
    return Space(
        image_size=Int(8, 1024, default=224),
        intensity=Choice("window", "minmax"),
        window_low=Float(-1024, 3071, default=-160, when=windowed),
        window_high=Float(-1024, 3071, default=240, when=windowed),
        with_liver=Int(0, 10_000, default=with_liver),
        without_liver=Int(0, 10_000, default=without_liver),
        whole_evaluation=Choice(False, True),
    )


def samples(
    case: Case, volume: Volume, options: Mapping[str, Scalar], label: Label
) -> Iterator[Sample]:
    """A volume's slices from feet to head, as grey images of (image_size, image_size).

    `intensity`: HU between `window_low` and `window_high`, or between the volume's least and
    greatest ("minmax"), become 0 to 255; a volume that holds grey values already has no window.
    `with_liver` and `without_liver` choose that many slices of each kind, spread evenly over the
    volume; 0 takes all. With `whole_evaluation` the others are samples too, but none to train on.
    The facts tell the slice's place in the volume and the prepared image's spacing in mm.
    """
    import numpy as np

    size = int(options["image_size"])
    grey = _greys(volume, options)
    chosen = _chosen(volume.mask.max(axis=(1, 2)) > 0, options)
    spacing = _spacing(volume, size)
    whole = bool(options["whole_evaluation"])
    for index in np.flatnonzero(chosen | whole):
        yield Sample(
            id=f"{case.id}/{index:04d}",
            input=resize(grey(volume.hu[index]), size)[np.newaxis],
            label=label(volume.mask[index], size),
            facts={"slice": float(index), **spacing},
            training=bool(chosen[index]),
        )


def window(values: np.ndarray, *, low: float, high: float) -> np.ndarray:
    """Numbers as uint8 of the same shape: `low` and less is 0, `high` and more is 255.

    What lies between is rounded, halves up.
    """
    import numpy as np

    scaled = np.subtract(values, np.float32(low), dtype=np.float32)
    scaled *= np.float32(255 / (high - low))
    scaled += np.float32(0.5)
    return np.clip(scaled, 0, 255, out=scaled).astype(np.uint8)


def resize(image: np.ndarray, size: int) -> np.ndarray:
    """Grey levels uint8 (rows, columns) as (size, size): padded with 0 to a square, antialiased."""
    import numpy as np
    from PIL import Image

    image = _square(image)
    if len(image) == size:
        return image
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR))


def regrid(mask: np.ndarray, size: int) -> np.ndarray:
    """Classes uint8 (rows, columns) as (size, size), on the grid of `resize`: each pixel takes the
    class at its middle."""
    import numpy as np

    mask = _square(mask)
    if len(mask) == size:
        return mask
    places = (2 * np.arange(size) + 1) * len(mask) // (2 * size)
    return mask.take(places, axis=0).take(places, axis=1)


def restored(scores: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Scores float32 (classes, size, size) of a resized slice as classes, uint8 (rows, columns).

    The way back from `resize`: the scores are interpolated, what was padded is cut off, and each
    pixel takes the class that scores highest there.
    """
    import numpy as np
    from PIL import Image

    side = max(rows, columns)
    if scores.shape[1] != side:
        planes = [
            Image.fromarray(plane).resize((side, side), Image.Resampling.BILINEAR)
            for plane in scores
        ]
        scores = np.stack([np.asarray(plane) for plane in planes])
    top, left = (side - rows) // 2, (side - columns) // 2
    inside = scores[:, top : top + rows, left : left + columns]
    return inside.argmax(axis=0).astype(np.uint8)


def _square(image: np.ndarray) -> np.ndarray:
    import numpy as np

    rows, columns = image.shape
    if rows == columns:
        return image
    side = max(rows, columns)
    top, left = (side - rows) // 2, (side - columns) // 2
    square = np.zeros((side, side), np.uint8)
    square[top : top + rows, left : left + columns] = image
    return square


def _greys(volume: Volume, options: Mapping[str, Scalar]) -> Callable[[np.ndarray], np.ndarray]:
    """What turns one of the volume's slices into grey levels. UserError for an empty window."""
    import numpy as np

    if options["intensity"] == "minmax":
        low, high = float(volume.hu.min()), float(volume.hu.max())
        if low == high:
            return lambda values: np.zeros(values.shape, np.uint8)
    else:
        low, high = float(options["window_low"]), float(options["window_high"])
        if low >= high:
            raise UserError(
                f"a window needs window_low < window_high, got {low:g} and {high:g}: "
                "raise window_high"
            )
        if volume.grey:
            return lambda values: values
    return lambda values: window(values, low=low, high=high)


def _chosen(holds_liver: np.ndarray, options: Mapping[str, Scalar]) -> np.ndarray:
    """bool (slices,): the slices that the options draw."""
    import numpy as np

    chosen = np.zeros(len(holds_liver), bool)
    chosen[_spread(np.flatnonzero(holds_liver), int(options["with_liver"]))] = True
    chosen[_spread(np.flatnonzero(~holds_liver), int(options["without_liver"]))] = True
    return chosen


def _spread(indices: np.ndarray, count: int) -> np.ndarray:
    """`count` of the indices, evenly spread; all where there are no more, or where count is 0."""
    import numpy as np

    if count == 0 or count >= len(indices):
        return indices
    return indices[((np.arange(count) + 0.5) * len(indices) / count).astype(int)]


def _spacing(volume: Volume, size: int) -> dict[str, float]:
    """Millimetres between slices and between the pixels of a resized slice."""
    z, y, x = volume.spacing
    scale = max(volume.hu.shape[1:]) / size
    return {"spacing_z": z, "spacing_y": y * scale, "spacing_x": x * scale}
