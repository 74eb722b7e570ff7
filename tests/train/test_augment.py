"""Each image is drawn for itself, by the generator alone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from bench.data import augment
from bench.errors import UserError


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def smooth(count: int, size: int = 32) -> Tensor:
    """The same off-centre blob `count` times."""
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    blob = torch.exp(-((x - size * 0.4) ** 2 + (y - size * 0.3) ** 2) / (size / 4) ** 2)
    return blob.expand(count, 1, size, size).clone()


def test_none_changes_nothing() -> None:
    images = smooth(3)
    assert torch.equal(augment.get("none")(images.clone(), generator()), images)


def test_flips_give_each_of_four_images_about_equally_often() -> None:
    given = torch.rand(1, 2, 5, 7)
    kinds = [given, given.flip(3), given.flip(2), given.flip(2, 3)]
    found = augment.get("flips")(given.repeat(400, 1, 1, 1), generator())
    counts = [sum(torch.equal(one, kind[0]) for one in found) for kind in kinds]
    assert sum(counts) == 400
    assert min(counts) > 70


def test_rotation_keeps_half_and_turns_the_others_each_by_its_own_angle() -> None:
    images = smooth(200)
    found = augment.get("flips_rotation")(images.clone(), generator())
    kinds = [images[0], images[0].flip(2), images[0].flip(1), images[0].flip(1, 2)]
    kept = [any(torch.allclose(one, kind, atol=1e-4) for kind in kinds) for one in found]
    assert 70 < sum(kept) < 130
    turned = torch.stack([one for one, same in zip(found, kept, strict=True) if not same])
    assert len(torch.unique((turned * 1e3).round(), dim=0)) == len(turned)
    # The middle stays where it is, whatever the angle; nothing is filled with black.
    middle = images[0, 0, 15:17, 15:17].mean()
    torch.testing.assert_close(
        turned[:, 0, 15:17, 15:17].mean((1, 2)), middle.expand(len(turned)), atol=0.05, rtol=0
    )
    assert augment.get("flips_rotation")(torch.ones(50, 1, 8, 8), generator()).min() > 0.999


def test_rotation_of_a_wide_image_is_no_shear() -> None:
    y, x = torch.meshgrid(torch.arange(24) - 11.5, torch.arange(48) - 23.5, indexing="ij")
    disc = ((x**2 + y**2) < 64).float().expand(40, 1, 24, 48).clone()
    found = augment.get("flips_rotation")(disc.clone(), generator())
    # What lies farther out than the shorter side reaches is a reflection.
    middle, expected = found[..., 14:34], disc[..., 14:34]
    torch.testing.assert_close(middle.sum((1, 2, 3)), expected.sum((1, 2, 3)), rtol=0.05, atol=0)
    assert (middle - expected).abs().mean() < 0.03


@pytest.mark.parametrize("name", sorted(augment.AUGMENTATIONS))
def test_a_seed_gives_the_same(name: str) -> None:
    draw = augment.get(name)
    first = draw(smooth(8), generator(1))
    torch.manual_seed(3)  # the global generator has no part in it
    assert torch.equal(draw(smooth(8), generator(1)), first)
    assert name == "none" or not torch.equal(draw(smooth(8), generator(2)), first)


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'flips'"):
        augment.get("flip")
