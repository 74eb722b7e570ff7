"""Between Tune and the engine: which Tune trial carries which job.

Tune asks a searcher for configurations and tells a scheduler of results. Ours hold no state: a
configuration is the engine's next job, a result is a worker's message to the engine. Tune pickles
both for restoring; a run is resumed from its ledger, so what is pickled is empty.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher
from ray.tune.stopper import NoopStopper, Stopper

from bench.errors import STORAGE_FAULTS
from bench.ledger import LedgerUnwritable
from bench.tune.engine import Engine
from bench.tune.jobs import Idle, Job

SETUP_FAILURES = 3
"""So many failed starts in a row for each worker end the run: no configuration is to blame."""


class Link:
    """Hands out jobs and takes messages in. Idle workers carry no job and are kept warm."""

    def __init__(self, engine: Engine, workers: int) -> None:
        self.engine = engine
        self._workers = workers
        self._jobs: dict[str, Job | None] = {}
        self._free = 0
        """Workers that are up and whose Tune trial has ended: the next one takes them over."""
        self._setup_failures = 0
        self.broken: str | None = None
        """Why nothing can go on; the run must end and be resumed later."""

    def over(self) -> bool:
        """Whether nothing more is handed out."""
        return self.broken is not None or self.engine.finished()

    def suggest(self, trial_id: str) -> dict[str, Any] | None:
        """The configuration of the next Tune trial; None while all workers are taken.

        A worker that is yet to start gets no job: Tune gives a trial that waits for its worker the
        first one that comes free, and kills the one that was starting, so that where trials are
        shorter than a start no second worker ever comes up. It says that it is there and is free.
        """
        if not self._free and len(self._jobs) < self._workers:
            self._jobs[trial_id] = None
            return {"job": None}
        if not self._free:
            return None
        self._free -= 1
        with self._recorded():
            self._jobs[trial_id] = job = self.engine.next_job()
            return {"job": job}
        return None

    def message(self, trial_id: str, content: Any, *, others_wait: bool) -> bool:
        """Take a message in; returns whether the Tune trial goes on.

        others_wait: whether Tune still looks for a worker for another trial; an idle one makes way.
        """
        job = self._jobs[trial_id]
        self._setup_failures = 0
        if isinstance(content, Idle):
            goes_on = not (others_wait or self.engine.has_job() or self.over())
        else:
            assert job is not None
            goes_on = False
            with self._recorded():
                goes_on = self.engine.on_message(job, content) and self.broken is None
        if not goes_on:
            del self._jobs[trial_id]
            self._free += not others_wait
        return goes_on

    def at_rest(self) -> bool:
        """Whether no worker has anything to do."""
        return not any(self._jobs.values())

    def carries_job(self, trial_id: str) -> bool:
        """Whether this Tune trial has something to do."""
        return self._jobs.get(trial_id) is not None

    def died(self, trial_id: str, error: str) -> None:
        """The worker's process is gone, or never came up.

        error: what Ray says of it. One that never came up does not count against its job.
        """
        job = self._jobs.pop(trial_id, None)
        lines = [line.strip() for line in error.splitlines() if line.strip()] or ["unknown"]
        if "creation task" in error:
            self._setup_failures += 1
            if self._setup_failures >= SETUP_FAILURES * self._workers:
                self.broken = (
                    f"no worker can start ({lines[-1]}): is the project installed on every node?"
                )
            if job is not None:
                self.engine.put_back(job)
        elif job is not None:
            with self._recorded():
                self.engine.on_death(job, lines[0])

    @contextlib.contextmanager
    def _recorded(self) -> Iterator[None]:
        """What cannot be recorded does not happen: the run ends, to be resumed later."""
        try:
            yield
        except LedgerUnwritable as error:
            self.broken = f"{error}: make room."
        except OSError as error:
            if error.errno not in STORAGE_FAULTS:
                raise
            self.broken = f"{error.filename or 'the run'} cannot be written ({error.strerror})."


class RunOver(Exception):
    """Nothing is left to do. Tune, left this way, ends its workers and neither writes the state of
    its trials nor reads a table of each: 2 ms a trial, for what the ledger has."""


class EndOfRun(Stopper):
    """Leaves Tune when the run's work is done."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        """Raises RunOver where nothing is left to do."""
        if self._link.over() and self._link.at_rest():
            raise RunOver
        return False

    def __reduce__(self) -> Any:
        return (NoopStopper, ())


class JobSearcher(Searcher):
    """Hands Tune the engine's next job as the next trial's configuration."""

    def __init__(self, link: Link) -> None:
        super().__init__()
        self._link = link

    def suggest(self, trial_id: str) -> Any:
        if self._link.over():
            return Searcher.FINISHED
        return self._link.suggest(trial_id)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """The scheduler hears of it first, and with its reason."""

    def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None:
        """Nothing is kept here: the ledger is."""

    def __reduce__(self) -> Any:
        return (Searcher, ())


class MessageScheduler(FIFOScheduler):
    """Brings messages to the engine, and its decisions back."""

    def __init__(self, link: Link) -> None:
        super().__init__()
        self._link = link

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """Who gets a worker that is free: not a trial whose own is starting, which Tune would kill
        for it."""
        return next(self._pending(tune_controller), None)

    def _pending(self, tune_controller: Any) -> Iterator[Any]:
        """Tune trials that have a job and wait for a worker.

        One that has been given a worker is PENDING until that has taken its job in. It waits for
        none, and would else take in what comes free meanwhile: a worker that nobody then counts.
        """
        for trial in tune_controller.get_live_trials():
            given = trial.temporary_state.ray_actor is not None
            if trial.status == "PENDING" and not given and self._link.carries_job(trial.trial_id):
                yield trial

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        waiting = next(self._pending(tune_controller), None) is not None
        goes_on = self._link.message(trial.trial_id, result["message"].take(), others_wait=waiting)
        return str(TrialScheduler.CONTINUE if goes_on else TrialScheduler.STOP)

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        self._link.died(trial.trial_id, _error_of(trial))

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        """The ledger has what came of it: Tune, which keeps every trial, need not keep its results
        and its job as well."""
        trial.run_metadata.metric_analysis.clear()
        trial.run_metadata.metric_n_steps.clear()
        trial.config = {}
        trial.evaluated_params = {}

    def __reduce__(self) -> Any:
        return (FIFOScheduler, ())


def _error_of(trial: Any) -> str:
    """What Tune noted on a failed trial, without its heading; its own reader looks elsewhere."""
    try:
        text = Path(trial.error_file).read_text(encoding="utf-8", errors="replace")
    except (OSError, TypeError):
        return ""
    return text.partition("\n")[2]
