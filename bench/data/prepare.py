"""From raw files to prepared arrays: read once while they are checked, split, written.

<cache>/prepared/<task>-<key>/               see bench/data/prepared.py
<cache>/prepared/<task>-split2of5-<key>/     of a patient k-fold
<cache>/hashes/                              see bench/data/fingerprint.py
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench import registry
from bench.data import contents, sharing
from bench.data.division import Division, divide
from bench.data.fingerprint import Progress, code_version, raw_fingerprint
from bench.data.prepared import PreparedTask
from bench.data.soundness import check
from bench.data.sources import is_phantom
from bench.data.splits import check_fold
from bench.data.staging import Staged, stage
from bench.errors import BadData, UserError
from bench.spec import SPLITS, Config, Dataset, Fold, Scalar, Task, content_hash

LAYOUT_VERSION = 3
"""Raised with every change of what is written here, or of which rows go where."""


def prepare(
    task: Task,
    folder: Path,
    *,
    options: Mapping[str, Scalar],
    seed: int,
    cache: Path,
    fold: Fold | None = None,
    progress: Progress | None = None,
) -> PreparedTask:
    """A task's prepared data; made if the cache does not hold them for these files and options.

    `seed` decides the split; `fold` is that of a patient k-fold, None the task's own split. Memory
    holds one case a thread; several processes may ask at once, also on several nodes: one of a
    machine works. Raises UserError that lists all that is wrong with the data set; for a split that
    leaks, is empty or lacks a class; for a fold that the task cannot have; and where the cache
    cannot be written: then nothing of it is used.
    """
    (prepared,) = prepare_folds(
        task, folder, options=options, seed=seed, cache=cache, folds=[fold], progress=progress
    )
    return prepared


def prepare_folds(
    task: Task,
    folder: Path,
    *,
    options: Mapping[str, Scalar],
    seed: int,
    cache: Path,
    folds: Sequence[Fold | None],
    progress: Progress | None = None,
) -> list[PreparedTask]:
    """As `prepare`, for each of these folds: every raw file is read once for all that are missing.

    Each folder takes its place by itself, whole; those that are there when the work ends early stay
    and are not made again. Nothing is written where one of them is refused.
    """
    dataset: Dataset = registry.datasets().get(task.dataset)
    settings = resolve_options(task, options)
    folder = folder.resolve()
    for fold in filter(None, folds):
        _check_fold(task, settings, fold)
    key = _key(task, dataset, folder, settings, seed, cache, progress)
    places = {fold: _Place.of(task, key, fold, cache) for fold in folds}
    missing = [place for place in places.values() if not place.whole(place.root)]
    if missing:
        with sharing.writing(missing[0].root), ExitStack() as locks:
            (cache / "prepared").mkdir(parents=True, exist_ok=True)
            # In one order everywhere: nobody waits for a lock whose holder waits for theirs.
            for place in sorted(missing, key=lambda place: place.root):
                alone = locks.enter_context(sharing.locked(place.root))
                if not place.whole(place.root):
                    sharing.clear_dead_parts(place.root, alone=alone)
            if missing := [place for place in missing if not place.whole(place.root)]:
                _make(missing, task, dataset, folder, key, progress)
    return [PreparedTask(places[fold].root) for fold in folds]


def task_of(name: str) -> str:
    """The id of the task whose prepared data a folder of that name holds."""
    return re.sub(r"(-split\d+of\d+)?-[^-]*$", "", name)


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


@dataclass(frozen=True, kw_only=True)
class _Place:
    """A prepared folder, there or not."""

    root: Path
    fingerprint: str
    fold: Fold | None

    @classmethod
    def of(cls, task: Task, key: Mapping[str, Any], fold: Fold | None, cache: Path) -> _Place:
        """key: of the task's own split, which has no word of folds."""
        own = {} if fold is None else {"fold": asdict(fold)}
        fingerprint = content_hash({**key, **own}, length=32)
        split = "" if fold is None else f"split{fold.number + 1}of{fold.of}-"
        root = cache / "prepared" / f"{task.id}-{split}{fingerprint[:16]}"
        return cls(root=root, fingerprint=fingerprint, fold=fold)

    def whole(self, root: Path) -> bool:
        """Whether `root` was written to its end, by this layout, from these files and options."""
        try:
            manifest = json.loads((root / "manifest.json").read_text())
        except (OSError, ValueError):
            return False
        wanted = {"layout": LAYOUT_VERSION, "fingerprint": self.fingerprint}
        return isinstance(manifest, dict) and wanted.items() <= manifest.items()


def _check_fold(task: Task, settings: Config, fold: Fold) -> None:
    """Raises UserError for what contradicts a fold."""
    check_fold(task.protocol(settings), task.id)
    if settings["test_share"] != task.options.defaults()["test_share"]:
        raise UserError(
            f"splits = {fold.of} makes each test set of {task.id} 1/{fold.of} of the groups, "
            f"test_share is {settings['test_share']}: leave out one of them"
        )


def _key(
    task: Task,
    dataset: Dataset,
    folder: Path,
    settings: Config,
    seed: int,
    cache: Path,
    progress: Progress | None,
) -> dict[str, Any]:
    """All that the prepared data of the task's own split depend on."""
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


def _make(
    places: Sequence[_Place],
    task: Task,
    dataset: Dataset,
    folder: Path,
    key: Mapping[str, Any],
    progress: Progress | None,
) -> None:
    """Make these folders from one reading of the raw files.

    What is staged lies in the folder that is finished last: whatever ends the work, it is cleared
    with that one's part.
    """
    *others, last = places
    with sharing.made(last.root, whole=last.whole) as part:
        staged = _stage(part / "staging", task, dataset, folder, key["options"], progress)
        *divisions, division = divide(
            task, staged, key["options"], seed=key["seed"], folds=[place.fold for place in places]
        )
        for place, its in zip(others, divisions, strict=True):
            with sharing.made(place.root, whole=place.whole) as own:
                _write(own, place, staged, its, key)
        _write(part, last, staged, division, key)
        shutil.rmtree(part / "staging")


def _stage(
    place: Path,
    task: Task,
    dataset: Dataset,
    folder: Path,
    options: Config,
    progress: Progress | None,
) -> Staged:
    try:
        problems, cases = dataset.problems(folder), dataset.cases(folder)
    except OSError as error:  # Not to be taken for one of writing.
        raise UserError(
            f"data set {dataset.id}: {error.filename} cannot be read ({error.strerror})"
        ) from error
    return stage(place, task, dataset, cases, options, problems=problems, progress=progress)


def _write(
    part: Path, place: _Place, staged: Staged, division: Division, key: Mapping[str, Any]
) -> None:
    """All of a prepared folder, its manifest last."""
    splits = {
        split: contents.write_split(part / split, split, staged, division.rows[split])
        for split in SPLITS
    }
    mean, std = contents.moments(part / "train" / "inputs.npy")
    channels, height, width = staged.image or (0, 0, 0)
    manifest = {
        **{name: key[name] for name in ("layout", "task", "dataset", "options", "classes", "kind")},
        **{name: key[name] for name in ("phantom", "groups_known", "seed")},
        "fold": None if place.fold is None else asdict(place.fold),
        "fingerprint": place.fingerprint,
        "raw_fingerprint": key["raw"],
        "test_fingerprint": splits["test"]["content"],
        "channels": channels,
        "height": height,
        "width": width,
        "mean": mean,
        "std": std,
        "duplicates": division.shared,
        "dropped": division.dropped,
        "splits": splits,
    }
    with (part / "manifest.json").open("w", encoding="utf-8") as stream:
        json.dump(manifest, stream, indent=1)
