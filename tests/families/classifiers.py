"""Image classifiers by their options, for their tests."""

from __future__ import annotations

from typing import Any

import torch

from bench.spec import Scalar, Shape
from tests.families.builds import FAMILIES, configure, parameters


def images(channels: int, height: int, width: int | None = None, *, classes: int = 3) -> Shape:
    return Shape(
        kind="image_classification",
        classes=classes,
        channels=channels,
        height=height,
        width=width or height,
    )


def build(id: str, shape: Shape, **options: Scalar) -> Any:
    return FAMILIES[id].build(configure(id, options), shape)


def counted(id: str, shape: Shape, **options: Scalar) -> int:
    """Parameters, without their memory."""
    with torch.device("meta"):
        return parameters(id, shape, **options)
