"""A run's searches as Optuna studies in a file, for Optuna itself and optuna-dashboard."""

from __future__ import annotations

import shlex
import sqlite3
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.distributions import distributions, params
from bench.errors import UserError
from bench.ledger import StudyState, Trial, fold, read
from bench.runs import RunFile, load
from bench.spec import Scalar, Study

SQLITE = (".db", ".sqlite", ".sqlite3")
"""Endings of files that are written as SQLite."""


def export_studies(folder: Path, out: Path) -> str:
    """Write each study of a run as an Optuna study; returns a sentence that says what was written.

    out: a new file, written whole or not at all: SQLite where its name ends so, else a journal.
    Raises UserError where there is something already, or where `folder` is no run.
    """
    import optuna

    if out.exists():
        raise UserError(f"{out} exists already: name another file, or remove it first")
    run, file = load(folder)
    state = fold(read(run.ledger))
    name = run.path.resolve().name
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f".{out.name}.partial")
    partial.unlink(missing_ok=True)
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        trials = _write(_storage(partial, out), name, file, state.studies)
        partial.replace(out)
    finally:
        optuna.logging.set_verbosity(verbosity)
        partial.unlink(missing_ok=True)
    return (
        f"wrote {len(file.studies)} studies with {trials} trials to {out}"
        f"{' (phantom data)' * file.phantom}: `optuna-dashboard {_url(out)}` shows them"
    )


def _url(out: Path) -> str:
    """For a shell: what the dashboard opens it by."""
    return shlex.quote(f"sqlite:///{out}" if out.suffix in SQLITE else str(out))


def _storage(path: Path, out: Path) -> Any:
    """A new storage at `path`, of the kind that the name of `out` asks for."""
    import optuna

    if out.suffix not in SQLITE:
        backend = optuna.storages.journal.JournalFileBackend(str(path))
        return optuna.storages.JournalStorage(backend)

    def connect() -> sqlite3.Connection:
        # One commit a trial: without waiting for the disk at each. A torn file is not kept.
        connection = sqlite3.connect(path, check_same_thread=False)
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA journal_mode=MEMORY")
        return connection

    return optuna.storages.RDBStorage(f"sqlite:///{path}", engine_kwargs={"creator": connect})


def _write(storage: Any, run: str, file: RunFile, states: Mapping[str, StudyState]) -> int:
    """Fill a storage; returns how many trials it took."""
    import optuna

    count = 0
    for study in file.studies:
        state = states.get(study.id) or StudyState(study.id)
        kept = optuna.create_study(
            storage=storage, study_name=study_name(run, study, file.phantom), direction="maximize"
        )
        facts = {
            "run": run,
            "study": study.id,
            "task": study.task,
            "entrant": study.entrant.label,
            "data": "phantom" if file.phantom else "real",
            "value": "the primary validation metric, turned so that greater is better",
            "state": state.state,
            "winner": state.winner,
            "why": state.why,
        }
        for key, value in facts.items():
            kept.set_user_attr(key, value)
        trials = list(frozen_trials(study, state))
        kept.add_trials(trials)
        count += len(trials)
    if hasattr(storage, "engine"):
        storage.remove_session()
        storage.engine.dispose()
    return count


def study_name(run: str, study: Study, phantom: bool) -> str:
    """What the study is called in Optuna: unique over runs."""
    part = f", {study.part}" if study.part else ""
    stamp = " (phantom)" if phantom else ""
    return f"{run}: {study.task}: {study.entrant.label}{part}{stamp}"


def frozen_trials(study: Study, state: StudyState) -> Iterator[Any]:
    """A study's trials as Optuna has them, by number.

    A completed trial is COMPLETE with its best score, a stopped one PRUNED, a failed one FAIL, one
    that runs or rests RUNNING, each with its score by epoch. A repeat, which was not trained, has
    what it repeats.
    """
    import optuna

    trials = [state.trials[number] for number in sorted(state.trials)]
    known = distributions(study.space, [trial.config for trial in trials])
    for trial in trials:
        shown = (
            state.trials[trial.of] if trial.state == "repeated" and trial.of is not None else trial
        )
        frozen_state = _state(shown)
        held = params(trial.config, known)
        best = shown.best()
        complete = frozen_state == optuna.trial.TrialState.COMPLETE
        frozen = optuna.trial.create_trial(
            state=frozen_state,
            value=best[0] if complete and best else None,
            params=held,
            distributions={name: known[name] for name in held},
            user_attrs=_attributes(study, state, trial, set(trial.config) - set(held)),
            intermediate_values={
                epoch: report["score"]
                for epoch, report in sorted(shown.reports.items())
                if report["score"] is not None
            },
        )
        frozen.datetime_start = _local(trial.started)
        frozen.datetime_complete = _local(trial.finished) if trial.finished else None
        yield frozen


def _state(trial: Trial) -> Any:
    from optuna.trial import TrialState

    if trial.state == "completed":
        return TrialState.COMPLETE if trial.best() is not None else TrialState.FAIL
    states = {"stopped": TrialState.PRUNED, "running": TrialState.RUNNING}
    return states.get(trial.state, TrialState.FAIL)


def _attributes(
    study: Study, state: StudyState, trial: Trial, strange: set[str]
) -> dict[str, Scalar | None]:
    """What Optuna has no place for. strange: parameters whose value fits no distribution."""
    found: dict[str, Scalar | None] = {
        "entrant": study.entrant.label,
        "task": study.task,
        "seed": trial.seed,
        "origin": trial.origin,
        "state": "resting" if trial.resting_at is not None else trial.state,
        "reason": trial.reason,
        "charged_seconds": trial.charged_seconds,
        "effort_epochs": trial.effort,
    }
    if trial.of is not None:
        found["of"] = trial.of
    if trial.error is not None:
        found["error"] = trial.error
    if trial.number == state.winner:
        found["winner"] = True
    return found | {f"param {name}": trial.config[name] for name in sorted(strange)}


def _local(t: str) -> datetime:
    """Optuna's times are local and without a zone."""
    return datetime.fromisoformat(t).astimezone().replace(tzinfo=None)
