"""`bench data prepare` and `bench data verify`: for every task of a data set."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import registry
from bench.data import prepare as preparation
from bench.data import sources
from bench.data.fingerprint import Progress
from bench.data.prepared import PreparedTask
from bench.data.soundness import check
from bench.errors import UserError
from bench.folders import PHANTOM_SEED, SPLIT_SEED, cache_root
from bench.spec import Fold, Scalar, Task


@dataclass(frozen=True, kw_only=True)
class Verified:
    """What `bench data verify` found of one data set."""

    dataset: str
    folder: Path
    raw: list[str]
    """Everything that is wrong with the raw files."""
    copies: dict[Path, list[str]]
    """By prepared folder, what differs from what was written."""
    folds: dict[Path, str] = field(default_factory=dict)
    """By prepared folder of a patient k-fold, which task and split it is of, in words."""

    @property
    def problems(self) -> list[str]:
        """All of them, those of the raw files first."""
        return [*self.raw, *(problem for found in self.copies.values() for problem in found)]

    def raise_problems(self) -> None:
        """Raises UserError with the first problems and the number of the others, if there are any.

        Prepared copies may be deleted; raw files have to be mended.
        """
        if self.problems:
            raise UserError.of(self.problems, heading=f"data set {self.dataset}")

    def lines(self) -> list[str]:
        """What was found sound, in words."""
        folds = f", {len(self.folds)} of them of a patient k-fold" if self.folds else ""
        return [
            f"{self.dataset}: the raw files in {self.folder} are sound",
            f"{self.dataset}: {len(self.copies)} prepared copies are whole{folds}",
            *(f"{name}: {folder}" for folder, name in self.folds.items()),
        ]

    def as_dict(self) -> dict[str, Any]:
        """All of it for programs, JSON-serialisable."""
        return {
            "dataset": self.dataset,
            "folder": str(self.folder),
            "problems": self.raw,
            "prepared": [
                {
                    "folder": str(folder),
                    "split": self.folds.get(folder),
                    "problems": found,
                }
                for folder, found in self.copies.items()
            ],
        }


def prepare(
    dataset: str,
    data: Sequence[str],
    options: Mapping[str, Scalar],
    progress: Progress | None = None,
) -> list[str]:
    """Prepare a data set's real files for each of its tasks; returns a line a task.

    Options that a task does not have are left to the tasks that have them. Raises UserError for an
    option that none has, and with every bad file.
    """
    folder = _folder(dataset, data)
    tasks = _tasks_of(dataset)
    lines = []
    for name in options:
        if tasks and not any(name in task.options for task in tasks):
            preparation.resolve_options(tasks[0], {name: options[name]})
    for task in tasks:
        prepared = preparation.prepare(
            task,
            folder,
            options={k: v for k, v in options.items() if k in task.options},
            seed=SPLIT_SEED,
            cache=cache_root(),
            progress=progress,
        )
        lines.append(f"{task.id}: {_sizes(prepared)} in {prepared.root}")
    return lines


def verify(dataset: str, data: Sequence[str], progress: Progress | None = None) -> Verified:
    """Check a data set's raw files, and what was prepared from it against what was written.

    Copies that an older version made are named too.
    """
    folder = _folder(dataset, data)
    copies = list(_prepared_from(dataset))
    return Verified(
        dataset=dataset,
        folder=folder,
        raw=check(registry.datasets().get(dataset), folder, progress),
        copies={copy.root: preparation.verify(copy) for copy in copies},
        folds={copy.root: name for copy in copies if (name := _fold_of(copy))},
    )


def _sizes(prepared: PreparedTask) -> str:
    splits, shared = prepared.manifest["splits"], prepared.manifest["duplicates"]
    sizes = ", ".join(f"{split} {entry['cases']:,}" for split, entry in splits.items())
    same = {pair: entry["count"] for pair, entry in shared.items() if entry["count"]}
    notes = [
        f"{count:,} of {' and '.join(reversed(pair.split('_')))} are identical"
        for pair, count in same.items()
    ]
    if dropped := prepared.manifest["dropped"]:
        notes.append(f"{dropped:,} of them left out")
    return f"{sizes} cases" + (f" ({', '.join(notes)})" if notes else "")


def _fold_of(copy: PreparedTask) -> str:
    """The task and split of a patient k-fold's copy; empty for others."""
    try:
        fold = copy.manifest.get("fold")
        return f"{copy.manifest['task']}, {Fold(**fold)}" if fold else ""
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return ""


def _prepared_from(dataset: str) -> Iterator[PreparedTask]:
    """The prepared copies, those whose manifest cannot be read included."""
    tasks = {task.id for task in _tasks_of(dataset)}
    for path in sorted((cache_root() / "prepared").glob("*/manifest.json")):
        if ".part-" in path.parent.name:  # Of one that is being made.
            continue
        try:
            mine = json.loads(path.read_text())["dataset"] == dataset
        except (OSError, ValueError, KeyError, TypeError):
            mine = preparation.task_of(path.parent.name) in tasks
        if mine:
            yield PreparedTask(path.parent)


def _tasks_of(dataset: str) -> list[Task]:
    return [task for task in registry.tasks().items.values() if task.dataset == dataset]


def _folder(dataset: str, data: Sequence[str]) -> Path:
    registry.datasets().get(dataset)
    found = sources.resolve(
        [dataset],
        data=data,
        phantom_cases={},
        seed=PHANTOM_SEED,
        allow_phantom=False,
        cache=cache_root(),
    )
    return found[dataset].folder
