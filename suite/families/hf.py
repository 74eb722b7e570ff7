"""A small BERT from scratch, on word pieces learnt from the training texts (Devlin et al. 2019)."""

from __future__ import annotations

from typing import Any

from bench.errors import UserError
from bench.spec import Choice, Config, Family, Float, Int, Shape, Space


def build(config: Config, shape: Shape) -> Any:
    """An encoder of `layers` layers with `hidden_size / head_size` heads each.

    Raises UserError where the shape names no vocabulary: hashed words have no table of vectors.
    """
    if not shape.vocabulary:
        raise UserError(
            f"hf needs texts as word pieces, got a vocabulary of {shape.vocabulary}: prepare them "
            f"with the tokenizer {tokenizer(config)}"
        )
    from suite.nets.transformer import Transformer

    return Transformer(
        vocabulary=shape.vocabulary,
        max_tokens=shape.max_tokens,
        classes=shape.classes,
        hidden_size=int(config["hidden_size"]),
        layers=int(config["layers"]),
        heads=int(config["hidden_size"]) // int(config["head_size"]),
        dropout=float(config["dropout"]),
    )


def tokenizer(config: Config) -> str:
    """Word pieces, as many as the vocabulary is to have."""
    return f"wordpiece-{config['vocabulary']}"


FAMILY = Family(
    title="Transformer, from scratch",
    kinds=frozenset({"text_classification"}),
    space="transformer",
    build=build,
    tokenizer=tokenizer,
    architectures=("bert",),
    options=Space(
        hidden_size=Choice(256, 128, 512, 768),
        layers=Int(1, 12, log=True, default=4),
        head_size=Choice(64, 32),
        vocabulary=Choice(8000, 4000, 16000, 32000),
        dropout=Float(0.0, 0.5, default=0.1),
    ),
)
