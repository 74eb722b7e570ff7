"""From a run's folder to a finished run: `run` is `resume` of an empty ledger."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import extend, provisions, registry, runs
from bench.errors import UserError
from bench.folders import openings_register
from bench.ledger import (
    Event,
    Ledger,
    LedgerUnwritable,
    RunState,
    fold,
    read,
    register_missed,
    register_opening,
)
from bench.predictions import save_predictions
from bench.prepared_run import prepare_data
from bench.runs import RunFile, RunFolder
from bench.storage import checkpoints_of
from bench.tune import experiment, logs
from bench.tune.engine import Engine
from bench.tune.jobs import Context

SWITCHES = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
"""Of the environment, what workers are told: where the driver reached no hub, they do not try."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a run is worked off; none of it changes what is computed."""

    workers: int | None = None
    gpus_per_trial: float | None = None
    address: str | None = None
    storage: str | None = None
    checkpoint_every_s: float = 30.0
    logs: tuple[str, ...] = ()
    """`mlflow=URI`, `tensorboard`, `tensorboard=DIR`: where trials are logged as they go on."""
    max_hours: float | None = None
    """After these the run pauses, with what is in flight checkpointed; None: it ends by itself."""


def proceed(
    folder: RunFolder,
    file: RunFile,
    options: Options,
    *,
    watch: Callable[[Engine], Any] | None = None,
) -> str:
    """Work a run off from where its ledger ends; returns `completed`, `failed` or `paused`.

    A sealed run stays sealed. watch: makes a context manager with an `update(event)` method around
    the running engine.
    """
    return _proceed(folder, file, options, watch, unseal=False)


def unseal(
    folder: RunFolder,
    file: RunFile,
    options: Options,
    *,
    watch: Callable[[Engine], Any] | None = None,
) -> str:
    """Open the test split of a sealed run for each finished replicate; returns as `proceed` does.

    What was begun and interrupted is gone on with, by this or by `proceed`. Raises UserError for a
    run that is not sealed, not finished, or unsealed already.
    """
    _check_sealed(folder, file)
    return _proceed(folder, file, options, watch, unseal=True)


def _check_sealed(folder: RunFolder, file: RunFile) -> None:
    state = fold(read(folder.ledger)) if folder.ledger.exists() else RunState()
    began_sealed = file.sealed if state.started is None else state.started.get("sealed", False)
    if not began_sealed:
        raise UserError(
            f"only a run begun with `bench run --sealed` can be unsealed, {folder.path} was not: "
            "its replicates open the test split themselves"
        )
    if state.unsealing is not None and state.finished is not None:
        raise UserError(
            f"a run is unsealed once, {folder.path} was on {state.unsealing['t'][:10]}: "
            f"`bench report {folder.path}` shows its test scores"
        )
    if state.unsealing is None and (state.finished is None or extend.pending(file, state)):
        raise UserError(
            f"only a finished run can be unsealed, {folder.path} is not: end it with "
            f"`bench resume {folder.path}` first"
        )


