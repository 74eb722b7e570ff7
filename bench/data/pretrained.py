"""Tokenizers that come with pretrained weights: a folder's own, as transformers reads it."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from bench.data.words import MAX_TOKENS
from bench.errors import UserError

FILES = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "vocab.txt", "vocab.json", "merges.txt", "bpe.codes", "*.model",
)  # fmt: skip
"""What may lie in a folder and decides how it cuts texts, beside the model's type."""


def fingerprint(folder: Path) -> str:
    """A hash of what a folder's tokenizer is made of: the same for copies elsewhere, whatever the
    weights. UserError where there is no such folder."""
    if not folder.is_dir():
        raise UserError(
            f"a tokenizer comes with its model's folder, {str(folder)!r} is none: name a folder in "
            "transformers' format"
        )
    found = hashlib.blake2b(digest_size=8)
    for path in sorted({path for name in FILES for path in folder.glob(name)}):
        content = path.read_bytes()
        found.update(f"{path.name} {len(content)} ".encode() + content)
    found.update(_model_type(folder).encode())
    return found.hexdigest()


def _model_type(folder: Path) -> str:
    """What transformers chooses a tokenizer by, where the tokenizer's files do not say."""
    try:
        return str(json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


class Pretrained:
    """A folder's tokenizer. Raises UserError where the folder has none."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoTokenizer

        rule = f"pretrained weights come with their tokenizer's files, {folder} has none"
        remedy = "save it there too (tokenizer.save_pretrained)"
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
        except Exception as error:  # the library's readers raise whatever a broken file makes them
            raise UserError(
                f"{rule} that can be read ({type(error).__name__}): {remedy}"
            ) from error
        self.vocabulary = len(self._tokenizer)
        """Ids are below it."""
        # The library invents one of special tokens alone where a folder has no vocabulary.
        if self.vocabulary <= len(self._tokenizer.all_special_ids):
            raise UserError(f"{rule}: {remedy}")
        self._instead = self._first_id()

    def _first_id(self) -> int:
        """What stands for a text that has no token: the end of a text, or the first id."""
        ids = (self._tokenizer.eos_token_id, self._tokenizer.pad_token_id, 0)
        return next(int(id) for id in ids if id is not None)

    def encode(self, texts: list[str]) -> list[np.ndarray]:
        """Each text's ids, framed by the tokenizer's own special tokens and cut to MAX_TOKENS with
        them: int32 (tokens,), never none."""
        found = self._tokenizer(
            texts,
            truncation=True,
            max_length=MAX_TOKENS,
            padding=False,
            return_attention_mask=False,
            return_token_type_ids=False,
        )["input_ids"]
        return [np.array(ids or [self._instead], np.int32) for ids in found]


@lru_cache(maxsize=4)
def _opened(folder: Path, _: str) -> Pretrained:
    return Pretrained(folder)


def tokenizer(folder: Path) -> Pretrained:
    """The folder's tokenizer, read again when its files have changed."""
    return _opened(folder, fingerprint(folder))
