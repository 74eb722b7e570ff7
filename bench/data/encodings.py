"""Texts as token ids, by one of three kinds of tokenizer; made on first use, kept beside the texts.

`words`         hashes of lower-case words, see bench/data/words.py; no vocabulary
`wordpiece-N`   at most N word pieces, learnt from the training texts alone (Schuster & Nakajima
                2012, as in BERT); lower case, accents stripped; [CLS], the text, [SEP]
`pretrained:FOLDER`  the tokenizer of a folder in transformers' format, which its model was
                trained with; it frames texts in its own way

    <root>/tokenizer-<id>.json                 the learnt pieces
    <root>/<split>/tokens-<name>/tokens.npy    int32 (tokens,), one text after the other
    <root>/<split>/tokens-<name>/offsets.npy   int64 (rows + 1,), where each text begins and ends
    <root>/<split>/tokens-<name>/about.json    what they were made by

The name is the id, or `pretrained-` and a hash of the tokenizer's files, wherever they lie.

A text has at most MAX_TOKENS tokens, the rest is cut off, and never none. A split's texts are read
when its tokens are asked for; to learn the pieces, the training split's.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from bench.data import pretrained, sharing, words
from bench.data.fingerprint import write_atomically
from bench.data.prepared import PreparedTask, SplitData
from bench.errors import UserError
from bench.spec import Split

VERSION = 1
"""Of the files; those of another version are made again."""
MAX_TOKENS = words.MAX_TOKENS
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
"""The first ids of every WordPiece vocabulary."""
LEAST = 100
"""The smallest vocabulary: below it there is no room for the letters."""
ALPHABET = 1000
"""The most characters that are pieces of their own; BERT's trainer has the same."""
PRETRAINED = "pretrained:"
BLOCK = 10_000
"""Texts that are encoded at a time."""


def vocabulary(data: PreparedTask, tokenizer: str) -> int:
    """How many ids the tokenizer has, all below this number; 0 for `words`.

    Few training texts may yield fewer pieces than were asked for. Raises UserError for an unknown
    tokenizer.
    """
    if tokenizer.startswith(PRETRAINED):
        return pretrained.tokenizer(_folder(tokenizer)).vocabulary
    size = _size(tokenizer)
    if size is None:
        return 0
    return int(_wordpiece(data, tokenizer, size, data.manifest["fingerprint"]).get_vocab_size())


def tokens(data: PreparedTask, split: Split, tokenizer: str) -> tuple[np.ndarray, np.ndarray]:
    """A split's tokens, memory-mapped int32 (tokens,), and offsets, int64 (rows + 1,).

    Several processes may ask at once. Raises UserError for an unknown tokenizer, and where the
    split's files are missing.
    """
    folder = data.root / split / f"tokens-{_name(tokenizer)}"
    about = {"version": VERSION, "fingerprint": data.manifest["fingerprint"]}

    def whole(folder: Path) -> bool:
        return _json(folder / "about.json") == about

    if not whole(folder):
        opened = data.open(split)
        encode = encoder(data, tokenizer)
        with sharing.writing(folder), sharing.locked(folder) as alone:
            if not whole(folder):
                sharing.clear_dead_parts(folder, alone=alone)
                with sharing.made(folder, whole=whole) as part:
                    _write(part, opened, encode)
                    (part / "about.json").write_text(json.dumps(about))
    return np.load(folder / "tokens.npy", mmap_mode="r"), np.load(folder / "offsets.npy")


def _write(
    folder: Path, split: SplitData, encode: Callable[[list[str]], Sequence[np.ndarray]]
) -> None:
    found: list[np.ndarray] = []
    for block in _blocks(split):
        found += encode(block)
    lengths = [len(one) for one in found]
    np.save(folder / "tokens.npy", np.concatenate(found).astype(np.int32))
    np.save(folder / "offsets.npy", np.cumsum([0, *lengths]).astype(np.int64))


def _blocks(split: SplitData) -> Iterator[list[str]]:
    """The split's texts, a block at a time."""
    for begin in range(0, len(split), BLOCK):
        yield [split.text(row) for row in range(begin, min(begin + BLOCK, len(split)))]


