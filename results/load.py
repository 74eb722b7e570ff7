"""Reads a run's folder into one frozen value: what was planned, what happened, what was predicted.

run = load_run(Path("runs/liver-20261121T101500Z"))
run.tasks["lits_cls"].classes, run.state.studies, run.predictions(study_id, 0).test.scores
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import ledger
from bench.errors import UserError
from bench.spec import Scalar
from results.predictions import Predictions, read_predictions

VERSION = 2
"""The newest version of run.json that is read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskFacts:
    """What a report needs to know of a task."""

    id: str
    title: str
    kind: str
    classes: tuple[str, ...]
    primary: str
    margin: float
    metrics: tuple[str, ...]
    dataset: str
    groups_known: bool
    closing_metrics: tuple[str, ...] = ()
    strata: tuple[str, ...] = ()
    prevalences: tuple[float, ...] = ()
    """Names of the facts by which errors are broken down."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyFacts:
    """What was planned of a study."""

    id: str
    task: str
    label: str
    """The entrant's."""
    family: str
    group: str | None
    space: tuple[str, ...]
    """Names of all parameters, pinned ones included."""
    pinned: Mapping[str, Scalar]
    """What the search did not vary, by name."""
    free: tuple[str, ...]
    """The parameters that the search varied."""
    held: Mapping[str, Scalar]
    """The defaults of parameters that no search varies unless it is told to."""
    search: Mapping[str, Any]
    """The fields of `bench.spec.Search`."""
    seeds: int
    """Replicates planned."""
    refit: str


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run's folder, read. Predictions are read when they are asked for."""

    folder: Path
    record: Mapping[str, Any]
    """run.json as it stands."""
    tasks: Mapping[str, TaskFacts]
    studies: Mapping[str, StudyFacts]
    """By id, in the order planned."""
    state: ledger.RunState
    ended: str
    """UTC time of the last event."""

    @property
    def name(self) -> str:
        return str(self.record["run"])

    @property
    def phantom(self) -> bool:
        return bool(self.record["phantom"])

    @property
    def suite(self) -> Mapping[str, Any]:
        suite: Mapping[str, Any] = self.record["suite"]
        return suite

    @property
    def finished(self) -> bool:
        return self.state.finished is not None

    @property
    def sealed(self) -> bool:
        """Whether its test splits are to stay closed."""
        if self.state.started is None:
            return bool(self.record.get("sealed", False))
        return self.state.sealed

    def of_task(self, task: str) -> list[StudyFacts]:
        """The studies planned for a task, in the suite's order."""
        return [study for study in self.studies.values() if study.task == task]

    def progress(self, study: str) -> ledger.StudyState:
        """What the ledger tells of a study; an empty state where it tells nothing."""
        return self.state.studies.get(study) or ledger.StudyState(study)

    def predictions(self, study: str, replicate: int) -> Predictions:
        """What a replicate predicted.

        Raises UserError where there is no file, where it is not the one that the ledger recorded,
        or where its arrays do not fit together.
        """
        reference = self.progress(study).replicates[replicate].predictions
        if not reference:
            raise UserError("the ledger names no file of predictions")
        return read_predictions(self.folder, reference)


def load_run(folder: Path) -> Run:
    """Read a run's folder. Raises UserError where it is none, or where a file of it is broken."""
    record = _record(folder / "run.json")
    try:
        tasks = {id: _task(id, facts) for id, facts in record["tasks"].items()}
        studies = {facts["id"]: _study(facts) for facts in record["studies"]}
        _ = record["run"], record["phantom"], record["suite"], record["data"], record["provenance"]
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{folder / 'run.json'} lacks or garbles {error}: it was altered or cut short"
        ) from None
    events = ledger.read(folder / "ledger.jsonl")
    return Run(
        folder=folder,
        record=record,
        tasks=tasks,
        studies=studies,
        state=ledger.fold(events),
        ended=str(events[-1]["t"]) if events else str(record.get("created", "")),
    )


def _record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"no run.json in {path.parent}: is this a run's folder?") from None
    except ValueError as error:
        raise UserError(f"{path} is no valid JSON: {error}") from None
    if not isinstance(record, dict):
        raise UserError(f"{path} must hold one JSON object, got {type(record).__name__}")
    version = record.get("v")
    if not isinstance(version, int) or version > VERSION:
        raise UserError(
            f"{path} has record version {version!r}, this tunebench reads up to {VERSION}: "
            "update tunebench"
        )
    return record


def _task(id: str, facts: Mapping[str, Any]) -> TaskFacts:
    return TaskFacts(
        id=id,
        title=facts["title"],
        kind=facts["kind"],
        classes=tuple(facts["classes"]),
        primary=facts["primary"],
        margin=float(facts["margin"]),
        metrics=tuple(facts["metrics"]),
        dataset=facts["dataset"],
        groups_known=bool(facts["groups_known"]),
        closing_metrics=tuple(facts.get("closing_metrics", ())),
        strata=tuple(facts.get("strata", ())),
        prevalences=tuple(facts.get("prevalences", ())),
    )


def _study(facts: Mapping[str, Any]) -> StudyFacts:
    entrant = facts["entrant"]
    return StudyFacts(
        id=facts["id"],
        task=facts["task"],
        label=entrant["label"],
        family=entrant["family"],
        group=entrant.get("group"),
        space=tuple(facts["space"]),
        pinned=dict(facts["pinned"]),
        free=_free(facts),
        held={name: _default(item) for name, item in facts["space"].items() if item.get("held")},
        search=dict(facts["search"]),
        seeds=int(facts["replicates"]["seeds"]),
        refit=facts["replicates"]["refit"],
    )


def _default(parameter: Mapping[str, Any]) -> Scalar:
    """The default of a parameter in canonical form; one that is held has a default."""
    default: Scalar = parameter["values"][0] if "values" in parameter else parameter["default"]
    return default


def _free(facts: Mapping[str, Any]) -> tuple[str, ...]:
    """What a study varied; version 1 of the record left it to its readers."""
    if "free" in facts:
        return tuple(facts["free"])
    return tuple(name for name in facts["space"] if name not in facts["pinned"])
