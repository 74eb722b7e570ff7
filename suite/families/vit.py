"""Vision transformer: patches as tokens of an encoder (Dosovitskiy et al. 2021)."""

from __future__ import annotations

from typing import Any

from bench.errors import UserError
from bench.options import NONE, WEIGHTS
from bench.spec import Choice, Config, Family, Float, Published, Shape, Space, Weights

GROWING = ("projection_dropout", "attention_dropout")
"""Dropouts inside of the blocks, which `dropout_by_block` spreads."""


def build(config: Config, shape: Shape) -> Any:
    """timm's VisionTransformer; ViT-B/16 has 85,800,194 parameters for 224x224 pixels, 2 classes.

    Pretrained positions are resampled to the image's size, and pretrained patches to `patch_size`,
    by timm. Raises UserError for images whose height or width is no multiple of `patch_size`.
    """
    from suite.nets.sizes import require_multiple
    from suite.nets.timm_models import create
    from suite.nets.vision_transformer import spread

    patch = int(config["patch_size"])
    require_multiple("a vision transformer", shape, of=patch, why="patch_size")
    found = weights(config)
    model = create(
        f"vit_{config['size']}_patch16_224",
        shape,
        path=found.path if found else None,
        patch_size=patch,
        drop_rate=float(config["head_dropout"]),
        pos_drop_rate=float(config["position_dropout"]),
        proj_drop_rate=float(config["projection_dropout"]),
        attn_drop_rate=float(config["attention_dropout"]),
        drop_path_rate=float(config["drop_path"]),
    )
    if config["dropout_by_block"] == "rising":
        spread(model, *(float(config[name]) for name in GROWING))
    return model


def weights(config: Config) -> Weights | None:
    """`imagenet`: timm's, of the sizes and patches that there are.

    Raises UserError where there are none for this size and patch.
    """
    name, size, patch = str(config["weights"]), config["size"], config["patch_size"]
    if name == NONE:
        return None
    from timm import get_pretrained_cfg, list_models

    from bench.weights import Hub, find_image_weights

    facts = get_pretrained_cfg(f"vit_{size}_patch{patch}_224")
    if name != "imagenet":
        return find_image_weights(name, named={})
    if facts is None or not facts.hf_hub_id:
        there = [one.split("_")[2][5:] for one in list_models(f"vit_{size}_patch*_224")]
        raise UserError(
            f"weights 'imagenet' of a ViT of size {size!r} are there for patch_size "
            f"{', '.join(there)}, got {patch}: pin one of these, or weights = 'none'"
        )
    source = Hub(repo=facts.hf_hub_id, mean=facts.mean, std=facts.std)
    return find_image_weights(name, named={"imagenet": source})


FAMILY = Family(
    title="Vision transformer",
    kinds=frozenset({"image_classification"}),
    space="vision",
    build=build,
    weights=weights,
    architectures=tuple(
        f"vit_{size}_patch{patch}" for size in ("tiny", "small", "base", "large") for patch in (16,)
    ),
    options=Space(
        size=Choice("small", "tiny", "base", also=("large",)),
        patch_size=Choice(16, held=True, also=(4, 7, 8, 14, 28, 32)),
        head_dropout=Float(0.0, 0.8, default=0.0, held=True),
        position_dropout=Float(0.0, 0.8, default=0.0, held=True),
        projection_dropout=Float(0.0, 0.8, default=0.0, held=True),
        attention_dropout=Float(0.0, 0.8, default=0.0, held=True),
        dropout_by_block=Choice("equal", "rising", held=True),
        drop_path=Float(0.0, 0.8, default=0.0, held=True),
    )
    | WEIGHTS,
    published=(
        Published(
            document="mhist-report",
            settings={
                "size": "base",
                "patch_size": 16,
                "weights": "imagenet",
                "head_dropout": 0.5,
                "optimizer": "adam",
                "learning_rate": 1e-5,
                "weight_decay": 0.0,
                "schedule": "exponential",
                "decay": 0.91,
                "warmup": 0.0,
                "batch_size": 8,
                "augmentation": "flips_rotation",
            },
            tasks=("mhist",),
        ),
    ),
)
"""Dropouts by place: of the head's input; of the tokens with their positions; in each block of the
values after attention's and the feed-forward layers' projections, and of attention's weights.
`dropout_by_block`: these two are equal in all blocks, or rise evenly from 0 in the first block to
their value in the last. `drop_path` drops whole blocks of an image, and always rises so.
"""
