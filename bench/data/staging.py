"""A task's rows on their way to the splits: appended to raw files, case by case.

Which split a case goes to may depend on the classes that it holds, and an array's length on the
number of its rows; both are known only when every case has been read, and no case is read twice.
Each thread that reads has files of its own, so none waits for another, and memory holds one case a
thread.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from bench.data.duplicates import key, normalised
from bench.data.fingerprint import Progress
from bench.data.soundness import THREADS, read_all
from bench.errors import UserError
from bench.spec import Case, Dataset, Sample, Scalar, Task

CHUNK = 1 << 22
"""Bytes that are copied at a time."""


@dataclass(frozen=True, kw_only=True)
class Staged:
    """All rows of a task in the order of the cases, and where their content lies."""

    cases: Sequence[Case]
    case: np.ndarray
    """int64 (rows,): the place of the case that each row comes from; ascending."""
    ids: list[str]
    labels: np.ndarray
    """int64 (rows,): the class, or the highest in the mask."""
    training: np.ndarray
    """bool (rows,): whether it may be trained on."""
    facts: dict[str, np.ndarray]
    """By name, float64 (rows,)."""
    digests: list[bytes]
    """Of each row's image or text."""
    keys: list[bytes]
    """Of what makes a row another's double: its image, or its text as `normalised` has it."""
    masks: list[bytes]
    """Digests of the masks; empty where there are none."""
    pixels: np.ndarray
    """int64 (rows, classes): of masks, the pixels of each class; else 1 for the row's class."""
    image: tuple[int, int, int] | None
    """(channels, height, width) of every image; None for texts."""
    thread: np.ndarray
    """int64 (rows,): whose files hold the row."""
    begin: np.ndarray
    """int64 (rows,): where its image or text begins there."""
    size: np.ndarray
    """int64 (rows,): bytes of its image or text."""
    order: np.ndarray
    """int64 (rows,): how many rows come before it there."""
    folder: Path

    def classes_by_case(self, *, training: bool = False) -> dict[str, list[int]]:
        """By case id, the classes that it holds, or that its rows for training hold."""
        chosen = self.training if training else np.ones(len(self.ids), bool)
        held = np.zeros((len(self.cases), self.pixels.shape[1]), bool)
        np.logical_or.at(held, self.case[chosen], self.pixels[chosen] > 0)
        classes: dict[str, list[int]] = {case.id: [] for case in self.cases}
        for place, label in np.argwhere(held).tolist():
            classes[self.cases[place].id].append(label)
        return classes

    def inputs(self, rows: np.ndarray) -> Iterator[bytes]:
        """The content of these rows' images or texts, one after the other, in pieces."""
        return self._pieces("inputs", rows, self.begin[rows], self.size[rows])

    def mask_pixels(self, rows: np.ndarray) -> Iterator[bytes]:
        """The content of these rows' masks, one after the other, in pieces."""
        assert self.image is not None
        size = self.image[1] * self.image[2]
        return self._pieces("masks", rows, self.order[rows] * size, np.full(len(rows), size))

    def _pieces(
        self, name: str, rows: np.ndarray, begin: np.ndarray, size: np.ndarray
    ) -> Iterator[bytes]:
        """Rows that lie side by side are read together."""
        thread, end = self.thread[rows], begin + size
        breaks = np.flatnonzero((thread[1:] != thread[:-1]) | (begin[1:] != end[:-1])) + 1
        first = np.concatenate([[0], breaks]).astype(int)
        last = np.concatenate([breaks - 1, [len(rows) - 1]]).astype(int)
        streams = {
            int(number): (self.folder / f"{name}-{number}").open("rb")
            for number in np.unique(thread)
        }
        try:
            for number, place, stop in zip(
                thread[first].tolist(), begin[first].tolist(), end[last].tolist(), strict=True
            ):
                while place < stop:
                    piece = os.pread(streams[number].fileno(), min(CHUNK, stop - place), place)
                    assert piece, f"{self.folder / name}-{number} has been cut off"
                    place += len(piece)
                    yield piece
        finally:
            for stream in streams.values():
                stream.close()


@dataclass
class _Thread:
    """The files that one thread appends to, and what it knows of the rows in them."""

    inputs: BinaryIO
    masks: BinaryIO
    case: list[int] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    training: list[bool] = field(default_factory=list)
    facts: list[tuple[float, ...]] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)
    keys: list[bytes] = field(default_factory=list)
    mask_digests: list[bytes] = field(default_factory=list)
    pixels: list[np.ndarray] = field(default_factory=list)
    size: list[int] = field(default_factory=list)


def stage(
    folder: Path,
    task: Task,
    dataset: Dataset,
    cases: Sequence[Case],
    options: Mapping[str, Scalar],
    *,
    problems: Sequence[str] = (),
    progress: Progress | None = None,
) -> Staged:
    """Read every case once and append its rows to raw files in `folder`, which is new.

    `problems`: what is known to be wrong with the data set. Raises UserError that lists it together
    with everything that is wrong with the cases.
    """
    staging = _Staging(folder, task, options, writes=not problems)
    with staging:
        found = [
            *problems,
            *read_all(
                dataset,
                cases,
                lambda thread, index, raw: staging.append(thread, index, cases[index], raw),
                what=f"prepare {task.id}",
                progress=progress,
            ),
        ]
    if found:
        raise UserError.of(found, heading=f"data set {dataset.id}")
    return staging.staged(cases)


