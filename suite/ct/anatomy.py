"""Schematic abdominal anatomy, no patient behind it: all that is drawn of one, as shapes in mm.

Each has a trunk of skin fat, muscle and bone, lungs above a domed diaphragm, a liver of its own
shape, place and size, tumours in most livers, and organs that look much like the liver: spleen,
stomach, kidneys, gall bladder, bowel. `suite.ct.painting` makes voxels of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from suite.ct.shapes import Box, Ellipsoid, Grid, Point, Tube, joined

AIR, LUNG, FAT, WATER, MUSCLE, BONE = -1000, -840, -100, 8, 55, 420
"""HU. Source: Bushberg et al., The Essential Physics of Medical Imaging, chapter 10."""
RIPPLE = 0.14
"""How much each of two waves moves the liver's surface, as a depth of its ellipsoids."""
PLACES = 6.0
"""mm between the places that a tumour's or the gall bladder's middle is chosen among."""


@dataclass(frozen=True, kw_only=True)
class Trunk:
    """Skin, walls, spine, ribs and diaphragm."""

    width: float
    depth: float
    """Half axes, mm."""
    skin: float
    """Where fat ends and muscle begins, as a share of the way to the skin."""
    wall: float
    """Where the cavity ends, in the same unit."""
    dome: float
    """Height of the diaphragm's top, mm."""
    curve: float
    """How far the diaphragm falls off towards the wall, mm."""
    disc_phase: float
    rib_phase: float

    @classmethod
    def draw(cls, rng: np.random.Generator, *, field: float, height: float) -> Trunk:
        """Of a scan whose field of view and height are given in mm."""
        width = float(rng.uniform(0.27, 0.4)) * field
        return cls(
            width=width,
            depth=width * float(rng.uniform(0.68, 0.84)),
            skin=1 - float(rng.uniform(0.04, 0.11)),
            wall=float(rng.uniform(0.78, 0.88)),
            dome=height - float(rng.uniform(28, 78)),
            curve=float(rng.uniform(45, 65)),
            disc_phase=float(rng.uniform(0, 6)),
            rib_phase=float(rng.uniform(0, 6)),
        )

    def place(self, height: float, v: float, u: float) -> Point:
        """A point, or half axes: `height` in mm, v (back) and u (left) in shares of the trunk's."""
        return Point(height, v * self.depth, u * self.width)

    def around(self, grid: Grid) -> Planes:
        """What is the same in all slices of a grid."""
        u, v = grid.x / np.float32(self.width), grid.y / np.float32(self.depth)
        radius = (np.abs(u) ** 2.4 + np.abs(v) ** 2.4) ** (1 / 2.4)
        spine = (u / 0.2) ** 2 + ((v - 0.62) / 0.3) ** 2 < 1
        domes = np.minimum(
            ((u + 0.42) / 0.5) ** 2 + (v / 0.85) ** 2,
            ((u - 0.42) / 0.5) ** 2 + (v / 0.85) ** 2 + 0.15,
        )
        return Planes(
            u=u,
            v=v,
            radius=radius,
            cavity=(radius < self.wall) & ~spine,
            diaphragm=np.float32(self.dome) - np.float32(self.curve) * domes,
        )


@dataclass(frozen=True, kw_only=True)
class Planes:
    """Arrays (1, rows, columns) of a trunk on a grid; u is (1, 1, columns), v (1, rows, 1)."""

    u: np.ndarray
    v: np.ndarray
    radius: np.ndarray
    """0 in the middle of the trunk, 1 at the skin."""
    cavity: np.ndarray
    """bool: inside the wall of muscle and ribs, the spine left out."""
    diaphragm: np.ndarray
    """Its height in mm."""

    def part(self, box: Box) -> Planes:
        _, rows, columns = box
        return Planes(
            u=self.u[:, :, columns],
            v=self.v[:, rows],
            radius=self.radius[:, rows, columns],
            cavity=self.cavity[:, rows, columns],
            diaphragm=self.diaphragm[:, rows, columns],
        )


