"""A replicate's file of predictions: read, checked against its checksum, and for a sound shape."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.errors import UserError

Strings = npt.NDArray[np.str_]
Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class Scores:
    """A classifier's outputs for one split."""

    ids: Strings
    groups: Strings
    """The patients."""
    labels: npt.NDArray[np.int64]
    """(cases,), values in [0, classes)."""
    scores: npt.NDArray[np.float32]
    """(cases, classes)."""
    facts: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict)
    """By name, (cases,): what errors are broken down by."""

    @property
    def classes(self) -> int:
        return int(self.scores.shape[1])

    def fault(self) -> str:
        """What makes them useless; empty where nothing does."""
        return "" if np.isfinite(self.scores).all() else "its predicted scores are not all finite"

    def same_cases(self, other: Scores | Counts) -> bool:
        """Whether both are of the same cases, with the same truth."""
        return (
            isinstance(other, Scores)
            and np.array_equal(self.ids, other.ids)
            and np.array_equal(self.groups, other.groups)
            and np.array_equal(self.labels, other.labels)
            and self.scores.shape == other.scores.shape
        )


@dataclass(frozen=True, kw_only=True)
class Counts:
    """A segmenter's outputs for one split: of each slice, how its pixels were classified."""

    ids: Strings
    groups: Strings
    """The patients."""
    cases: Strings
    """(slices,): the volume that each comes from."""
    counts: npt.NDArray[np.int64]
    """(slices, classes, classes), rows true."""
    volumes: Strings = field(default_factory=lambda: np.zeros(0, dtype=np.str_))
    """(volumes,): those that were measured as a whole."""
    measured: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict)
    """By metric as recorded, or `lesion_tp` and its like: (volumes,)."""

    @property
    def classes(self) -> int:
        return int(self.counts.shape[1])

    def fault(self) -> str:
        """What makes them useless; empty where nothing does."""
        return "its confusion counts are negative" if self.counts.min(initial=0) < 0 else ""

    def same_cases(self, other: Scores | Counts) -> bool:
        """Whether both are of the same slices, with as many pixels of each class in truth."""
        return (
            isinstance(other, Counts)
            and np.array_equal(self.ids, other.ids)
            and np.array_equal(self.groups, other.groups)
            and np.array_equal(self.cases, other.cases)
            and self.counts.shape == other.counts.shape
            and np.array_equal(self.counts.sum(axis=2), other.counts.sum(axis=2))
        )


Outputs = Scores | Counts


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """What a replicate predicted; None for a split that it was not scored on."""

    test: Outputs | None
    validation: Outputs | None


def read_predictions(folder: Path, reference: Mapping[str, str]) -> Predictions:
    """The predictions that a ledger's `file` and `sha256` refer to, below a run's folder.

    Raises UserError where the file is missing, where it is not the one that was recorded, or where
    its arrays do not fit together.
    """
    name = reference["file"]
    with opened(folder, reference) as arrays:
        return Predictions(
            test=_outputs(arrays, "test", name),
            validation=_outputs(arrays, "validation", name),
        )


@contextmanager
def opened(folder: Path, reference: Mapping[str, str]) -> Iterator[Arrays]:
    """A file of predictions by array, each read when it is asked for; raises as
    `read_predictions` does, for arrays that cannot be read too."""
    name = reference["file"]
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise UserError(f"predictions must lie in the run's folder, got {name}")
    try:
        content = path.read_bytes()
    except OSError:
        raise UserError(f"{name} is missing") from None
    if hashlib.sha256(content).hexdigest() != reference["sha256"]:
        raise UserError(f"{name} is not the file that the ledger recorded: its checksum differs")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            yield arrays
    except (ValueError, OSError, KeyError) as error:
        raise UserError(f"{name} cannot be read: {' '.join(str(error).split())}") from None


def _outputs(arrays: Arrays, split: str, name: str) -> Outputs | None:
    if f"{split}_scores" in arrays:
        return _scores(arrays, split, name)
    if f"{split}_counts" in arrays:
        return _counts(arrays, split, name)
    return None


def _scores(arrays: Arrays, split: str, name: str) -> Scores:
    outputs = Scores(
        ids=arrays[f"{split}_ids"],
        groups=arrays[f"{split}_groups"],
        labels=arrays[f"{split}_labels"].astype(np.int64),
        scores=arrays[f"{split}_scores"],
        facts=_below(arrays, f"{split}_fact_"),
    )
    if outputs.scores.ndim != 2 or not _as_long(
        outputs.scores, outputs.ids, outputs.groups, outputs.labels, *outputs.facts.values()
    ):
        raise UserError(f"{name}: the arrays of its {split} split differ in length")
    if outputs.labels.min(initial=0) < 0 or outputs.labels.max(initial=0) >= outputs.classes:
        raise UserError(f"{name}: the labels of its {split} split are not those of its scores")
    return outputs


def _counts(arrays: Arrays, split: str, name: str) -> Counts:
    counts = arrays[f"{split}_counts"]
    if counts.ndim != 3 or counts.shape[1] != counts.shape[2] or counts.dtype.kind not in "iu":
        raise UserError(
            f"{name}: the counts of its {split} split must be integers (slices, classes, classes), "
            f"got {counts.dtype} {counts.shape}"
        )
    measured = _below(arrays, f"{split}_volume_")
    outputs = Counts(
        ids=arrays[f"{split}_ids"],
        groups=arrays[f"{split}_groups"],
        cases=arrays[f"{split}_cases"],
        counts=counts.astype(np.int64),
        volumes=arrays[f"{split}_volumes"] if measured else np.zeros(0, dtype=np.str_),
        measured=measured,
    )
    if not _as_long(outputs.counts, outputs.ids, outputs.groups, outputs.cases) or not _as_long(
        outputs.volumes, *measured.values()
    ):
        raise UserError(f"{name}: the arrays of its {split} split differ in length")
    return outputs


def _below(arrays: Arrays, prefix: str) -> dict[str, npt.NDArray[np.float64]]:
    """The arrays whose names begin so, by the rest of their names."""
    return {
        key.removeprefix(prefix): np.asarray(arrays[key], dtype=np.float64)
        for key in arrays
        if key.startswith(prefix)
    }


def _as_long(first: npt.NDArray[Any], *others: npt.NDArray[Any]) -> bool:
    return all(other.shape[:1] == first.shape[:1] for other in others)
