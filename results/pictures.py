"""Small pictures inside the page: an image as a data URI, a mask's outline as an SVG path."""

from __future__ import annotations

import base64
import io

import numpy as np
import numpy.typing as npt

BYTES = 5000
"""Of an encoded image, at most, where any quality of JPEG allows it: six make 40 kB of page."""
QUALITIES = (85, 70, 55, 40, 25)
OUTLINE = 3000
"""Characters of an outline, at most: of a mask full of specks the longest are drawn."""

Corner = tuple[int, int]


def data_uri(image: npt.NDArray[np.uint8]) -> str:
    """A (height, width, 1 or 3) image as PNG; as JPEG where that would be larger than BYTES."""
    from PIL import Image

    picture = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
    found = io.BytesIO()
    picture.save(found, "PNG", optimize=True)
    kind = "png"
    for quality in QUALITIES:
        if len(found.getvalue()) <= BYTES:
            break
        found, kind = io.BytesIO(), "jpeg"
        picture.save(found, "JPEG", quality=quality, optimize=True)
    return f"data:image/{kind};base64,{base64.b64encode(found.getvalue()).decode('ascii')}"


def outline(inside: npt.NDArray[np.bool_]) -> str:
    """The edges of a region's pixels as closed loops, the longest first; empty for no region.

    inside: (height, width). In units of pixels, the first pixel from (0, 0) to (1, 1).
    """
    loops = sorted(map(_path, _loops(_edges(inside))), key=len, reverse=True)
    kept: list[str] = []
    length = 0
    for path in loops:
        length += len(path)
        if kept and length > OUTLINE:
            break
        kept.append(path)
    return "".join(kept)


def _edges(inside: npt.NDArray[np.bool_]) -> dict[Corner, list[Corner]]:
    """From each corner (x, y) the next ones along the region's edge, with the region to the
    right."""
    padded = np.pad(inside, 1)
    found: dict[Corner, list[Corner]] = {}
    for dy, dx, begin, end in (
        (-1, 0, (0, 0), (1, 0)),
        (0, 1, (1, 0), (1, 1)),
        (1, 0, (1, 1), (0, 1)),
        (0, -1, (0, 1), (0, 0)),
    ):
        beside = np.roll(padded, (-dy, -dx), (0, 1))
        ys, xs = np.nonzero(padded & ~beside)
        for x, y in zip((xs - 1).tolist(), (ys - 1).tolist(), strict=True):
            found.setdefault((x + begin[0], y + begin[1]), []).append((x + end[0], y + end[1]))
    return found


def _loops(edges: dict[Corner, list[Corner]]) -> list[list[Corner]]:
    found = []
    while edges:
        start = next(iter(edges))
        loop, corner = [start], start
        while True:
            following = edges[corner]
            corner = following.pop()
            if not following:
                del edges[loop[-1]]
            if corner == start:
                break
            loop.append(corner)
        found.append(loop)
    return found


def _path(loop: list[Corner]) -> str:
    """`M3,4h2v1h-2z`: straight runs as one step each."""
    steps: list[tuple[str, int]] = []
    for (x, y), (then_x, then_y) in zip(loop, [*loop[1:], loop[0]], strict=True):
        axis, step = ("h", then_x - x) if then_y == y else ("v", then_y - y)
        if steps and steps[-1][0] == axis and (steps[-1][1] > 0) == (step > 0):
            steps[-1] = (axis, steps[-1][1] + step)
        else:
            steps.append((axis, step))
    return f"M{loop[0][0]},{loop[0][1]}" + "".join(f"{axis}{step}" for axis, step in steps) + "z"
