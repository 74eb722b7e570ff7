"""New files as the rows that a task makes of them, and what the models say of these."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.data.fingerprint import Progress
from bench.errors import BadData, UserError
from bench.spec import Case, Sample, Scalar, Task, Unlabelled

if TYPE_CHECKING:
    from bench.train.apply import Trained

BLOCK = 1024
"""Rows that wait for each other: files of one row are not predicted one by one."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """What is predicted of one row of a file."""

    file: Path
    sample: Sample
    probabilities: np.ndarray
    """float32 (classes,)."""


@dataclass(frozen=True, kw_only=True)
class Mask:
    """What is predicted of one case of a file."""

    file: Path
    case: Case
    masks: np.ndarray
    """uint8 (rows of the case, rows, columns), on the grid of the file."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How files are read: as the task made rows of what it was trained on."""

    task: Task
    reader: Unlabelled
    options: Mapping[str, Scalar]
    """The run's, of the task."""
    on_bad: Callable[[BadData], None]
    """Hears of each case that cannot be read; the others go on."""
    progress: Progress | None = None
    """Hears how many of the files are read."""

    def cases(self, files: Sequence[Path]) -> Iterator[tuple[Path, Case, Any]]:
        """Each case of the files with its raw content."""
        for number, file in enumerate(files):
            if self.progress is not None:
                self.progress("predicting files", number, len(files))
            try:
                found = self.reader.cases(file)
            except BadData as error:
                self.on_bad(error)
                continue
            for case in found:
                try:
                    yield file, case, self.reader.read(case)
                except BadData as error:
                    self.on_bad(error)

    def samples(self, case: Case, raw: Any) -> list[Sample]:
        return list(self.task.samples(case, raw, {**self.options, **self.reader.options}))


def classify(reading: Reading, files: Sequence[Path], models: Sequence[Trained]) -> Iterator[Row]:
    """Each row of the files, in their order. UserError where a model's outputs are not finite."""
    waiting: list[tuple[Path, Sample]] = []
    for file, case, raw in reading.cases(files):
        waiting += [(file, sample) for sample in reading.samples(case, raw)]
        if len(waiting) >= BLOCK:
            yield from _classified(waiting, models)
            waiting = []
    if waiting:
        yield from _classified(waiting, models)


def _classified(rows: Sequence[tuple[Path, Sample]], models: Sequence[Trained]) -> Iterator[Row]:
    from bench.train import apply
    from bench.train.predict import NotFinite

    try:
        found = apply.probabilities(models, [sample.input for _, sample in rows])
    except NotFinite:
        raise _not_finite(rows[0][0]) from None
    for (file, sample), probabilities in zip(rows, found, strict=True):
        yield Row(file=file, sample=sample, probabilities=probabilities)


def segment(reading: Reading, files: Sequence[Path], models: Sequence[Trained]) -> Iterator[Mask]:
    """Each case of the files, in their order; memory holds one. UserError as `classify`."""
    from bench.train import apply
    from bench.train.predict import NotFinite

    assert reading.reader.mask is not None, "the reader of a segmentation restores masks"
    for file, case, raw in reading.cases(files):
        inputs = [sample.input for sample in reading.samples(case, raw)]
        try:
            masks = [
                reading.reader.mask(raw, scores)
                for scores in apply.pixel_probabilities(models, inputs)
            ]
        except NotFinite:
            raise _not_finite(file) from None
        yield Mask(file=file, case=case, masks=np.stack(masks))


def _not_finite(file: Path) -> UserError:
    return UserError(
        f"the model's outputs on {file}, or on files after it, are not finite: choose another "
        "--replicate"
    )
