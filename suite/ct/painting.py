"""Voxels of a drawn patient, slab by slab: HU and the mask of liver and tumour.

Whatever its slab, a slice comes out the same: its noise has a stream of its own, and nothing but
noise and smoothing within the slice is added to what the shapes give.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from suite.ct.anatomy import AIR, BONE, FAT, LUNG, MUSCLE, Organ, Patient, Planes
from suite.ct.shapes import Box, Grid

SLAB = 1 << 19
"""Voxels that are painted at once: the scratch arrays of a slab take some 20 bytes each."""
BLUR = 0.6
"""Standard deviation of the smoothing within a slice, in voxels."""
LIVER_MASK, TUMOUR_MASK = 1, 2
ALL = slice(None)


@dataclass(frozen=True)
class Painter:
    """Paints one patient; holds what its slices share."""

    patient: Patient
    noise: Callable[[int], np.random.Generator]
    """The random stream of a slice's noise, by the slice's index."""
    planes: Planes = field(init=False)
    cavity: Box = field(init=False)
    """The rows and columns around the cavity: all organs lie there."""
    backdrops: np.ndarray = field(init=False)
    """float32 (2, rows, columns): HU of a slice's outer parts through a vertebra, a disc."""

    def __post_init__(self) -> None:
        planes = self.patient.trunk.around(self.patient.grid)
        found = np.argwhere(planes.cavity[0])
        low, high = (found.min(0), found.max(0) + 1) if len(found) else ((0, 0), (0, 0))
        cavity = (ALL, slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1])))
        object.__setattr__(self, "planes", planes)
        object.__setattr__(self, "cavity", cavity)
        object.__setattr__(self, "backdrops", _backdrops(self.patient, planes))

    def slabs(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """HU int16 and mask uint8, both (some slices, rows, columns), from the feet upwards."""
        slices, rows, columns = self.patient.grid.shape
        step = max(1, SLAB // (rows * columns))
        for first in range(0, slices, step):
            yield self.slab(first, min(first + step, slices))

    def slab(self, first: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """The slices from `first` to before `stop`."""
        from scipy.ndimage import gaussian_filter

        grid = self.patient.grid.part((slice(first, stop), ALL, ALL))
        hu, mask = self._outer(grid), np.zeros(grid.shape, np.uint8)
        self._inner(grid.part(self.cavity), hu[self.cavity], mask[self.cavity])
        gaussian_filter(hu, (0, BLUR, BLUR), output=hu)
        for index, image in enumerate(hu, start=first):
            draw = self.noise(index).standard_normal(image.shape, np.float32)
            image += np.float32(self.patient.noise) * draw
        return np.clip(np.rint(hu, out=hu), -1024, 3071, out=hu).astype(np.int16), mask

    def _outer(self, grid: Grid) -> np.ndarray:
        """float32: air, the table, fat, muscle, spine and ribs."""
        trunk, planes = self.patient.trunk, self.planes
        heights = grid.z.ravel().astype(float)
        disc = np.sin(heights / 34 * 2 * np.pi + trunk.disc_phase) > 0.86
        hu = self.backdrops[disc.astype(int)]
        shell = (planes.radius > 0.8) & (planes.radius < 0.88)
        rows, columns = np.nonzero(shell[0])
        angle = np.arctan2(planes.v[0, rows, 0], planes.u[0, 0, columns])
        side = np.abs(angle + np.pi / 2) > 0.5
        rows, columns, angle = rows[side], columns[side], angle[side].astype(float)
        slant = np.abs(np.abs(angle) - np.pi / 2) * 9 + trunk.rib_phase
        for image, height in zip(hu, heights, strict=True):
            if height > trunk.dome - 150:
                rib = np.sin(height / 14 + slant) > 0.5
                image[rows[rib], columns[rib]] = BONE
        return hu

    def _inner(self, grid: Grid, hu: np.ndarray, mask: np.ndarray) -> None:
        """Lungs, heart and everything below the diaphragm; all arrays end at the cavity's box."""
        planes = self.planes.part(self.cavity)
        above = grid.z - planes.diaphragm
        central = 0.14 - 0.1 * (planes.v < 0)
        hu[planes.cavity & (above > 0) & (np.abs(planes.u) > central)] = LUNG
        _fill(self.patient.heart, grid, hu, planes.cavity & (above > -4))
        liver = np.zeros(grid.shape, bool)
        box = self.patient.liver.box(grid)
        self._liver(grid.part(box), planes.part(box), liver[box], hu[box])
        free = planes.cavity & ~liver & (above < -2)
        for organ in self.patient.organs:
            _fill(organ, grid, hu, free)
        mask[liver] = LIVER_MASK
        for tumour in self.patient.tumours:
            box = tumour.form.box(grid)
            depth, inside = tumour.form.depth(grid.part(box)), liver[box]
            soft = np.clip(depth / np.float32(tumour.edge), 0, 1)
            hu[box] += np.float32(tumour.contrast) * soft * inside
            mask[box][inside & (depth > 0.3)] = TUMOUR_MASK

    def _liver(self, grid: Grid, planes: Planes, liver: np.ndarray, hu: np.ndarray) -> None:
        """Mark and paint the liver and its vessels."""
        drawn = self.patient.liver
        liver[:] = drawn.inside(grid, planes)
        hu[liver] = drawn.hu
        for vessel in drawn.vessels:
            hu[vessel.inside(grid) & liver] += np.float32(drawn.contrast)


def _fill(organ: Organ, grid: Grid, hu: np.ndarray, free: np.ndarray) -> None:
    """Paint an organ where `free`, bool (slices, rows, columns), is true."""
    box = organ.form.box(grid)
    part, target = grid.part(box), hu[box]
    inside = (organ.form.depth(part) > 0) & free[box]
    target[inside] = organ.hu
    target[inside & (part.y < organ.gas_before)] = organ.gas_hu


def _backdrops(patient: Patient, planes: Planes) -> np.ndarray:
    """float32 (2, rows, columns): a slice through a vertebra, and one through a disc."""
    trunk, grid = patient.trunk, patient.grid
    hu = np.full(planes.radius.shape, AIR, np.float32)
    hu[np.abs(grid.y - np.float32(trunk.depth) - 14 + (grid.x / 60) ** 2) < 4] = -250  # The table.
    hu[planes.radius < 1] = FAT
    hu[planes.radius < trunk.skin] = MUSCLE
    hu[planes.cavity] = FAT + 10
    u, v = planes.u, planes.v
    vertebra = ((u / 0.13) ** 2 + ((v - 0.52) / 0.16) ** 2 < 1) | (
        (np.abs(u) < 0.035) & (v > 0.52) & (v < 0.86)
    )
    return np.concatenate([np.where(vertebra, np.float32(value), hu) for value in (BONE * 0.6, 90)])
