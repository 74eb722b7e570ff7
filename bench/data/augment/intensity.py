"""Intensities: gamma, jitter and normalisation, by one table of 256 entries an image and channel.

On a CPU the table costs what normalising alone costs; powers of floats cost two to three times it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

GAMMA = (0.5, 1.5)
COLOUR, HUE = 0.8, 0.2
"""Of jitter at 1: brightness, contrast and saturation by factors in 1 +- 0.8, hue by +- 0.2 turns,
as in SimCLR at strength 1 (Chen et al. 2020, appendix A)."""


def normalise(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Images, uint8 (batch, channels, height, width), as normalised float32.

    mean, std: per channel; of images of one channel, there may be several: one channel for each.
    """
    tables = _range(images).expand(len(images), len(mean), 256)
    return look_up(images, (tables - _column(mean, images)) / _column(std, images))


def adjust(
    images: Tensor,
    *,
    mean: Sequence[float],
    std: Sequence[float],
    gamma: bool,
    jitter: float,
    rng: np.random.Generator,
) -> Tensor:
    """Normalised images as above, their intensities changed before.

    In this order, each clipped to [0, 1]: contrast about the image's own mean, brightness, gamma,
    and, where the images themselves have three channels, saturation and hue.
    """
    count = len(images)
    table = _range(images).expand(count, 256)
    if jitter:
        contrast, brightness = _factors((2, count), jitter, rng).to(images.device)
        # Every fourth pixel of every fourth row tells the mean well enough.
        middle = images[..., ::4, ::4].float().mean((1, 2, 3)) / 255
        table = torch.lerp(middle[:, None], table, contrast[:, None]).clamp_(0, 1)
        table = (table * brightness[:, None]).clamp_(0, 1)
    if gamma:
        powers = torch.from_numpy(rng.uniform(*GAMMA, size=(count, 1))).float()
        table = table ** powers.to(images.device)
    tables = table[:, None].expand(count, len(mean), 256)
    shift, scale = _column(mean, images), _column(std, images)
    if jitter and images.shape[1] == 3:
        coloured = _coloured(look_up(images, tables), jitter, rng)
        return coloured.sub_(shift[..., None]).div_(scale[..., None])
    return look_up(images, (tables - shift) / scale)


def look_up(images: Tensor, tables: Tensor) -> Tensor:
    """What each image's tables, float32 (batch, channels, 256), hold for its uint8 values.

    images: (batch, channels or 1, height, width). One channel is looked up in every table.
    """
    images = images.expand(-1, tables.shape[1], -1, -1)
    if images.device.type != "cpu":
        first = 256 * torch.arange(tables.shape[0] * tables.shape[1], device=images.device)
        places = images + first.int().view(*tables.shape[:2], 1, 1)
        return tables.flatten().index_select(0, places.flatten()).view(images.shape)
    # NumPy asks for huge pages, torch does not: zeroing small ones takes longer than the table.
    found = np.empty(images.shape, np.float32)
    # Image by image the indices stay in the CPU's cache: half the time of one gather over all.
    for image, table, target in zip(
        images.flatten(0, 1).numpy(),
        tables.flatten(0, 1).numpy(),
        found.reshape(-1, *found.shape[2:]),
        strict=True,
    ):
        np.take(table, image, out=target, mode="clip")  # mode="raise" would copy the output
    return torch.from_numpy(found)


def _coloured(images: Tensor, jitter: float, rng: np.random.Generator) -> Tensor:
    """Saturation and hue of RGB images in [0, 1]."""
    from kornia.enhance import adjust_hue, adjust_saturation

    count = len(images)
    saturation = _factors((count,), jitter, rng).to(images.device)
    turns = torch.from_numpy(HUE * jitter * rng.uniform(-1, 1, size=count)).float()
    images = adjust_saturation(images, saturation)
    return adjust_hue(images, 2 * math.pi * turns.to(images.device)).clamp_(0, 1)


def _factors(shape: tuple[int, ...], jitter: float, rng: np.random.Generator) -> Tensor:
    return torch.from_numpy(1 + COLOUR * jitter * rng.uniform(-1, 1, size=shape)).float()


def _range(images: Tensor) -> Tensor:
    """The intensity in [0, 1] of each uint8 value: float32 (256,)."""
    return torch.arange(256, device=images.device) / 255


def _column(values: Sequence[float], images: Tensor) -> Tensor:
    """A number a channel: float32 (channels, 1)."""
    return torch.tensor(values, dtype=torch.float32, device=images.device)[:, None]
