"""Families: kinds of models, with their pretrained weights and published settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.parameters import Config, Scalar
from bench.space import Space
from bench.spec.task import Kind, Shape


@dataclass(frozen=True, kw_only=True, slots=True)
class Weights:
    """Pretrained weights, found on this machine."""

    name: str
    """As the configuration names them."""
    path: Path
    """A file of tensors; of a transformers model, its folder."""
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    """Per channel, of intensities in [0, 1]: how the images were normalised that they were trained
    on. Empty where that is not known, and of texts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """A setting that a document reports: a search can try it first."""

    document: str
    """Key of the document, such as `resnet-liver-2023`."""
    settings: Mapping[str, Scalar]
    """Parameters of the family's whole space; the others keep their defaults."""
    tasks: tuple[str, ...] = ()
    """Ids of the tasks that it was reported for; empty: any."""

    def concerns(self, task: str, pins: Mapping[str, Scalar]) -> bool:
        """Whether it was reported for this task, of a model with these pins."""
        return (not self.tasks or task in self.tasks) and all(
            self.settings.get(name, value) == value for name, value in pins.items()
        )


@dataclass(frozen=True, kw_only=True)
class Family:
    """A kind of model: one build function, its own options, the space its training is tuned in."""

    title: str
    kinds: frozenset[Kind]
    space: str
    """Id of the file in `search_spaces/` that holds its training parameters."""
    build: Callable[[Config, Shape], Any]
    """A torch module that maps a batch of inputs to logits: (batch, classes), or (batch, classes,
    height, width) of a segmenter. Texts come as integers (batch, longest), padded with -1."""
    architectures: tuple[str, ...]
    options: Space = field(default_factory=Space)
    """Architecture parameters: pinned by an entrant or searched."""
    tokenizer: Callable[[Config], str] | None = None
    """Of a text model: the id of its tokenizer, `words`, `wordpiece-N` with N tokens, or
    `pretrained:FOLDER`; None is `words`. See bench/data/encodings.py."""
    weights: Callable[[Config], Weights | None] | None = None
    """Finds the pretrained weights that a configuration begins with, fetches them where a hub can
    be reached; None where it begins from scratch. Raises WeightsMissing, and UserError for a name
    that there is not. Without this function a family has no pretrained weights."""
    stages: Callable[[Any], Sequence[Sequence[str]]] | None = None
    """`stages(model)`: the model's parts from input to output, each as prefixes of its parameters'
    names; the last is the head. What `freeze` and `layer_decay` go by; None: see
    bench/train/stages.py."""
    published: tuple[Published, ...] = ()
    """Settings that documents report for its models."""
    id: str = ""
