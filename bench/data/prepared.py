"""A task's prepared data on disk: memory-mapped arrays, one folder a split.

    <root>/manifest.json
    <root>/<split>/inputs.npy    uint8 (rows, channels, height, width), images
    <root>/<split>/masks.npy     uint8 (rows, height, width), class indices, of segmentation
    <root>/<split>/texts.npy     uint8 (bytes,), texts in UTF-8, one after the other
    <root>/<split>/offsets.npy   int64 (rows + 1,), where each text begins and ends
    <root>/<split>/labels.npy    int64 (rows,)
    <root>/<split>/cases.json    {"ids": [...], "cases": [...], "groups": [...], "facts": {...}},
                                 and "training" where some rows are for evaluation alone
    <root>/<split>/tokens-*/     texts as some tokenizer's ids: see bench/data/encodings.py

A row is a slice, an image, a text; several rows may come from one case, a volume. A split is opened
by name; nothing else of this module touches another split's files, so a search runs with the test
split's folder deleted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import UserError
from bench.spec import Shape, Split


@dataclass(frozen=True)
class SplitData:
    """One split. Either `inputs` or `texts` with `offsets` is given; labels are class indices."""

    split: Split
    labels: np.ndarray
    """int64 (rows,), values in [0, classes): the row's class, or the highest in its mask."""
    ids: list[str]
    groups: list[str]
    """The patients."""
    cases: list[str] = field(default_factory=list)
    """The case that each row comes from: a volume's id for its slices."""
    facts: Mapping[str, np.ndarray] = field(default_factory=dict)
    """By name, float64 (rows,): see `bench.spec.Sample.facts`."""
    training: np.ndarray | None = None
    """bool (rows,): which rows may be trained on, where validation is refitted on; None: all."""
    inputs: np.ndarray | None = None
    """uint8 (rows, channels, height, width), memory-mapped."""
    masks: np.ndarray | None = None
    """uint8 (rows, height, width), memory-mapped."""
    texts: np.ndarray | None = None
    """uint8 (bytes,), memory-mapped."""
    offsets: np.ndarray | None = None
    """int64 (rows + 1,)."""

    def __len__(self) -> int:
        return len(self.labels)

    def text(self, row: int) -> str:
        """One row's text."""
        assert self.texts is not None and self.offsets is not None
        return bytes(self.texts[self.offsets[row] : self.offsets[row + 1]]).decode()


@dataclass(frozen=True)
class PreparedTask:
    """Where a task's prepared data lie, and what its manifest says of them.

    The manifest holds `task`, `dataset`, `options`, `classes`, `kind`, `phantom` (bool),
    `groups_known` (bool), `fold` (`number` and `of`, of a patient k-fold; null for the task's own
    split; older ones lack it), `fingerprint` (raw files, options and code version),
    `test_fingerprint` (what the test split holds), `channels`, `height`, `width` (0 for text),
    `mean` and `std` (per channel, of the training inputs scaled to [0, 1]; empty for text),
    `duplicates` (by pair of splits, as `train_test`: `count` and up to ten `examples`, pairs of
    ids), `dropped` (how many training and validation rows were left out for that) and `splits`:
    for each split `cases`
    (rows), `volumes` (cases that the rows come from), `groups`, `class_counts` (rows by label) and
    `pixel_counts` (by class, of masks).
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
            table = json.loads((folder / "cases.json").read_text())
            arrays = {
                name: np.load(folder / f"{name}.npy", mmap_mode="r")
                for name in ("inputs", "masks", "texts", "offsets")
                if (folder / f"{name}.npy").exists()
            }
            labels = np.load(folder / "labels.npy")
        except FileNotFoundError as error:
            raise UserError(
                f"the prepared {split} split of {self.manifest['task']} is incomplete, "
                f"{error.filename} is missing: delete {self.root} and run `bench data prepare`"
            ) from None
        return SplitData(
            split=split,
            labels=labels,
            ids=table["ids"],
            groups=table["groups"],
            cases=table["cases"],
            training=np.array(table["training"]) if "training" in table else None,
            facts={name: np.asarray(column, float) for name, column in table["facts"].items()},
            **arrays,
        )
