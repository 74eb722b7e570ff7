"""A segmenter's predictions as a folder of masks, one a case, on the grid as published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from bench import registry
from bench.errors import BadData
from bench.outside.mistakes import of_ids
from bench.spec import Case, Masks, Scalar, Task

ENDINGS = (".nii", ".nii.gz")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The rows of a split, and how their masks come about."""

    task: Task
    options: Mapping[str, Scalar]
    """The run's, of its task."""
    raw: Path
    """Folder of the data set."""
    ids: Sequence[str]
    cases: Sequence[str]
    """(rows,): the volume that each comes from."""
    shape: tuple[int, int]
    """Of a prepared mask."""

    @cached_property
    def names(self) -> dict[str, tuple[str, ...]]:
        """By case, what its file may be called. UserError for data without masks in files."""
        return {case.id: tuple(self._reader.names(case)) for case in self._cases}

    def read(self, folder: Path, place: Path) -> tuple[np.ndarray | None, list[str]]:
        """The prepared masks uint8 (rows, height, width), written to a file at `place` and mapped;
        or all that is wrong with the folder's files."""
        if not folder.is_dir():
            return None, ["is no folder: masks come as a folder of NIfTI files, one a case"]
        files = {path.name: path for path in sorted(folder.iterdir()) if _is_mask(path)}
        if not files:
            return None, [f"holds no masks: expected files such as {self._example()}"]
        of_file = {name: case for case, names in self.names.items() for name in names}
        given = [of_file.get(name, name) for name in files]
        remedy = f"name their files as {self._example()}"
        wrong = of_ids(given, self.names, noun="volumes are", remedy=remedy)
        masks = np.lib.format.open_memmap(
            place, mode="w+", dtype=np.uint8, shape=(len(self.ids), *self.shape)
        )
        paths = {of_file[name]: path for name, path in files.items() if name in of_file}
        for case in self._cases:
            if case.id in paths:
                wrong += self._fill(masks, case, paths[case.id])
        return (None, wrong) if wrong else (masks, [])

    def _fill(self, masks: np.ndarray, case: Case, path: Path) -> list[str]:
        """Write one case's rows; what is wrong with its file."""
        rows = {id: row for row, id in enumerate(self.ids) if self.cases[row] == case.id}
        try:
            raw = self._reader.read(case, path)
            for sample in self.task.samples(case, raw, {**self.options, **self._reader.options}):
                if sample.id in rows:
                    masks[rows.pop(sample.id)] = sample.label
        except BadData as error:
            return list(error.problems)
        assert not rows, f"the reader of masks gives every row, {case.id} lacks {list(rows)[:3]}"
        return []

    def _example(self) -> str:
        return next(iter(self.names.values()))[0]

    @cached_property
    def _cases(self) -> list[Case]:
        wanted = set(self.cases)
        found = registry.datasets().get(self.task.dataset).cases(self.raw)
        return [case for case in found if case.id in wanted]

    @cached_property
    def _reader(self) -> Masks:
        reader: Masks = registry.masks().get(self.task.dataset)
        return reader


def _is_mask(path: Path) -> bool:
    return path.name.endswith(ENDINGS) and not path.name.startswith(".")
