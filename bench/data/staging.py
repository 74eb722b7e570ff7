"""A task's rows on their way to the splits: appended to one raw file, case by case.

Which split a case goes to may depend on the classes that it holds, and an array's length on the
number of its rows; both are known only when every case has been read, and no case is read twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap

from bench.data.fingerprint import Progress
from bench.data.words import encode
from bench.spec import Case, Dataset, Scalar, Task

COPIED = 256
"""Images that are copied at a time."""


@dataclass(frozen=True)
class Staged:
    """All rows of a task: their labels and ids, and their content in a raw file."""

    path: Path
    cases: list[Case]
    labels: np.ndarray
    """int64 (rows,)."""
    ids: list[str]
    case_ends: np.ndarray
    """int64 (cases,): where each case's rows end."""
    row_shape: tuple[int, int, int] | None
    """(channels, height, width) of every image; None for texts."""
    token_ends: np.ndarray
    """int64 (rows,): where each text's tokens end; empty for images."""

    def rows_of(self, case: int) -> range:
        """The rows of the case at that place."""
        return range(int(self.case_ends[case - 1]) if case else 0, int(self.case_ends[case]))

    def labels_by_case(self) -> dict[str, set[int]]:
        """By case id, the classes that it holds."""
        return {
            case.id: {int(label) for label in self.labels[list(self.rows_of(index))]}
            for index, case in enumerate(self.cases)
        }

    def copy(self, rows: np.ndarray, folder: Path) -> dict[str, np.ndarray]:
        """Write these rows' content to arrays in a folder; returns the arrays by name."""
        if self.row_shape is not None:
            return {"inputs": self._copy_images(rows, folder)}
        return self._copy_texts(rows, folder)

    def delete(self) -> None:
        """Remove the raw file."""
        self.path.unlink()

    def _copy_images(self, rows: np.ndarray, folder: Path) -> np.ndarray:
        assert self.row_shape is not None
        shape = (len(self.labels), *self.row_shape)
        source = np.memmap(self.path, np.uint8, mode="r", shape=shape)
        target = open_memmap(
            folder / "inputs.npy", mode="w+", dtype=np.uint8, shape=(len(rows), *self.row_shape)
        )
        for begin in range(0, len(rows), COPIED):
            target[begin : begin + COPIED] = source[rows[begin : begin + COPIED]]
        target.flush()
        return target

    def _copy_texts(self, rows: np.ndarray, folder: Path) -> dict[str, np.ndarray]:
        source = np.fromfile(self.path, np.int32)
        lengths = np.diff(self.token_ends, prepend=0)[rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        begins = self.token_ends[rows] - lengths
        tokens = source[np.repeat(begins - offsets[:-1], lengths) + np.arange(offsets[-1])]
        np.save(folder / "tokens.npy", tokens)
        np.save(folder / "offsets.npy", offsets)
        return {"tokens": tokens, "offsets": offsets}


def stage(
    path: Path,
    task: Task,
    dataset: Dataset,
    cases: list[Case],
    options: Mapping[str, Scalar],
    progress: Progress | None = None,
) -> Staged:
    """Read every case once and append its rows to a raw file."""
    labels: list[int] = []
    ids: list[str] = []
    case_ends: list[int] = []
    token_ends: list[int] = []
    row_shape: tuple[int, int, int] | None = None
    step = max(1, len(cases) // 200)
    with path.open("wb") as stream:
        for done, case in enumerate(cases, 1):
            for sample in task.samples(case, dataset.read(case), options):
                if isinstance(sample.input, str):
                    content = encode(sample.input)
                    token_ends.append((token_ends[-1] if token_ends else 0) + len(content))
                else:
                    content = np.ascontiguousarray(sample.input)
                    row_shape = _same_shape(task, sample.id, content, row_shape)
                stream.write(content.data)
                labels.append(_label(task, sample.id, sample.label))
                ids.append(sample.id)
            case_ends.append(len(ids))
            if progress and (done % step == 0 or done == len(cases)):
                progress(f"prepare {task.id}", done, len(cases))
    _check_unique(task, ids)
    return Staged(
        path=path,
        cases=cases,
        labels=np.array(labels, np.int64),
        ids=ids,
        case_ends=np.array(case_ends, np.int64),
        row_shape=row_shape,
        token_ends=np.array(token_ends, np.int64),
    )


def _same_shape(
    task: Task, id: str, image: np.ndarray, known: tuple[int, int, int] | None
) -> tuple[int, int, int]:
    assert image.dtype == np.uint8 and image.ndim == 3, (
        f"{task.id}: {id} must be uint8 (channels, height, width), is {image.dtype} {image.shape}"
    )
    assert known in (None, image.shape), f"{task.id}: {id} is {image.shape}, others are {known}"
    return image.shape


def _label(task: Task, id: str, label: Any) -> int:
    assert 0 <= label < len(task.classes), f"{task.id}: {id} has label {label}"
    return int(label)


def _check_unique(task: Task, ids: Iterable[str]) -> None:
    seen = list(ids)
    assert len(set(seen)) == len(seen), f"{task.id}: two samples have one id"
