"""Any image classifier of timm by its name: ConvNeXt, CoAtNet, CoaT, EfficientNet, Swin, ..."""

from __future__ import annotations

from typing import Any

from bench.errors import UserError
from bench.options import NONE, WEIGHTS
from bench.spec import Config, Family, Float, Published, Shape, Space, Text, Weights


def build(config: Config, shape: Shape) -> Any:
    """The model of this name. Raises UserError for a name that timm does not have, for images that
    it cannot take, and for a dropout that it does not have."""
    from suite.nets import timm_models

    architecture, found = str(config["architecture"]), weights(config)
    timm_models.require_size(architecture, shape)
    return timm_models.create(
        architecture,
        shape,
        path=found.path if found else None,
        drop_rate=float(config["head_dropout"]) or None,
        drop_path_rate=float(config["drop_path"]) or None,
    )


def weights(config: Config) -> Weights | None:
    """`imagenet`: timm's of the architecture's tag, "convnext_base.fb_in22k_ft_in1k", or of its
    first where it has none. Raises UserError where timm has none for it."""
    name, architecture = str(config["weights"]), str(config["architecture"])
    if name == NONE:
        return None
    from bench.weights import Hub, Source, Url, find_image_weights
    from suite.nets.timm_models import known

    facts = known(architecture)
    source: Source | None = None
    if facts.hf_hub_id:
        source = Hub(
            repo=facts.hf_hub_id, mean=facts.mean, std=facts.std, filename=facts.hf_hub_filename
        )
    elif facts.url:
        source = Url(url=facts.url, mean=facts.mean, std=facts.std)
    if name == "imagenet" and source is None:
        raise UserError(
            f"timm has no weights for {architecture}, got weights = 'imagenet': name a file, take "
            'another architecture, or train from scratch (weights = "none")'
        )
    named: dict[str, Source] = {"imagenet": source} if source else {}
    return find_image_weights(name, named=named)


FAMILY = Family(
    title="timm",
    kinds=frozenset({"image_classification"}),
    space="vision",
    build=build,
    weights=weights,
    architectures=(
        "beit_*", "botnet*", "caformer_*", "cait_*", "coat_*", "coatnet_*", "convformer_*",
        "convit_*", "convnext_*", "convnextv2_*", "cspresnet*", "deit3_*", "deit_*", "densenet*",
        "edgenext_*", "efficientformerv2_*", "efficientnet_*", "efficientnetv2_*", "eva02_*",
        "fastvit_*", "focalnet_*", "ghostnet*", "hiera_*", "hrnet_*", "inception_*", "levit_*",
        "maxvit_*", "mixer_*", "mobilenetv*", "mobilevit_*", "mvitv2_*", "nextvit_*", "nfnet_*",
        "pit_*", "poolformer_*", "pvt_v2_*", "regnet*", "repvit_*", "res2net*", "resnest*",
        "resnet*", "resnetv2_*", "rexnet_*", "seresnet*", "swin_*", "swinv2_*", "tf_efficientnet*",
        "tiny_vit_*", "tresnet_*", "twins_*", "vgg*", "vit_*", "volo_*", "xception*", "xcit_*",
    ),
    options=Space(
        architecture=Text("convnext_atto"),
        head_dropout=Float(0.0, 0.8, default=0.0, held=True),
        drop_path=Float(0.0, 0.8, default=0.0, held=True),
    )
    | WEIGHTS,
    published=(
        Published(
            document="fys3033-2026",
            settings={
                "architecture": "convnext_base",
                "weights": "imagenet",
                "optimizer": "adamw",
                "learning_rate": 1e-4,
                "weight_decay": 0.01,
                "schedule": "constant",
                "warmup": 0.0,
                "batch_size": 8,
                "class_weights": "balanced",
                "label_smoothing": 0.1,
            },
            tasks=("lits_cls",),
        ),
    ),
)  # fmt: skip
"""Dropouts of 0 are left to the architecture. Names are timm's, with or without a tag."""