def _proceed(
    folder: RunFolder,
    file: RunFile,
    options: Options,
    watch: Callable[[Engine], Any] | None,
    *,
    unseal: bool,
) -> str:
    runs.load_plugins(folder, file)
    spaces = runs.spaces_of(file.studies)
    roots = prepare_data(file)
    if unseal:
        _check_test_data(roots)
    with Ledger(folder.ledger) as ledger:
        state = ledger.state
        more = extend.pending(file, state)
        if state.started is None:
            ledger.append(
                "run_started",
                suite=file.suite.id,
                scale=file.suite.scale,
                seed=file.suite.seed,
                phantom=file.phantom,
                studies=[study.id for study in file.studies],
                sealed=file.sealed,
            )
        elif state.finished is not None and not (unseal and state.sealed) and not more:
            for log in logs.observers(options.logs, file, folder):
                log.close()  # what it missed, it has now
            return str(state.finished["state"])
        else:
            provisions.check_unchanged(file.studies, file.weights)
            if state.finished is None:
                ledger.append("run_resumed")
            elif unseal:
                ledger.append("run_unsealed")
        for extension in more:
            ledger.append("run_extended", **extension)
        run = folder.path.resolve().name
        register_missed(openings_register(), state.unsealed, run=run)
        events = _Events(folder, file)
        logs_of_run = logs.observers(options.logs, file, folder)
        events.observers += logs_of_run
        deadline = None if options.max_hours is None else time.time() + 3600 * options.max_hours
        engine = Engine(
            file.studies,
            spaces,
            ledger,
            test_fingerprints={key: e["test_fingerprint"] for key, e in file.data.items()},
            save_predictions=lambda name, arrays: save_predictions(folder, name, arrays),
            discard_checkpoint=_discard(checkpoints_of(folder, options.storage)),
            on_event=events,
            expired=lambda: deadline is not None and time.time() >= deadline,
        )
        try:
            if not engine.finished():
                _work(engine, folder, file, options, roots, events, watch, deadline)
        finally:
            for log in logs_of_run:
                log.close()
        if engine.paused is not None:
            with contextlib.suppress(LedgerUnwritable):  # what fills the disk may lie there too
                ledger.append("run_paused", why=engine.paused)
            if engine.expired():
                return "paused"
            again = "" if options.storage is None else f" --storage {options.storage}"
            raise UserError(f"{engine.paused}: `bench resume {folder.path}{again}`")
        outcome = engine.outcome()
        ledger.append("run_finished", state=outcome)
        return outcome


def _work(
    engine: Engine,
    folder: RunFolder,
    file: RunFile,
    options: Options,
    roots: Mapping[str, Path],
    events: _Events,
    watch: Callable[[Engine], Any] | None,
    deadline: float | None,
) -> None:
    with experiment.cluster(
        options.address, workers=options.workers, gpus=options.gpus_per_trial
    ) as resources:
        from bench.tune.worker import worker_class  # it needs Ray

        context = Context(
            studies={study.id: study for study in file.studies},
            prepared={key: str(root.resolve()) for key, root in roots.items()},
            raw={key: entry["folder"] for key, entry in file.data.items()},
            options=file.suite.options,
            checkpoints=checkpoints_of(folder, options.storage),
            checkpoint_every_s=options.checkpoint_every_s,
            deadline=deadline,
            threads=resources.cpus,
            device="cuda" if resources.gpus else "cpu",
            plugins=registry.plugin_files(),
            environment={name: os.environ[name] for name in SWITCHES if name in os.environ},
        )
        worker = worker_class(context)
        engine.alone = resources.gpus < 1
        if watch is None:
            experiment.run(engine, worker, resources)
            return
        with watch(engine) as view:
            events.observers.append(view.update)
            experiment.run(engine, worker, resources)


def _check_test_data(roots: Mapping[str, Path]) -> None:
    """Raise UserError, before anything is opened, where a task's test split is not there."""
    for task, root in roots.items():
        if not (root / "test" / "cases.json").exists():
            raise UserError(
                f"the prepared test split of {task} is missing from {root}, nothing was unsealed: "
                "delete that folder, and the next `bench unseal` prepares it again"
            )


class _Events:
    """What else follows from an event: openings are registered, the live view is told."""

    def __init__(self, folder: RunFolder, file: RunFile) -> None:
        self._run = folder.path.resolve().name
        self.observers: list[Callable[[Event], None]] = []

    def __call__(self, event: Event) -> None:
        if event["event"] == "test_unsealed":
            register_opening(openings_register(), fingerprint=event["fingerprint"], run=self._run)
        for observer in self.observers:
            observer(event)


def _discard(root: str) -> Callable[[str], None]:
    def discard(name: str) -> None:
        from bench.train.checkpoint import Checkpoint

        # It is in nobody's way; a storage behind a URL has errors of its own.
        with contextlib.suppress(Exception):
            Checkpoint(f"{root}/{name}.pt").delete()

    return discard
