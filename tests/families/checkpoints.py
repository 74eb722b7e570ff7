"""Tiny pretrained transformers with their tokenizers, written as transformers writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

KINDS = ("bert", "roberta", "distilbert", "xlnet")
PLACES = 130
"""Of a text's tokens: a few more than texts have."""
TEXTS = (
    "stocks fell nine per cent",
    "rain",
    "the team won again and again, said the coach of the team",
    "",
    "rain " * 300,
)
_WORDS = sorted({word.strip(",") for text in TEXTS for word in text.split()})


def write(folder: Path, kind: str, *, classes: int = 4, layers: int = 3, seed: int = 0) -> Path:
    """A classifier of this kind and its tokenizer, in a folder."""
    from transformers import AutoModelForSequenceClassification

    tokenizer = make_tokenizer(kind)
    config = make_config(kind, tokenizer, classes=classes, layers=layers)
    torch.manual_seed(seed)
    model = AutoModelForSequenceClassification.from_config(config)
    with torch.no_grad():  # initial weights are so small that inputs hardly matter
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    save(model, folder)
    tokenizer.save_pretrained(folder)
    return folder


def save(model: Any, folder: Path) -> None:
    """As `save_pretrained`, without its progress bar."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    model.save_pretrained(folder)
    logging.enable_progress_bar()


def make_config(kind: str, tokenizer: Any, *, classes: int, layers: int) -> Any:
    from transformers import AutoConfig

    sizes: dict[str, Any] = {
        "bert": {"hidden_size": 32, "num_hidden_layers": layers, "num_attention_heads": 2},
        "distilbert": {"dim": 32, "n_layers": layers, "n_heads": 2, "hidden_dim": 64},
        "xlnet": {"d_model": 32, "n_layer": layers, "n_head": 2, "d_inner": 64},
        "gpt2": {"n_embd": 32, "n_layer": layers, "n_head": 2, "n_positions": PLACES},
    }
    sizes["roberta"] = sizes["bert"]
    if kind not in ("xlnet", "gpt2"):
        sizes[kind] |= {"max_position_embeddings": PLACES}
    if kind in ("bert", "roberta"):
        sizes[kind] |= {"intermediate_size": 64}
    if kind == "gpt2":
        sizes[kind] |= {"bos_token_id": tokenizer.eos_token_id}
        sizes[kind] |= {"eos_token_id": tokenizer.eos_token_id}
    else:
        sizes[kind] |= {"pad_token_id": tokenizer.pad_token_id}
    return AutoConfig.for_model(kind, vocab_size=len(tokenizer), num_labels=classes, **sizes[kind])


def make_tokenizer(kind: str) -> Any:
    """A tokenizer that knows the words of TEXTS."""
    from transformers import BertTokenizer, GPT2Tokenizer, RobertaTokenizer, XLNetTokenizer

    if kind in ("bert", "distilbert"):
        pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ",", *_WORDS]
        return BertTokenizer(vocab={piece: number for number, piece in enumerate(pieces)})
    if kind == "xlnet":
        special = ["<unk>", "<s>", "</s>", "<cls>", "<sep>", "<pad>", "<mask>", "<eod>", "<eop>"]
        pieces = [*special, ",", *(f"▁{word}" for word in _WORDS)]
        return XLNetTokenizer(vocab=[(piece, -float(n)) for n, piece in enumerate(pieces)])
    if kind == "roberta":
        vocab, merges = _byte_pairs(["<s>", "<pad>", "</s>", "<unk>", "<mask>"], [])
    else:
        vocab, merges = _byte_pairs([], ["<|endoftext|>"])
    kind_of: Any = RobertaTokenizer if kind == "roberta" else GPT2Tokenizer
    return kind_of(vocab=vocab, merges=merges)


def _byte_pairs(first: list[str], last: list[str]) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Every word of TEXTS, with a space before it, as one piece of bytes; between special tokens.

    Of GPT-2 they come last, so that its padding, its end of a text, is not 0.
    """
    letters = sorted({letter for word in _WORDS for letter in word} | {"Ġ", ","})
    pieces, merges = [*first, *letters], []
    for word in _WORDS:
        left = "Ġ"
        for letter in word:
            if left + letter not in pieces:
                pieces.append(left + letter)
                merges.append((left, letter))
            left += letter
    return {piece: number for number, piece in enumerate([*pieces, *last])}, merges
