"""Augmentation of whole batches on the device, one draw for each image."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from bench.errors import UserError
from bench.spec import unknown

Augmentation = Callable[[Tensor, torch.Generator], Tensor]


def _none(images: Tensor, generator: torch.Generator) -> Tensor:
    return images


def _flips(images: Tensor, generator: torch.Generator) -> Tensor:
    """Left-right and up-down, each with probability 0.5; only images that turn are moved."""
    drawn = torch.randint(4, (len(images),), generator=generator)
    for number, sides in ((1, (3,)), (2, (2,)), (3, (2, 3))):
        index = (drawn == number).nonzero().squeeze(1).to(images.device)
        images.index_copy_(0, index, images.index_select(0, index).flip(sides))
    return images


def _flips_rotation(images: Tensor, generator: torch.Generator) -> Tensor:
    """Flips, and with probability 0.5 a rotation by up to 180 degrees, edges reflected."""
    images = _flips(images, generator)
    turned = torch.rand(len(images), generator=generator) < 0.5
    angle = (2 * torch.rand(len(images), generator=generator) - 1) * math.pi * turned
    angle = angle.to(images.device)
    # Coordinates run from -1 to 1 along both sides, so a rotation needs the sides' ratio.
    ratio = images.shape[2] / images.shape[3]
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    rows = torch.stack([cos, -sin * ratio, zero, sin / ratio, cos, zero], dim=1)
    grid = functional.affine_grid(rows.view(-1, 2, 3), list(images.shape), align_corners=False)
    return functional.grid_sample(
        images, grid.to(images.dtype), padding_mode="reflection", align_corners=False
    )


AUGMENTATIONS: dict[str, Augmentation] = {
    "none": _none,
    "flips": _flips,
    "flips_rotation": _flips_rotation,
}


def get(name: str) -> Augmentation:
    """`augmentation(images, generator)`: float (batch, channels, height, width) to the same.

    The given images may be overwritten. The generator lives on the CPU, so that a seed draws the
    same on every device. Raises UserError for an unknown name.
    """
    if name not in AUGMENTATIONS:
        raise UserError(unknown("augmentation", name, AUGMENTATIONS))
    return AUGMENTATIONS[name]
