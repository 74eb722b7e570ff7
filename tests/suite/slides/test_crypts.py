"""Painted patches of mucosa: what a pixel shows, and what a degree changes."""

from __future__ import annotations

import numpy as np
import pytest

from suite.slides import crypts
from suite.slides.crypts import EPITHELIUM, GOBLET, LUMINA, MUCUS, NUCLEUS, SIDE, STROMA, patch


def area(outlines: np.ndarray) -> np.ndarray:
    """Of polygons (outlines, corners, 2), by the shoelace formula."""
    x, y = outlines[..., 0], outlines[..., 1]
    return np.abs((x * np.roll(y, -1, 1) - y * np.roll(x, -1, 1)).sum(axis=1)) / 2


def drawn(degree: float, seed: int = 0, count: int = 400) -> crypts.Crypts:
    rng = np.random.default_rng(seed)
    return crypts._outlined(rng, np.zeros((count, 2)), degree=degree, size=60)


def test_a_patch_is_an_image_of_the_published_size() -> None:
    image = patch(np.random.default_rng(0), degree=0.0)
    assert image.shape == (SIDE, SIDE, 3) and image.dtype == np.uint8
    np.testing.assert_array_equal(image, patch(np.random.default_rng(0), degree=0.0))
    assert (image != patch(np.random.default_rng(1), degree=0.0)).any()


def test_it_is_pink_with_blue_nuclei_and_pale_lumina() -> None:
    for seed in range(5):
        image = patch(np.random.default_rng(seed), degree=0.0).astype(int)
        red, green, blue = image.reshape(-1, 3).mean(axis=0)
        assert green < min(red, blue) - 20, "eosin takes green"
        dark = image[image.sum(axis=2) < np.quantile(image.sum(axis=2), 0.05)].mean(axis=0)
        assert dark[2] > dark[0] > dark[1], "haematoxylin lets blue through"
        assert (image.min(axis=2) > 205).mean() > 0.02, "lumina"


def test_lumina_widen_and_crypts_grow_feet_with_the_degree() -> None:
    mild, strong = drawn(-4.0), drawn(4.0)
    shares = [np.median(area(found.lumen) / area(found.outer)) for found in (mild, strong)]
    assert shares[1] > 1.8 * shares[0]
    reach = [np.hypot(*np.moveaxis(found.outer, 2, 0)) for found in (mild, strong)]
    longest = [np.median(r.max(axis=1) / np.median(r, axis=1)) for r in reach]
    assert longest[1] > longest[0] + 0.2


@pytest.mark.parametrize("degree", [-6.0, 0.0, 6.0])
def test_a_lumen_stays_within_its_crypt(degree: float) -> None:
    found = drawn(degree)
    lumen, outer = (np.hypot(*np.moveaxis(lines, 2, 0)) for lines in (found.lumen, found.outer))
    assert (lumen > 0).all() and (lumen < 0.9 * outer).all()
    assert set(found.content) <= set(range(MUCUS, MUCUS + LUMINA))


def test_a_ring_of_nuclei_lies_in_the_epithelium(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = []
    monkeypatch.setattr(crypts, "_stained", lambda rng, image: shown.append(image) or image)
    for seed in range(4):
        patch(np.random.default_rng(seed), degree=0.0)
    for image in shown:
        share = np.bincount(image.ravel(), minlength=MUCUS + LUMINA) / image.size
        assert 0.2 < share[STROMA] < 0.8
        assert all(share[kind] > 0.01 for kind in (NUCLEUS, EPITHELIUM, GOBLET))
        assert 0.02 < share[MUCUS:].sum() < 0.4
