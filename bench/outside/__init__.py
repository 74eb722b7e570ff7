"""Predictions made elsewhere, scored on the cases of a run: `bench score`.

Everything is checked before the test split is opened: what is refused counts as no opening.
"""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bench import metrics, registry, runs
from bench.data.prepare import resolve_options
from bench.data.prepared import PreparedTask
from bench.errors import UserError
from bench.folders import openings_register
from bench.ledger import Event, Ledger, RunState, fold, register_opening
from bench.ledger import read as read_ledger
from bench.outside import judging, tables, volumes
from bench.predictions import save_predictions
from bench.prepared_run import prepare_data
from bench.runs import RunFile, RunFolder
from bench.spec import Split, Task, unknown

SPLITS: tuple[Split, ...] = ("validation", "test")


def score(
    task: str, predictions: Sequence[Path], *, run: Path, label: str, on: Split = "test"
) -> Event:
    """Score trainings of a model made elsewhere, one file or folder each; returns the run's event.

    Checks all of them, opens the split, stores them below the run's folder and notes it in its
    ledger; an opening of the test set is registered before. Raises UserError, with all mistakes at
    once, for predictions that are not for these cases; for a task, a label or a split that the run
    cannot take; and where the run's ledger or its data cannot be used.
    """
    place = _Place.of(run, task, on)
    label = label.strip()
    _check_label(place.file, label)
    if not predictions:
        raise UserError("bench score takes predictions, got none: name a file for each training")
    with _ledger(place, on) as ledger, tempfile.TemporaryDirectory() as scratch:
        outputs = place.outputs(predictions, Path(scratch))
        if on == "test":
            register_opening(
                openings_register(),
                fingerprint=place.fingerprint,
                run=f"score {place.folder.path.resolve().name} {label}",
            )
        opened = place.prepared.open(on)
        judged = [judging.judge(place.task, one, opened, closing=on == "test") for one in outputs]
        stem = f"outside-{len(ledger.state.outside) + 1}-{metrics.slug(label) or 'model'}"
        references = [
            save_predictions(
                place.folder,
                f"{stem}-{number}",
                {f"{on}_{name}": values for name, values in one.arrays.items()},
            )
            for number, one in enumerate(judged)
        ]
        return ledger.append(
            "outside_scored",
            task=task,
            label=label,
            on=on,
            fingerprint=place.fingerprint,
            predictions=[
                {**reference, "source": path.name}
                for reference, path in zip(references, predictions, strict=True)
            ],
            metrics=[one.metrics for one in judged],
            notes=list(dict.fromkeys(note for one in judged for note in one.notes)),
        )


def write_ids(task: str, file: Path, *, run: Path, on: Split = "test") -> int:
    """Write what is to be predicted as a CSV skeleton; returns how many lines it has below its
    header. Opens no labels.

    Of a classification, a line an id and an empty column a class; of a segmentation, a line a
    volume, with the name of its mask's file.
    """
    place = _Place.of(run, task, on)
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    if place.segmentation:
        lines = [[case, names[0]] for case, names in place.masks.names.items()]
        writer.writerow(["id", "file"])
    else:
        lines = [[id, *[""] * len(place.task.classes)] for id in place.ids]
        writer.writerow(tables.header(place.task.classes))
    writer.writerows(lines)
    try:
        file.write_text(out.getvalue(), encoding="utf-8", newline="")
    except OSError as error:
        raise UserError(f"{file} cannot be written ({error.strerror}): name another") from None
    return len(lines)


