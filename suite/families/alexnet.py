"""AlexNet: the first deep convolutional network to win ImageNet (Krizhevsky et al. 2012)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.errors import UserError
from bench.options import NONE, WEIGHTS
from bench.spec import Choice, Config, Family, Float, Int, Published, Shape, Space, Weights
from suite.documents import RESNET_LIVER_2023


def build(config: Config, shape: Shape) -> Any:
    """One of the two variants. Raises UserError for images that three poolings use up."""
    from suite.nets import alexnet

    found = weights(config)
    make = alexnet.textbook if config["architecture"] == "textbook" else alexnet.torchvisions
    width, dropout = int(config["classifier_width"]), float(config["head_dropout"])
    model = make(shape, width=width, dropout=dropout)
    if found:
        from bench.weights import fill

        fill(model, found.path, head=stages(model)[-1])
    return model


def weights(config: Config) -> Weights | None:
    """`imagenet`: torchvision's, of its own variant alone."""
    name = str(config["weights"])
    if name == NONE:
        return None
    from torchvision.models import AlexNet_Weights

    from bench.weights import Url, find_image_weights

    if config["architecture"] == "textbook" and name == "imagenet":
        raise UserError(
            "the textbook AlexNet has no published weights, got weights = 'imagenet': pin "
            "architecture = 'torchvision', or weights = 'none'"
        )
    return find_image_weights(name, named={"imagenet": Url(url=AlexNet_Weights.IMAGENET1K_V1.url)})


def stages(model: Any) -> Sequence[Sequence[str]]:
    """Each convolution and linear layer by itself."""
    names = [name for name, _ in model.named_parameters()]
    return [[name.removesuffix(".weight")] for name in names if name.endswith(".weight")]


FAMILY = Family(
    title="AlexNet",
    kinds=frozenset({"image_classification"}),
    space="vision",
    build=build,
    weights=weights,
    stages=stages,
    architectures=("alexnet",),
    options=Space(
        architecture=Choice("textbook", held=True, also=("torchvision",)),
        classifier_width=Int(64, 4096, log=True, default=4096, held=True),
        head_dropout=Float(0.0, 0.8, default=0.5, held=True),
    )
    | WEIGHTS,
    published=(
        Published(
            document="resnet-liver-2023",
            settings=RESNET_LIVER_2023,
            tasks=("lits_cls",),
        ),
    ),
)
