"""VGG (Simonyan & Zisserman 2015) from torchvision's parts."""

from __future__ import annotations

import torch
from torch import nn
from torchvision.models import VGG
from torchvision.models.vgg import cfgs, make_layers

from bench.spec import Shape
from suite.nets.sizes import require_size

LETTERS = {11: "A", 13: "B", 16: "D", 19: "E"}
"""The paper's names of the configurations, by depth; torchvision's too."""
SMALLEST = 32
"""Pixels of the smallest image of which five halvings leave one."""


def vgg(shape: Shape, *, depth: int, batch_norm: bool, width: int, dropout: float) -> nn.Module:
    """torchvision's VGG, its parameters' names and its initialisation.

    139,581,379 parameters at a depth of 19, without batch norm, with one channel, 3 classes and
    two linear layers of 4096. Raises UserError for images that are too small.
    """
    require_size(f"VGG-{depth}", shape, at_least=SMALLEST, why="of which five poolings leave one")
    features = make_layers(cfgs[LETTERS[depth]], batch_norm=batch_norm)
    features[0] = nn.Conv2d(shape.channels, 64, kernel_size=3, padding=1)
    with torch.device("meta"):  # its classifier, of 120 million parameters, is replaced
        model = VGG(features, init_weights=False)
    model.classifier = nn.Sequential(
        nn.Linear(512 * 7 * 7, width),
        nn.ReLU(inplace=True),
        nn.Dropout(dropout),
        nn.Linear(width, width),
        nn.ReLU(inplace=True),
        nn.Dropout(dropout),
        nn.Linear(width, shape.classes),
    )
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, 0, 0.01)
        if isinstance(layer, nn.Conv2d | nn.Linear) and layer.bias is not None:
            nn.init.zeros_(layer.bias)
    return model
