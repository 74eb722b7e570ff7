"""Generated abdominal CT in LiTS's format: schematic anatomy in HU, no patient behind it.

Each volume has a body of skin fat, muscle and bone, lungs above a domed diaphragm, a liver of its
own shape, place and size, and organs that look much like it (spleen, stomach, kidneys, gall
bladder, bowel). Tumours differ from the liver by less than the noise allows to see in one voxel.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.spec import Phantom

if TYPE_CHECKING:
    import numpy as np

VERSION = 2
ORIENTATIONS = ("LPS", "LPS", "LAS", "RAS")
"""Where a file's axes point to; the first is LiTS's commonest."""
AIR, LUNG, FAT, WATER, MUSCLE, BONE = -1000, -840, -100, 8, 55, 420
"""HU. Source: Bushberg et al., The Essential Physics of Medical Imaging, chapter 10."""


def write(folder: Path, *, cases: int, seed: int) -> None:
    """`volume-N.nii.gz` and `segmentation-N.nii.gz` for N below `cases`, and the phantom's marker.

    The same bytes for the same arguments; a volume does not depend on how many there are.
    """
    import numpy as np

    folder.mkdir(parents=True, exist_ok=True)
    marker = {"dataset": "lits", "version": VERSION, "cases": cases, "seed": seed}
    (folder / "PHANTOM.json").write_text(json.dumps(marker))
    for number in range(cases):
        rng = np.random.default_rng([seed, VERSION, number])
        hu, mask, spacing = abdomen(rng)
        codes = ORIENTATIONS[rng.integers(len(ORIENTATIONS))]
        for name, array in (("volume", hu), ("segmentation", mask)):
            path = folder / f"{name}-{number}.nii.gz"
            path.write_bytes(gzip.compress(_nifti(array, spacing, codes), 1, mtime=0))


def abdomen(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, tuple[float, float, float]]:
    """One patient: HU int16 and mask uint8, (slices, rows, columns), feet to head, front to back,
    right to left; and the spacing of these axes in mm."""
    import numpy as np
    from scipy.ndimage import gaussian_filter

    frame = _Frame.draw(rng)
    body = _Body.draw(rng, frame)
    hu = body.paint(rng)
    liver, mask = _liver(rng, body, hu)
    _neighbours(rng, body, hu, liver)
    _tumours(rng, body, hu, liver, mask)
    hu = gaussian_filter(hu, (0, 0.6, 0.6))
    hu += rng.normal(0, rng.uniform(8, 16), hu.shape).astype(np.float32)
    return np.clip(np.round(hu), -1024, 3071).astype(np.int16), mask, frame.spacing


@dataclass(frozen=True, kw_only=True)
class _Frame:
    """The scanned block. Positions are in mm from its middle (rows, columns) and foot (slices)."""

    z: np.ndarray
    y: np.ndarray
    """To the back."""
    x: np.ndarray
    """To the patient's left."""
    spacing: tuple[float, float, float]

    @classmethod
    def draw(cls, rng: np.random.Generator) -> _Frame:
        import numpy as np

        size, slices = int(rng.choice([96, 112, 128])), int(rng.integers(24, 41))
        in_plane, between = rng.uniform(340, 480) / size, rng.uniform(205, 255) / slices
        axis = ((np.arange(size) - (size - 1) / 2) * in_plane).astype(np.float32)
        away = rng.uniform(-0.13, 0.13, 2) * np.ptp(axis)  # Nobody lies quite in the middle.
        return cls(
            z=(np.arange(slices) * between).astype(np.float32)[:, None, None],
            y=axis[None, :, None] + np.float32(away[0]),
            x=axis[None, None, :] + np.float32(away[1]),
            spacing=(float(between), float(in_plane), float(in_plane)),
        )

    def ball(
        self, centre: tuple[float, float, float], radii: tuple[float, float, float]
    ) -> np.ndarray:
        """1 at the centre of an ellipsoid, 0 on its surface, negative outside; (z, y, x) in mm."""
        import numpy as np

        parts = [
            ((axis - c) / np.float32(r)) ** 2
            for axis, c, r in zip((self.z, self.y, self.x), centre, radii, strict=True)
        ]
        return np.float32(1) - (parts[0] + parts[1] + parts[2])


