"""Configurations, shapes and inputs of families, for their tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from bench import registry
from bench.spec import Config, Kind, Scalar, Shape
from bench.train.losses import Loss
from bench.train.trial import configure as configured
from tests.train.synthetic import make_task

FAMILIES = registry.families().items
SHAPES: dict[Kind, list[Shape]] = {
    "image_classification": [
        Shape(kind="image_classification", classes=3, channels=1, height=32, width=32),
        Shape(kind="image_classification", classes=2, channels=3, height=40, width=48),
    ],
    "image_segmentation": [
        Shape(kind="image_segmentation", classes=3, channels=1, height=32, width=32),
        Shape(kind="image_segmentation", classes=2, channels=3, height=37, width=50),
    ],
    "text_classification": [
        Shape(kind="text_classification", classes=4, vocabulary=500, max_tokens=16),
        Shape(kind="text_classification", classes=2, vocabulary=900, max_tokens=128),
    ],
}
LARGER: dict[str, tuple[tuple[int, int], ...]] = {
    # 65 are the fewest of which its convolution in steps of four and three poolings leave one.
    "alexnet": ((65, 65), (72, 80)),
}
"""Height and width of the smaller images of families that cannot take those above."""
USUAL: dict[Kind, Shape] = {
    "image_classification": Shape(
        kind="image_classification", classes=3, channels=3, height=224, width=224
    ),
    "image_segmentation": Shape(
        kind="image_segmentation", classes=3, channels=1, height=256, width=256
    ),
    "text_classification": Shape(
        kind="text_classification", classes=4, vocabulary=30_522, max_tokens=128
    ),
}
"""Of published settings, for models that are built without memory."""
SMALL: dict[str, dict[str, Scalar]] = {
    "alexnet": {"classifier_width": 64},
    "vgg": {"depth": 11, "classifier_width": 64},
    "resnet": {"depth": 18},
    "vit": {"size": "tiny", "patch_size": 8},
    "convmixer": {"width": 32, "depth": 2},
    "unet": {"base_width": 8},
    "convmixerseg": {"width": 16, "depth": 2},
    "hf": {"hidden_size": 128, "layers": 2, "head_size": 64},
}
"""Settings of families whose usual models are only larger and slower, or take larger images."""


def shapes_of(id: str) -> list[Shape]:
    """Two shapes of data that the family's small model can take, of each of its kinds."""
    found = [shape for kind in sorted(FAMILIES[id].kinds) for shape in SHAPES[kind]]
    if id not in LARGER:
        return found
    return [
        replace(shape, height=height, width=width)
        for shape, (height, width) in zip(found, LARGER[id], strict=True)
    ]


def configure(id: str, settings: Mapping[str, object]) -> Config:
    """A family's configuration on a task that adds nothing to its space."""
    kind = min(FAMILIES[id].kinds)
    return configured(FAMILIES[id], make_task(kind), settings)  # type: ignore[arg-type]


def small(id: str, **settings: Scalar) -> Config:
    """The configuration of the family's small model."""
    return configure(id, SMALL.get(id, {}) | settings)


def batch(shape: Shape, cases: int = 4) -> torch.Tensor:
    """Inputs as bench.data gives them."""
    generator = torch.Generator().manual_seed(0)
    if shape.kind == "text_classification":
        high = shape.vocabulary or 2**31 - 1
        tokens = torch.randint(0, high, (cases, 9), generator=generator, dtype=torch.int32)
        tokens[1, 4:] = -1
        tokens[2:3] = -1
        return tokens
    return torch.randn(cases, shape.channels, shape.height, shape.width, generator=generator)


def targets(shape: Shape, cases: int = 4) -> torch.Tensor:
    """Labels, or masks, that hold every class."""
    if shape.kind != "image_segmentation":
        return torch.arange(cases) % shape.classes
    pixels = torch.arange(cases * shape.height * shape.width) % shape.classes
    return pixels.view(cases, shape.height, shape.width)


def mean_loss(config: Config, shape: Shape, logits: Tensor, theirs: Tensor) -> Tensor:
    """The loss that the configuration trains by."""
    loss = Loss(config, counts=lambda: np.ones(shape.classes), device=torch.device("cpu"))
    return loss.total(logits, theirs) / loss.weight(theirs)


def built(id: str, config: Config, shape: Shape, *, seed: int = 0) -> nn.Module:
    """The family's model, initialised from the seed."""
    torch.manual_seed(seed)
    model: nn.Module = FAMILIES[id].build(config, shape)
    return model


def parameters(id: str, shape: Shape, **options: object) -> int:
    model = FAMILIES[id].build(configure(id, options), shape)
    return sum(parameter.numel() for parameter in model.parameters())
