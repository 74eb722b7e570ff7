"""A task's prepared data on disk: memory-mapped arrays, one folder a split.

    <root>/manifest.json
    <root>/<split>/inputs.npy    uint8 (cases, channels, height, width), images
    <root>/<split>/tokens.npy    int32 (tokens,), texts one after the other
    <root>/<split>/offsets.npy   int64 (cases + 1,), where each text begins and ends
    <root>/<split>/labels.npy    int64 (cases,)
    <root>/<split>/cases.json    {"ids": [...], "groups": [...]}

A split is opened by name; nothing else of this module touches another split's files, so a search
runs with the test split's folder deleted.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import UserError
from bench.spec import Shape, Split


@dataclass(frozen=True)
class SplitData:
    """One split. Either `inputs` or `tokens` with `offsets` is given; labels are class indices."""

    split: Split
    labels: np.ndarray
    """int64 (cases,), values in [0, classes)."""
    ids: list[str]
    groups: list[str]
    inputs: np.ndarray | None = None
    """uint8 (cases, channels, height, width), memory-mapped."""
    tokens: np.ndarray | None = None
    """int32 (tokens,), memory-mapped."""
    offsets: np.ndarray | None = None
    """int64 (cases + 1,)."""

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class PreparedTask:
    """Where a task's prepared data lie, and what its manifest says of them.

    The manifest holds `task`, `dataset`, `options`, `classes`, `kind`, `phantom` (bool),
    `groups_known` (bool), `fingerprint` (raw files, options and code version), `test_fingerprint`
    (what the test split holds), `channels`, `height`, `width` (0 for text), `mean` and `std` (per
    channel, of the training inputs scaled to [0, 1]; empty for text) and `splits`: for each split
    `cases`, `groups` and `class_counts`.
    """

    root: Path

    @cached_property
    def manifest(self) -> dict[str, Any]:
        manifest: dict[str, Any] = json.loads((self.root / "manifest.json").read_text())
        return manifest

    @property
    def shape(self) -> Shape:
        return Shape(
            kind=self.manifest["kind"],
            classes=len(self.manifest["classes"]),
            channels=self.manifest["channels"],
            height=self.manifest["height"],
            width=self.manifest["width"],
        )

    def open(self, split: Split) -> SplitData:
        """Map one split's arrays. Raises UserError where its files are missing."""
        folder = self.root / split
        try:
            cases = json.loads((folder / "cases.json").read_text())
            arrays = {
                name: np.load(folder / f"{name}.npy", mmap_mode="r")
                for name in ("inputs", "tokens", "offsets")
                if (folder / f"{name}.npy").exists()
            }
            labels = np.load(folder / "labels.npy")
        except FileNotFoundError as error:
            raise UserError(
                f"the prepared {split} split of {self.manifest['task']} is incomplete, "
                f"{error.filename} is missing: delete {self.root} and run `bench data prepare`"
            ) from None
        return SplitData(
            split=split, labels=labels, ids=cases["ids"], groups=cases["groups"], **arrays
        )
