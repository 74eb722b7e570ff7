"""Reads a run's folder into one frozen value: what was planned, what happened, what was predicted.

run = load_run(Path("runs/liver-20261121T101500Z"))
run.tasks["lits_cls"].classes, run.state.studies, run.predictions(study_id, 0).test.scores
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench import ledger
from bench.errors import UserError
from bench.spec import Fold, Scalar, part_name
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
    search_number: int
    """Which of the entrant's independent searches, from 0."""
    fold: Fold | None
    """Its split of a patient k-fold; None: the task's own split."""
    time_budget_s: float | None
    """Charged seconds of each training in a fixed-time comparison; None: epochs decide."""
    part: str
    """`split 2 of 5, search 3`: which of the entrant's studies on the task; empty for the only
    one."""
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

    @property
    def name(self) -> str:
        """The entrant's label, and which of its studies on the task this is."""
        return f"{self.label}, {self.part}" if self.part else self.label

    @property
    def in_seconds(self) -> bool:
        """Whether its effort is in charged seconds, not in epochs."""
        return self.search.get("effort_seconds") is not None

    @property
    def effort_planned(self) -> float:
        """In its unit."""
        return float(self.search["effort_seconds" if self.in_seconds else "effort_epochs"])

    @property
    def data(self) -> str:
        """The key of its data in run.json."""
        return self.task if self.fold is None else f"{self.task}, {self.fold}"


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
    parts: tuple[Run, ...] = ()
    """The runs that it was merged from (`results.merge`); empty for one that is by itself."""
    homes: Mapping[str, Path] = field(default_factory=dict)
    """Of a merged run, by study: the folder of the run that it is of."""

    @property
    def each(self) -> tuple[Run, ...]:
        """The runs that it was merged from, or itself."""
        return self.parts or (self,)

    def home(self, study: str) -> Path:
        """The folder where a study's files lie."""
        return self.homes.get(study, self.folder)

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

    def of_task(self, task: str, time_budget_s: float | None = None) -> list[StudyFacts]:
        """The studies planned for a task, in the suite's order: those in which epochs decide, or
        those of one fixed-time comparison."""
        return [
            study
            for study in self.studies.values()
            if study.task == task and study.time_budget_s == time_budget_s
        ]

    def time_budgets(self, task: str) -> list[float]:
        """Charged seconds of the task's fixed-time comparisons, ascending."""
        found = {s.time_budget_s for s in self.studies.values() if s.task == task}
        return sorted(budget for budget in found if budget is not None)

    def entrants_of(
        self, task: str, time_budget_s: float | None = None
    ) -> list[tuple[StudyFacts, ...]]:
        """The same by entrant: each one's splits and searches together."""
        found: dict[str, list[StudyFacts]] = {}
        for study in self.of_task(task, time_budget_s):
            found.setdefault(study.label, []).append(study)
        return [tuple(studies) for studies in found.values()]

    @property
    def splits(self) -> int:
        """Splits planned for each task; 1: the task's own."""
        return int(self.suite["replicates"].get("splits", 1))

    @property
    def searches(self) -> int:
        """Independent searches planned for each entrant."""
        return int(self.suite["replicates"].get("searches", 1))

    @property
    def unit(self) -> str:
        """What an entrant's result is repeated by: `seeds`, `searches` or `splits`."""
        if self.splits > 1:
            return "splits"
        return "searches" if self.searches > 1 else "seeds"

    @property
    def data(self) -> Mapping[str, Mapping[str, Any]]:
        """What run.json says of the data: by task, or by task and split."""
        data: Mapping[str, Mapping[str, Any]] = self.record["data"]
        return {key: {"task": key} | dict(facts) for key, facts in data.items()}

    def progress(self, study: str) -> ledger.StudyState:
        """What the ledger tells of a study; an empty state where it tells nothing."""
        return self.state.studies.get(study) or ledger.StudyState(study)

    def effort(self, study: StudyFacts) -> float:
        """What a study's search has spent, in the unit of its effort."""
        progress = self.progress(study.id)
        return progress.charged_seconds if study.in_seconds else float(progress.effort)

    def predictions(self, study: str, replicate: int) -> Predictions:
        """What a replicate predicted.

        Raises UserError where there is no file, where it is not the one that the ledger recorded,
        or where its arrays do not fit together.
        """
        reference = self.progress(study).replicates[replicate].predictions
        if not reference:
            raise UserError("the ledger names no file of predictions")
        return read_predictions(self.home(study), reference)


def load_run(folder: Path) -> Run:
    """Read a run's folder. Raises UserError where it is none, or where a file of it is broken."""
    planned = load_plan(folder)
    state, ended = ledger.RunState(), planned.ended
    with ledger.uncollected():
        for event in ledger.stream(folder / "ledger.jsonl"):
            state.apply(event)
            if event["event"] != "outside_scored":  # others' predictions are none of the run's own
                ended = event["t"]
    return replace(planned, state=state, ended=str(ended))


def load_plan(folder: Path) -> Run:
    """What was planned of a run, as if nothing had happened yet; raises as `load_run` does."""
    record = _record(folder / "run.json")
    try:
        tasks = {id: _task(id, facts) for id, facts in record["tasks"].items()}
        studies = {facts["id"]: _study(facts) for facts in record["studies"]}
        _ = record["run"], record["phantom"], record["suite"], record["data"], record["provenance"]
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{folder / 'run.json'} lacks or garbles {error}: it was altered or cut short"
        ) from None
    return Run(
        folder=folder,
        record=record,
        tasks=tasks,
        studies=studies,
        state=ledger.RunState(),
        ended=str(record.get("created", "")),
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
    fold = Fold(**facts["fold"]) if facts.get("fold") else None
    number = int(facts.get("search_number", 0))
    return StudyFacts(
        id=facts["id"],
        task=facts["task"],
        label=entrant["label"],
        search_number=number,
        fold=fold,
        time_budget_s=facts.get("time_budget_s"),
        part=part_name(
            fold,
            number,
            int(facts["replicates"].get("searches", 1)),
            facts.get("time_budget_s"),
        ),
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
