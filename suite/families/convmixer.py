"""ConvMixer: patches, then depthwise and pointwise convolutions (Trockman & Kolter 2022)."""

from __future__ import annotations

from typing import Any

from bench.options import SCRATCH
from bench.spec import Choice, Config, Family, Int, Shape, Space


def build(config: Config, shape: Shape) -> Any:
    """timm's ConvMixer. Raises UserError where not one whole patch fits into the image."""
    from timm.models.convmixer import ConvMixer

    from suite.nets.sizes import require_size

    patch = int(config["patch_size"])
    require_size(f"ConvMixer with patch_size {patch}", shape, at_least=patch, why="one whole patch")
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
        width=Choice(128, 32, 64, 256, also=(16, 512, 768, 1024, 1536)),
        depth=Int(2, 16, log=True, default=6, limits=(1, 64)),
        kernel_size=Choice(9, 7, 5, also=(3, 11, 13, 15)),
        patch_size=Choice(7, 14, also=(1, 2, 4, 8, 16, 32)),
    )
    | SCRATCH,
)
