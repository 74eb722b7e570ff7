"""Outlines hold their regions, and encoded images stay small."""

import base64
import io
import re

import numpy as np
from hypothesis import given, settings
from hypothesis.extra.numpy import array_shapes, arrays

from results import pictures

MASKS = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=9))


def inside(path, shape):
    """The pixels whose centre a ray from the left reaches across an odd number of edges."""
    found = np.zeros(shape, bool)
    for begin, steps in re.findall(r"M([\d,]+)([hv\d-]*)z", path):
        x, y = map(int, begin.split(","))
        for axis, length in re.findall(r"([hv])(-?\d+)", steps):
            if axis == "h":
                x += int(length)
                continue
            for row in range(min(y, y + int(length)), max(y, y + int(length))):
                found[row, x:] ^= True
            y += int(length)
        assert [x, y] == list(map(int, begin.split(","))), "the loop is closed"
    return found


@given(mask=MASKS)
@settings(max_examples=150, deadline=None)
def test_an_outline_holds_its_region_and_nothing_else(mask):
    np.testing.assert_array_equal(inside(pictures.outline(mask), mask.shape), mask)


def test_straight_edges_are_one_step():
    mask = np.zeros((8, 8), bool)
    mask[2:5, 1:7] = True
    assert sorted(re.findall(r"[hv]-?\d+", pictures.outline(mask))) == ["h-6", "h6", "v-3", "v3"]
    assert pictures.outline(np.zeros((3, 3), bool)) == ""


def test_of_specks_the_longest_outlines_stay():
    mask = np.indices((160, 160)).sum(axis=0) % 2 == 0
    mask[60:100, 60:100] = True
    path = pictures.outline(mask)
    assert len(path) <= 2 * pictures.OUTLINE or path.count("M") == 1


def test_small_images_are_kept_exactly_and_large_ones_stay_small():
    from PIL import Image

    rng = np.random.default_rng(0)
    for size, kind in ((16, "png"), (160, "jpeg")):
        image = rng.integers(0, 255, (size, size, 3)).astype(np.uint8)
        head, content = pictures.data_uri(image).split(",")
        assert head == f"data:image/{kind};base64"
        shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))
        assert shown.shape == image.shape and (kind != "png" or (shown == image).all())
    smooth = np.broadcast_to(np.arange(160, dtype=np.uint8)[:, None, None], (160, 160, 1))
    noisy = smooth + rng.integers(0, 40, smooth.shape).astype(np.uint8)
    assert len(pictures.data_uri(noisy)) < 1.4 * pictures.BYTES + 30
