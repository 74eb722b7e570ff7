"""From raw files to prepared arrays: read once while they are checked, split, written.

<cache>/prepared/<task>-<key>/        see bench/data/prepared.py
<cache>/hashes/                       see bench/data/fingerprint.py
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bench import registry
from bench.data import contents, duplicates, sharing
from bench.data.fingerprint import Progress, code_version, raw_fingerprint
from bench.data.prepared import PreparedTask
from bench.data.soundness import check
from bench.data.sources import is_phantom
from bench.data.splits import assign, check_classes
from bench.data.staging import Staged, stage
from bench.errors import BadData, UserError
from bench.spec import SPLITS, Config, Dataset, Scalar, Split, Task, content_hash

LAYOUT_VERSION = 3
"""Raised with every change of what is written here, or of which rows go where."""


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

    `seed` decides the split. Memory holds one case a thread; several processes may ask at once,
    also on several nodes: one of a machine works. Raises UserError that lists all that is wrong
    with the data set; for a split that leaks, is empty or lacks a class; and where the cache cannot
    be written: then nothing of it is used.
    """
    dataset: Dataset = registry.datasets().get(task.dataset)
    settings = resolve_options(task, options)
    folder = folder.resolve()
    key = _key(task, dataset, folder, settings, seed, cache, progress)
    fingerprint = content_hash(key, length=32)
    root = cache / "prepared" / f"{task.id}-{fingerprint[:16]}"
    prepared = PreparedTask(root)
    if _whole(root, fingerprint):
        return prepared
    with sharing.writing(root):
        root.parent.mkdir(parents=True, exist_ok=True)
        with sharing.locked(root) as alone:
            if not _whole(root, fingerprint):
                sharing.clear_dead_parts(root, alone=alone)
                with sharing.made(root, whole=lambda place: _whole(place, fingerprint)) as part:
                    _write(part, task, dataset, folder, key, fingerprint, progress)
    return prepared


def resolve_options(task: Task, options: Mapping[str, Scalar]) -> Config:
    """The task's options with these values; UserError for unknown names and wrong values."""
    return task.options.settled(options, heading=f"task {task.id}")


def verify(prepared: PreparedTask) -> list[str]:
    """What of the prepared data differs from their manifest; empty if they are whole."""
    try:
        manifest = prepared.manifest
        layout = manifest.get("layout", 1)
        if layout != LAYOUT_VERSION:
            return [
                f"{prepared.root} is of layout {layout}, this version reads {LAYOUT_VERSION} and "
                "makes it anew when it needs it: delete it"
            ]
        entries = dict(manifest["splits"])
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        return [f"{prepared.root / 'manifest.json'} cannot be read ({error}): delete the folder"]
    problems = []
    for split, expected in entries.items():
        place = prepared.root / split
        try:
            found = contents.differences(prepared.open(split), place, expected)
        except UserError as error:
            problems.append(str(error))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            problems.append(f"{place} cannot be read: {error}")
        else:
            problems += [f"{place}: {problem}" for problem in found]
    return problems


def _key(
    task: Task,
    dataset: Dataset,
    folder: Path,
    settings: Config,
    seed: int,
    cache: Path,
    progress: Progress | None,
) -> dict[str, Any]:
    """All that the prepared data depend on."""
    if not dataset.files(folder):
        absent = dataset.problems(folder) or [f"{folder} does not hold {dataset.layout}"]
        raise UserError.of(absent, heading=f"data set {dataset.id}")
    try:
        raw = raw_fingerprint(dataset, folder, cache=cache, progress=progress)
    except BadData as error:  # These files are named together with all others that are bad.
        problems = check(dataset, folder, progress)
        unnamed = [line for line in error.problems if not _named(line, problems)]
        raise UserError.of([*problems, *unnamed], heading=f"data set {dataset.id}") from None
    functions = (dataset.files, dataset.cases, dataset.read, dataset.groups, task.samples)
    return {
        "layout": LAYOUT_VERSION,
        "task": task.id,
        "version": task.version,
        "dataset": dataset.id,
        "code": code_version(*functions),
        "raw": raw,
        "phantom": is_phantom(folder),
        "groups_known": dataset.groups(folder),
        "options": settings,
        "kind": task.kind,
        "classes": list(task.classes),
        "split": repr(task.protocol(settings)),
        "seed": seed,
    }


def _named(line: str, problems: list[str]) -> bool:
    path = line.partition(" cannot be read")[0]
    return any(path in problem for problem in problems)


def _whole(root: Path, fingerprint: str) -> bool:
    """Whether a folder was written to its end, by this layout, from these files and options."""
    try:
        manifest = json.loads((root / "manifest.json").read_text())
    except (OSError, ValueError):
        return False
    wanted = {"layout": LAYOUT_VERSION, "fingerprint": fingerprint}
    return isinstance(manifest, dict) and wanted.items() <= manifest.items()


def _write(
    part: Path,
    task: Task,
    dataset: Dataset,
    folder: Path,
    key: Mapping[str, Any],
    fingerprint: str,
    progress: Progress | None,
) -> None:
    """All of a prepared folder, its manifest last."""
    try:
        problems, cases = dataset.problems(folder), dataset.cases(folder)
    except OSError as error:  # Not to be taken for one of writing.
        raise UserError(
            f"data set {dataset.id}: {error.filename} cannot be read ({error.strerror})"
        ) from error
    staged = stage(
        part / "staging",
        task,
        dataset,
        cases,
        key["options"],
        problems=problems,
        progress=progress,
    )
    rows, shared, dropped = _divide(task, staged, key["options"], key["seed"])
    splits = {
        split: contents.write_split(part / split, split, staged, rows[split]) for split in SPLITS
    }
    counts = {s: entry.get("pixel_counts", entry["class_counts"]) for s, entry in splits.items()}
    check_classes(task, counts)
    shutil.rmtree(part / "staging")
    mean, std = contents.moments(part / "train" / "inputs.npy")
    channels, height, width = staged.image or (0, 0, 0)
    manifest = {
        **{name: key[name] for name in ("layout", "task", "dataset", "options", "classes", "kind")},
        **{name: key[name] for name in ("phantom", "groups_known", "seed")},
        "fingerprint": fingerprint,
        "raw_fingerprint": key["raw"],
        "test_fingerprint": splits["test"]["content"],
        "channels": channels,
        "height": height,
        "width": width,
        "mean": mean,
        "std": std,
        "duplicates": shared,
        "dropped": dropped,
        "splits": splits,
    }
    with (part / "manifest.json").open("w", encoding="utf-8") as stream:
        json.dump(manifest, stream, indent=1)


def _divide(
    task: Task, staged: Staged, options: Config, seed: int
) -> tuple[dict[Split, np.ndarray], dict[str, Any], int]:
    """Each split's rows, what the splits share, and how many rows were left out for that."""
    assignment = assign(
        staged.cases,
        task.protocol(options),
        seed=seed,
        labels=staged.classes_by_case(),
        trained=None if staged.training.all() else staged.classes_by_case(training=True),
    )
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
            f"every split needs a case, {' and '.join(empty)} of {task.id} would have none: "
            "add data, or choose other options"
        )
    return rows, shared.found, dropped
