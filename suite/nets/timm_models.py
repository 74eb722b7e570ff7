"""timm's models by name: their image sizes, their dropouts, their pretrained weights."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import count, islice
from pathlib import Path
from typing import Any

import timm
import torch
from timm.models import PretrainedCfg
from torch import nn

from bench.errors import UserError
from bench.spec import Shape, unknown
from suite.nets.sizes import remedy, require_multiple

STEPS = (8, 14)
"""Sizes that are tried are multiples of these: of what most strides, patches and windows need."""
TRIES = 24
SHOWN = 3
OURS = {"drop_rate": "head_dropout", "drop_path_rate": "drop_path"}
"""By timm's name of an argument, what a configuration calls it."""


def create(name: str, shape: Shape, *, path: Path | None = None, **arguments: Any) -> nn.Module:
    """A model of timm's for images of this shape, with the weights of a file where there is one.

    arguments: what timm's function for it takes; an argument of None is left to the model. Raises
    UserError for an argument that the model does not have, and for weights that do not fit it.
    """
    given = {key: value for key, value in arguments.items() if value is not None}
    if path is not None:
        return _pretrained(name, path, shape, given)
    return _create(name, shape.channels, shape.classes, (shape.height, shape.width), given)


def known(name: str) -> PretrainedCfg:
    """timm's facts on a model: `hf_hub_id`, `url`, `mean`, `std`, `input_size`, ... of the tag
    that follows the dot in its name, or of its first.

    Raises UserError for an unknown name or tag, with the nearest.
    """
    architecture, _, tag = name.partition(".")
    names = timm.list_models()
    if architecture not in names and not timm.is_model(architecture):
        raise UserError(unknown("architecture of timm", architecture, names))
    tagged = timm.list_models(f"{architecture}.*", include_tags=True)
    if tag and name not in tagged:
        tags = [each.partition(".")[2] for each in tagged]
        raise UserError(unknown(f"weights of timm's {architecture}", tag, filter(None, tags)))
    return timm.get_pretrained_cfg(name) or PretrainedCfg()


# --- Building -------------------------------------------------------------------------------


def _create(
    name: str,
    channels: int,
    classes: int,
    size: tuple[int, int],
    given: dict[str, Any],
    **weights: Any,
) -> nn.Module:
    sized = {"img_size": size} if known(name).fixed_input_size else {}
    try:
        model: nn.Module = timm.create_model(
            name, in_chans=channels, num_classes=classes, **sized, **given, **weights
        )
    except TypeError as error:
        refused = re.search(r"unexpected keyword argument '(\w+)'", str(error))
        if refused is None or refused.group(1) not in given:
            raise
        argument = refused.group(1)
        raise UserError(
            f"timm's {name} has no {OURS.get(argument, argument)}, got {given[argument]!r}: leave "
            "it at its default, or take another architecture"
        ) from None
    return model


def _pretrained(name: str, path: Path, shape: Shape, given: dict[str, Any]) -> nn.Module:
    """The model with a file's weights, as timm adapts them: positions, windows, first convolution.

    Built for as many classes as the file has, so that timm loads all of it or nothing; then the
    head is replaced where the task has another number of classes.
    """
    from bench.weights import read

    tensors = read(path)
    classes = _classes(name, tensors)
    try:
        model = _loaded(name, shape.channels, classes, (shape.height, shape.width), given, tensors)
    except UserError:
        raise
    except Exception as error:  # what timm's readers of others' files raise has no one type
        raise _unfit(name, path, _named_in(error), error) from None
    if _lenient(name) and (lacking := _lacking(name, model, tensors)):
        raise _unfit(name, path, lacking)
    if classes != shape.classes:
        model.reset_classifier(shape.classes)  # type: ignore[operator]
    return model


def _loaded(
    name: str,
    channels: int,
    classes: int,
    size: tuple[int, int],
    given: dict[str, Any],
    tensors: dict[str, torch.Tensor],
) -> nn.Module:
    overlay = {"state_dict": tensors, "num_classes": classes}
    return _create(
        name, channels, classes, size, given, pretrained=True, pretrained_cfg_overlay=overlay
    )


@cache
def _lenient(name: str) -> bool:
    """Whether timm loads a file into this model that lacks tensors of it, as a few of its models
    have it: found out with a file that lacks all of them, on torch's meta device."""
    _, height, width = known(name).input_size
    try:
        with torch.random.fork_rng(devices=()), torch.device("meta"):
            _loaded(name, 3, 2, (height, width), {}, {"unrelated": torch.zeros(1)})
    except Exception:  # whatever it is, it was refused
        return False
    return True