@dataclass(frozen=True, kw_only=True)
class _Body:
    """Trunk, cavity and diaphragm of one patient."""

    frame: _Frame
    width: float
    depth: float
    """Half axes of the trunk, mm."""
    dome: float
    """Height of the diaphragm's top, mm."""
    radius: np.ndarray
    """(1, rows, columns): 0 in the middle of the trunk, 1 at the skin."""
    cavity: np.ndarray
    """bool (1, rows, columns): inside the wall of muscle and ribs, the spine left out."""
    diaphragm: np.ndarray
    """(1, rows, columns): its height in mm."""

    @classmethod
    def draw(cls, rng: np.random.Generator, frame: _Frame) -> _Body:
        import numpy as np

        width = float(rng.uniform(0.27, 0.4)) * float(np.ptp(frame.x))
        depth = width * float(rng.uniform(0.68, 0.84))
        u, v = frame.x / width, frame.y / depth
        radius = (np.abs(u) ** 2.4 + np.abs(v) ** 2.4) ** (1 / 2.4)
        wall = float(rng.uniform(0.78, 0.88))
        spine = (u / 0.2) ** 2 + ((v - 0.62) / 0.3) ** 2 < 1
        dome = float(frame.z.max()) - float(rng.uniform(25, 75))
        domes = np.minimum(
            ((u + 0.42) / 0.5) ** 2 + (v / 0.85) ** 2,
            ((u - 0.42) / 0.5) ** 2 + (v / 0.85) ** 2 + 0.15,
        )
        return cls(
            frame=frame,
            width=width,
            depth=depth,
            dome=dome,
            radius=radius,
            cavity=(radius < wall) & ~spine,
            diaphragm=dome - np.float32(rng.uniform(45, 65)) * domes,
        )

    def place(self, height: float, v: float, u: float) -> tuple[float, float, float]:
        """A point at `height` mm, in shares of the half axes: u to the left, v to the back."""
        return height, v * self.depth, u * self.width

    def radii(self, height: float, v: float, u: float) -> tuple[float, float, float]:
        """Half axes: `height` in mm, the others in shares of the trunk's."""
        return height, v * self.depth, u * self.width

    def paint(self, rng: np.random.Generator) -> np.ndarray:
        """HU of fat, muscle, bones, heart and lungs, float32 (slices, rows, columns)."""
        import numpy as np

        frame, z = self.frame, self.frame.z
        u, v = frame.x / self.width, frame.y / self.depth
        hu = np.full((z.size, frame.y.size, frame.x.size), AIR, np.float32)
        table = np.abs(frame.y - self.depth - 14 + (frame.x / 60) ** 2) < 4
        hu[np.broadcast_to(table, hu.shape)] = -250
        hu[np.broadcast_to(self.radius < 1, hu.shape)] = FAT
        skin = 1 - float(rng.uniform(0.04, 0.11))
        hu[np.broadcast_to(self.radius < skin, hu.shape)] = MUSCLE
        hu[np.broadcast_to(self.cavity, hu.shape)] = FAT + 10
        vertebra = ((u / 0.13) ** 2 + ((v - 0.52) / 0.16) ** 2 < 1) | (
            (np.abs(u) < 0.035) & (v > 0.52) & (v < 0.86)
        )
        disc = np.sin(z / 34 * 2 * np.pi + rng.uniform(0, 6)) > 0.86
        hu[vertebra & ~disc] = BONE * 0.6
        hu[vertebra & disc] = 90
        angle = np.arctan2(v, u)
        slant = z / 14 + np.abs(np.abs(angle) - np.pi / 2) * 9 + rng.uniform(0, 6)
        shell = (self.radius > 0.8) & (self.radius < 0.88) & (np.abs(angle + np.pi / 2) > 0.5)
        hu[shell & (np.sin(slant) > 0.5) & (z > self.dome - 150)] = BONE
        heart = frame.ball(self.place(self.dome + 30, -0.38, 0.14), self.radii(42, 0.34, 0.34)) > 0
        lung = self.cavity & (z > self.diaphragm) & (np.abs(u) > 0.14 - 0.1 * (v < 0))
        hu[lung] = LUNG
        hu[heart & self.cavity & (z > self.diaphragm - 4)] = rng.uniform(90, 150)
        return hu