def encoder(data: PreparedTask, tokenizer: str) -> Callable[[list[str]], Sequence[np.ndarray]]:
    """What turns texts into their tokens, each int32 (tokens,). UserError: an unknown tokenizer."""
    if tokenizer.startswith(PRETRAINED):
        return pretrained.tokenizer(_folder(tokenizer)).encode
    size = _size(tokenizer)
    if size is None:
        return lambda texts: [words.encode(text, limit=MAX_TOKENS) for text in texts]
    wordpiece = _wordpiece(data, tokenizer, size, data.manifest["fingerprint"])
    return lambda texts: [np.array(one.ids, np.int32) for one in wordpiece.encode_batch_fast(texts)]


def _folder(tokenizer: str) -> Path:
    """FOLDER of `pretrained:FOLDER`."""
    return Path(tokenizer.removeprefix(PRETRAINED))


def _name(tokenizer: str) -> str:
    """What a tokenizer's files are called by."""
    if not tokenizer.startswith(PRETRAINED):
        return tokenizer
    return f"pretrained-{pretrained.fingerprint(_folder(tokenizer))}"


def _size(tokenizer: str) -> int | None:
    """N of `wordpiece-N`, None of `words`."""
    if tokenizer == "words":
        return None
    match = re.fullmatch(r"wordpiece-([1-9]\d*)", tokenizer)
    if match is None or int(match[1]) < LEAST:
        raise UserError(
            f"a tokenizer is `words`, `pretrained:FOLDER` or `wordpiece-N` with N of at least "
            f"{LEAST}, got {tokenizer!r}: name one of them in the family's `tokenizer`"
        )
    return int(match[1])


# --- WordPiece ------------------------------------------------------------------------------


@lru_cache(maxsize=8)
def _wordpiece(data: PreparedTask, tokenizer: str, size: int, fingerprint: str) -> Any:
    """The data's tokenizer of that size: read, or learnt from the training texts and written."""
    path = data.root / f"tokenizer-{tokenizer}.json"
    about = {"version": VERSION, "fingerprint": fingerprint}

    def kept() -> list[str] | None:
        found = _json(path)
        return found["pieces"] if isinstance(found, dict) and found["about"] == about else None

    pieces = kept()
    if pieces is None:
        opened = data.open("train")
        with sharing.writing(path), sharing.locked(path):
            pieces = kept()
            if pieces is None:
                pieces = learn(opened, size)
                write_atomically(path, json.dumps({"about": about, "pieces": pieces}, indent=0))
    return _with_pieces(pieces)


def learn(split: SplitData, size: int) -> list[str]:
    """At most `size` word pieces of a split's texts, in the order of their ids.

    The same texts give the same pieces in every process. The library's own trainer numbers
    characters in the order of a randomised hash table, and breaks ties by those numbers; so all
    characters are handed to it as special tokens, in their own order.
    """
    from tokenizers import trainers

    tokenizer = _blank({})
    counts: Counter[str] = Counter()
    for block in _blocks(split):
        for text in block:
            counts.update(tokenizer.normalizer.normalize_str(text))
    ranked = sorted((c for c in counts if not c.isspace()), key=lambda c: (-counts[c], c))
    letters = sorted(ranked[: min(ALPHABET, (size - len(SPECIAL)) // 4)])
    first = [*SPECIAL, *letters, *(f"##{letter}" for letter in letters)]
    trainer = trainers.WordPieceTrainer(
        vocab_size=size,
        special_tokens=first,
        limit_alphabet=len(letters),
        min_frequency=2,
        show_progress=False,
    )
    texts = (text for block in _blocks(split) for text in block)
    tokenizer.train_from_iterator(texts, trainer, length=len(split))
    ids = tokenizer.get_vocab()
    return sorted(ids, key=lambda piece: int(ids[piece]))


def _with_pieces(pieces: Sequence[str]) -> Any:
    """A tokenizer with these pieces that frames and cuts texts."""
    from tokenizers import processors

    tokenizer = _blank({piece: number for number, piece in enumerate(pieces)})
    tokenizer.add_special_tokens(list(SPECIAL))
    frame = [(mark, SPECIAL.index(mark)) for mark in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=frame
    )
    tokenizer.enable_truncation(MAX_TOKENS)
    return tokenizer


def _blank(vocab: dict[str, int]) -> Any:
    """BERT's normalisation and its cut into words, with these pieces."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    tokenizer = Tokenizer(models.WordPiece(vocab=vocab, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer


def _json(path: Path) -> Any:
    """A file's content; None where there is none that can be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
