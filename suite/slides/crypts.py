"""Schematic patches of colon mucosa under haematoxylin and eosin: no patient behind them.

Crypts lie in pink stroma: a ring of columnar cells, dark nuclei at its outer edge and pale goblets
within, around a lumen. A degree in [0, 1] says how serrated the lesion is: with it the lumina
widen, their saw teeth deepen, and crypts grow feet sideways (the boots of a sessile serrated
adenoma). Stain, crowding, mucus and tears vary alike at every degree.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SIDE = 224
"""Pixels."""
STAINS = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]], np.float32)
"""Optical density in red, green and blue of haematoxylin, of eosin. Source: Ruifrok & Johnston
2001, Quantification of histochemical staining by color deconvolution."""
STROMA, NUCLEUS, EPITHELIUM, GOBLET, GAP, MUCUS = range(6)
"""What a pixel shows; MUCUS and above is a lumen, the emptier, the higher."""
LUMINA = 5
DENSITIES = np.array(
    [[0.1, 0.42], [0.95, 0.25], [0.3, 0.3], [0.16, 0.1], [0.02, 0.02]]
    + [[0.12 - 0.02 * empty, 0.12 - 0.02 * empty] for empty in range(LUMINA)],
    np.float32,
)
"""Haematoxylin and eosin of each."""
BLUR = 0.8
"""Standard deviation of the microscope's blur, in pixels."""
ANGLES = np.arange(72) * (2 * np.pi / 72)
"""Where an outline has its corners."""

Shape = tuple[np.ndarray, int]
"""An outline (corners, 2), columns and rows in pixels, and what it is filled with."""


@dataclass(frozen=True, kw_only=True)
class Crypts:
    """Crypts, cut across; outlines are (crypts, corners, 2), columns and rows in pixels."""

    outer: np.ndarray
    lumen: np.ndarray
    content: np.ndarray
    """(crypts,): what fills the lumen, MUCUS or above."""


def patch(rng: np.random.Generator, *, degree: float) -> np.ndarray:
    """uint8 (SIDE, SIDE, 3). Each crypt's own degree scatters around the patch's, a logit."""
    crypts = _crypts(rng, degree)
    shapes = _stroma_cells(rng)
    shapes += [(outline, EPITHELIUM) for outline in crypts.outer]
    shapes += _rings(rng, crypts, GOBLET) + _rings(rng, crypts, NUCLEUS)
    shapes += list(zip(crypts.lumen, crypts.content.tolist(), strict=True))
    return _stained(rng, _drawn(shapes + _gaps(rng)))


def _crypts(rng: np.random.Generator, degree: float) -> Crypts:
    """Crypts on a jittered, turned lattice that covers the patch; some are missing."""
    step = rng.uniform(52, 72)
    corners = np.arange(-4, 5)
    lattice = np.stack(np.meshgrid(corners, corners), -1).reshape(-1, 2).astype(float)
    lattice[:, 0] += 0.5 * (lattice[:, 1] % 2)
    lattice[:, 1] *= 0.87
    lattice = (lattice + rng.normal(0, 0.09, lattice.shape)) * step
    centres = lattice @ _rotation(rng.uniform(0, np.pi)) + SIDE / 2
    near = ((centres > -0.4 * step) & (centres < SIDE + 0.4 * step)).all(axis=1)
    centres = centres[near & (rng.random(len(centres)) > 0.06)]
    return _outlined(rng, centres, degree=degree, size=step)


def _outlined(
    rng: np.random.Generator, centres: np.ndarray, *, degree: float, size: float
) -> Crypts:
    """Crypts around centres (crypts, 2): ovals with a foot and a waist, saw teeth within."""
    count = len(centres)

    def each(low: float, high: float) -> np.ndarray:
        return rng.uniform(low, high, (count, 1))

    own = 1 / (1 + np.exp(-(degree + rng.normal(0, 1.2, (count, 1)))))
    dilation, teeth = rng.normal(0, 0.05), int(rng.integers(6, 10))
    tilt, side, wave, bite = (each(0, 2 * np.pi) for _ in range(4))
    long = each(1.0, 1.25)
    oval = (np.cos(ANGLES - tilt) / long) ** 2 + (np.sin(ANGLES - tilt) * long) ** 2
    foot = np.exp(4 * (np.cos(ANGLES - side) - 1)) * own * each(0.3, 0.9)
    waist = np.exp(4 * (np.cos(ANGLES - side - 1.3) - 1)) * own * each(0, 0.3)
    outer = size * each(0.36, 0.45) / np.sqrt(oval)
    outer = outer * (1 + foot - waist + 0.04 * np.sin(3 * ANGLES + wave))
    width = 0.34 + 0.2 * own + dilation + rng.normal(0, 0.05, (count, 1))
    saw = np.abs(((ANGLES * teeth + bite) / (2 * np.pi)) % 1 * 2 - 1) - 0.5
    lumen = outer * np.minimum(np.clip(width, 0.15, 0.75) * (1 + (0.25 + 0.75 * own) * saw), 0.85)
    ways = np.stack([np.cos(ANGLES), np.sin(ANGLES)], -1)
    return Crypts(
        outer=centres[:, None] + outer[..., None] * ways,
        lumen=centres[:, None] + lumen[..., None] * ways,
        content=MUCUS + (LUMINA * rng.random(count) ** 0.5).astype(int),
    )


