"""ConvMixer: patches, then depthwise and pointwise convolutions (Trockman & Kolter 2022)."""

from __future__ import annotations

from typing import Any

from bench.errors import UserError
from bench.spec import Choice, Config, Family, Int, Shape, Space


def build(config: Config, shape: Shape) -> Any:
    """timm's ConvMixer. Raises UserError where not one whole patch fits into the image."""
    from timm.models.convmixer import ConvMixer

    patch = int(config["patch_size"])
    if min(shape.height, shape.width) < patch:
        raise UserError(
            f"a patch must fit into the image, got patch_size {patch} for {shape.height}x"
            f"{shape.width}: lower patch_size or raise the task's image_size"
        )
    return ConvMixer(
        dim=int(config["width"]),
        depth=int(config["depth"]),
        kernel_size=int(config["kernel_size"]),
        patch_size=patch,
        in_chans=shape.channels,
        num_classes=shape.classes,
    )


FAMILY = Family(
    title="ConvMixer",
    kinds=frozenset({"image_classification"}),
    space="vision",
    build=build,
    architectures=("convmixer",),
    options=Space(
        width=Choice(128, 32, 64, 256),
        depth=Int(2, 16, log=True, default=6),
        kernel_size=Choice(9, 7, 5),
        patch_size=Choice(7, 14),
    ),
)
