"""U-Net: an encoder, a decoder, and shortcuts between their levels (Ronneberger et al. 2015)."""

from __future__ import annotations

from typing import Any

from bench.spec import Choice, Config, Family, Int, Shape, Space


def build(config: Config, shape: Shape) -> Any:
    """A U-Net for images of any size and number of channels.

    31,036,611 parameters at a base width of 64 and a depth of 4, with one channel and 3 classes.
    """
    from suite.nets.unet import UNet

    return UNet(
        channels=shape.channels,
        classes=shape.classes,
        base_width=int(config["base_width"]),
        depth=int(config["depth"]),
    )


FAMILY = Family(
    title="U-Net",
    kinds=frozenset({"image_segmentation"}),
    space="segmentation",
    build=build,
    architectures=("unet",),
    options=Space(
        base_width=Choice(64, 8, 16, 32),
        depth=Int(2, 5, default=4),
    ),
)
