"""`bench data prepare` and `bench data verify`: for every task of a data set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bench import registry
from bench.data import prepare as preparation
from bench.data import sources
from bench.data.fingerprint import Progress
from bench.data.prepared import PreparedTask
from bench.errors import UserError
from bench.folders import PHANTOM_SEED, SPLIT_SEED, cache_root
from bench.spec import Scalar, Task


def prepare(
    dataset: str, data: Sequence[str], options: Mapping[str, Scalar], progress: Progress
) -> list[str]:
    """Prepare a data set's real files for each of its tasks; returns a line a task.

    Options that a task does not have are left to the tasks that have them. Raises UserError for an
    option that none has, and with every bad file.
    """
    folder = _folder(dataset, data)
    tasks = _tasks_of(dataset)
    lines = []
    for name in options:
        if not any(name in task.options for task in tasks):
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
        splits = prepared.manifest["splits"]
        sizes = ", ".join(f"{split} {entry['cases']}" for split, entry in splits.items())
        lines.append(f"{task.id}: {sizes} cases in {prepared.root}")
    return lines


def verify(dataset: str, data: Sequence[str]) -> Iterator[str]:
    """Check a data set's raw files, then what was prepared from it; yields what was found sound.

    Raises UserError with everything that is not.
    """
    folder = _folder(dataset, data)
    if problems := registry.datasets().get(dataset).check(folder):
        raise UserError.of(problems, heading=f"data set {dataset}")
    yield f"{dataset}: the raw files in {folder} are sound"
    problems, sound = [], 0
    for prepared in _prepared_from(dataset):
        found = preparation.verify(prepared)
        problems += found
        sound += not found
    if problems:
        raise UserError.of(
            problems, heading=f"prepared data of {dataset}: delete the named folders"
        )
    yield f"{dataset}: {sound} prepared copies are whole"


def _prepared_from(dataset: str) -> Iterator[PreparedTask]:
    for manifest in sorted((cache_root() / "prepared").glob("*/manifest.json")):
        prepared = PreparedTask(manifest.parent)
        if prepared.manifest["dataset"] == dataset:
            yield prepared


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
