"""Flips and warps: what moves where, and that masks move with their images."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.data.augment import SETS, warp
from tests.data.pictures import as_float, noise, run

WARPS = ("rotation", "affine", "perspective")


def smooth(count: int, size: int = 32) -> Tensor:
    """The same off-centre blob `count` times."""
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    blob = torch.exp(-((x - size * 0.4) ** 2 + (y - size * 0.3) ** 2) / (size / 4) ** 2)
    return (255 * blob).byte().expand(count, 1, size, size).clone()


def test_flips_give_each_of_four_images_about_equally_often() -> None:
    given_ = noise(1, 2, 5, 7)
    kinds = [as_float(one)[0] for one in (given_, *(given_.flip(s) for s in (3, 2, (2, 3))))]
    found, _ = run(given_.repeat(400, 1, 1, 1), augmentation="flips")
    counts = [sum(torch.allclose(one, kind) for one in found) for kind in kinds]
    assert sum(counts) == 400 and min(counts) > 70


def test_an_extra_sample_is_never_a_mere_copy() -> None:
    given_ = noise(1).repeat(200, 1, 1, 1)
    made = np.arange(200) % 2 == 0
    for name in ("none", "flips"):
        found, _ = run(given_, made=made, augmentation=name, balance="smote")
        copies = np.array([torch.allclose(one, as_float(given_[0])) for one in found])
        assert not copies[made].any() and copies[~made].any()
    untouched, _ = run(given_, augmentation="none", balance="smote")
    torch.testing.assert_close(untouched, as_float(given_))


def test_rotation_keeps_half_and_turns_the_others_each_by_its_own_angle() -> None:
    images = smooth(200)
    found, _ = run(images, augmentation="rotation")
    kept = [torch.allclose(one, as_float(images[0]), atol=1e-4) for one in found]
    assert 70 < sum(kept) < 130
    turned = torch.stack([one for one, same in zip(found, kept, strict=True) if not same])
    assert len(torch.unique((turned * 1e3).round(), dim=0)) == len(turned)
    # The middle stays where it is, whatever the angle; nothing is filled with black.
    middle = as_float(images)[0, 0, 15:17, 15:17].mean()
    torch.testing.assert_close(
        turned[:, 0, 15:17, 15:17].mean((1, 2)), middle.expand(len(turned)), atol=0.05, rtol=0
    )
    bright, _ = run(torch.full((50, 1, 8, 8), 255).byte(), augmentation="rotation")
    assert bright.min() > 0.999


def test_a_quarter_turn_is_a_transpose_and_a_flip() -> None:
    images = noise(1, 1, 7, 7)
    matrix = warp._to_sides(warp._turn(np.array([np.pi / 2])), (7, 7))
    found = warp.apply(as_float(images), matrix, np.array([True]))
    torch.testing.assert_close(found, as_float(images).rot90(1, (2, 3)), atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", ["rotation", "flips_rotation"])
def test_rotation_of_a_wide_image_is_no_shear(name: str) -> None:
    y, x = torch.meshgrid(torch.arange(24) - 11.5, torch.arange(48) - 23.5, indexing="ij")
    disc = (255 * ((x**2 + y**2) < 64)).byte().expand(40, 1, 24, 48)
    found, _ = run(disc, augmentation=name)
    # What lies farther out than the shorter side reaches is a reflection.
    middle, expected = found[..., 14:34], as_float(disc)[..., 14:34]
    torch.testing.assert_close(middle.sum((1, 2, 3)), expected.sum((1, 2, 3)), rtol=0.05, atol=0)
    assert (middle - expected).abs().mean() < 0.03


@pytest.mark.parametrize("kind", WARPS)
@pytest.mark.parametrize("strength", [0.05, 1.0])
def test_strength_bounds_how_far_a_pixel_moves(kind: str, strength: float) -> None:
    rng = np.random.default_rng(0)
    matrices, moved = warp.draw_matrices(
        (kind,), 300, size=(30, 20), strength=strength, crop=False, rng=rng
    )
    grid = warp._grid(matrices, torch.zeros(300, 1, 30, 20))
    still = warp._grid(np.eye(3)[None], torch.zeros(1, 1, 30, 20))
    shifts = (grid - still).abs().amax((1, 2, 3))
    assert (shifts[~moved] < 1e-6).all() and (shifts[moved] > 1e-6).all()
    # In halves of a side: at one twentieth no pixel goes that far, at full strength most images do.
    far = (shifts[moved] > 0.3).float().mean()
    assert far == 0 if strength < 0.1 else far > 0.5


def test_the_horizon_of_a_perspective_lies_outside() -> None:
    rng = np.random.default_rng(1)
    matrices, moved = warp.draw_matrices(
        ("perspective",), 4000, size=(9, 9), strength=1.0, crop=False, rng=rng
    )
    corners = np.array([[-1, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1]])
    depth = np.einsum("nk,pk->np", matrices[:, 2], corners)
    assert moved.mean() == pytest.approx(0.5, abs=0.05) and depth.min() > 0.05
    read = np.einsum("nik,pk->npi", matrices, corners)[..., :2] / depth[..., None]
    assert np.abs(read - corners[:, :2]).max() <= warp.CORNER_SHIFT + 1e-9


def test_a_crop_reads_inside_of_the_image_only() -> None:
    rng = np.random.default_rng(2)
    matrices, moved = warp.draw_matrices((), 500, size=(8, 8), strength=1.0, crop=True, rng=rng)
    grid = warp._grid(matrices, torch.zeros(500, 1, 8, 8))
    assert moved.all() and grid.abs().max() <= 1
    area = matrices[:, 0, 0] * matrices[:, 1, 1]
    assert 0.24 < area.min() < 0.3 and 0.9 < area.max() <= 1


def test_one_of_three_draws_all_three() -> None:
    rng = np.random.default_rng(0)
    matrices, moved = warp.draw_matrices(
        SETS["flips_one_of"], 300, size=(8, 8), strength=1.0, crop=False, rng=rng
    )
    in_perspective = (np.abs(matrices[:, 2, :2]) > 1e-9).any(axis=1)
    shifted = ~in_perspective & (np.abs(matrices[:, :2, 2]) > 1e-9).any(axis=1)
    turned = moved & ~in_perspective & ~shifted
    assert min(in_perspective.sum(), turned.sum()) > 30 and shifted.sum() > 70


@pytest.mark.parametrize("config", [*({"augmentation": name} for name in SETS), {"crop": True}])
@pytest.mark.parametrize("size", [(40, 40), (30, 52)])
def test_masks_and_images_move_together(config: dict[str, Any], size: tuple[int, int]) -> None:
    """An image that equals its mask still does: where it lies on no edge, to a rounding."""
    height, width = size
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    mask = ((x > 0.3 * width) & (y > 0.2 * height)).long() + ((x > 0.6 * width) & (y < 20)).long()
    masks = mask.expand(40, height, width)
    images = (100 * masks).byte().unsqueeze(1)
    found, moved = run(images, masks, made=np.arange(40) < 5, balance="smote", **config)
    expected = 100 / 255 * moved.float()
    wrong = ((found.squeeze(1) - expected).abs() > 0.51 * 100 / 255).float().mean()
    assert moved.dtype == torch.int64 and set(moved.unique().tolist()) == {0, 1, 2}
    assert wrong < 0.002
    assert config.get("augmentation") == "none" or not torch.equal(moved[5:], masks[5:])
