"""Any sequence classifier of transformers: from its sizes, on word pieces learnt from the training
texts, or with the weights and the tokenizer of a hub or a folder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.errors import UserError
from bench.options import NONE, TEXT_WEIGHTS
from bench.spec import (
    Choice,
    Config,
    Family,
    Float,
    Int,
    Not,
    Published,
    Scalar,
    Shape,
    Space,
    Weights,
)

DEFAULT = "default"
"""A dropout as the architecture or the folder's configuration has it."""
SCRATCH = {"weights": NONE}
PRETRAINED = {"weights": Not(NONE)}


def build(config: Config, shape: Shape) -> Any:
    """The classifier; see suite/nets/transformer.py.

    Raises UserError where the shape names no vocabulary: hashed words have no table of vectors.
    """
    if not shape.vocabulary:
        raise UserError(
            f"hf needs texts as word pieces, got a vocabulary of {shape.vocabulary}: prepare them "
            f"with the tokenizer {tokenizer(config)}"
        )
    found = weights(config)
    if found is not None:
        from suite.nets.pretrained_transformer import load

        rates = {place: _rate(config, place) for place in ("head", "hidden", "attention")}
        return load(
            found.path,
            classes=shape.classes,
            vocabulary=shape.vocabulary,
            max_tokens=shape.max_tokens,
            drop_layers=int(config["drop_layers"]),
            dropouts={place: rate for place, rate in rates.items() if rate is not None},
        )
    from suite.nets.transformer import from_sizes

    return from_sizes(
        architecture=str(config["architecture"]),
        vocabulary=shape.vocabulary,
        max_tokens=shape.max_tokens,
        classes=shape.classes,
        hidden_size=int(config["hidden_size"]),
        layers=int(config["layers"]),
        heads=int(config["hidden_size"]) // int(config["head_size"]),
        dropout=float(config["dropout"]),
        head_dropout=_rate(config, "head"),
    )


def _rate(config: Config, place: str) -> float | None:
    rate = config[f"{place}_dropout"]
    return None if rate == DEFAULT else float(rate)


def weights(config: Config) -> Weights | None:
    """The folder of the model that a configuration names; None from scratch."""
    name = str(config["weights"])
    if name == NONE:
        return None
    from bench.weights import find_text_model

    return find_text_model(name)


def tokenizer(config: Config) -> str:
    """The weights' own; from scratch, word pieces, as many as the vocabulary is to have."""
    found = weights(config)
    return f"wordpiece-{config['vocabulary']}" if found is None else f"pretrained:{found.path}"


def stages(model: Any) -> Sequence[Sequence[str]]:
    """Embeddings, each layer, head."""
    from suite.nets.transformer import parts

    return parts(model)


def _exam(name: str, batch_size: int, **further: Scalar) -> Published:
    """A pretrained model of the home exam: AdamW with one learning rate for all of them."""
    settings = {"weights": name, "learning_rate": 1e-5, "batch_size": batch_size, **further}
    return Published(document="fys3033-2026", settings=settings, tasks=("ag_news",))


FAMILY = Family(
    title="Transformer",
    kinds=frozenset({"text_classification"}),
    space="transformer",
    build=build,
    weights=weights,
    tokenizer=tokenizer,
    stages=stages,
    architectures=("bert", "roberta", "distilbert", "xlnet", "*"),
    options=Space(
        **TEXT_WEIGHTS,
        architecture=Choice("bert", "roberta", "distilbert", "xlnet", held=True, when=SCRATCH),
        hidden_size=Choice(256, 128, 512, 768, also=(1024,), when=SCRATCH),
        layers=Int(1, 12, log=True, default=4, limits=(1, 24), when=SCRATCH),
        head_size=Choice(64, 32, when=SCRATCH),
        vocabulary=Choice(8000, 4000, 16000, 32000, also=(30_522,), when=SCRATCH),
        dropout=Float(0.0, 0.5, default=0.1, when=SCRATCH),
        head_dropout=Choice(DEFAULT, 0.0, 0.1, 0.2, 0.3, 0.5, held=True),
        hidden_dropout=Choice(DEFAULT, 0.0, 0.1, 0.2, 0.3, held=True, when=PRETRAINED),
        attention_dropout=Choice(DEFAULT, 0.0, 0.1, 0.2, 0.3, held=True, when=PRETRAINED),
        drop_layers=Int(0, 6, default=0, limits=(0, 100), held=True, when=PRETRAINED),
    ),
    published=(
        _exam(
            NONE,
            32,
            architecture="bert",
            hidden_size=768,
            layers=12,
            head_size=64,
            vocabulary=30_522,
        ),
        _exam("google-bert/bert-base-uncased", 32, drop_layers=0),
        _exam("google-bert/bert-base-uncased", 16, drop_layers=2),
        _exam("FacebookAI/roberta-base", 64, weight_decay=0.01, drop_layers=0),
        _exam("xlnet/xlnet-large-cased", 64, weight_decay=0.01, drop_layers=0),
    ),
)
"""Parameters: from scratch `architecture` to `dropout`, which is that of states and of attention;
with weights, sizes and tokenizer are theirs. `drop_layers`: how many of the top are left out
("slim" BERT). `head_dropout`, `hidden_dropout`, `attention_dropout`: "default" is as the
architecture or the weights' configuration has it.
"""