def _liver(rng: np.random.Generator, body: _Body, hu: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Paint the liver and its vessels; returns it as bool and as a mask of ones."""
    import numpy as np

    frame, length = body.frame, float(rng.uniform(55, 85))
    lean, thick = rng.uniform(-0.05, 0.05), rng.uniform(0.9, 1.1)
    right = frame.ball(
        body.place(body.dome - 0.88 * length, -0.02 + lean, -0.44),
        body.radii(length, 0.72 * thick, 0.44 * thick),
    )
    left = frame.ball(
        body.place(body.dome - rng.uniform(38, 60), -0.42, rng.uniform(-0.12, 0.12)),
        body.radii(rng.uniform(30, 45), 0.32, rng.uniform(0.3, 0.52)),
    )
    wave = [np.sin(axis / rng.uniform(14, 30) + rng.uniform(0, 6)) for axis in (frame.z, frame.y)]
    ripple = 0.14 * (wave[0] * wave[1] + np.sin(frame.x / rng.uniform(12, 25)))
    liver = (np.maximum(right, left) + ripple > 0) & body.cavity & (frame.z < body.diaphragm - 2)
    hu[liver] = rng.normal(104, 12)
    contrast = rng.choice([-10, 14, 20])
    for _ in range(int(rng.integers(2, 6))):
        height, shift, turn = rng.uniform(10, 90), rng.uniform(-0.4, 0.3), rng.uniform(-1.2, 1.2)
        middle = (body.dome - height, shift * body.depth, -0.4 * body.width)
        away_y = frame.y - middle[1] - turn * (frame.x - middle[2])
        vessel = (away_y / np.hypot(1, turn)) ** 2 + (
            (frame.z - middle[0] - 0.3 * (frame.x - middle[2])) * 1.1
        ) ** 2 < rng.uniform(3, 6.5) ** 2
        hu[vessel & liver] += contrast
    return liver, liver.astype(np.uint8)


def _neighbours(rng: np.random.Generator, body: _Body, hu: np.ndarray, liver: np.ndarray) -> None:
    """Paint the organs around the liver; where they meet it, the liver stays."""
    import numpy as np

    frame, dome = body.frame, body.dome
    free = body.cavity & ~liver & (frame.z < body.diaphragm - 2)

    def organ(
        centre: tuple[float, float, float], radii: tuple[float, float, float], value: float
    ) -> np.ndarray:
        inside = (frame.ball(centre, radii) > 0) & free
        hu[inside] = value
        return inside

    for _ in range(int(rng.integers(14, 26))):  # Bowel, some loops with gas on top.
        height, v, u = rng.uniform(-10, dome - 95), rng.uniform(-0.65, 0.15), rng.uniform(-0.6, 0.6)
        radius = rng.uniform(10, 24)
        loop = organ(
            body.place(height, v, u),
            (radius * rng.uniform(0.8, 2), radius, radius * rng.uniform(0.9, 1.6)),
            rng.uniform(15, 95),
        )
        if rng.random() < 0.4:
            hu[loop & (frame.y < v * body.depth - 0.3 * radius)] = -650
    stomach = body.place(dome - rng.uniform(40, 75), -0.35, rng.uniform(0.38, 0.5))
    size = body.radii(rng.uniform(28, 48), rng.uniform(0.26, 0.4), rng.uniform(0.2, 0.32))
    inside = organ(stomach, size, rng.uniform(20, 100))
    hu[inside & (frame.y < stomach[1] - rng.uniform(0, 0.9) * size[1])] = -900
    organ(
        body.place(dome - rng.uniform(45, 80), 0.3, 0.6),
        body.radii(rng.uniform(30, 52), rng.uniform(0.28, 0.42), rng.uniform(0.14, 0.24)),
        rng.normal(112, 14),
    )
    for side in (-1, 1):
        kidney = body.place(dome - rng.uniform(105, 150), 0.42, side * rng.uniform(0.36, 0.44))
        organ(kidney, body.radii(rng.uniform(40, 56), 0.24, 0.17), rng.normal(145, 15))
        organ(kidney, body.radii(26, 0.1, 0.07), rng.normal(30, 15))
    organ(body.place(dome - 100, 0.28, 0.06), body.radii(900, 0.085, 0.065), rng.normal(150, 18))
    organ(body.place(dome - 100, 0.26, -0.1), body.radii(900, 0.075, 0.075), rng.normal(115, 15))
    tip = np.argwhere(liver)
    if len(tip) and rng.random() < 0.5:  # The gall bladder hangs under the liver.
        z, y, x = tip[rng.integers(len(tip) // 3)]
        centre = (float(frame.z.flat[z]), float(frame.y.flat[y]), float(frame.x.flat[x]))
        organ(centre, (rng.uniform(14, 26), rng.uniform(12, 22), rng.uniform(12, 20)), WATER)


def _tumours(
    rng: np.random.Generator, body: _Body, hu: np.ndarray, liver: np.ndarray, mask: np.ndarray
) -> None:
    """Paint tumours into the liver and into the mask: one patient in eight has none."""
    import numpy as np
    from scipy.ndimage import binary_erosion

    frame = body.frame
    places = np.argwhere(binary_erosion(liver, np.ones((1, 3, 3)), iterations=3))
    count = 0 if rng.random() < 0.125 else int(rng.integers(1, 4))
    for _ in range(count if len(places) else 0):
        z, y, x = places[rng.integers(len(places))]
        radius = float(np.exp(rng.uniform(np.log(15), np.log(40))))
        stretch = rng.uniform(0.75, 1.3, 3) * radius
        centre = (float(frame.z.flat[z]), float(frame.y.flat[y]), float(frame.x.flat[x]))
        depth = frame.ball(centre, (stretch[0], stretch[1], stretch[2]))
        inside = (depth > 0) & liver
        contrast = rng.uniform(70, 110) if rng.random() < 0.06 else -rng.uniform(75, 160)
        edge = rng.uniform(0.05, 0.25)
        hu[inside] += contrast * np.minimum(depth[inside] / edge, 1)
        mask[inside & (depth > 0.3)] = 2


def _nifti(array: np.ndarray, spacing: tuple[float, float, float], codes: str) -> bytes:
    """The file's bytes, its axes turned so that they point where `codes` says."""
    import nibabel
    import numpy as np

    turned = array.transpose(2, 1, 0)  # Columns, rows, slices: L, P, S.
    affine = np.diag([-spacing[2], -spacing[1], spacing[0], 1.0])
    affine[:2, 3] = [spacing[2] * array.shape[2] / 2, spacing[1] * array.shape[1] / 2]
    turn = nibabel.orientations.ornt_transform(
        nibabel.orientations.axcodes2ornt(tuple("LPS")),
        nibabel.orientations.axcodes2ornt(tuple(codes)),
    )
    affine = affine @ nibabel.orientations.inv_ornt_aff(turn, turned.shape)
    image = nibabel.Nifti1Image(nibabel.apply_orientation(turned, turn), affine)
    image.header.set_xyzt_units("mm")
    return bytes(image.to_bytes())


PHANTOM = Phantom(version=VERSION, cases=24, write=write)
