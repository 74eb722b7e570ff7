"""A run's folder: `run.json`, written anew to extend the run alone, and where other files lie."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from bench import plugins, registry
from bench.errors import UserError
from bench.spec import Space, Study, Suite, Task

VERSION = 2
ROOT = Path("runs")


@dataclass(frozen=True)
class RunFolder:
    """The files of one run."""

    path: Path

    @property
    def run_file(self) -> Path:
        return self.path / "run.json"

    @property
    def ledger(self) -> Path:
        return self.path / "ledger.jsonl"

    @property
    def predictions(self) -> Path:
        return self.path / "predictions"

    @property
    def plugins(self) -> Path:
        """A copy of each plug-in that the run was begun with."""
        return self.path / plugins.FOLDER

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def report(self) -> Path:
        return self.path / "report.html"


@dataclass(frozen=True, kw_only=True)
class RunFile:
    """What `run.json` says: the resolved suite, the plan, the data and the provenance."""

    suite: Suite
    studies: tuple[Study, ...]
    data: Mapping[str, Mapping[str, Any]]
    """By `Study.data`: task, data set, raw folder, fingerprints, phantom or not, split sizes."""
    phantom: bool
    sealed: bool
    """Whether the run was begun with its test split sealed."""
    plugins: Mapping[str, str]
    """By file name, the sha256 of each plug-in; empty of a run that was begun before runs kept
    them."""
    against: Path | None
    """The run that it is held against at its end."""
    weights: Mapping[str, Sequence[Mapping[str, Any]]]
    """By study, the pretrained weights that it may begin with: `name`, `sha256`, `bytes`."""
    extensions: tuple[Mapping[str, Any], ...] = ()
    """What it was given to do besides, in order: see `extend`."""
    suite_file: Path | None = None
    """The file that the suite was read from; it may be gone."""


def new_folder(suite: Suite, wanted: Path | None) -> RunFolder:
    """The folder of a new run. Raises UserError where one lies there already."""
    if wanted is not None:
        if (wanted / "run.json").exists() or (wanted / "ledger.jsonl").exists():
            raise UserError(
                f"{wanted} is a run already: go on with `bench resume {wanted}`, or name another"
            )
        return RunFolder(wanted)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    names = [f"{suite.id}-{stamp}", *(f"{suite.id}-{stamp}-{n}" for n in range(2, 100))]
    return RunFolder(next(ROOT / name for name in names if not (ROOT / name).exists()))


def write(
    folder: RunFolder,
    *,
    suite: Suite,
    studies: Sequence[Study],
    data: Mapping[str, Mapping[str, Any]],
    provenance: Mapping[str, Any],
    sealed: bool = False,
    against: Path | None = None,
    weights: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    warm_start: Mapping[str, Any] | None = None,
    suite_file: Path | None = None,
    notes: Sequence[str] = (),
) -> None:
    """Write `run.json`, whole or not at all, and before it the plug-ins that are loaded.

    warm_start: what is tried first of another run, and where it comes from.
    """
    tasks: dict[str, Task] = {name: registry.tasks().get(name) for name in suite.tasks}
    content = {
        "v": VERSION,
        "run": folder.path.resolve().name,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "phantom": any(entry["phantom"] for entry in data.values()),
        "sealed": sealed,
        "against": None if against is None else str(against.resolve()),
        "scale": suite.scale,
        "suite": asdict(suite),
        "suite_file": None if suite_file is None else str(suite_file.resolve()),
        "studies": [asdict(study) for study in studies],
        "tasks": {
            name: _describe(task, next(facts for facts in data.values() if facts["task"] == name))
            for name, task in tasks.items()
        },
        "data": data,
        "plugins": {file.name: file.sha256 for file in registry.plugin_files()},
        "weights": dict(weights or {}),
        "warm_start": None if warm_start is None else dict(warm_start),
        "provenance": provenance,
        "notes": list(notes),
    }
    _write(folder, content)


def extend(
    folder: RunFolder,
    *,
    suite: Suite,
    studies: Sequence[Study],
    weights: Mapping[str, Sequence[Mapping[str, Any]]],
    extension: Mapping[str, Any],
    note: str,
) -> None:
    """Write `run.json` anew, whole or not at all, with more to do than it had.

    studies: all of them, those that were there under their ids. weights: of those that are new.
    extension: `t`, `changes` (a list of `what`, `task`, `from` and `to`), `added` and `reopened`
    (ids of studies), and `provenance`. note: the line of it that the report shows. The plug-ins
    that are loaded are kept beside those of the run.
    """
    content = _read(folder)
    content |= {
        "v": VERSION,
        "suite": asdict(suite),
        "studies": [asdict(study) for study in studies],
        "plugins": content.get("plugins", {})
        | {file.name: file.sha256 for file in registry.plugin_files()},
        "weights": content.get("weights", {}) | dict(weights),
        "extensions": [*content.get("extensions", ()), dict(extension)],
        "notes": [*content.get("notes", ()), note],
    }
    _write(folder, content)


def _write(folder: RunFolder, content: Mapping[str, Any]) -> None:
    """Write the plug-ins that are loaded, then `run.json`, which is never there in part."""
    folder.path.mkdir(parents=True, exist_ok=True)
    for plugin in registry.plugin_files():
        folder.plugins.mkdir(exist_ok=True)
        (folder.plugins / plugin.name).write_bytes(plugin.content)
    partial = folder.path / ".run.json.partial"
    with partial.open("w", encoding="utf-8") as file:
        file.write(json.dumps(content, indent=1, ensure_ascii=False))
        file.flush()
        os.fsync(file.fileno())
    partial.replace(folder.run_file)


def _describe(task: Task, data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "title": task.title,
        "kind": task.kind,
        "version": task.version,
        "classes": list(task.classes),
        "primary": task.primary,
        "margin": task.margin,
        "metrics": list(task.metrics),
        "dataset": task.dataset,
        "closing_metrics": list(task.closing_metrics),
        "strata": list(task.strata),
        "prevalences": list(task.prevalences),
        "groups_known": data["groups_known"],
    }


def load(path: Path) -> tuple[RunFolder, RunFile]:
    """Read a run's `run.json`.

    Raises UserError where there is none, where a newer version wrote it, or where the spaces of
    its families are no longer those that the run began with.
    """
    folder = RunFolder(path)
    content = _read(folder)
    return folder, RunFile(
        suite=TypeAdapter(Suite).validate_python(content["suite"]),
        studies=tuple(TypeAdapter(Study).validate_python(s) for s in content["studies"]),
        data={key: {"task": key, "fold": None} | facts for key, facts in content["data"].items()},
        phantom=content["phantom"],
        sealed=content.get("sealed", False),
        against=Path(content["against"]) if content.get("against") else None,
        plugins=content.get("plugins", {}),
        weights=content.get("weights", {}),
        extensions=tuple(content.get("extensions", ())),
        suite_file=Path(content["suite_file"]) if content.get("suite_file") else None,
    )


def _read(folder: RunFolder) -> dict[str, Any]:
    """What `run.json` holds, as this version writes it."""
    try:
        content: dict[str, Any] = json.loads(folder.run_file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(
            f"{folder.path} is no run: it has no run.json; see `bench list runs`"
        ) from None
    except ValueError as error:
        raise UserError(f"{folder.run_file} is not valid JSON: {error}") from None
    if content["v"] > VERSION:
        raise UserError(
            f"{folder.run_file} has record version {content['v']}, this tunebench reads up to "
            f"{VERSION}: update tunebench"
        )
    if content["v"] == 1:
        _as_version_2(content)
    return content


def load_plugins(folder: RunFolder, file: RunFile, *, given: Sequence[Path] = ()) -> None:
    """Load the plug-ins that the run was begun with from its folder, then those given beside them.

    Raises UserError where one of the run's is missing or changed, and where one that is given is
    another than the run's of that name.
    """
    offered = [(path, plugins.read(path)) for path in given]
    for path, other in offered:
        if (mine := file.plugins.get(other.name)) not in (None, other.sha256):
            raise UserError(
                f"{path} is not the {other.name} that the run began with: sha256 "
                f"{other.sha256[:12]} instead of {str(mine)[:12]}: leave out --plugins to go on "
                "with the run's own, or begin a new run"
            )
    for name, sha256 in file.plugins.items():
        kept = plugins.read(folder.plugins / name)
        if kept.sha256 != sha256:
            raise UserError(
                f"{folder.plugins / name} is not the plug-in that the run began with: sha256 "
                f"{kept.sha256[:12]} instead of {sha256[:12]}: bring it back, or begin a new run"
            )
        registry.add_plugin(kept)
    for _, other in offered:
        registry.add_plugin(other)


def _as_version_2(content: dict[str, Any]) -> None:
    """Version 1 had a flag for the space's defaults in the place of `enqueue`."""
    suite, studies = content["suite"], content["studies"]
    for search in (suite["search"], *suite.get("searches", {}).values()):
        search["enqueue"] = ["defaults"] if search.pop("enqueue_defaults", True) else []
    for study in studies:
        search = study["search"]
        search["enqueue"] = ["defaults"] if search.pop("enqueue_defaults", True) else []


def spaces_of(studies: Sequence[Study]) -> dict[str, Space]:
    """Each study's space, by its id; UserError where it is not the one that it was planned with."""
    spaces: dict[str, Space] = {}
    for study in studies:
        family = registry.families().get(study.entrant.family)
        task = registry.tasks().get(study.task)
        space = spaces[study.id] = registry.space_of(family, task, study.entrant.space)
        if json.dumps(space.canonical()) != json.dumps(study.space):
            raise UserError(
                f"the space of family {family.id} on {study.task} is not the one that {study.id} "
                "was planned with: resume with the code that the run began with, or begin a new run"
            )
    return spaces


def all_runs(root: Path = ROOT) -> list[RunFolder]:
    """The runs below a folder, oldest first by name."""
    return [RunFolder(path.parent) for path in sorted(root.glob("*/run.json"))]