class _Staging:
    """The threads' files and columns while cases are read."""

    def __init__(
        self, folder: Path, task: Task, options: Mapping[str, Scalar], *, writes: bool
    ) -> None:
        self.folder, self.task, self.options = folder, task, options
        self.writes = writes
        """False once the data set is known to be bad: then cases are read only to list it all."""
        self.image: tuple[int, int, int] | None = None
        self.names: tuple[str, ...] | None = None
        """Of the facts."""

    def __enter__(self) -> _Staging:
        self.folder.mkdir()
        self.threads = [
            _Thread(
                inputs=(self.folder / f"inputs-{number}").open("wb", buffering=1 << 20),
                masks=(self.folder / f"masks-{number}").open("wb", buffering=1 << 20),
            )
            for number in range(THREADS)
        ]
        return self

    def __exit__(self, *error: object) -> None:
        for thread in self.threads:
            thread.inputs.close()
            thread.masks.close()

    def append(self, number: int, index: int, case: Case, raw: Any) -> None:
        """Append the rows of the case at that place to that thread's files."""
        for sample in self.task.samples(case, raw, self.options):
            if self.writes:
                self._append(self.threads[number], index, sample)

    def _append(self, thread: _Thread, index: int, sample: Sample) -> None:
        if isinstance(sample.input, str):
            content: Any = sample.input.encode()
            size = len(content)
            thread.digests.append(key(content))
            thread.keys.append(key(normalised(sample.input).encode()))
        else:
            image = self._image(sample)
            content, size = image.data, image.nbytes
            thread.digests.append(key(content))
            thread.keys.append(thread.digests[-1])
        thread.inputs.write(content)
        if isinstance(sample.label, np.ndarray):
            mask = self._mask(sample)
            thread.masks.write(mask.data)
            thread.mask_digests.append(key(mask.data))
            thread.pixels.append(np.bincount(mask.ravel(), minlength=len(self.task.classes)))
            label = int(np.flatnonzero(thread.pixels[-1])[-1])
        else:
            label = int(sample.label)
        assert 0 <= label < len(self.task.classes), f"{self.task.id}: {sample.id} is of {label}"
        thread.case.append(index)
        thread.ids.append(sample.id)
        thread.labels.append(label)
        thread.training.append(sample.training)
        thread.facts.append(self._facts(sample))
        thread.size.append(size)

    def _image(self, sample: Sample) -> np.ndarray:
        image = np.ascontiguousarray(sample.input)
        name = f"{self.task.id}: {sample.id}"
        assert image.dtype == np.uint8 and image.ndim == 3, (
            f"{name} must be uint8 (channels, height, width), is {image.dtype} {image.shape}"
        )
        self.image = self.image or image.shape
        assert image.shape == self.image, f"{name} is {image.shape}, others are {self.image}"
        return image

    def _mask(self, sample: Sample) -> np.ndarray:
        mask = np.ascontiguousarray(sample.label)
        assert self.image is not None and mask.dtype == np.uint8 and mask.shape == self.image[1:], (
            f"{self.task.id}: the mask of {sample.id} must be uint8 (height, width) of its image, "
            f"is {mask.dtype} {mask.shape}"
        )
        return mask

    def _facts(self, sample: Sample) -> tuple[float, ...]:
        names = tuple(sample.facts)
        self.names = names if self.names is None else self.names
        assert names == self.names, f"{sample.id} has facts {names}, others have {self.names}"
        return tuple(float(value) for value in sample.facts.values())

    def staged(self, cases: Sequence[Case]) -> Staged:
        """The threads' columns as one table, in the order of the cases."""
        threads, classes = self.threads, len(self.task.classes)
        case = np.array([index for thread in threads for index in thread.case], np.int64)
        rows = np.argsort(case, kind="stable")
        ends = [np.cumsum(thread.size, dtype=np.int64) for thread in threads]
        size = _joined([thread.size for thread in threads], np.int64)
        facts = [row for thread in threads for row in thread.facts]
        labels = _joined([thread.labels for thread in threads], np.int64)[rows]
        pixels = [counts for thread in threads for counts in thread.pixels]
        assert len(pixels) in (0, len(rows)), f"{self.task.id}: some labels are masks, some not"
        masks = [digest for thread in threads for digest in thread.mask_digests]

        def sorted_(columns: list[list[Any]]) -> list[Any]:
            column = [item for items in columns for item in items]
            return [column[row] for row in rows]

        ids = sorted_([thread.ids for thread in threads])
        assert len(set(ids)) == len(ids), f"{self.task.id}: two samples have one id"
        table = np.array(facts, float).reshape(len(rows), len(self.names or ()))[rows]
        return Staged(
            cases=cases,
            case=case[rows],
            ids=ids,
            labels=labels,
            training=_joined([thread.training for thread in threads], bool)[rows],
            facts={name: table[:, place] for place, name in enumerate(self.names or ())},
            digests=sorted_([thread.digests for thread in threads]),
            keys=sorted_([thread.keys for thread in threads]),
            masks=[masks[row] for row in rows] if masks else [],
            pixels=np.stack(pixels)[rows] if pixels else np.eye(classes, dtype=np.int64)[labels],
            image=self.image,
            thread=np.repeat(range(len(threads)), [len(thread.ids) for thread in threads])[rows],
            begin=(np.concatenate(ends) - size)[rows],
            size=size[rows],
            order=np.concatenate([np.arange(len(thread.ids)) for thread in threads])[rows],
            folder=self.folder,
        )


def _joined(columns: list[list[Any]], dtype: type) -> np.ndarray:
    return np.array([item for column in columns for item in column], dtype)
