"""The content of weights as a hash: what a record names them by, wherever they lie."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from bench.spec import Weights
from bench.weights import folders

_READ = (".json", ".txt", ".model", ".codes", *folders.SUFFIXES)
"""What of a text model's folder has a say: configuration, tokenizer, weights."""


def fingerprint(weights: Weights) -> str:
    """sha256 of the weights' content: a file's own, as `sha256sum` prints it; of a folder, of the
    names and hashes of its configuration, tokenizer and weights files."""
    if weights.path.is_file():
        return _hashed(weights.path)
    lines = [f"{_hashed(path)}  {path.name}\n" for path in _files(weights)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def describe(weights: Weights) -> dict[str, Any]:
    """What a record keeps of weights: `name`, `sha256`, `bytes`."""
    return {
        "name": weights.name,
        "sha256": fingerprint(weights),
        "bytes": sum(path.stat().st_size for path in _files(weights)),
    }


def _files(weights: Weights) -> list[Path]:
    if weights.path.is_file():
        return [weights.path]
    return sorted(
        path for path in weights.path.iterdir() if path.is_file() and path.name.endswith(_READ)
    )


def _hashed(path: Path) -> str:
    status = path.stat()
    return _hash(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=256)
def _hash(path: Path, _size: int, _time: int) -> str:
    """Of a file, once for as long as it stays as it is: each trial asks for it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
