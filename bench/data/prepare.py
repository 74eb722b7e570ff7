"""From raw files to prepared arrays: checked, split and written once for each set of options.

<cache>/prepared/<task>-<key>/        see bench/data/prepared.py
<cache>/checked/<data set>-<key>      a data set that was found sound
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from bench import registry
from bench.data.fingerprint import Progress, raw_fingerprint, write_atomically
from bench.data.prepared import PreparedTask, SplitData
from bench.data.sources import is_phantom
from bench.data.splits import Assignment, assign
from bench.data.staging import Staged, stage
from bench.errors import UserError
from bench.spec import SPLITS, Case, Dataset, Scalar, Split, Task, content_hash, unknown

LAYOUT_VERSION = 1
"""Raised with every change of what is written here."""
ROWS = 512
"""Rows that are copied or hashed at a time."""


def prepare(
    task: Task,
    folder: Path,
    *,
    options: Mapping[str, Scalar],
    seed: int,
    cache: Path,
    progress: Progress | None = None,
) -> PreparedTask:
    """A task's prepared data; made if the cache does not hold them for these files and options.

    `seed` decides the split. Memory holds one case at a time; several processes may ask at once,
    one of them works. Raises UserError that lists every bad file of the data set.
    """
    dataset: Dataset = registry.datasets().get(task.dataset)
    settings = resolve_options(task, options)
    folder = folder.resolve()
    if not dataset.files(folder):
        raise UserError.of(dataset.check(folder), heading=f"data set {dataset.id}")
    key: dict[str, Any] = {
        "layout": LAYOUT_VERSION,
        "task": task.id,
        "version": task.version,
        "dataset": dataset.id,
        "reader": reader_version(dataset),
        "raw": raw_fingerprint(dataset, folder, cache=cache, progress=progress),
        "phantom": is_phantom(folder),
        "options": settings,
        "classes": list(task.classes),
        "split": [type(task.split).__name__, repr(task.split)],
        "seed": seed,
    }
    fingerprint = content_hash(key, length=32)
    root = cache / "prepared" / f"{task.id}-{fingerprint[:16]}"
    prepared = PreparedTask(root)
    if (root / "manifest.json").exists():
        return prepared
    root.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(root.with_name(f"{root.name}.lock")):
        if (root / "manifest.json").exists():
            return prepared
        for left in root.parent.glob(f"{root.name}.part-*"):  # The lock is ours: they are dead.
            shutil.rmtree(left)
        ensure_sound(dataset, folder, raw=key["raw"], cache=cache)
        part = root.with_name(f"{root.name}.part-{os.getpid()}")
        part.mkdir()
        try:
            _write(part, task, dataset, folder, key, fingerprint, progress)
            shutil.rmtree(root, ignore_errors=True)  # A folder without a manifest is a ruin.
            part.rename(root)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return prepared


def resolve_options(task: Task, options: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """The task's options with these values; UserError for unknown names and wrong types."""
    mistakes = []
    for name, value in options.items():
        if name not in task.options:
            mistakes.append(unknown("option", name, task.options))
            continue
        kind = type(task.options[name])
        if isinstance(value, bool) != (kind is bool) or not isinstance(
            value, (int, float) if kind is float else kind
        ):
            mistakes.append(f"{name} takes a value of type {kind.__name__}, got {value!r}")
    if mistakes:
        raise UserError.of(mistakes, heading=f"task {task.id}")
    return {**task.options, **options}


def ensure_sound(dataset: Dataset, folder: Path, *, raw: str, cache: Path) -> None:
    """Check a data set's raw files, unless the same content was found sound before.

    `raw`: the files' fingerprint. Raises UserError with every problem.
    """
    done = cache / "checked" / f"{dataset.id}-{raw}-{reader_version(dataset)}"
    if done.exists():
        return
    if problems := dataset.check(folder):
        raise UserError.of(problems, heading=f"data set {dataset.id}")
    write_atomically(done, "")


def reader_version(dataset: Dataset) -> str:
    """A hash of the file that reads and checks the data set: another reader, other data."""
    source = inspect.getsourcefile(dataset.check)
    assert source
    return content_hash(Path(source).read_text(encoding="utf-8"))


def verify(prepared: PreparedTask) -> list[str]:
    """What of the prepared data differs from their manifest; empty if they are whole."""
    problems = []
    for split, expected in prepared.manifest["splits"].items():
        try:
            data = prepared.open(split)
        except UserError as error:
            problems.append(str(error))
            continue
        except (OSError, ValueError) as error:
            problems.append(f"{prepared.root / split} cannot be read: {error}")
            continue
        problems += [f"{prepared.root / split}: {p}" for p in _differences(data, expected)]
    return problems


