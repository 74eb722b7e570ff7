"""A family's model for a task's prepared data, and the inputs that it reads."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from bench import weights as pretrained
from bench.data import encodings
from bench.data.prepared import PreparedTask
from bench.errors import UserError
from bench.seeds import derive
from bench.spec import Config, Family, Shape, Task, Weights, content_hash
from bench.train.initialisation import initialise

COLOURS = 3
"""The channels of the images that weights of photographs take."""


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What a configuration's model reads of a task's prepared data, and how."""

    shape: Shape
    """As the model is built for it: of texts with what their tokenizer makes, of images with the
    channels that they are normalised to."""
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    """Per channel of the shape, of intensities in [0, 1]; empty of texts. Images of one channel
    are normalised by each in turn: three channels come out."""
    tokenizer: str = "words"


def inputs_of(family: Family, config: Config, data: PreparedTask) -> Inputs:
    """How a configuration of the family sees these data: its pretrained weights decide.

    From scratch, images are normalised by the training split's own mean and deviation. Raises
    UserError where the weights do not say how their images were normalised, or took images of
    other channels; and what the family's `weights` raises.
    """
    if data.shape.kind == "text_classification":
        tokenizer = tokenizer_of(family, config)
        shape = replace(
            data.shape,
            vocabulary=encodings.vocabulary(data, tokenizer),
            max_tokens=encodings.MAX_TOKENS,
        )
        return Inputs(shape=shape, tokenizer=tokenizer)
    mean, std = tuple(data.manifest["mean"]), tuple(data.manifest["std"])
    weights = weights_of(family, config)
    if weights is not None:
        mean, std = _normalisation(weights, str(config.get("normalisation", "weights")), mean, std)
        if len(mean) != data.shape.channels != 1:
            raise UserError(
                f"the weights {weights.name!r} take images of {len(mean)} channels, those of the "
                f"task have {data.shape.channels}: take other weights, or train from scratch "
                f'(weights = "none")'
            )
    return Inputs(shape=replace(data.shape, channels=len(mean)), mean=mean, std=std)


def _normalisation(
    weights: Weights, how: str, mean: tuple[float, ...], std: tuple[float, ...]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation for each channel that the weights take; mean, std: the data's own."""
    if how == "imagenet":
        return pretrained.IMAGENET_MEAN, pretrained.IMAGENET_STD
    if how == "weights":
        if weights.mean:
            return weights.mean, weights.std
        raise UserError(
            f"normalisation comes with the weights, {weights.name!r} do not say how their images "
            'were normalised: pin normalisation = "imagenet", or "data" for the training images\' '
            "own mean and deviation"
        )
    taken = len(weights.mean) or pretrained.channels(weights.path)
    if taken == COLOURS and len(mean) == 1:
        return mean * COLOURS, std * COLOURS
    return mean, std


def tokenizer_of(family: Family, config: Config) -> str:
    """The id of the tokenizer that a configuration of the family reads texts with."""
    return "words" if family.tokenizer is None else family.tokenizer(config)


def weights_of(family: Family, config: Config) -> Weights | None:
    """The pretrained weights that a configuration begins with; None: it begins from scratch."""
    return None if family.weights is None else family.weights(config)


def weights_fingerprint(family: Family, config: Config) -> str | None:
    """The content of a configuration's pretrained weights, and how their images were normalised,
    as one hash; None from scratch. A training from other weights is another training."""
    weights = weights_of(family, config)
    if weights is None:
        return None
    return content_hash([pretrained.fingerprint(weights), weights.mean, weights.std])


def key_of(
    *,
    task: Task,
    family: Family,
    config: Config,
    seed: int,
    max_epochs: int,
    max_seconds: float | None,
    fingerprint: str,
    replicate: bool,
    refit: str,
) -> str:
    """What tells a training's checkpoint from any other's. fingerprint: of the prepared data."""
    length = max_epochs if max_seconds is None else f"{max_seconds} s"
    return content_hash(
        [task.id, family.id, config, seed, length, replicate, refit]
        + [fingerprint, weights_fingerprint(family, config)]
    )


def build(
    family: Family, config: Config, data: PreparedTask, *, seed: int, device: torch.device
) -> torch.nn.Module:
    """The family's model for these data on the device: with the weights that the configuration
    names, all else initialised from the seed's own stream."""
    shape = inputs_of(family, config, data).shape
    torch.manual_seed(derive(seed, "init"))
    model: torch.nn.Module = family.build(config, shape)
    if weights_of(family, config) is None:
        initialise(model, str(config.get("initialisation", "default")))
    model = model.to(device)
    return model.to(memory_format=torch.channels_last) if device.type == "cuda" else model