def _lacking(name: str, model: nn.Module, tensors: dict[str, torch.Tensor]) -> list[str]:
    """Names of the model's tensors that a file does not have, but for those of its head."""
    heads = {head.partition(".")[0] for head in _classifiers(name)}
    return [
        key
        for key in model.state_dict()
        if key not in tensors and key.partition(".")[0] not in heads
    ]


def _classes(name: str, tensors: dict[str, torch.Tensor]) -> int:
    """How many classes the head of a weights file tells apart; 0 where it has no head."""
    for head in (*_classifiers(name), "head", "head.fc", "fc", "classifier"):
        for tensor in (tensors.get(f"{head}.weight"), tensors.get(f"{head}.bias")):
            if tensor is not None:
                return int(tensor.shape[0])
    return 0


def _classifiers(name: str) -> tuple[str, ...]:
    """Where in the model its last layers are; empty where timm does not say."""
    found = known(name).classifier or ()
    return (found,) if isinstance(found, str) else tuple(found)


def _named_in(error: Exception) -> list[str]:
    """The tensors that torch names where a file does not fit."""
    _, _, lines = str(error).partition("\n")
    return ["".join(found) for found in re.findall(r'"([\w.]+)"|for ([\w.]+):', lines)]


def _unfit(name: str, path: Path, tensors: list[str], error: Exception | None = None) -> UserError:
    """In one line what torch says in many; error: where no tensors are named."""
    shown = ", ".join(tensors[:SHOWN]) + ", ..." * (len(tensors) > SHOWN)
    what = f"{shown} missing, out of place or of another shape" if tensors else repr(error)
    return UserError(
        f"the weights {path} must fit timm's {name}: {what}: name weights of this architecture, "
        'or train from scratch (weights = "none")'
    )


# --- Image sizes ----------------------------------------------------------------------------


def require_size(name: str, shape: Shape) -> None:
    """Raises UserError for an unknown name, and where the model cannot take such images, with the
    next size that works."""
    _, *usual = known(name).input_size
    trial = _trial(name, shape.channels, shape.height, shape.width)
    require_multiple(f"timm's {name}", shape, of=trial.patch, why="its patch size")
    if trial.refusal is None:
        return
    reason = _trial(name, shape.channels, *usual).refusal
    if reason is not None:
        raise UserError(
            f"timm's {name} takes images of other channels, got {shape.channels} ({reason}): take "
            "another architecture"
        )
    raise UserError(
        f"timm's {name} needs images that its strides and windows fit, got "
        f"{shape.height}x{shape.width}: {remedy(_next_size(name, shape) or max(usual))}"
    )


def _next_size(name: str, shape: Shape) -> int | None:
    """The next size of a square that the model takes, by trying; None where none of those that are
    tried works."""

    def works(size: int) -> bool:
        trial = _trial(name, shape.channels, size, size)
        return trial.refusal is None and size % trial.patch == 0

    before = max(shape.height, shape.width) - (shape.height != shape.width)
    for size in _candidates(before + 1):
        if works(size):
            return next(filter(works, range(before + 1, size)), size)
        before = size
    return None


def _candidates(low: int) -> Iterator[int]:
    tried = (size for size in count(low) if any(size % step == 0 for step in STEPS))
    return islice(tried, TRIES)


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """What comes of showing a model an image of one size."""

    patch: int = 1
    """The side of the patches that it cuts images into without padding them; 1: it does not."""
    refusal: str | None = None
    """Why it cannot take the image; None where it can."""


@cache
def _trial(name: str, channels: int, height: int, width: int) -> Trial:
    """Found out without memory or arithmetic, on torch's meta device; asked once a process."""
    from timm.layers import PatchEmbed

    patch = 1
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            torch.random.fork_rng(devices=()),
            torch.device("meta"),
            torch.no_grad(),
        ):
            model = _create(name, channels, 2, (height, width), {}).eval()
            embedding = getattr(model, "patch_embed", None)
            if isinstance(embedding, PatchEmbed) and not embedding.dynamic_img_pad:
                patch = int(embedding.patch_size[0])
            model(torch.zeros(1, channels, height, width))
    except Exception as error:  # what models raise for such sizes has no one type
        return Trial(patch=patch, refusal=f"{type(error).__name__} {error}".splitlines()[0])
    return Trial(patch=patch)
