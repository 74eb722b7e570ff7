"""FCN and DeepLabV3 on a dilated ResNet, torchvision's (Long et al. 2015, Chen et al. 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.options import WEIGHTS
from bench.spec import Choice, Config, Family, Published, Shape, Space, Weights
from suite.documents import CONVMIXERSEG_2021

ARCHITECTURES = ("fcn_resnet50", "fcn_resnet101", "deeplabv3_resnet50", "deeplabv3_resnet101")
AUXILIARY = "aux_classifier"
"""A second head, for training alone, in torchvision's files; our models have none."""


def build(config: Config, shape: Shape) -> Any:
    """A model of torchvision without its auxiliary loss, for images of any size.

    Weights fill the backbone or, where the file holds a whole model ("coco"), all but the layer
    that names the classes. FCN-ResNet-50 has 32,947,266 parameters with three channels and 2
    classes.
    """
    from suite.nets.fcn import FCN

    model = FCN(
        architecture=str(config["architecture"]), channels=shape.channels, classes=shape.classes
    )
    found = weights(config)
    if found is not None:
        from bench.weights import fill, read

        whole = any(name.startswith("backbone.") for name in read(found.path))
        if whole:
            fill(model, found.path, head=(_last(model), AUXILIARY))
        else:
            fill(model.backbone, found.path, head=("fc",))
    return model


def weights(config: Config) -> Weights | None:
    """`imagenet`: of the backbone; `coco`: of the whole model, trained on COCO with VOC's labels.
    Both are torchvision's."""
    from torchvision import models

    from bench.weights import Url, find_image_weights

    architecture = str(config["architecture"])
    backbone = architecture.partition("_")[2]
    imagenet = models.get_model_weights(backbone).IMAGENET1K_V1
    coco = models.get_model_weights(architecture).COCO_WITH_VOC_LABELS_V1
    named = {"imagenet": Url(url=imagenet.url), "coco": Url(url=coco.url)}
    return find_image_weights(str(config["weights"]), named=named)


def stages(model: Any) -> Sequence[Sequence[str]]:
    """The stem, the ResNet's four stages, and the head."""
    stem = ("backbone.conv1", "backbone.bn1")
    return (stem, *((f"backbone.layer{number}",) for number in range(1, 5)), ("classifier",))


def _last(model: Any) -> str:
    """The name of the layer whose outputs are the classes."""
    return f"classifier.{len(model.classifier) - 1}"


FAMILY = Family(
    title="FCN and DeepLabV3",
    kinds=frozenset({"image_segmentation"}),
    space="segmentation",
    build=build,
    architectures=ARCHITECTURES,
    options=Space(architecture=Choice(*ARCHITECTURES, held=True)) | WEIGHTS,
    weights=weights,
    stages=stages,
    published=(
        Published(
            document="convmixerseg-2021",
            tasks=("lits_liver_seg",),
            settings={
                "architecture": "fcn_resnet50",
                **CONVMIXERSEG_2021,
                "learning_rate": 1e-3,
            },
        ),
    ),
)
