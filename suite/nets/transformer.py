"""Any sequence classifier of transformers, fed with rows of token ids: built from sizes, with
random weights. Loading one is in suite/nets/pretrained_transformer.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from bench.errors import UserError

HEAD, HIDDEN, ATTENTION = "head", "hidden", "attention"
DROPOUTS: dict[str, tuple[str, ...]] = {
    HEAD: (
        "classifier_dropout",
        "classifier_dropout_prob",
        "cls_dropout",
        "seq_classif_dropout",
        "summary_last_dropout",
    ),
    HIDDEN: ("hidden_dropout_prob", "hidden_dropout", "dropout", "resid_pdrop"),
    ATTENTION: ("attention_probs_dropout_prob", "attention_dropout", "attn_pdrop"),
}
"""By place, how transformers' configurations call that dropout: each has one of the names."""


class Transformer(nn.Module):
    """Logits of texts from a sequence classifier of transformers."""

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.net = net
        self.kind = str(net.config.model_type)
        self.padding = int(net.config.pad_token_id)

    def forward(self, tokens: Tensor) -> Tensor:
        """tokens: integers (batch, length), token ids >= 0, then a negative number where a text is
        shorter; logits (batch, classes)."""
        extra = {}
        if self.kind == "xlnet":
            # It reads the last place, and was pretrained with a segment of its own there; its
            # tokenizer knows of it, but tells only when it is asked.
            tokens = shifted(tokens)
            extra["token_type_ids"] = torch.zeros_like(tokens, dtype=torch.long)
            extra["token_type_ids"][:, -1] = 2
        present = tokens >= 0
        outputs = self.net(
            # Never another id: RoBERTa counts places, and GPT-2 finds the last token, by it.
            input_ids=tokens.long().masked_fill(~present, self.padding),
            attention_mask=present.long(),
            **extra,
        )
        logits: Tensor = outputs.logits
        return logits


def shifted(tokens: Tensor) -> Tensor:
    """Rows (batch, length) with their padding, negative, moved from behind to the front."""
    length = tokens.shape[1]
    present = (tokens >= 0).sum(dim=1, keepdim=True)
    column = torch.arange(length, device=tokens.device)
    return tokens.gather(1, (column + present) % length)


def from_sizes(
    *,
    architecture: str,
    vocabulary: int,
    max_tokens: int,
    classes: int,
    hidden_size: int,
    layers: int,
    heads: int,
    dropout: float,
    head_dropout: float | None,
) -> Transformer:
    """An encoder with random weights and a feed-forward width of four times the hidden size.

    head_dropout: None is what the architecture has there by default. Sources: BERT, Devlin et al.
    2019; RoBERTa, Liu et al. 2019; DistilBERT, Sanh et al. 2019; XLNet, Yang et al. 2019.
    """
    from transformers import AutoConfig, AutoModelForSequenceClassification

    sizes: dict[str, int] = {"vocab_size": vocabulary, "num_labels": classes, "pad_token_id": 0}
    width = 4 * hidden_size
    match architecture:
        case "distilbert":
            sizes |= {"dim": hidden_size, "n_layers": layers, "n_heads": heads, "hidden_dim": width}
        case "xlnet":
            sizes |= {"d_model": hidden_size, "n_layer": layers, "n_head": heads, "d_inner": width}
        case _:
            sizes |= {"hidden_size": hidden_size, "num_hidden_layers": layers}
            sizes |= {"num_attention_heads": heads, "intermediate_size": width}
    if architecture != "xlnet":  # its places are relative
        # RoBERTa's places are counted from that of padding.
        sizes["max_position_embeddings"] = max_tokens + (architecture == "roberta")
    config = AutoConfig.for_model(architecture, **sizes)
    set_dropout(config, HIDDEN, dropout)
    if architecture != "xlnet":  # one dropout for both
        set_dropout(config, ATTENTION, dropout)
    if head_dropout is not None:
        set_dropout(config, HEAD, head_dropout)
    return finished(AutoModelForSequenceClassification.from_config(config))


def set_dropout(config: Any, place: str, rate: float) -> None:
    """Sets one of a configuration's dropouts. UserError where the model has none there."""
    for name in DROPOUTS[place]:
        if hasattr(config, name):
            setattr(config, name, rate)
            return
    raise UserError(
        f"a {config.model_type} has no {place} dropout of its own, got {rate:g}: leave "
        f'{place}_dropout = "default"'
    )


def finished(net: Any) -> Transformer:
    """The classifier as a net, without what only generating and pretraining need."""
    if net.config.model_type == "xlnet":
        net.config.use_mems_eval = False
        net.transformer.mask_emb.requires_grad_(False)  # stands for words that are to be guessed
    return Transformer(net)


# --- Parts ----------------------------------------------------------------------------------


def in_head(net: Any, name: str) -> bool:
    """Whether a parameter of a classifier belongs to its head: all that is not in the encoder, and
    a pooler, which is what other heads call their first layer."""
    base = f"{net.base_model_prefix}."
    return not name.startswith(base) or name.removeprefix(base).startswith("pooler.")


def parts(model: Transformer) -> list[list[str]]:
    """Prefixes of its parameters' names: embeddings, each layer, head.

    What stands between layers or behind the last, such as a norm, goes with the layer before it.
    """
    layers = list(_layers(model.net))
    stages: list[list[str]] = [[]]
    head: list[str] = []
    for name, _ in model.net.named_parameters():
        layer = next((prefix for prefix in layers if name.startswith(f"{prefix}.")), None)
        if in_head(model.net, name):
            head.append(f"net.{name}")
        elif layer is None:
            stages[-1].append(f"net.{name}")
        elif f"net.{layer}" not in stages[-1]:
            stages.append([f"net.{layer}"])
    return [stage for stage in (*stages, head) if stage]


def _layers(net: Any) -> Iterator[str]:
    """The names of the encoder's layers: the items of its outermost lists."""
    outermost: list[str] = []
    for name, module in net.named_modules():
        inner = any(name.startswith(f"{other}.") for other in outermost)
        if isinstance(module, nn.ModuleList) and not inner:
            outermost.append(name)
            yield from (f"{name}.{index}" for index in range(len(module)))