@dataclass(frozen=True, kw_only=True)
class Liver:
    """Two lobes with a rippled surface, cut off by the cavity's wall and the diaphragm."""

    right: Ellipsoid
    left: Ellipsoid
    waves: tuple[tuple[float, float], ...]
    """Length divided by 2 pi (mm) and phase of the ripples along z, y and x."""
    hu: float
    vessels: tuple[Tube, ...]
    contrast: float
    """Of the vessels, HU."""

    @classmethod
    def draw(cls, rng: np.random.Generator, trunk: Trunk) -> Liver:
        length = float(rng.uniform(55, 85))
        lean, thick = rng.uniform(-0.05, 0.05), rng.uniform(0.9, 1.1)
        right = Ellipsoid(
            centre=trunk.place(trunk.dome - 0.88 * length, -0.02 + lean, -0.44),
            radii=trunk.place(length, 0.72 * thick, 0.44 * thick),
        )
        left = Ellipsoid(
            centre=trunk.place(trunk.dome - rng.uniform(38, 60), -0.42, rng.uniform(-0.12, 0.12)),
            radii=trunk.place(rng.uniform(30, 45), 0.32, rng.uniform(0.3, 0.52)),
        )
        waves = tuple(
            (float(rng.uniform(*lengths)), float(rng.uniform(0, 6)))
            for lengths in ((14, 30), (14, 30), (12, 25))
        )
        vessels = []
        for _ in range(int(rng.integers(2, 6))):
            height, shift, turn = (
                rng.uniform(10, 90),
                rng.uniform(-0.4, 0.3),
                rng.uniform(-1.2, 1.2),
            )
            middle = trunk.place(trunk.dome - height, shift, -0.4)
            vessels.append(Tube(middle=middle, turn=turn, radius=rng.uniform(3, 6.5)))
        return cls(
            right=right,
            left=left,
            waves=waves,
            hu=rng.normal(104, 12),
            vessels=tuple(vessels),
            contrast=float(rng.choice([-10, 14, 20])),
        )

    def box(self, grid: Grid) -> Box:
        return joined(
            self.right.box(grid, depth=-2 * RIPPLE), self.left.box(grid, depth=-2 * RIPPLE)
        )

    def inside(self, grid: Grid, planes: Planes) -> np.ndarray:
        """bool (slices, rows, columns)."""
        z, y, x = (
            np.sin(axis.astype(float) / length + phase).astype(np.float32)
            for axis, (length, phase) in zip((grid.z, grid.y, grid.x), self.waves, strict=True)
        )
        surface = np.maximum(self.right.depth(grid), self.left.depth(grid))
        surface += np.float32(RIPPLE) * z * y + np.float32(RIPPLE) * x
        return (surface > 0) & planes.cavity & (grid.z < planes.diaphragm - 2)


@dataclass(frozen=True, kw_only=True)
class Organ:
    """A neighbour of the liver, perhaps with gas in its front part."""

    form: Ellipsoid
    hu: float
    gas_hu: float = 0.0
    gas_before: float = -np.inf
    """mm along y: the part before it is gas."""


@dataclass(frozen=True, kw_only=True)
class Tumour:
    """What is added to the liver's HU inside; its margin, up to a depth of `edge`, is soft."""

    form: Ellipsoid
    contrast: float
    edge: float


@dataclass(frozen=True, kw_only=True)
class Patient:
    """All that is drawn of one patient and of the scanner."""

    grid: Grid
    spacing: tuple[float, float, float]
    """Millimetres between slices, rows and columns."""
    trunk: Trunk
    heart: Organ
    liver: Liver
    organs: tuple[Organ, ...]
    """In the order in which they are painted; the liver stays where one meets it."""
    tumours: tuple[Tumour, ...]
    noise: float
    """Standard deviation, HU."""

    @classmethod
    def draw(
        cls, rng: np.random.Generator, *, shape: tuple[int, int, int] | None = None
    ) -> Patient:
        """shape: columns, rows and slices; drawn too where it is not given.

        The field of view does not depend on the shape: more voxels are smaller ones.
        """
        size, count = int(rng.choice([96, 112, 128])), int(rng.integers(24, 41))
        columns, rows, slices = shape or (size, size, count)
        field, height = float(rng.uniform(340, 480)), float(rng.uniform(205, 255))
        in_plane, between = field / min(columns, rows), height / slices
        away = rng.uniform(-0.13, 0.13, 2) * field  # Nobody lies quite in the middle.
        grid = Grid.of(
            (np.arange(slices) + 0.5) * between,
            (np.arange(rows) - (rows - 1) / 2) * in_plane + away[0],
            (np.arange(columns) - (columns - 1) / 2) * in_plane + away[1],
        )
        trunk = Trunk.draw(rng, field=field, height=height)
        heart = Organ(
            form=Ellipsoid(
                centre=trunk.place(trunk.dome + 30, -0.38, 0.14),
                radii=trunk.place(42, 0.34, 0.34),
            ),
            hu=float(rng.uniform(90, 150)),
        )
        liver = Liver.draw(rng, trunk)
        coarse = grid.coarse(PLACES)
        inside = liver.inside(coarse, trunk.around(coarse))
        return cls(
            grid=grid,
            spacing=(between, in_plane, in_plane),
            trunk=trunk,
            heart=heart,
            liver=liver,
            organs=_organs(rng, trunk) + _gall_bladder(rng, coarse, inside),
            tumours=_tumours(rng, coarse, inside),
            noise=float(rng.uniform(8, 16)),
        )


