"""U-Net (Ronneberger et al. 2015), with padded convolutions and batch norm."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class UNet(nn.Module):
    """Logits of every pixel: down `depth` levels, and up again beside what was seen on the way.

    Each level has two 3x3 convolutions, each with batch norm and ReLU; 2x2 max pooling leads down
    and doubles the width, a 2x2 transposed convolution leads up and halves it. Source: Ronneberger
    et al. 2015, figure 1; padding keeps the size, batch norm makes convolutions' biases idle.
    """

    def __init__(self, *, channels: int, classes: int, base_width: int, depth: int) -> None:
        super().__init__()
        widths = [base_width * 2**level for level in range(depth + 1)]
        self.first = double(channels, widths[0])
        self.down = nn.ModuleList(
            double(above, below) for above, below in zip(widths, widths[1:], strict=False)
        )
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(below, above, kernel_size=2, stride=2)
            for above, below in zip(widths, widths[1:], strict=False)
        )
        self.merge = nn.ModuleList(double(2 * width, width) for width in widths[:-1])
        self.head = nn.Conv2d(widths[0], classes, kernel_size=1)
        self.multiple = 2**depth

    def forward(self, images: Tensor) -> Tensor:
        """images: float (batch, channels, height, width), of any size; logits (batch, classes,
        height, width)."""
        height, width = images.shape[2:]
        missing = (0, -width % self.multiple, 0, -height % self.multiple)
        if any(missing):
            images = functional.pad(images, missing, mode="replicate")
        features = [self.first(images)]
        for level in self.down:
            features.append(level(functional.max_pool2d(features[-1], 2)))
        present = features.pop()
        for up, merge in zip(reversed(self.up), reversed(self.merge), strict=True):
            present = merge(torch.cat([features.pop(), up(present)], dim=1))
        logits: Tensor = self.head(present)[:, :, :height, :width]
        return logits


def double(before: int, after: int) -> nn.Sequential:
    """Twice a 3x3 convolution, batch norm and ReLU, with He-normal weights for the ReLU."""
    layers: list[nn.Module] = []
    for channels in (before, after):
        convolution = nn.Conv2d(channels, after, kernel_size=3, padding=1, bias=False)
        nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
        layers += [convolution, nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)
