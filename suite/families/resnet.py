"""Residual networks, torchvision's, from scratch (He et al. 2016)."""

from __future__ import annotations

from typing import Any

from bench.spec import Choice, Config, Family, Shape, Space


def build(config: Config, shape: Shape) -> Any:
    """A ResNet of `depth` layers for images of any number of channels."""
    from torch import nn
    from torchvision import models

    model = getattr(models, f"resnet{config['depth']}")(num_classes=shape.classes)
    if shape.channels != 3:
        first = nn.Conv2d(shape.channels, 64, kernel_size=7, stride=2, padding=3, bias=False)
        nn.init.kaiming_normal_(first.weight, mode="fan_out", nonlinearity="relu")
        model.conv1 = first
    return model


FAMILY = Family(
    title="ResNet",
    kinds=frozenset({"image_classification"}),
    space="vision",
    build=build,
    architectures=("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"),
    options=Space(depth=Choice(18, 34, 50, 101, 152)),
)