def _organs(rng: np.random.Generator, trunk: Trunk) -> tuple[Organ, ...]:
    """Bowel, stomach, spleen, kidneys, aorta and vena cava."""
    dome, place, organs = trunk.dome, trunk.place, []
    for _ in range(int(rng.integers(14, 26))):  # Bowel, some loops with gas on top.
        height, v, u = rng.uniform(-10, dome - 95), rng.uniform(-0.65, 0.15), rng.uniform(-0.6, 0.6)
        radius = rng.uniform(10, 24)
        radii = Point(radius * rng.uniform(0.8, 2), radius, radius * rng.uniform(0.9, 1.6))
        centre, value = place(height, v, u), rng.uniform(15, 95)
        gas = centre.y - 0.3 * radius if rng.random() < 0.4 else -np.inf
        form = Ellipsoid(centre=centre, radii=radii)
        organs.append(Organ(form=form, hu=value, gas_hu=-650, gas_before=gas))

    def add(centre: Point, radii: Point, value: float, **gas: float) -> None:
        organs.append(Organ(form=Ellipsoid(centre=centre, radii=radii), hu=value, **gas))

    stomach = place(dome - rng.uniform(40, 75), -0.35, rng.uniform(0.38, 0.5))
    size = place(rng.uniform(28, 48), rng.uniform(0.26, 0.4), rng.uniform(0.2, 0.32))
    surface = stomach.y - rng.uniform(0, 0.9) * size.y
    add(stomach, size, rng.uniform(20, 100), gas_hu=-900, gas_before=surface)
    add(
        place(dome - rng.uniform(45, 80), 0.3, 0.6),
        place(rng.uniform(30, 52), rng.uniform(0.28, 0.42), rng.uniform(0.14, 0.24)),
        rng.normal(112, 14),
    )
    for side in (-1, 1):
        kidney = place(dome - rng.uniform(105, 150), 0.42, side * rng.uniform(0.36, 0.44))
        add(kidney, place(rng.uniform(40, 56), 0.24, 0.17), rng.normal(145, 15))
        add(kidney, place(26, 0.1, 0.07), rng.normal(30, 15))
    add(place(dome - 100, 0.28, 0.06), place(900, 0.085, 0.065), rng.normal(150, 18))
    add(place(dome - 100, 0.26, -0.1), place(900, 0.075, 0.075), rng.normal(115, 15))
    return tuple(organs)


def _gall_bladder(rng: np.random.Generator, coarse: Grid, liver: np.ndarray) -> tuple[Organ, ...]:
    """One that hangs under the liver, or none; `liver`: bool, on the coarse grid."""
    places = np.argwhere(liver)
    if len(places) < 3 or rng.random() >= 0.5:
        return ()
    centre = coarse.at(places[rng.integers(len(places) // 3)])
    radii = Point(rng.uniform(14, 26), rng.uniform(12, 22), rng.uniform(12, 20))
    return (Organ(form=Ellipsoid(centre=centre, radii=radii), hu=WATER),)


def _tumours(rng: np.random.Generator, coarse: Grid, liver: np.ndarray) -> tuple[Tumour, ...]:
    """Tumours whose middles lie well inside the liver: one patient in eight has none."""
    from scipy.ndimage import binary_erosion

    places = np.argwhere(binary_erosion(liver, np.ones((1, 3, 3)), iterations=2))
    count = 0 if rng.random() < 0.125 else int(rng.integers(1, 4))
    tumours = []
    for _ in range(count if len(places) else 0):
        centre = coarse.at(places[rng.integers(len(places))])
        radius = float(np.exp(rng.uniform(np.log(15), np.log(40))))
        radii = Point(*(rng.uniform(0.75, 1.3, 3) * radius).tolist())
        contrast = rng.uniform(70, 110) if rng.random() < 0.06 else -rng.uniform(75, 160)
        form = Ellipsoid(centre=centre, radii=radii)
        tumours.append(Tumour(form=form, contrast=contrast, edge=rng.uniform(0.05, 0.25)))
    return tuple(tumours)
