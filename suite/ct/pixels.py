"""One slice and one mask of a slice, each a file of its own: `.npy` arrays and PNG pictures.

A PNG has 8 bits a pixel, in grey, or in colour where the channels agree everywhere; a mask may have
a palette, whose indices are the classes. 16 bits, transparency and colours are refused: which of
their numbers was meant is a guess.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from suite.ct.volume import Unreadable, as_hu, as_mask

if TYPE_CHECKING:
    import numpy as np

Scale = Literal["hu", "grey"]
SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, COLOUR, PALETTE, GREY_ALPHA, COLOUR_ALPHA = 0, 2, 3, 4, 6
"""Colour types. Source: PNG specification (third edition), section 11.2.1."""


def image(path: Path) -> tuple[np.ndarray, Scale]:
    """A slice (rows, columns): HU as int16, int32 or float32, or grey levels as uint8.

    An array with negative values holds HU; one that stays in 0 to 255 holds grey levels. Raises
    Unreadable for what is neither and for everything else that can be wrong with the file.
    """
    import numpy as np

    if path.suffix.lower() == ".png":
        return _png(path, classes=False), "grey"
    values = as_hu(_npy(path))
    low, high = float(values.min()), float(values.max())
    if values.dtype.kind == "f" and max(-low, high) <= 1 and (values != np.rint(values)).any():
        raise Unreadable(
            f"holds values from {low:g} to {high:g}: a slice holds HU or grey levels from 0 to 255"
        )
    if low < 0:
        return values, "hu"
    if high > 255:
        raise Unreadable(
            f"holds values from {low:g} to {high:g}: neither HU, which go below 0, nor grey levels "
            "from 0 to 255"
        )
    return np.rint(values).astype(np.uint8), "grey"


def mask(path: Path) -> np.ndarray:
    """A slice's classes, uint8 (rows, columns). Raises Unreadable for all that can be wrong."""
    return as_mask(_png(path, classes=True) if path.suffix.lower() == ".png" else _npy(path))


def _npy(path: Path) -> np.ndarray:
    from tokenize import TokenError

    import numpy as np

    try:
        with path.open("rb") as stream:
            values = np.lib.format.read_array(stream, allow_pickle=False)
    except (OSError, ValueError, EOFError, MemoryError, TokenError) as error:
        raise _unreadable(path, error) from error
    if values.ndim != 2 or 0 in values.shape:
        raise Unreadable(f"a slice has two axes, this one is of shape {values.shape}")
    return values


def _png(path: Path, *, classes: bool) -> np.ndarray:
    """Grey levels or, with `classes`, a mask's numbers."""
    import io
    import struct
    import zlib

    import numpy as np
    from PIL import Image

    broken = (OSError, ValueError, SyntaxError, struct.error, zlib.error, MemoryError)
    absurd = Image.DecompressionBombError, Image.DecompressionBombWarning
    try:
        content = path.read_bytes()
        if not content.startswith(SIGNATURE):
            raise Unreadable("is no PNG" if content else "is an empty file")
        if len(content) > 25:  # After the signature and the sizes stand these two bytes.
            _refuse(content[24], content[25], classes=classes)
        with Image.open(io.BytesIO(content), formats=("PNG",)) as picture:
            picture.verify()  # Decoding checks neither the sums nor that there is an end.
        with Image.open(io.BytesIO(content), formats=("PNG",)) as picture:
            values = np.asarray(picture)
    except (*broken, *absurd) as error:
        raise _unreadable(path, error) from error
    if values.ndim == 3:
        if (values != values[..., :1]).any():
            raise Unreadable("holds colours: a slice is grey")
        values = values[..., 0]
    return values


def _refuse(bits: int, colour: int, *, classes: bool) -> None:
    if bits == 16:
        raise Unreadable("has 16 bits a channel: a PNG slice has 8, HU belong into .npy files")
    if colour in (GREY_ALPHA, COLOUR_ALPHA):
        raise Unreadable("has an alpha channel: a slice is grey, save it without transparency")
    if colour == PALETTE and not classes:
        raise Unreadable("has a palette of colours: a slice is grey")
    if colour == GREY and bits != 8 and not (classes and bits == 1):
        raise Unreadable(f"has {bits} bits a pixel: a PNG slice has 8")


def _unreadable(path: Path, error: BaseException) -> Unreadable:
    if path.is_file() and path.stat().st_size == 0:
        return Unreadable("is an empty file")
    reason = getattr(error, "strerror", None) or " ".join(str(error).split())
    return Unreadable(f"cannot be read ({reason})")
