"""Which staged rows of a task are trained on, validated on and tested on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.data import duplicates
from bench.data.splits import Assignment, assign, check_classes, named
from bench.data.staging import Staged
from bench.errors import UserError
from bench.spec import SPLITS, Config, Fold, Split, Task


@dataclass(frozen=True, kw_only=True)
class Division:
    """Where the rows of one split protocol go."""

    rows: Mapping[Split, np.ndarray]
    """int64 (rows,) each, ascending."""
    shared: Mapping[str, Any]
    """What the splits share, see `duplicates.find`."""
    dropped: int
    """How many rows were left out for that."""


def divide(
    task: Task, staged: Staged, options: Config, *, seed: int, folds: Sequence[Fold | None]
) -> list[Division]:
    """One a fold; None is the task's own split.

    Raises UserError with all that is wrong with any of them: a split that leaks, is empty, or lacks
    a class.
    """
    labels = staged.classes_by_case()
    trained = None if staged.training.all() else staged.classes_by_case(training=True)
    protocol = task.protocol(options)
    divisions: list[Division] = []
    mistakes: dict[str, None] = {}
    for fold in folds:
        try:
            assignment = assign(
                staged.cases, protocol, seed=seed, labels=labels, trained=trained, fold=fold
            )
            divisions.append(_divide(task, staged, options, assignment, fold))
        except UserError as error:
            mistakes[str(error)] = None
    if len(mistakes) > 1:
        raise UserError.of(list(mistakes), heading=f"task {task.id}")
    if mistakes:
        raise UserError(*mistakes)
    return divisions


def _divide(
    task: Task, staged: Staged, options: Config, assignment: Assignment, fold: Fold | None
) -> Division:
    side = np.array([assignment[case.id] for case in staged.cases])[staged.case]
    rows: dict[Split, np.ndarray] = {
        split: np.flatnonzero((side == split) & (staged.training | (split != "train")))
        for split in SPLITS
    }
    shared = duplicates.find(
        {split: [staged.keys[row] for row in chosen] for split, chosen in rows.items()},
        {split: [staged.ids[row] for row in chosen] for split, chosen in rows.items()},
    )
    dropped = 0
    if options["drop_duplicates"]:
        dropped = int(sum((~kept).sum() for kept in shared.kept.values()))
        rows = {split: chosen[shared.kept[split]] for split, chosen in rows.items()}
    if empty := [split for split, chosen in rows.items() if not len(chosen)]:
        raise UserError(
            f"every split needs a case, {' and '.join(empty)} of {named(task, fold)} would have "
            "none: add data, or choose other options"
        )
    counts = {split: staged.pixels[chosen].sum(axis=0).tolist() for split, chosen in rows.items()}
    check_classes(task, counts, fold)
    return Division(rows=rows, shared=shared.found, dropped=dropped)