def _rings(rng: np.random.Generator, crypts: Crypts, kind: int) -> list[Shape]:
    """The crypts' nuclei or goblets, pointing outwards."""
    share, gap, long, wide = (0.82, 4.6, 3.6, 1.9) if kind == NUCLEUS else (0.42, 11.0, 3.8, 2.6)
    ways = crypts.outer - crypts.lumen
    rings = crypts.lumen + share * ways
    lengths = np.sqrt(((np.roll(rings, -1, axis=1) - rings) ** 2).sum(axis=2)).cumsum(axis=1)
    middles, outwards = [np.empty((0, 2))], [np.empty((0, 2))]
    for ring, way, length in zip(rings, ways, lengths, strict=True):
        stops = np.arange(rng.uniform(0, gap), length[-1], gap)
        index = np.searchsorted(length, stops + rng.normal(0, 0.2 * gap, len(stops))) % len(ring)
        middles.append(ring[index])
        outwards.append(way[index])
    places, way = np.concatenate(middles), np.concatenate(outwards)
    places += rng.normal(0, 0.6, places.shape)
    turns = np.arctan2(way[:, 1], way[:, 0])
    return [(outline, kind) for outline in _ellipses(rng, places, turns, long=long, wide=wide)]


def _stroma_cells(rng: np.random.Generator) -> list[Shape]:
    """Nuclei everywhere: the crypts will lie on top of them."""
    count = int(rng.integers(120, 420))
    middles, turns = rng.uniform(0, SIDE, (count, 2)), rng.uniform(0, np.pi, count)
    return [(outline, NUCLEUS) for outline in _ellipses(rng, middles, turns, long=2.7, wide=1.5)]


def _gaps(rng: np.random.Generator) -> list[Shape]:
    """Where there is no tissue: a third of the patches end at an edge; tears may be anywhere."""
    outlines = []
    if rng.random() < 0.35:
        across = np.linspace(-SIDE, SIDE, 60)
        wave = 6 * np.sin(across / rng.uniform(9, 25) + rng.uniform(0, 6))
        edge = np.stack([across, wave + rng.uniform(0.25, 0.45) * SIDE], -1)
        edge = np.concatenate([edge, [[SIDE, SIDE], [-SIDE, SIDE]]])
        outlines.append(edge @ _rotation(rng.uniform(0, 2 * np.pi)) + SIDE / 2)
    tears = int(rng.integers(0, 5))
    middles, turns = rng.uniform(0, SIDE, (tears, 2)), rng.uniform(0, np.pi, tears)
    sizes = {"long": rng.uniform(8, 26), "wide": rng.uniform(2, 7)}
    outlines += _ellipses(rng, middles, turns, **sizes)
    return [(outline, GAP) for outline in outlines]


def _ellipses(
    rng: np.random.Generator, middles: np.ndarray, turns: np.ndarray, *, long: float, wide: float
) -> list[np.ndarray]:
    """Outlines of ellipses of about these half axes; middles: (ellipses, 2), turns: angles."""
    size = rng.uniform(0.75, 1.25, (len(middles), 2)) * (long, wide)
    at = ANGLES[::9]
    along, across = size[:, :1] * np.cos(at), size[:, 1:] * np.sin(at)
    cos, sin = np.cos(turns)[:, None], np.sin(turns)[:, None]
    corners = np.stack([cos * along - sin * across, sin * along + cos * across], -1)
    return list(middles[:, None] + corners)


def _rotation(angle: float) -> np.ndarray:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _drawn(shapes: list[Shape]) -> np.ndarray:
    """uint8 (SIDE, SIDE): what each pixel shows; the later shapes lie on top."""
    from PIL import Image, ImageDraw

    image = Image.new("L", (SIDE, SIDE), STROMA)
    draw = ImageDraw.Draw(image)
    for outline, kind in shapes:
        draw.polygon(outline.ravel().tolist(), fill=kind)
    return np.asarray(image)


def _stained(rng: np.random.Generator, shown: np.ndarray) -> np.ndarray:
    """What pixels show as the light that comes through it: uint8 (SIDE, SIDE, 3), RGB."""
    from scipy.ndimage import gaussian_filter

    rough = np.float32(0.14) * (_texture(rng, 12) + _texture(rng, 60))
    rough += np.float32(0.04) * rng.standard_normal(rough.shape, np.float32)
    rough += np.float32(1)
    amounts = []
    for levels in DENSITIES.T:
        strength = np.float32(np.exp(rng.normal(0, 0.15)))
        amounts.append(gaussian_filter(levels[shown] * strength, BLUR, truncate=2.5) * rough)
    light = np.empty((*shown.shape, 3), np.uint8)
    for channel, (blue, pink) in enumerate(STAINS.T):
        density = amounts[0] * blue
        density += amounts[1] * pink
        light[..., channel] = 244 * np.exp(-density)
    return light


def _texture(rng: np.random.Generator, bumps: int) -> np.ndarray:
    """float32 (SIDE, SIDE): smooth noise of about unit variance with so many bumps a side."""
    from PIL import Image

    coarse = Image.fromarray(rng.standard_normal((bumps, bumps), np.float32))
    return np.asarray(coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC))
