"""torchvision's residual networks, with their shortcuts or without, and with stochastic depth."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet
from torchvision.ops import stochastic_depth

from bench.spec import Shape

LAYERS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
"""Blocks of each stage, by depth; of three convolutions each from 50 on. Source: He et al. 2016,
table 1."""


class Basic(BasicBlock):
    """torchvision's block of two 3x3 convolutions, its sum as `joined` makes it."""

    shortcut = True
    drop_path = 0.0

    def forward(self, x: Tensor) -> Tensor:
        branch = self.relu(self.bn1(self.conv1(x)))
        return joined(self, x, self.bn2(self.conv2(branch)))


class Deep(Bottleneck):
    """torchvision's block of 1x1, 3x3 and 1x1 convolutions, its sum as `joined` makes it."""

    shortcut = True
    drop_path = 0.0

    def forward(self, x: Tensor) -> Tensor:
        branch = self.relu(self.bn1(self.conv1(x)))
        branch = self.relu(self.bn2(self.conv2(branch)))
        return joined(self, x, self.bn3(self.conv3(branch)))


def joined(block: Any, inputs: Tensor, branch: Tensor) -> Tensor:
    """The block's output from its inputs and what its convolutions made of them.

    With a shortcut relu(inputs + branch), the inputs brought to its shape; in training an image's
    branch is dropped with probability `drop_path`, and weighs 1 / (1 - drop_path) where it is not.
    Without one: relu(branch).
    """
    if block.shortcut:
        branch = stochastic_depth(branch, block.drop_path, "row", block.training)
        branch += inputs if block.downsample is None else block.downsample(inputs)
    output: Tensor = block.relu(branch)
    return output


def resnet(
    shape: Shape, *, depth: int, shortcuts: bool, head_dropout: float, drop_path: float
) -> nn.Module:
    """torchvision's ResNet, its parameters' names and its initialisation.

    shortcuts: False makes the *plain* network of He et al. 2016: without the sums, and without the
    convolutions that bring shortcuts to another shape. drop_path: of the last block; it rises
    evenly from 0 before the first (Huang et al. 2016).
    """
    model = ResNet(Basic if depth < 50 else Deep, list(LAYERS[depth]), num_classes=shape.classes)
    if shape.channels != 3:
        first = nn.Conv2d(shape.channels, 64, kernel_size=7, stride=2, padding=3, bias=False)
        nn.init.kaiming_normal_(first.weight, mode="fan_out", nonlinearity="relu")
        model.conv1 = first
    blocks = [block for block in model.modules() if isinstance(block, Basic | Deep)]
    for number, block in enumerate(blocks, start=1):
        block.shortcut = shortcuts
        block.drop_path = drop_path * number / len(blocks)
        if not shortcuts:
            block.downsample = None
    if head_dropout:  # before the last layer, whose parameters keep their names
        model.avgpool = nn.Sequential(model.avgpool, nn.Dropout(head_dropout))
    return model
