"""U-Net: an encoder, a decoder, and shortcuts between their levels (Ronneberger et al. 2015)."""

from __future__ import annotations

from typing import Any

from bench.options import SCRATCH
from bench.spec import Choice, Config, Family, Int, Published, Shape, Space


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
        base_width=Choice(64, 8, 16, 32, also=(4, 24, 48, 128)),
        depth=Int(2, 5, default=4, limits=(1, 6)),
    )
    | SCRATCH,
    published=(
        Published(
            document="resnet-liver-2023",
            tasks=("lits_seg",),
            settings={
                "base_width": 64,
                "depth": 4,
                "optimizer": "adam",
                "learning_rate": 1e-4,
                "schedule": "constant",
                "warmup": 0.0,
                "clip_norm": 0.0,
                "loss": "cross_entropy",
                "class_weights": "none",
            },
        ),
    ),
)
