"""Where a scan's voxels lie, and the shapes that generated anatomy is made of: all in mm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

Box = tuple[slice, slice, slice]
"""Slices, rows and columns of an array."""


class Point(NamedTuple):
    """A place, or the half axes of a shape, in mm."""

    z: float
    """Towards the head."""
    y: float
    """To the back."""
    x: float
    """To the patient's left."""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The places of a block of voxels: heights above its foot, the others from the trunk's middle.

    Each axis rises and is float32, shaped so that expressions of them broadcast to (slices, rows,
    columns).
    """

    z: np.ndarray
    y: np.ndarray
    x: np.ndarray

    @classmethod
    def of(cls, z: np.ndarray, y: np.ndarray, x: np.ndarray) -> Grid:
        """From one-dimensional axes."""
        z, y, x = (axis.astype(np.float32) for axis in (z, y, x))
        return cls(z=z[:, None, None], y=y[None, :, None], x=x[None, None, :])

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.z.size, self.y.size, self.x.size

    def part(self, box: Box) -> Grid:
        """The voxels of a box."""
        return Grid(z=self.z[box[0]], y=self.y[:, box[1]], x=self.x[:, :, box[2]])

    def box(self, low: Point, high: Point) -> Box:
        """The voxels that lie between two corners; an axis may be empty."""
        parts = [
            slice(*np.searchsorted(axis.ravel(), np.array([least, most], np.float32)).tolist())
            for axis, least, most in zip((self.z, self.y, self.x), low, high, strict=True)
        ]
        return parts[0], parts[1], parts[2]

    def coarse(self, step: float) -> Grid:
        """A grid of the same extent whose places lie `step` mm apart."""
        axes = [
            np.arange(axis.flat[0], axis.flat[-1] + step / 2, step)
            for axis in (self.z, self.y, self.x)
        ]
        return Grid.of(*axes)

    def at(self, index: np.ndarray) -> Point:
        """The place of one voxel, given its slice, row and column."""
        z, y, x = index
        return Point(float(self.z.flat[z]), float(self.y.flat[y]), float(self.x.flat[x]))


@dataclass(frozen=True, kw_only=True)
class Ellipsoid:
    """An ellipsoid along the axes."""

    centre: Point
    radii: Point

    def box(self, grid: Grid, *, depth: float = 0.0) -> Box:
        """The voxels among which those of at least this depth lie."""
        reach = (1 - depth) ** 0.5
        low = Point(*(c - reach * r for c, r in zip(self.centre, self.radii, strict=True)))
        high = Point(*(c + reach * r for c, r in zip(self.centre, self.radii, strict=True)))
        return grid.box(low, high)

    def depth(self, grid: Grid) -> np.ndarray:
        """float32 (slices, rows, columns): 1 at the centre, 0 on the surface, negative outside."""
        axes = (grid.z, grid.y, grid.x)
        z, y, x = (
            ((axis - np.float32(c)) / np.float32(r)) ** 2
            for axis, c, r in zip(axes, self.centre, self.radii, strict=True)
        )
        return (np.float32(1) - z) - (y + x)


@dataclass(frozen=True, kw_only=True)
class Tube:
    """A straight tube through a middle point; it leans in the plane of each slice and upwards."""

    middle: Point
    turn: float
    """Its way to the back for a way to the left."""
    radius: float

    def inside(self, grid: Grid) -> np.ndarray:
        """bool (slices, rows, columns)."""
        x = grid.x - np.float32(self.middle.x)
        across = (grid.y - np.float32(self.middle.y)) - np.float32(self.turn) * x
        upward = (grid.z - np.float32(self.middle.z)) - np.float32(0.3) * x
        across, upward = across * np.float32(1 / np.hypot(1, self.turn)), upward * np.float32(1.1)
        return across**2 + upward**2 < np.float32(self.radius**2)


def joined(first: Box, second: Box) -> Box:
    """The smallest box around two."""
    parts = [
        slice(min(a.start, b.start), max(a.stop, b.stop))
        for a, b in zip(first, second, strict=True)
    ]
    return parts[0], parts[1], parts[2]
