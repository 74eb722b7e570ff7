"""ConvMixerSeg: a ConvMixer that labels every pixel (Joakimsen 2021), and its smoothing layer."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Smoothing = Literal["always", "training", "never"]
Upsampling = Literal["transposed", "bilinear"]


class ConvMixerSeg(nn.Module):
    """Logits of every pixel: patches, mixed in space and between channels, and back to pixels.

    A convolution with a stride of the patch's size encodes patches; each of `depth` layers is a
    depthwise and a pointwise convolution; a transposed convolution, the mirror of the first,
    decodes to `decoded` channels; a 1x1 convolution names the classes, and a fixed Gaussian smooths
    their maps. GELU and batch norm, in this order, follow every convolution but the last.

    upsampling = "bilinear" replaces the transposed convolution by a 1x1 one and bilinear
    interpolation; pointwise_residual = False leaves out the shortcut around pointwise convolutions:
    the published ablations. smoothing: in training and evaluation, in training only, or never.
    """

    def __init__(
        self,
        *,
        channels: int,
        classes: int,
        width: int = 256,
        depth: int = 20,
        kernel_size: int = 9,
        patch: int = 7,
        decoded: int = 100,
        sigma: float = 7.0,
        smoothing: Smoothing = "always",
        upsampling: Upsampling = "transposed",
        pointwise_residual: bool = True,
    ) -> None:
        super().__init__()
        self.patch, self.smoothing = patch, smoothing
        self.encode = activated(nn.Conv2d(channels, width, patch, stride=patch), width)
        self.layers = nn.ModuleList(
            Mixer(width, kernel_size, pointwise_residual=pointwise_residual) for _ in range(depth)
        )
        decoder: nn.Module
        if upsampling == "transposed":
            decoder = nn.ConvTranspose2d(width, decoded, patch, stride=patch)
        else:
            # The 1x1 convolution comes first: the result is the same, at 1 / patch^2 of the cost.
            decoder = nn.Sequential(
                nn.Conv2d(width, decoded, 1), nn.Upsample(scale_factor=patch, mode="bilinear")
            )
        self.decode = activated(decoder, decoded)
        self.head = nn.Conv2d(decoded, classes, kernel_size=1)
        self.smooth = GaussianSmoothing(sigma)

    def features(self, images: Tensor) -> Tensor:
        """The decoded maps: (batch, decoded, height, width) of images of any size.

        Images that patches do not divide are continued at the right and the bottom by their last
        column and row, and the maps cut to the images' size.
        """
        height, width = images.shape[2:]
        missing = (0, -width % self.patch, 0, -height % self.patch)
        if any(missing):
            images = functional.pad(images, missing, mode="replicate")
        present = self.encode(images)
        for layer in self.layers:
            present = layer(present)
        decoded: Tensor = self.decode(present)
        return decoded[:, :, :height, :width]

    def class_maps(self, images: Tensor) -> Tensor:
        """Logits before they are smoothed: (batch, classes, height, width)."""
        maps: Tensor = self.head(self.features(images))
        return maps

    def forward(self, images: Tensor) -> Tensor:
        """images: float (batch, channels, height, width), of any size; logits (batch, classes,
        height, width)."""
        maps = self.class_maps(images)
        if self.smoothing == "always" or (self.smoothing == "training" and self.training):
            maps = self.smooth(maps)
        return maps


class Mixer(nn.Module):
    """A depthwise convolution, then a pointwise one; around each, a shortcut."""

    def __init__(self, width: int, kernel_size: int, *, pointwise_residual: bool) -> None:
        super().__init__()
        depthwise = nn.Conv2d(width, width, kernel_size, groups=width, padding="same")
        self.depthwise = activated(depthwise, width)
        self.pointwise = activated(nn.Conv2d(width, width, kernel_size=1), width)
        self.pointwise_residual = pointwise_residual

    def forward(self, images: Tensor) -> Tensor:
        """images: float (batch, width, rows, columns); the result has the same shape."""
        images = images + self.depthwise(images)
        mixed: Tensor = self.pointwise(images)
        return images + mixed if self.pointwise_residual else mixed


class GaussianSmoothing(nn.Module):
    """A Gaussian over each map, fixed: it is no parameter.

    Its kernel is 50x50 at the published sigma of 7, and as many sigmas wide at others. A kernel
    of 50 has no middle: taps lie at offsets -25 to 24 and each weighs exp(-offset^2 / 2 sigma^2),
    so that maps stay where they are (taps from -24.5 to 24.5 would move them by half a pixel);
    the weights then sum to 1. Outside of a map its edge goes on: a constant map stays as it is.
    """

    weights: Tensor
    """float32 (taps,): the kernel is their outer product with themselves."""

    def __init__(self, sigma: float) -> None:
        super().__init__()
        self.before = max(1, round(25 * sigma / 7))
        offsets = torch.arange(-self.before, self.before, dtype=torch.float64)
        weights = torch.exp(-(offsets**2) / (2 * sigma**2))
        self.register_buffer("weights", (weights / weights.sum()).float())

    def forward(self, maps: Tensor) -> Tensor:
        """maps: float (batch, classes, height, width); the result has the same shape."""
        batch, classes, height, width = maps.shape
        lone = maps.reshape(batch * classes, 1, height, width)
        before, after = self.before, self.before - 1
        lone = functional.pad(lone, (before, after, before, after), mode="replicate")
        taps = len(self.weights)
        # Columns, then rows: 2 x 50 products a pixel in the place of 50 x 50.
        lone = functional.conv2d(lone, self.weights.view(1, 1, taps, 1))
        lone = functional.conv2d(lone, self.weights.view(1, 1, 1, taps))
        return lone.view(batch, classes, height, width)


def activated(layer: nn.Module, width: int) -> nn.Sequential:
    """A layer, GELU and batch norm."""
    return nn.Sequential(layer, nn.GELU(), nn.BatchNorm2d(width))
