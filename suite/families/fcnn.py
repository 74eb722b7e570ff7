"""A fully connected network on the pixels: the floor for any image model."""

from __future__ import annotations

from typing import Any

from bench.options import SCRATCH
from bench.spec import Config, Family, Float, Shape, Space

HIDDEN = (128, 64, 32)


def build(config: Config, shape: Shape) -> Any:
    """Three hidden layers with ReLU, dropout after each."""
    from torch import nn

    layers: list[nn.Module] = [nn.Flatten()]
    width = shape.channels * shape.height * shape.width
    for hidden in HIDDEN:
        layers += [nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(float(config["dropout"]))]
        width = hidden
    return nn.Sequential(*layers, nn.Linear(width, shape.classes))


FAMILY = Family(
    title="Fully connected network",
    kinds=frozenset({"image_classification"}),
    space="vision",
    build=build,
    architectures=("fcnn",),
    options=Space(dropout=Float(0.0, 0.6, default=0.1)) | SCRATCH,
)
