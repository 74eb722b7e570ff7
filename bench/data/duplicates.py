"""The same content on two sides of a split: found by hash, shown, and left out if asked for."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from bench.spec import SPLITS, Split

EXAMPLES = 10
"""Pairs of ids that are shown for two splits."""

_SPACES = re.compile(r"\s+")


@dataclass(frozen=True, kw_only=True)
class Duplicates:
    """What two splits share."""

    found: dict[str, Any]
    """By pair, as `train_test`: `count`, how many rows of the second split have a double in the
    first, and `examples`, up to ten pairs of ids. All three pairs, in the order of the splits."""
    kept: dict[Split, np.ndarray]
    """bool (rows of the split,): False for a training row with a double in validation or test, and
    for a validation row with a double in test. True for all of test."""


def normalised(text: str) -> str:
    """What two texts that read alike share: case and white space do not count."""
    return _SPACES.sub(" ", text).strip().casefold()


def key(content: Any) -> bytes:
    """A hash of bytes, 16 bytes long: equal for equal content only."""
    return hashlib.sha256(content).digest()[:16]


def find(keys: Mapping[Split, Sequence[bytes]], ids: Mapping[Split, Sequence[str]]) -> Duplicates:
    """Rows of one content in two splits. keys and ids: one a row, in the same order."""
    found = {}
    kept = {split: np.ones(len(keys[split]), bool) for split in SPLITS}
    for first, second in combinations(SPLITS, 2):
        here = dict(zip(reversed(keys[first]), reversed(ids[first]), strict=True))
        shared = [row for row, content in enumerate(keys[second]) if content in here]
        both = {keys[second][row] for row in shared}
        kept[first] &= np.array([content not in both for content in keys[first]], bool)
        found[f"{first}_{second}"] = {
            "count": len(shared),
            "examples": [[here[keys[second][row]], ids[second][row]] for row in shared[:EXAMPLES]],
        }
    return Duplicates(found=found, kept=kept)
