"""Images to augment, and one call that augments them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.data.augment import Augmentation
from bench.spec import Kind


def augmentation(
    channels: int = 1, *, classes: int = 3, kind: Kind = "image_classification", **config: Any
) -> Augmentation | None:
    return Augmentation.of(
        config, kind=kind, classes=classes, mean=[0.0] * channels, std=[1.0] * channels
    )


def run(
    images: Tensor,
    targets: Tensor | None = None,
    *,
    seed: int = 0,
    made: np.ndarray | None = None,
    **config: Any,
) -> tuple[Tensor, Tensor]:
    """Augmented images in [0, 1] and targets; the given ones stay as they are."""
    masks = targets is not None and targets.dim() == 3
    kind: Kind = "image_segmentation" if masks else "image_classification"
    found = augmentation(images.shape[1], kind=kind, **config)
    assert found is not None
    return found(
        images.clone(),
        torch.zeros(len(images), dtype=torch.int64) if targets is None else targets.clone(),
        made=np.zeros(len(images), bool) if made is None else made,
        generator=torch.Generator().manual_seed(seed),
    )


def as_float(images: Tensor) -> Tensor:
    return images.float() / 255


def noise(count: int, channels: int = 1, height: int = 6, width: int = 9) -> Tensor:
    made = torch.Generator().manual_seed(7)
    return torch.randint(0, 256, (count, channels, height, width), generator=made).byte()
