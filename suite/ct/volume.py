"""A CT with its mask, whatever files it came from, and what every mask must hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

ROUNDING = 1e-3
"""How far a mask's value may lie from a whole number: scaled files hold 0.99999 for 1."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Volume:
    """One CT with its mask: slices from feet to head, rows from front to back, columns from the
    patient's right to the left. Shown as an image, an axial slice has anterior up and the liver on
    the left, as radiologists have it. Slices that were published as pictures keep the order of
    their numbers and lie as they are."""

    hu: np.ndarray
    """HU (slices, rows, columns): integers, or float32 where the file scales or holds fractions.
    Grey values, uint8, where `grey`."""
    mask: np.ndarray
    """uint8, of the same shape: 0 background, 1 liver, 2 tumour."""
    spacing: tuple[float, float, float]
    """Millimetres between slices, rows and columns; NaN where the files do not tell."""
    grey: bool = False
    """Whether `hu` holds grey values instead: what somebody's window left of the HU."""


class Unreadable(Exception):
    """What is wrong with a file, in words that follow its name."""


def as_mask(values: np.ndarray) -> np.ndarray:
    """A file's values as uint8 classes. Raises Unreadable for anything but 0, 1 and 2."""
    import numpy as np

    if values.dtype.kind not in "biuf":
        raise Unreadable(f"a mask holds whole numbers, this one {values.dtype}")
    if values.dtype.kind == "f":
        for part in values.T:
            if not np.isfinite(part).all():
                raise Unreadable("holds values that are not finite")
            if (np.abs(part - np.rint(part)) > ROUNDING).any():
                raise Unreadable("a mask holds whole numbers, this one fractions")
        values = np.rint(values)
    low, high = values.min(), values.max()
    if low < 0 or high > 2:
        raise Unreadable(
            f"a mask holds 0 background, 1 liver and 2 tumour, this one values from {low:g} to "
            f"{high:g}"
        )
    return values.astype(np.uint8, copy=False)


def as_hu(values: np.ndarray) -> np.ndarray:
    """A file's values in the smallest of int16, int32 and float32 that holds their type.

    Raises Unreadable for values that are not finite.
    """
    import numpy as np

    if values.dtype.kind not in "iuf":
        raise Unreadable(f"a CT holds numbers, this file {values.dtype}")
    if values.dtype.kind == "f":
        with np.errstate(over="ignore"):
            values = values.astype(np.float32, copy=False)
        if not all(np.isfinite(part).all() for part in values.T):
            raise Unreadable("holds values that are not finite")
        return values
    if np.can_cast(values.dtype, np.int16):
        return values.astype(np.int16, copy=False)
    own, ours = np.iinfo(values.dtype), np.iinfo(np.int32)
    return np.clip(values, max(own.min, ours.min), min(own.max, ours.max)).astype(np.int32)
