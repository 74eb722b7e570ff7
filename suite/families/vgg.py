"""VGG: stacks of 3x3 convolutions between poolings (Simonyan & Zisserman 2015)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.options import NONE, WEIGHTS
from bench.spec import Choice, Config, Family, Float, Int, Published, Shape, Space, Weights
from suite.documents import RESNET_LIVER_2023


def build(config: Config, shape: Shape) -> Any:
    """torchvision's VGG. Raises UserError for images that five poolings use up."""
    from suite.nets.vgg import vgg

    found = weights(config)
    model = vgg(
        shape,
        depth=int(config["depth"]),
        batch_norm=bool(config["batch_norm"]),
        width=int(config["classifier_width"]),
        dropout=float(config["head_dropout"]),
    )
    if found:
        from bench.weights import fill

        fill(model, found.path, head=stages(model)[-1])
    return model


def weights(config: Config) -> Weights | None:
    """`imagenet`: torchvision's."""
    name = str(config["weights"])
    if name == NONE:
        return None
    from torchvision import models

    from bench.weights import Url, find_image_weights

    which = f"VGG{config['depth']}{'_BN' * bool(config['batch_norm'])}_Weights"
    url = getattr(models, which).IMAGENET1K_V1.url
    return find_image_weights(name, named={"imagenet": Url(url=url)})


def stages(model: Any) -> Sequence[Sequence[str]]:
    """The convolutions between two poolings, then each linear layer."""
    from torch import nn

    found: list[list[str]] = [[]]
    for name, layer in model.features.named_children():
        if isinstance(layer, nn.MaxPool2d):
            found.append([])
        elif any(True for _ in layer.parameters()):
            found[-1].append(f"features.{name}")
    return [*filter(None, found), ["classifier.0"], ["classifier.3"], ["classifier.6"]]


FAMILY = Family(
    title="VGG",
    kinds=frozenset({"image_classification"}),
    space="vision",
    build=build,
    weights=weights,
    stages=stages,
    architectures=tuple(f"vgg{depth}{norm}" for depth in (11, 13, 16, 19) for norm in ("", "_bn")),
    options=Space(
        depth=Choice(11, 13, 16, 19),
        batch_norm=Choice(False, True),
        classifier_width=Int(64, 4096, log=True, default=4096, held=True),
        head_dropout=Float(0.0, 0.8, default=0.5, held=True),
    )
    | WEIGHTS,
    published=(
        Published(
            document="resnet-liver-2023",
            settings={**RESNET_LIVER_2023, "batch_norm": False},
            tasks=("lits_cls",),
        ),
    ),
)
