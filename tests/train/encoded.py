"""A small family whose encoder may be pretrained, and each local way to keep its weights."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from bench.options import WEIGHTS
from bench.spec import Config, Family, Shape, Space, Weights
from bench.train.trial import configure
from bench.weights import Hub, Source, Url, fill, find_image_weights
from tests.train.synthetic import make_task
from tests.weights.stored import write, write_hub_cache

URL = "https://example.org/encoder-0123abcd.pth"
State = dict[str, Tensor]


# --- A family with an encoder that may be pretrained ----------------------------------------


def encoder(channels: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in ((channels, 16), (16, 32), (32, 64)):
        layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.BatchNorm2d(after)]
        layers += [nn.ReLU()]
    return nn.Sequential(*layers)


def build_encoded(config: Config, shape: Shape) -> nn.Module:
    if shape.kind == "image_classification":
        head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, shape.classes))
    else:
        size = (shape.height, shape.width)
        head = nn.Sequential(nn.Conv2d(64, shape.classes, 1), nn.Upsample(size, mode="bilinear"))
    model = nn.Sequential(OrderedDict(encoder=encoder(shape.channels), head=head))
    if found := find(config):
        fill(model, found.path, head=("head",))
    return model


def find(config: Config) -> Weights | None:
    named: dict[str, Source] = {"imagenet": Url(url=URL), "hub": Hub(repo="owner/encoder")}
    return find_image_weights(str(config["weights"]), named=named)


CLASSIFIER = Family(
    id="encoded",
    title="Encoder",
    kinds=frozenset({"image_classification"}),
    space="vision",
    build=build_encoded,
    weights=find,
    architectures=("encoded",),
    options=Space() | WEIGHTS,
)
SEGMENTER = replace(CLASSIFIER, kinds=frozenset({"image_segmentation"}), space="segmentation")
FAMILIES = {"image_classification": CLASSIFIER, "image_segmentation": SEGMENTER}


def weights_of(layers: nn.Module) -> State:
    """An encoder's weights by the names that they have in the whole model."""
    return {f"encoder.{name}": value for name, value in layers.state_dict().items()}


def config_of(family: Family, **settings: Any) -> Config:
    given = {"learning_rate": 1e-3, "batch_size": 32} | settings
    return configure(family, make_task(min(family.kinds)), given)


# --- Each local way: its name for the configuration ------------------------------------------


def pickled(content: object, path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, path)
    return str(path)


def in_a_file(state: State, root: Path, mean: Any, std: Any) -> str:
    return pickled(state, root / "encoder.pth")


def in_safetensors(state: State, root: Path, mean: Any, std: Any) -> str:
    return str(write(root, {"encoder.safetensors": save(state)}) / "encoder.safetensors")


def in_a_dino_checkpoint(state: State, root: Path, mean: Any, std: Any) -> str:
    teacher = {f"module.backbone.{name}": value for name, value in state.items()}
    content = {"teacher": teacher | {"module.head.mlp.0.weight": torch.ones(2)}, "epoch": 7}
    return pickled(content, root / "checkpoint.pth")


def in_timms_folder(state: State, root: Path, mean: Any, std: Any) -> str:
    config = {"architecture": "encoded", "pretrained_cfg": {"mean": mean, "std": std}}
    files = {"config.json": json.dumps(config).encode(), "model.safetensors": save(state)}
    return str(write(root / "timm", files))


def in_transformers_folder(state: State, root: Path, mean: Any, std: Any) -> str:
    processor = json.dumps({"image_mean": mean, "image_std": std}).encode()
    files = {"config.json": b"{}", "preprocessor_config.json": processor}
    folder = write(root / "transformers", files)
    pickled(state, folder / "pytorch_model.bin")
    return str(folder)


def in_the_hubs_cache(state: State, root: Path, mean: Any, std: Any) -> str:
    config = {"pretrained_cfg": {"mean": mean, "std": std}}
    files = {"config.json": json.dumps(config).encode(), "model.safetensors": save(state)}
    write_hub_cache(root / "hub", "owner/encoder", files)
    return "owner/encoder"


def in_torch_hubs_cache(state: State, root: Path, mean: Any, std: Any) -> str:
    pickled(state, root / "torch" / "hub" / "checkpoints" / "encoder-0123abcd.pth")
    return "imagenet"


Way = Callable[[State, Path, Any, Any], str]
SAYING: list[Way] = [in_timms_folder, in_transformers_folder, in_the_hubs_cache]
"""Ways that say how the images were normalised."""
SILENT: list[Way] = [in_a_file, in_safetensors, in_a_dino_checkpoint]
COLOURS = ([0.1, 0.2, 0.3], [0.3, 0.2, 0.1])
