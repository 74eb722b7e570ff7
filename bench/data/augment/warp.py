"""Geometry: flips, which are exact, then one warp for all the rest, so one interpolation.

A warp is a matrix of homogeneous coordinates (x, y, 1) that run from -1 to 1 over the width and the
height; it says where in the given image each place of the new one is read. What lies outside is
reflected at the edge. Images are interpolated linearly; masks take the nearest pixel.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

PROBABILITY = {"rotation": 0.5, "perspective": 0.5, "affine": 1.0}
CORNER_SHIFT = 0.4
"""Of half a side, in and out: below 0.5 the corners always span a convex quadrilateral."""
AFFINE_ANGLE, AFFINE_SHEAR = math.radians(45), math.radians(15)
AFFINE_SHIFT = 0.4
"""Of half a side."""
AFFINE_SCALE = 1.25
LEAST_AREA = 0.25
"""Of a crop at full strength."""
CROP_RATIO = 4 / 3
"""How far a crop's sides may depart from the image's own proportions, as in torchvision."""


def draw_flips(both: bool, made: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each image's flip, int (batch,): 0 none, 1 left and right, 2 up and down, 3 both.

    Extra samples are always flipped.
    """
    flips = rng.integers(4, size=len(made)) if both else np.zeros(len(made), np.int64)
    return np.where(made, rng.integers(1, 4, size=len(made)), flips)


def flip(batch: Tensor, flips: np.ndarray) -> Tensor:
    """Images (batch, channels, height, width) or masks (batch, height, width), flipped."""
    # Turning all and choosing is 5 times as fast on a CPU as copying those that turn.
    for bit, side in ((1, -1), (2, -2)):
        if (turned := (flips & bit) > 0).any():
            chosen = _sent(turned, batch).view(-1, *[1] * (batch.dim() - 1))
            batch = torch.where(chosen, batch.flip(side), batch)
    return batch


def draw_matrices(
    kinds: tuple[str, ...],
    count: int,
    *,
    size: tuple[int, int],
    strength: float,
    crop: bool,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Each image's matrix, float64 (count, 3, 3), and whether it moves anything, bool (count,).

    kinds: of which each image draws one, and then with its probability; size: height and width.
    """
    matrices = np.tile(np.eye(3), (count, 1, 1))
    moved = np.zeros(count, bool)
    if kinds:
        drawn = rng.integers(len(kinds), size=count)
        coin = rng.random(count)
        for number, kind in enumerate(kinds):
            these = (drawn == number) & (coin < PROBABILITY[kind])
            matrices[these] = _DRAW[kind](int(these.sum()), size, strength, rng)
            moved |= these
    if crop:
        matrices = _crop(count, strength, rng) @ matrices
        moved[:] = True
    return matrices, moved


def apply(images: Tensor, matrices: np.ndarray, moved: np.ndarray) -> Tensor:
    """Images, float (batch, channels, height, width), with those warped that move."""
    return _warped(images, matrices, moved, mode="bilinear")


def apply_to_masks(masks: Tensor, matrices: np.ndarray, moved: np.ndarray) -> Tensor:
    """Masks, integers (batch, height, width), warped as the images of the same matrices."""
    if not moved.any():
        return masks
    index = _index(moved, masks)
    chosen = masks.index_select(0, index).unsqueeze(1).float()
    every = np.ones(len(index), bool)
    found = _warped(chosen, matrices[moved], every, mode="nearest").squeeze(1)
    return masks.index_copy_(0, index, found.to(masks.dtype))


def _warped(images: Tensor, matrices: np.ndarray, moved: np.ndarray, *, mode: str) -> Tensor:
    if not moved.any():
        return images
    index = _index(moved, images)
    chosen = images if moved.all() else images.index_select(0, index)
    grid = _grid(matrices[moved], chosen)
    found = functional.grid_sample(
        chosen, grid, mode=mode, padding_mode="reflection", align_corners=False
    )
    return found if moved.all() else images.index_copy_(0, index, found)


def _grid(matrices: np.ndarray, images: Tensor) -> Tensor:
    """Where each pixel is read: float32 (batch, height, width, 2), x and y."""
    height, width = images.shape[2:]
    rows = _centres(height)[:, None] * matrices[:, None, :, 1] + matrices[:, None, :, 2]
    columns = _centres(width)[:, None] * matrices[:, None, :, 0]
    # A sum of rows and columns is 10 times as fast on a CPU as multiplying out every pixel.
    row, column = (_sent(part, images).float() for part in (rows, columns))
    grid = row[:, :, None, :2] + column[:, None, :, :2]
    if (matrices[:, 2] != [0, 0, 1]).any():
        grid /= row[:, :, None, 2:] + column[:, None, :, 2:]
    return grid


def _centres(count: int) -> np.ndarray:
    """The pixels' centres along one side."""
    return (2 * np.arange(count) + 1) / count - 1


def _index(chosen: np.ndarray, batch: Tensor) -> Tensor:
    return _sent(np.flatnonzero(chosen), batch)


def _sent(array: np.ndarray, batch: Tensor) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).to(batch.device, non_blocking=True)


