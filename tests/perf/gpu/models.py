"""The models that are measured, and the same families at toy size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.spec import Scalar, Shape

CLASSES = 3
VOCABULARY = 30_522
"""Of BERT, uncased."""
TOKENS = 128


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """A family with settings, and what goes into it."""

    name: str
    family: str
    shape: Shape
    batch_size: int
    """Halved until it fits into the device's memory."""
    settings: Mapping[str, Scalar] = field(default_factory=dict)

    @property
    def input(self) -> str:
        """Its input in words."""
        shape = self.shape
        if shape.kind == "text_classification":
            return f"{shape.max_tokens} tokens"
        return f"{shape.channels}x{shape.height}x{shape.width}"


def _picture(size: int, channels: int = 3) -> Shape:
    return Shape(
        kind="image_classification", classes=CLASSES, channels=channels, height=size, width=size
    )


def _slice(size: int) -> Shape:
    return Shape(kind="image_segmentation", classes=CLASSES, channels=1, height=size, width=size)


def _text(tokens: int, vocabulary: int) -> Shape:
    return Shape(kind="text_classification", classes=4, vocabulary=vocabulary, max_tokens=tokens)


MODELS = (
    Model(
        name="ResNet-18",
        family="resnet",
        settings={"depth": 18},
        shape=_picture(224),
        batch_size=256,
    ),
    Model(
        name="ResNet-50",
        family="resnet",
        settings={"depth": 50},
        shape=_picture(224),
        batch_size=128,
    ),
    Model(
        name="ConvNeXt-T",
        family="timm",
        settings={"architecture": "convnext_tiny"},
        shape=_picture(224),
        batch_size=128,
    ),
    Model(
        name="ViT-S",
        family="timm",
        settings={"architecture": "vit_small_patch16_224"},
        shape=_picture(224),
        batch_size=128,
    ),
    Model(name="U-Net", family="unet", shape=_slice(256), batch_size=32),
    Model(name="ConvMixerSeg", family="convmixerseg", shape=_slice(256), batch_size=32),
    Model(
        name="BERT-base",
        family="hf",
        settings={"hidden_size": 768, "layers": 12},
        shape=_text(TOKENS, VOCABULARY),
        batch_size=64,
    ),
)

TOYS = (
    Model(
        name="ResNet-18",
        family="resnet",
        settings={"depth": 18},
        shape=_picture(32),
        batch_size=4,
    ),
    Model(
        name="U-Net",
        family="unet",
        settings={"base_width": 8, "depth": 2},
        shape=_slice(32),
        batch_size=2,
    ),
    Model(
        name="BERT-base",
        family="hf",
        settings={"hidden_size": 128, "layers": 1},
        shape=_text(16, 500),
        batch_size=2,
    ),
)
"""One of each kind, for a test on a CPU."""

PACKED = Model(
    name="small trials",
    family="resnet",
    settings={"depth": 18},
    shape=_picture(64, 1),
    batch_size=32,
)
"""What several processes train on one device: too small to fill it alone."""
PACKED_TOY = Model(name="small trials", family="fcnn", shape=_picture(32, 1), batch_size=8)
