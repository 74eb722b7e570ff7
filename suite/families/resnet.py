"""Residual networks, torchvision's, and the same without shortcuts (He et al. 2016)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.errors import UserError
from bench.options import NONE, WEIGHTS
from bench.spec import Choice, Config, Family, Float, Published, Scalar, Shape, Space, Weights
from suite.documents import RESNET_LIVER_2023

DINO = "https://dl.fbaipublicfiles.com/dino/dino_resnet50_pretrain/dino_resnet50_pretrain.pth"


def build(config: Config, shape: Shape) -> Any:
    """A ResNet of `depth` layers for images of any size and number of channels."""
    from suite.nets.residual import resnet

    found = weights(config)
    model = resnet(
        shape,
        depth=int(config["depth"]),
        shortcuts=bool(config["shortcuts"]),
        head_dropout=float(config["head_dropout"]),
        drop_path=float(config.get("drop_path", 0.0)),
    )
    if found:
        from bench.weights import fill

        fill(model, found.path, head=("fc",))
    return model


def weights(config: Config) -> Weights | None:
    """`imagenet`: torchvision's first; `dino`: self-supervised (Caron et al. 2021), of 50 layers.

    timm's of the plain names fit too: "timm/resnet18.a1_in1k". Raises UserError for weights of a
    network without shortcuts, which nobody has.
    """
    name, depth = str(config["weights"]), config["depth"]
    if name == NONE:
        return None
    if not config["shortcuts"]:
        raise UserError(
            f"pretrained ResNets have shortcuts, got weights {name!r} with shortcuts = false: pin "
            'shortcuts = true, or weights = "none"'
        )
    if name == "dino" and depth != 50:
        raise UserError(
            f"the weights 'dino' are a ResNet-50's, got depth {depth}: pin depth = 50, or "
            'weights = "imagenet"'
        )
    from torchvision import models

    from bench.weights import Url, find_image_weights

    url = getattr(models, f"ResNet{depth}_Weights").IMAGENET1K_V1.url
    named = {"imagenet": Url(url=url)} | ({"dino": Url(url=DINO)} if depth == 50 else {})
    return find_image_weights(name, named=named)


def stages(model: Any) -> Sequence[Sequence[str]]:
    """The first convolution, the four stages of blocks, the last layer."""
    return (("conv1", "bn1"), ("layer1",), ("layer2",), ("layer3",), ("layer4",), ("fc",))


MHIST: dict[str, Scalar] = {
    "depth": 18,
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "weight_decay": 0.0,
    "schedule": "exponential",
    "decay": 0.91,
    "warmup": 0.0,
    "batch_size": 32,
    "augmentation": "flips_rotation",
}

FAMILY = Family(
    title="ResNet",
    kinds=frozenset({"image_classification"}),
    space="vision",
    build=build,
    weights=weights,
    stages=stages,
    architectures=("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"),
    options=Space(
        depth=Choice(18, 34, 50, 101, 152),
        shortcuts=Choice(True, False, held=True),
        head_dropout=Float(0.0, 0.8, default=0.0, held=True),
        drop_path=Float(0.0, 0.5, default=0.0, held=True, when={"shortcuts": True}),
    )
    | WEIGHTS,
    published=(
        Published(document="resnet-liver-2023", settings=RESNET_LIVER_2023, tasks=("lits_cls",)),
        Published(document="mhist-report", settings=MHIST, tasks=("mhist",)),
        Published(
            document="fys3033-2026",
            settings={
                "depth": 50,
                "weights": NONE,
                "optimizer": "adamw",
                "learning_rate": 1e-4,
                "schedule": "constant",
                "warmup": 0.0,
                "batch_size": 32,
            },
            tasks=("lits_cls",),
        ),
        Published(
            document="fys3033-2026",
            settings={
                "depth": 50,
                "weights": "dino",
                "optimizer": "sgd",
                "learning_rate": 0.03,
                "weight_decay": 1e-4,
                "schedule": "constant",
                "warmup": 0.0,
            },
            tasks=("lits_cls",),
        ),
    ),
)