def _differences(data: SplitData, expected: Mapping[str, Any]) -> list[str]:
    found = []
    if not len(data) == len(data.ids) == len(data.groups) == expected["cases"]:
        found.append(
            f"{len(data):,} labels and {len(data.ids):,} ids instead of {expected['cases']:,}"
        )
    classes = len(expected["class_counts"])
    if data.labels.min(initial=0) < 0 or data.labels.max(initial=0) >= classes:
        found.append(f"labels reach outside 0 to {classes - 1}")
    if data.inputs is not None and data.inputs.dtype != np.uint8:
        found.append(f"inputs are {data.inputs.dtype} instead of uint8")
    if data.tokens is not None and data.tokens.dtype != np.int32:
        found.append(f"tokens are {data.tokens.dtype} instead of int32")
    if content_of(data) != expected["content"]:
        found.append("the content has changed since it was prepared")
    return found


def content_of(data: SplitData) -> str:
    """A hash of all that a split holds."""
    state = hashlib.blake2b(digest_size=16)
    state.update(json.dumps([data.ids, data.groups]).encode())
    for array in (data.labels, data.inputs, data.tokens, data.offsets):
        if array is not None:
            state.update(f"{array.dtype.str}{array.shape}".encode())
            for begin in range(0, len(array), ROWS if array.ndim > 1 else 1 << 20):
                end = begin + (ROWS if array.ndim > 1 else 1 << 20)
                state.update(np.ascontiguousarray(array[begin:end]).data)
    return state.hexdigest()


def _write(
    part: Path,
    task: Task,
    dataset: Dataset,
    folder: Path,
    key: Mapping[str, Any],
    fingerprint: str,
    progress: Progress | None,
) -> None:
    cases = dataset.cases(folder)
    staged = stage(part / "staging", task, dataset, cases, key["options"], progress)
    assignment = assign(cases, task.split, seed=key["seed"], labels=staged.labels_by_case())
    splits = {
        split: _write_split(part / split, split, task, cases, assignment, staged)
        for split in SPLITS
    }
    mean, std = _moments(part / "train" / "inputs.npy")
    shape = staged.row_shape or (0, 0, 0)
    manifest = {
        "task": task.id,
        "dataset": dataset.id,
        "options": key["options"],
        "classes": list(task.classes),
        "kind": task.kind,
        "phantom": key["phantom"],
        "groups_known": dataset.groups,
        "seed": key["seed"],
        "fingerprint": fingerprint,
        "raw_fingerprint": key["raw"],
        "test_fingerprint": splits["test"]["content"],
        "channels": shape[0],
        "height": shape[1],
        "width": shape[2],
        "mean": mean,
        "std": std,
        "splits": splits,
    }
    staged.delete()
    (part / "manifest.json").write_text(json.dumps(manifest, indent=1))


def _write_split(
    folder: Path,
    split: Split,
    task: Task,
    cases: list[Case],
    assignment: Assignment,
    staged: Staged,
) -> dict[str, Any]:
    """Write one split's arrays; returns what the manifest says of it."""
    folder.mkdir()
    mine = [index for index, case in enumerate(cases) if assignment[case.id] == split]
    rows = [row for index in mine for row in staged.rows_of(index)]
    labels = np.array([staged.labels[row] for row in rows], np.int64)
    if not len(labels):
        raise UserError(f"every split needs a case, {split} of {task.id} has none: add data")
    ids = [staged.ids[row] for row in rows]
    groups = [cases[index].group for index in mine for _ in staged.rows_of(index)]
    data = SplitData(
        split=split, labels=labels, ids=ids, groups=groups, **staged.copy(np.array(rows), folder)
    )
    np.save(folder / "labels.npy", labels)
    (folder / "cases.json").write_text(json.dumps({"ids": ids, "groups": groups}))
    return {
        "cases": len(labels),
        "groups": len(set(groups)),
        "class_counts": np.bincount(labels, minlength=len(task.classes)).tolist(),
        "content": content_of(data),
    }


def _moments(inputs: Path) -> tuple[list[float], list[float]]:
    """Mean and standard deviation per channel of images scaled to [0, 1]; empty for texts."""
    if not inputs.exists():
        return [], []
    images = np.load(inputs, mmap_mode="r")
    values = np.arange(256) / 255
    mean, std = [], []
    for channel in range(images.shape[1]):
        counts = np.zeros(256, np.int64)
        for begin in range(0, len(images), ROWS):
            block = images[begin : begin + ROWS, channel]
            counts += np.bincount(block.ravel(), minlength=256)
        average = float((counts * values).sum() / counts.sum())
        mean.append(average)
        std.append(float(np.sqrt((counts * (values - average) ** 2).sum() / counts.sum())))
    return mean, std
