"""More of a run: seeds, effort, entrants. What is there keeps its ids, seeds and streams.

First `run.json` is written anew, whole or not at all, then the ledger gets `run_extended`: a driver
that finds an extension in the file and none in the ledger appends it, so that whatever is killed
between the two is made good by the next `bench resume`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from bench import narrowing, plan, provenance, provisions, runs, suites
from bench.errors import UserError
from bench.growth import Change, changes, grown_tasks, unpaid, with_effort, with_seeds
from bench.ledger import Ledger, RunState
from bench.runs import RunFile, RunFolder
from bench.spec import Entrant, Scalar, Study, Suite
from bench.warm_start import WarmStart


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a run is to have from now on."""

    seeds: int | None = None
    settings: Mapping[str, Scalar] = field(default_factory=dict)
    """`seeds`, `effort_epochs`, `effort_seconds`, `max_trials`, the last three also of one task:
    `lits_cls.effort_epochs`."""
    entrants: Sequence[str] = ()
    """Besides those that it has: labels of the suite's file, or families."""


@dataclass(frozen=True, kw_only=True)
class Extension:
    """A run's suite and studies with more to do."""

    suite: Suite
    studies: tuple[Study, ...]
    """All of them: those that were there, then those that are added."""
    added: tuple[Study, ...]
    reopened: tuple[str, ...]
    """Ids of the studies whose search has more effort than it had."""
    changes: tuple[Change, ...]
    warm: WarmStart | None = None
    """What the added studies try first of another run."""
    cold: str | None = None
    """Of what they had to begin without, and why, where they cannot be given it."""

    def __str__(self) -> str:
        without = [] if self.cold is None else [self.cold]
        return "; ".join([*map(str, self.changes), *without])


def extended(
    file: RunFile, wanted: Wanted, *, begun_with: Mapping[str, Any] | None = None
) -> Extension | None:
    """The run with what is wanted; None where it has all of that already.

    begun_with: `warm_start` of its run.json: new entrants begin with the same run's best, where
    that is still to be had.

    The run's plug-ins and those of new entrants must be loaded. Raises UserError with everything
    that is less than the run has, unknown, or would leave studies of one task with unequal effort.
    """
    suite, mistakes = file.suite, []
    settings = dict(wanted.settings)
    if wanted.seeds is not None:
        settings["seeds"] = wanted.seeds
    for key, value in settings.items():
        try:
            suite = with_seeds(suite, value) if key == "seeds" else with_effort(suite, key, value)
        except UserError as error:
            mistakes.append(str(error))
    new: tuple[Entrant, ...] = ()
    try:
        new = _new_entrants(file, suite, wanted.entrants)
    except UserError as error:
        mistakes.append(str(error))
    mistakes += _unlike(file, suite) + unpaid(file.suite, suite)
    if mistakes:
        raise UserError.of(mistakes, heading="the run cannot be extended so")
    warm, cold = _warm_start(begun_with) if new else (None, None)
    added = _planned(replace(suite, entrants=new), warm) if new else ()
    if idle := [one.label for one in new if all(s.entrant.label != one.label for s in added)]:
        raise UserError(
            f"{', '.join(idle)} takes none of the run's tasks {', '.join(suite.tasks)}: leave it "
            "out of --entrants, or begin a new run"
        )
    suite = replace(suite, entrants=suite.entrants + new)
    kept = tuple(_grown(suite, study) for study in file.studies)
    grown = tuple(changes(file.suite, suite))
    if not grown:
        return None
    return Extension(
        suite=suite,
        studies=kept + added,
        added=added,
        reopened=tuple(
            study.id
            for before, study in zip(file.studies, kept, strict=True)
            if study.search != before.search
        ),
        changes=grown,
        warm=warm,
        cold=cold,
    )


