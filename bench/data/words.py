"""Texts as arrays of hashed words; the same numbers in every process and on every machine."""

from __future__ import annotations

import re
import zlib
from functools import lru_cache

import numpy as np

MAX_TOKENS = 128

_WORD = re.compile(r"[^\W\d_]+|\d+(?:[.,:]\d+)*|[^\w\s]")


def words(text: str) -> list[str]:
    """Lower-case words, numbers whole (3,000 or 2.5), and every other mark by itself.

    "China's GDP up 9.1%!" gives china, ', s, gdp, up, 9.1, %, !.
    """
    return _WORD.findall(text.lower())


@lru_cache(maxsize=1 << 18)
def word_id(word: str) -> int:
    """A word's number in [0, 2**31): its CRC-32 without the top bit."""
    return zlib.crc32(word.encode()) & 0x7FFFFFFF


def encode(text: str, *, limit: int = MAX_TOKENS) -> np.ndarray:
    """The ids of the text's first `limit` words, int32 (words,); of an empty text, one 0."""
    found = words(text)[:limit]
    return np.array([word_id(word) for word in found] or [0], np.int32)
