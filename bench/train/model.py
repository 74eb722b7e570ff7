"""A family's model for a task's prepared data."""

from __future__ import annotations

from dataclasses import replace

import torch

from bench.data import encodings
from bench.data.prepared import PreparedTask
from bench.seeds import derive
from bench.spec import Config, Family, Shape


def tokenizer_of(family: Family, config: Config) -> str:
    """The id of the tokenizer that a configuration of the family reads texts with."""
    return "words" if family.tokenizer is None else family.tokenizer(config)


def shape_of(family: Family, config: Config, data: PreparedTask) -> Shape:
    """The data's shape as this configuration sees it: of texts, also what its tokenizer makes."""
    if data.shape.kind != "text_classification":
        return data.shape
    return replace(
        data.shape,
        vocabulary=encodings.vocabulary(data, tokenizer_of(family, config)),
        max_tokens=encodings.MAX_TOKENS,
    )


def build(
    family: Family, config: Config, data: PreparedTask, *, seed: int, device: torch.device
) -> torch.nn.Module:
    """The family's model for these data, initialised from the seed's own stream, on the device."""
    shape = shape_of(family, config, data)
    torch.manual_seed(derive(seed, "init"))
    model: torch.nn.Module = family.build(config, shape)
    model = model.to(device)
    return model.to(memory_format=torch.channels_last) if device.type == "cuda" else model