# --- The kinds of warps: float64 (count, 3, 3) --------------------------------------------------


def _rotation(
    count: int, size: tuple[int, int], strength: float, rng: np.random.Generator
) -> np.ndarray:
    """By any angle, at full strength."""
    angle = strength * rng.uniform(-math.pi, math.pi, size=count)
    return _to_sides(_turn(angle), size)


def _affine(
    count: int, size: tuple[int, int], strength: float, rng: np.random.Generator
) -> np.ndarray:
    """A turn, a shear and a change of size, then a shift."""
    draw = strength * rng.uniform(-1, 1, size=(5, count))
    shear = np.tile(np.eye(3), (count, 1, 1))
    shear[:, 0, 1] = np.tan(AFFINE_SHEAR * draw[1])
    scale = AFFINE_SCALE ** draw[2]
    linear = _turn(AFFINE_ANGLE * draw[0]) @ shear
    linear[:, :2, :2] *= scale[:, None, None]
    matrices = _to_sides(linear, size)
    matrices[:, :2, 2] = AFFINE_SHIFT * draw[3:].T
    return matrices


def _perspective(
    count: int, size: tuple[int, int], strength: float, rng: np.random.Generator
) -> np.ndarray:
    """The image's corners are read from places drawn around the given ones."""
    from kornia.geometry.transform import get_perspective_transform

    corners = np.tile(np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], float), (count, 1, 1))
    shifts = CORNER_SHIFT * strength * rng.uniform(-1, 1, size=corners.shape)
    given, read = torch.from_numpy(corners), torch.from_numpy(corners + shifts)
    return get_perspective_transform(given, read).numpy()


def _crop(count: int, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Anywhere in the image; its area is a share of the image's in (1 - 0.75 strength, 1)."""
    area = rng.uniform(1 - (1 - LEAST_AREA) * strength, 1, size=count)
    stretch = CROP_RATIO ** rng.uniform(-0.5, 0.5, size=count)
    sides = np.minimum(np.sqrt(area)[:, None] * np.stack([stretch, 1 / stretch], axis=1), 1)
    matrices = np.tile(np.eye(3), (count, 1, 1))
    matrices[:, [0, 1], [0, 1]] = sides
    matrices[:, :2, 2] = (1 - sides) * rng.uniform(-1, 1, size=sides.shape)
    return matrices


_DRAW = {"rotation": _rotation, "affine": _affine, "perspective": _perspective}


def _turn(angle: np.ndarray) -> np.ndarray:
    matrices = np.tile(np.eye(3), (len(angle), 1, 1))
    matrices[:, 0, 0] = matrices[:, 1, 1] = np.cos(angle)
    matrices[:, 0, 1], matrices[:, 1, 0] = -np.sin(angle), np.sin(angle)
    return matrices


def _to_sides(matrices: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Matrices over coordinates in pixels as ones over coordinates from -1 to 1 on either side."""
    height, width = size
    sides = np.diag([width, height, 1.0])
    return np.linalg.inv(sides) @ matrices @ sides
