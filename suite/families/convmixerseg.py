"""ConvMixerSeg: a ConvMixer that labels every pixel and smooths its maps (Joakimsen 2021)."""

from __future__ import annotations

from typing import Any

from bench.options import SCRATCH
from bench.spec import Choice, Config, Family, Float, Int, Not, Published, Shape, Space
from suite.documents import CONVMIXERSEG_2021


def build(config: Config, shape: Shape) -> Any:
    """ConvMixerSeg for images of any size and number of channels: patches of 7x7, 100 decoded
    channels. With one channel and 2 classes, 3,024,374 parameters at the defaults."""
    from suite.nets.convmixerseg import ConvMixerSeg

    options: dict[str, Any] = {
        name: config[name]
        for name in ("smoothing", "upsampling", "pointwise_residual", "sigma")
        if name in config
    }
    return ConvMixerSeg(
        channels=shape.channels,
        classes=shape.classes,
        width=int(config["width"]),
        depth=int(config["depth"]),
        kernel_size=int(config["kernel_size"]),
        **options,
    )


FAMILY = Family(
    title="ConvMixerSeg",
    kinds=frozenset({"image_segmentation"}),
    space="segmentation",
    build=build,
    architectures=("convmixerseg",),
    options=Space(
        width=Choice(256, 64, 128, also=(16, 32, 512)),
        depth=Int(4, 20, log=True, default=20, limits=(1, 40)),
        kernel_size=Choice(9, 5, 7, also=(1, 3, 11, 13, 15)),
        smoothing=Choice("always", "training", "never", held=True),
        sigma=Float(
            2.0, 14.0, log=True, default=7.0, limits=(0.1, 50.0), when={"smoothing": Not("never")}
        ),
        upsampling=Choice("transposed", "bilinear", held=True),
        pointwise_residual=Choice(True, False, held=True),
    )
    | SCRATCH,
    published=(
        Published(
            document="convmixerseg-2021",
            tasks=("lits_liver_seg",),
            settings={
                "width": 256,
                "depth": 20,
                "sigma": 7.0,
                **CONVMIXERSEG_2021,
                "learning_rate": 0.01,
            },
        ),
    ),
)
"""`sigma`: of the Gaussian, in pixels; published is 7. The document names no kernel size and no
batch size: those are our defaults."""
