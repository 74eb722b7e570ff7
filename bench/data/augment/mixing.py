"""Rectangles: erasing them, and images that consist of two."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

ERASED_AREA = (0.02, 1 / 3)
ERASED_RATIO = 3.3
"""Of a rectangle's sides, either way: both as in Zhong et al. 2020."""


def erase(images: Tensor, probability: float, rng: np.random.Generator) -> None:
    """Set a rectangle of each drawn image to 0, the mean of what is normalised, in place."""
    count, (height, width) = len(images), images.shape[2:]
    drawn = np.flatnonzero(rng.random(count) < probability)
    area = rng.uniform(*ERASED_AREA, size=count) * height * width
    ratio = ERASED_RATIO ** rng.uniform(-1, 1, size=count)
    sides = np.stack([np.sqrt(area * ratio), np.sqrt(area / ratio)], axis=1).round()
    sides = np.clip(sides, 1, (height, width))
    start = rng.integers(0, (height, width) - sides.astype(np.int64) + 1)
    boxes = np.stack([start, start + sides], axis=2).astype(np.int64)[drawn]
    if len(drawn):
        index = torch.from_numpy(drawn).to(images.device)
        chosen = images.index_select(0, index)
        images.index_copy_(0, index, chosen.masked_fill_(_inside(boxes, images), 0))


def mix(
    images: Tensor,
    targets: Tensor,
    *,
    mixup: float,
    cutmix: float,
    classes: int,
    rng: np.random.Generator,
) -> tuple[Tensor, Tensor]:
    """Each image with a share of another one of its batch, and the targets of both.

    Mixup (Zhang et al. 2018) adds the other to the whole image; cutmix (Yun et al. 2019) pastes a
    rectangle of it. The share is drawn from Beta(alpha, alpha) for each image. Labels become
    probabilities, float32 (batch, classes); of masks, the pasted rectangles are pasted.
    """
    count = len(images)
    partner = torch.from_numpy(rng.permutation(count)).to(images.device)
    pasted = rng.random(count) < 0.5 if mixup and cutmix else np.full(count, bool(cutmix))
    boxes, cut_share = _boxes(cutmix, count, images, rng)
    boxes[~pasted] = 0
    added = rng.beta(mixup, mixup, size=count) if mixup else np.zeros(count)
    added[pasted] = 0
    others = images[partner]
    if mixup:
        weight = torch.from_numpy(added).float().to(images.device)
        images = torch.lerp(images, others, weight.view(-1, 1, 1, 1))
    if cutmix:
        inside = _inside(boxes, images)
        images = torch.where(inside, others, images)
        if targets.dim() == 3:
            return images, torch.where(inside.squeeze(1), targets[partner], targets)
    share = torch.from_numpy(np.where(pasted, cut_share, added)).float().to(images.device)
    known = functional.one_hot(targets, classes).float()
    return images, torch.lerp(known, known[partner], share.view(-1, 1))


def _boxes(
    alpha: float, count: int, images: Tensor, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Rectangles, int (count, 2, 2): first and end of rows and columns; and their share of pixels.

    Their centres lie anywhere in the image, which clips them, as in the paper.
    """
    size = np.array(images.shape[2:])
    if not alpha:
        return np.zeros((count, 2, 2), np.int64), np.zeros(count)
    sides = np.sqrt(rng.beta(alpha, alpha, size=count))[:, None] * size
    centre = rng.random((count, 2)) * size
    start = np.clip((centre - sides / 2).round(), 0, size).astype(np.int64)
    end = np.clip((centre + sides / 2).round(), 0, size).astype(np.int64)
    return np.stack([start, end], axis=2), (end - start).prod(axis=1) / size.prod()


def _inside(boxes: np.ndarray, images: Tensor) -> Tensor:
    """Whether each pixel lies in its image's rectangle: bool (batch, 1, height, width)."""
    edges = torch.from_numpy(boxes).to(images.device)
    row, column = (torch.arange(length, device=images.device) for length in images.shape[2:])
    rows = (row >= edges[:, 0, :1]) & (row < edges[:, 0, 1:])
    columns = (column >= edges[:, 1, :1]) & (column < edges[:, 1, 1:])
    return (rows[:, None, :, None]) & (columns[:, None, None, :])