def write(
    folder: RunFolder,
    file: RunFile,
    extension: Extension,
    *,
    weights: Mapping[str, Sequence[provisions.Record]],
    command: list[str],
) -> RunFile:
    """Write the extension of the run as `file` has it to `run.json`; returns it anew.

    weights: of the added studies, as found. Raises UserError where a driver works on the run, or
    where it was extended meanwhile.
    """
    with Ledger(folder.ledger) as ledger:
        if runs.load(folder.path)[1] != file:
            raise UserError(f"{folder.path} was extended by another command meanwhile: try again")
        now = datetime.now(UTC).isoformat(timespec="seconds")
        warm_start = _record(extension)
        runs.extend(
            folder,
            suite=extension.suite,
            studies=extension.studies,
            weights=weights,
            extension={
                "t": now,
                "changes": [
                    {"what": one.what, "task": one.task, "from": one.before, "to": one.after}
                    for one in extension.changes
                ],
                "added": [study.id for study in extension.added],
                "reopened": list(extension.reopened),
                **({} if warm_start is None else {"warm_start": warm_start}),
                "provenance": provenance.collect(command),
            },
            note="; ".join([_note(extension, now, ledger.state), *_warm_notes(extension, file)]),
        )
        return runs.load(folder.path)[1]


def pending(file: RunFile, state: RunState) -> list[dict[str, Any]]:
    """The fields of the `run_extended` events that the ledger lacks yet, in order."""
    studies = [study.id for study in file.studies]
    return [
        {"number": number, "studies": studies, "reopened": list(extension["reopened"])}
        for number, extension in enumerate(file.extensions)
        if number >= len(state.extensions)
    ]


def _note(extension: Extension, now: str, state: RunState) -> str:
    """What the report says of an extension: whoever extends a run may have seen its results."""
    seen = len(state.unsealed)
    if seen:
        after = f"after {seen} opening{'s' * (seen != 1)} of its test sets"
    else:
        after = "before any of its test sets was opened"
    return f"extended on {now[:10]}, {after}: {extension}"


def _warm_start(record: Mapping[str, Any] | None) -> tuple[WarmStart | None, str | None]:
    """The run that this one was begun with, as it was then; or what hinders it."""
    if record is None:
        return None, None
    try:
        return WarmStart.again(record), None
    except UserError as error:
        return None, f"begun without the warm start from run {record['run']}: {error}"


def _planned(suite: Suite, warm: WarmStart | None) -> tuple[Study, ...]:
    return plan.plan(suite) if warm is None else plan.plan(suite, first=warm.first)


def _record(extension: Extension) -> dict[str, Any] | None:
    """What run.json says of the added studies' warm start; None of a run that was begun with
    none, and where none are added."""
    if extension.warm is not None:
        given = extension.warm.given(extension.added)
        return {"studies": given, "left_out": extension.warm.left_out}
    return None if extension.cold is None else {"studies": {}, "left_out": [extension.cold]}


def _warm_notes(extension: Extension, file: RunFile) -> list[str]:
    """What the report says of it; of a warm start that cannot be had, the extension itself."""
    if extension.warm is None:
        return []
    labels = dict.fromkeys(study.entrant.label for study in extension.added)
    data = {study.data: file.data[study.data] for study in extension.added}
    return extension.warm.notes(data, who=f"each search of {', '.join(labels)}")


def _new_entrants(file: RunFile, suite: Suite, names: Sequence[str]) -> tuple[Entrant, ...]:
    """Those of the named entrants that the run does not have: of the suite's file as it is now, or
    families that can take a task."""
    if not names:
        return ()
    known = {entrant.label for entrant in suite.entrants}
    offered = suite
    if (name := _suite_file(file)) is not None:
        now = suites.resolve(suites.read(name), scale=suite.scale, entrants=())
        others = tuple(entrant for entrant in now.entrants if entrant.label not in known)
        offered = replace(suite, entrants=suite.entrants + others)
    chosen = narrowing.narrowed(offered, None, names).entrants
    return tuple(provisions.absolute(one) for one in chosen if one.label not in known)


def _suite_file(file: RunFile) -> str | None:
    """Where the suite's file is found; None where it is gone."""
    if file.suite_file is not None and file.suite_file.exists():
        return str(file.suite_file)
    return file.suite.id if file.suite.id in suites.names() else None


def _unlike(file: RunFile, suite: Suite) -> list[str]:
    """What would make a run unlike the one that it is held against."""
    if file.against is None or not (grown := grown_tasks(file.suite, suite)):
        return []
    return [
        f"a run against another follows its protocol to the letter, {file.against.name}, got more "
        f"effort on {', '.join(grown)}: leave it out, or extend that run and begin a new one "
        "against it"
    ]


def _grown(suite: Suite, study: Study) -> Study:
    """A study with what the suite has of it now; its id and its streams stay."""
    search = suite.searches.get(study.task, suite.search)
    search = plan.under(search, suite.replicates, study.time_budget_s)
    return replace(study, search=search, replicates=suite.replicates)
