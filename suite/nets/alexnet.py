"""AlexNet (Krizhevsky et al. 2012) as textbooks have it, and torchvision's of one tower."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from bench.spec import Shape
from suite.nets.sizes import require_size

SMALLEST = {"textbook": 65, "torchvision": 63}
"""Pixels of the smallest image of which the last pooling leaves one."""
WHY = "of which three poolings leave one"


def textbook(shape: Shape, *, width: int, dropout: float) -> nn.Sequential:
    """Convolutions 96-256-384-384-256, then three linear layers, without adaptive pooling.

    46,736,067 parameters with one channel, 224x224 pixels, 3 classes and a width of 4096: the
    first linear layer takes 6,400 values there. Source: Zhang et al., Dive into Deep Learning,
    section 8.1. Raises UserError for images that are too small.
    """
    require_size("the textbook AlexNet", shape, at_least=SMALLEST["textbook"], why=WHY)
    features = nn.Sequential(
        nn.Conv2d(shape.channels, 96, kernel_size=11, stride=4, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(kernel_size=3, stride=2),
        nn.Conv2d(96, 256, kernel_size=5, padding=2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(kernel_size=3, stride=2),
        nn.Conv2d(256, 384, kernel_size=3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(384, 384, kernel_size=3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(384, 256, kernel_size=3, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(kernel_size=3, stride=2),
    )
    classifier = nn.Sequential(
        nn.Linear(256 * _left(shape.height) * _left(shape.width), width),
        nn.ReLU(inplace=True),
        nn.Dropout(dropout),
        nn.Linear(width, width),
        nn.ReLU(inplace=True),
        nn.Dropout(dropout),
        nn.Linear(width, shape.classes),
    )
    parts = {"features": features, "flatten": nn.Flatten(), "classifier": classifier}
    return nn.Sequential(OrderedDict(parts))


def torchvisions(shape: Shape, *, width: int, dropout: float) -> nn.Module:
    """torchvision's AlexNet, after Krizhevsky 2014: 57,044,810 parameters with 10 classes, three
    channels and a width of 4096. Raises UserError for images that are too small."""
    from torchvision.models import AlexNet

    require_size("torchvision's AlexNet", shape, at_least=SMALLEST["torchvision"], why=WHY)
    with torch.device("meta"):  # most of it is in the classifier, which is replaced
        model = AlexNet()
    model.features = model.features.to_empty(device=torch.get_default_device())
    model.features[0] = nn.Conv2d(shape.channels, 64, kernel_size=11, stride=4, padding=2)
    for layer in model.features:
        if isinstance(layer, nn.Conv2d):
            layer.reset_parameters()
    model.classifier = nn.Sequential(
        nn.Dropout(dropout),
        nn.Linear(256 * 6 * 6, width),
        nn.ReLU(inplace=True),
        nn.Dropout(dropout),
        nn.Linear(width, width),
        nn.ReLU(inplace=True),
        nn.Linear(width, shape.classes),
    )
    return model


def _left(pixels: int) -> int:
    """Pixels along a side that the last pooling leaves."""
    pixels = (pixels + 2 - 11) // 4 + 1
    for _ in range(3):
        pixels = (pixels - 3) // 2 + 1
    return pixels