@dataclass(frozen=True, kw_only=True)
class _Place:
    """The cases of one task of a run that are to be predicted. Nothing here reads a label."""

    folder: RunFolder
    file: RunFile
    task: Task
    on: Split
    prepared: PreparedTask

    @classmethod
    def of(cls, run: Path, task: str, on: Split) -> _Place:
        folder, file = runs.load(run)
        if on not in SPLITS:
            raise UserError(f"--on takes {' or '.join(SPLITS)}, got {on!r}")
        if task not in file.suite.tasks:
            raise UserError(unknown(f"task of {run}", task, file.suite.tasks))
        if (splits := file.suite.replicates.splits) > 1:
            raise UserError(
                f"predictions made elsewhere are scored on one split, {run} has {splits}, each "
                "with test cases of its own: score them beside a run with splits = 1"
            )
        (root,) = prepare_data(file, tasks=[task]).values()
        return cls(
            folder=folder,
            file=file,
            task=registry.tasks().get(task),
            on=on,
            prepared=PreparedTask(root),
        )

    @property
    def segmentation(self) -> bool:
        return self.task.kind == "image_segmentation"

    @property
    def fingerprint(self) -> str:
        """Of what the split holds."""
        return str(self.prepared.manifest["splits"][self.on]["content"])

    @cached_property
    def _cases(self) -> dict[str, Any]:
        path = self.prepared.root / self.on / "cases.json"
        try:
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise UserError(
                f"the prepared {self.on} split of {self.task.id} is missing from "
                f"{self.prepared.root}: delete that folder, it is prepared again"
            ) from None
        return found

    @property
    def ids(self) -> list[str]:
        return list(self._cases["ids"])

    @cached_property
    def masks(self) -> volumes.Wanted:
        manifest = self.prepared.manifest
        return volumes.Wanted(
            task=self.task,
            options=resolve_options(self.task, self.file.suite.options[self.task.id]),
            raw=Path(self.file.data[self.task.id]["folder"]),
            ids=self.ids,
            cases=self._cases["cases"],
            shape=(manifest["height"], manifest["width"]),
        )

    def outputs(self, predictions: Sequence[Path], scratch: Path) -> list[judging.Outputs]:
        """What each training predicted. Raises UserError with all that is wrong with any."""
        found: list[judging.Outputs] = []
        wrong: list[str] = []
        for number, path in enumerate(predictions):
            output, mistakes = self._read(path, scratch / f"{number}.npy")
            if output is not None:
                mistakes = [
                    f"predicts the same as {predictions[other].name}: a training counts once"
                    for other, before in enumerate(found)
                    if _same(before, output)
                ][:1]
                found.append(output)
            wrong += [f"{path}: {mistake}" for mistake in mistakes]
        if wrong:
            raise UserError.of(
                wrong, heading=f"predictions for the {self.on} split of {self.task.id}"
            )
        return found

    def _read(self, path: Path, place: Path) -> tuple[judging.Outputs | None, list[str]]:
        if self.segmentation:
            return self.masks.read(path, place)
        table, mistakes = tables.read(path, self.ids, self.task.classes)
        if table is not None and table.labels_only and not judging.takes_labels(self.task.primary):
            return None, [
                f"{self.task.primary}, the primary metric of {self.task.id}, is of probabilities: "
                f"give the columns {','.join(tables.header(self.task.classes))}"
            ]
        return table, mistakes


def _same(one: judging.Outputs, other: judging.Outputs) -> bool:
    if isinstance(one, tables.Table) and isinstance(other, tables.Table):
        return np.array_equal(one.scores, other.scores)
    return np.array_equal(np.asarray(one), np.asarray(other))


def _check_label(file: RunFile, label: str) -> None:
    if not label or not label.isprintable():
        raise UserError(f"--label takes a name that can be shown, got {label!r}: give one")
    if label in {entrant.label for entrant in file.suite.entrants}:
        raise UserError(
            f"--label must not be that of an entrant of the run, got {label!r}: "
            f"choose another, such as {label + ', elsewhere'!r}"
        )


@contextmanager
def _ledger(place: _Place, on: Split) -> Iterator[Ledger]:
    """The run's open ledger. UserError where the run is in use, has not begun, or is sealed."""
    path = place.folder.path
    begun = place.folder.ledger.exists() and fold(read_ledger(place.folder.ledger)).started
    if not begun:
        raise UserError(f"{path} has not begun: begin it with `bench resume {path}`")
    with Ledger(place.folder.ledger) as ledger:
        _check_open(ledger.state, path, on)
        yield ledger


def _check_open(state: RunState, path: Path, on: Split) -> None:
    if on == "test" and state.sealed:
        raise UserError(
            f"the test split of {path} is sealed: end that with `bench unseal {path}`, or score "
            "with --on validation"
        )
