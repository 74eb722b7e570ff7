"""Each image is drawn for itself, by the generator alone; targets are those of what is seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from bench.data.augment import SETS, Augmentation, intensity, mixing
from bench.errors import UserError
from tests.data.pictures import as_float, augmentation, noise, run

# --- What applies to all ------------------------------------------------------------------------


@pytest.mark.parametrize("config", [{}, {"augmentation": "none", "gamma": False, "mixup": 0.0}])
def test_nothing_asked_for_is_none(config: dict[str, Any]) -> None:
    assert augmentation(**config) is None
    assert augmentation(kind="text_classification", augmentation="flips") is None


def test_an_unknown_set_gets_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'flips'"):
        augmentation(augmentation="flip")


def test_mixup_of_a_segmentation_is_refused() -> None:
    with pytest.raises(UserError, match="got mixup = 0.2: leave it at 0 or take cutmix"):
        augmentation(kind="image_segmentation", mixup=0.2)


EVERYTHING = [
    *({"augmentation": name} for name in SETS if name != "none"),
    {"gamma": True},
    {"jitter": 0.5},
    {"crop": True},
    {"erasing": 0.5},
    {"mixup": 0.4},
    {"cutmix": 0.4},
]


@pytest.mark.parametrize("config", EVERYTHING, ids=str)
@pytest.mark.parametrize("channels", [1, 3])
def test_equal_images_come_out_different_and_a_seed_gives_the_same(
    config: dict[str, Any], channels: int
) -> None:
    # Mixing needs other images: of each two alike.
    images = noise(24, channels, 12, 20).repeat_interleave(2, dim=0)
    first, _ = run(images, **config)
    torch.manual_seed(3)  # the global generators have no part in it
    np.random.seed(3)
    again, _ = run(images, **config)
    assert torch.equal(first, again)
    assert not torch.equal(first, run(images, seed=1, **config)[0])
    alike = sum(torch.equal(one, two) for one, two in zip(first[::2], first[1::2], strict=True))
    assert alike < 20
    assert first.shape == images.shape and first.dtype == torch.float32


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(sorted(SETS)),
    strength=st.floats(0.01, 1),
    gamma=st.booleans(),
    jitter=st.sampled_from([0.0, 1.0]),
    crop=st.booleans(),
    erasing=st.sampled_from([0.0, 0.5]),
    mixup=st.sampled_from([0.0, 1e-3, 1.0]),
    cutmix=st.sampled_from([0.0, 1e-3, 1.0]),
    shape=st.tuples(st.integers(1, 5), st.sampled_from([1, 3]), st.integers(1, 9))
    .flatmap(lambda some: st.tuples(*map(st.just, some), st.integers(1, 9))),
    value=st.sampled_from([None, 0, 255]),
    seed=st.integers(0, 1000),
)  # fmt: skip
def test_whatever_is_drawn_stays_in_range(
    name: str, strength: float, shape: tuple[int, ...], value: int | None, seed: int, **rest: Any
) -> None:
    images = noise(*shape) if value is None else torch.full(shape, value).byte()
    config = {"augmentation": name, "strength": strength, "balance": "smote", **rest}
    made = np.arange(shape[0]) % 2 == 0
    found, targets = run(images, seed=seed, made=made, **config)
    assert found.shape == shape and torch.isfinite(found).all()
    assert found.min() > -1e-4 and found.max() < 1 + 1e-4
    if targets.dim() == 2:
        torch.testing.assert_close(targets.sum(1), torch.ones(shape[0]))


def test_inputs_are_normalised_channel_by_channel() -> None:
    images = noise(4, 3)
    moments = {"mean": [0.1, 0.5, 0.9], "std": [0.2, 0.3, 0.4]}
    found = Augmentation.of({"balance": "smote"}, kind="image_classification", classes=2, **moments)
    assert found is not None
    inputs, _ = found(images, torch.zeros(4), made=np.zeros(4, bool), generator=torch.Generator())
    mean, std = (torch.tensor(moments[name]).view(1, 3, 1, 1) for name in ("mean", "std"))
    torch.testing.assert_close(inputs, (as_float(images) - mean) / std, atol=1e-5, rtol=1e-5)


ALONE = [config for config in EVERYTHING if "mixup" not in config]


@pytest.mark.parametrize("config", [*ALONE, {"jitter": 0.5, "augmentation": "affine"}], ids=str)
def test_one_channel_is_normalised_by_each_of_several_means(config: dict[str, Any]) -> None:
    images = noise(6, 1, 12, 20).clamp(min=1)  # 0 is what is erased
    grey = {"mean": [0.0], "std": [1.0]}
    three = {"mean": [0.1, 0.5, 0.9], "std": [0.2, 0.3, 0.4]}

    def drawn(moments: dict[str, list[float]]) -> Tensor:
        found = Augmentation.of(config, kind="image_classification", classes=2, **moments)
        assert found is not None
        coins = torch.Generator().manual_seed(4)
        return found(images, torch.zeros(6).long(), made=np.zeros(6, bool), generator=coins)[0]

    mean, std = (torch.tensor(three[name]).view(1, 3, 1, 1) for name in ("mean", "std"))
    plain, found = drawn(grey), drawn(three)
    if "erasing" in config:  # what is erased is set to each channel's own mean
        plain = torch.where(plain == 0, mean, plain)
    # The same draws, and no turned hues: the image is grey.
    torch.testing.assert_close(found, (plain - mean) / std, atol=1e-4, rtol=1e-4)


# --- Intensities --------------------------------------------------------------------------------


def test_gamma_raises_each_image_to_a_power_of_its_own() -> None:
    images = torch.full((300, 2, 3, 4), 51).byte()  # 0.2 of the range
    found, _ = run(images, gamma=True)
    assert (found == found[:, :1, :1, :1]).all()
    powers = found[:, 0, 0, 0].log() / np.log(0.2)
    assert 0.5 <= powers.min() < 0.55 and 1.45 < powers.max() <= 1.5
    assert powers.mean() == pytest.approx(1.0, abs=0.05)
    ends = torch.tensor([0, 255]).byte().expand(9, 1, 1, 2)
    torch.testing.assert_close(run(ends, gamma=True)[0], as_float(ends))


@pytest.mark.parametrize(("channels", "asked"), [(1, 1), (3, 3), (1, 3)])
def test_tables_give_what_they_hold(channels: int, asked: int) -> None:
    images, tables = noise(5, channels), torch.rand(5, asked, 256)
    found = intensity.look_up(images, tables)
    images = images.expand(-1, asked, -1, -1)
    expected = tables.gather(2, images.flatten(2).long()).view(images.shape)
    assert torch.equal(found, expected)


def test_jitter_grows_with_its_parameter() -> None:
    images = noise(60, 1, 16, 16)
    change = [(run(images, jitter=one)[0] - as_float(images)).abs().mean() for one in (0.1, 1.0)]
    assert 0 < change[0] < 0.05 < change[1]


def test_jitter_of_colours_leaves_grey_grey() -> None:
    grey, coloured = noise(20, 1, 8, 8).repeat(1, 3, 1, 1), noise(20, 3, 8, 8)

    def spread(images: Tensor) -> Tensor:
        return images.amax(1) - images.amin(1)

    assert spread(run(grey, jitter=1.0)[0]).max() < 1e-3
    changed, _ = run(coloured, jitter=1.0)
    order = as_float(coloured).argmax(1) == changed.argmax(1)
    assert 0.4 < order.float().mean() < 0.99  # hues turn, by a fifth of the circle at most


# --- Rectangles and mixtures --------------------------------------------------------------------


def test_erasing_sets_one_rectangle_to_the_mean() -> None:
    images = torch.full((400, 1, 20, 30), 255).byte()
    found, _ = run(images, erasing=0.3)
    erased = [one for one in found if (one == 0).any()]
    assert 85 < len(erased) < 155
    for image in erased:
        rows, columns = (image[0] == 0).nonzero(as_tuple=True)
        box = image[0, rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        assert (box == 0).all() and 0.01 < box.numel() / 600 < 0.4
        assert (image == 0).sum() == box.numel()


def images_of_classes(count: int, classes: int) -> tuple[Tensor, Tensor]:
    """Every image is one intensity, which tells its class."""
    labels = torch.arange(count) % classes
    levels = (labels * (255 // (classes - 1))).byte()
    return levels.view(-1, 1, 1, 1).expand(count, 1, 16, 12).contiguous(), labels


@pytest.mark.parametrize("config", [{"mixup": 0.7}, {"cutmix": 1.0}, {"mixup": 0.7, "cutmix": 1.0}])
def test_probabilities_are_the_shares_of_what_is_seen(config: dict[str, float]) -> None:
    images, labels = images_of_classes(64, 2)
    found, targets = run(images, labels, classes=2, **config)
    assert targets.shape == (64, 2) and targets.dtype == torch.float32
    torch.testing.assert_close(targets.sum(1), torch.ones(64))
    # Class 1 is white and class 0 black: the mean intensity is the share of class 1.
    torch.testing.assert_close(found.mean((1, 2, 3)), targets[:, 1], atol=1e-4, rtol=0)
    mixed = (targets[:, 1] > 0.02) & (targets[:, 1] < 0.98)
    assert mixed.float().mean() > 0.2
    assert len(torch.unique(targets[mixed][:, 1])) > 8  # a share of its own for each
    pasted = torch.tensor([len(one.unique()) > 1 for one in found])
    assert bool(pasted.any()) == ("cutmix" in config)
    assert bool((mixed & ~pasted).any()) == ("mixup" in config)


def test_a_batch_of_one_is_mixed_with_itself() -> None:
    images, labels = images_of_classes(1, 3)
    found, targets = run(images, labels, mixup=0.5, cutmix=0.5)
    torch.testing.assert_close(found, as_float(images))
    assert targets.tolist() == [[1.0, 0.0, 0.0]]


def test_cutmix_pastes_masks_alike() -> None:
    images, labels = images_of_classes(40, 3)
    masks = labels.view(-1, 1, 1).expand(40, 16, 12)
    found, pasted = run(images, masks, cutmix=1.0)
    assert pasted.dtype == torch.int64
    torch.testing.assert_close(found.squeeze(1), pasted * 127 / 255)
    assert sum(len(one.unique()) > 1 for one in pasted) > 10


def test_rectangles_have_the_share_that_they_say() -> None:
    rng = np.random.default_rng(0)
    boxes, share = mixing._boxes(1.0, 200, torch.zeros(200, 1, 13, 7), rng)
    inside = mixing._inside(boxes, torch.zeros(200, 1, 13, 7))
    np.testing.assert_allclose(inside.float().mean((1, 2, 3)).numpy(), share, rtol=1e-6)
    assert share.min() >= 0 and share.max() <= 1 and share.std() > 0.1
