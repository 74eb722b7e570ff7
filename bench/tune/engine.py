"""The driver's mind: which job next, and what a worker's message means. It knows no Ray.

Every decision is a function of the ledger and of which jobs are in flight; what was decided is
written to the ledger before it takes effect. A job that was in flight when a driver died is simply
not in flight for the next one: it is handed out again, from its last checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from bench.ledger import Event, Ledger, Replicate, StudyState, Trial, read
from bench.seeds import derive
from bench.spec import Report, Space, Study
from bench.tune.book import Book, SavePredictions
from bench.tune.jobs import Content, Failure, Idle, Job, JobKind, Tested, Trained
from bench.tune.search import StudySearch

MAX_RETRIES = 3
"""How often a trial or replicate is begun again after its worker died."""

STALL_FACTOR, STALL_FLOOR_S = 10, 300.0
"""A training that is silent for so many times its study's longest epoch, and at least so many
seconds, is stuck."""
STALL_FIRST_S = 3600.0
"""So is one without an update for so long, while no epoch of its study is known: the first update
waits for weights to be fetched, and the last is followed by a validation."""


class Engine:
    """Hands out jobs and takes messages in, over all studies of a run."""

    def __init__(
        self,
        studies: Sequence[Study],
        spaces: Mapping[str, Space],
        ledger: Ledger,
        *,
        test_fingerprints: Mapping[str, str],
        save_predictions: SavePredictions,
        discard_checkpoint: Callable[[str], None],
        on_event: Callable[[Event], None] = lambda _: None,
        expired: Callable[[], bool] = lambda: False,
    ) -> None:
        """spaces: by study. test_fingerprints: by `Study.data`. expired: whether the time is up.
        The run must have been started."""
        self.ledger = ledger
        self.expired = expired
        self.paused: str | None = None
        """Why nothing more is begun, though there is more to do: to be resumed later."""
        self._in_flight: set[tuple[str, str, int]] = set()
        self._searches = {
            study.id: StudySearch(study, spaces[study.id], ledger.state.studies[study.id])
            for study in studies
        }
        self._book = Book(
            ledger,
            self._searches,
            test_fingerprints=test_fingerprints,
            save_predictions=save_predictions,
            discard_checkpoint=discard_checkpoint,
            on_event=on_event,
        )
        every = self._searches.values()
        self._untimed = [search for search in every if search.study.time_budget_s is None]
        self._timed = [search for search in every if search.study.time_budget_s is not None]
        self.alone = True
        """Whether a training under a time budget has the machine to itself: set before the first
        job to False where each has a device of its own."""
        for event in read(ledger.path):
            if "study" in event:
                self._searches[event["study"]].apply(event)
        self._take_up_open_trials()

    def _take_up_open_trials(self) -> None:
        """Decide what a dead driver left undecided."""
        for search in self._searches.values():
            for number in search.running():
                trial = search.state.trials[number]
                if trial.origin == "repeat":
                    self._book.repeat(search, trial)
                    continue
                search.grant(trial)
                if trial.epoch:
                    self._advance(search, trial)
            self._book.settle(search)

    # --- jobs ---

    def next_job(self) -> Job | None:
        """The next job, recorded as begun; None where there is none now.

        First what was begun and is not in flight, test openings among it, then new replicates;
        then, of the study that has used the least of its effort, a trial that goes on from its
        rung, or a new one.
        """
        if self._pausing() or self._alone_in_flight():
            return None
        job = self._job_of(self._untimed)
        if job is None and not (self.alone and self._in_flight):
            job = self._job_of(self._shuffled_timed())
        if job is None:
            return None
        if job.kind == "test":
            self._book.unseal(job)
        self._in_flight.add(job.key)
        return job

    def has_job(self) -> bool:
        """Whether `next_job` would hand one out now."""
        if self._pausing() or self._alone_in_flight():
            return False
        if self._has_job_of(self._untimed):
            return True
        return self._has_job_of(self._timed) and not (self.alone and self._in_flight)

    def _job_of(self, searches: Sequence[StudySearch]) -> Job | None:
        """The next job of these searches; a search may end with nothing but repeats."""
        return (
            next(self._begun(searches), None)
            or self._new_replicate(searches)
            or self._search_on(searches)
            or self._new_replicate(searches)
        )

    def _has_job_of(self, searches: Sequence[StudySearch]) -> bool:
        return (
            next(self._begun(searches), None) is not None
            or any(self._next_replicate(search) is not None for search in searches)
            or any(map(_open, searches))
        )

    # --- fixed time ---

    def _alone_in_flight(self) -> bool:
        """Whether a training is running that no other may disturb."""
        timed = {search.study.id for search in self._timed}
        return self.alone and any(key[1] in timed for key in self._in_flight)

    def _shuffled_timed(self) -> list[StudySearch]:
        """The searches under a time budget in random order, so that what a machine does in the
        meantime favours nobody: each time another one, as the ledger decides."""
        begun = sum(len(s.state.trials) + len(s.state.replicates) for s in self._timed)
        return sorted(self._timed, key=lambda s: derive(s.study.seed, "order", begun))

    def _pausing(self) -> bool:
        """Whether nothing more is begun: the time is up, or nothing can be stored."""
        if self.paused is None and self.expired():
            self.paused = "the time that it was given is up"
        return self.paused is not None

    def finished(self) -> bool:
        """Whether nothing is in flight and nothing is left to do, or it pauses."""
        return not self._in_flight and not self.has_job()

    def _begun(self, searches: Sequence[StudySearch]) -> Iterator[Job]:
        for search in searches:
            study = search.study.id
            for number in search.running():
                if ("trial", study, number) not in self._in_flight:
                    yield _search_job(search, search.state.trials[number])
            for number, replicate in search.state.replicates.items():
                if ("replicate", study, number) not in self._in_flight and (
                    replicate.state in ("running", "trained") or self._to_test(replicate)
                ):
                    yield self._replicate_job(study, replicate)

    def _to_test(self, replicate: Replicate) -> bool:
        """Whether its run was unsealed after it had been finished, and it was not tested yet."""
        return replicate.untested and not self.ledger.state.sealed

    def _replicate_job(self, study: str, replicate: Replicate) -> Job:
        kind: JobKind = "replicate"
        if replicate.state == "trained" or self._to_test(replicate):
            kind = "validate" if self.ledger.state.sealed else "test"
        return Job(
            kind=kind,
            study=study,
            number=replicate.number,
            config=replicate.config,
            seed=replicate.seed,
            stop_epoch=replicate.stop_epoch,
            known_epoch=replicate.epoch,
            **(_stall(self._searches[study]) if kind == "replicate" else {}),
        )

    def _next_replicate(self, search: StudySearch) -> int | None:
        state = search.state
        due = state.state == "completed" and len(state.replicates) < search.study.replicates.seeds
        # Those of earlier winners keep their numbers, and with them their streams and files.
        return len(state.replicates) + len(state.superseded) if due else None

    def _new_replicate(self, searches: Sequence[StudySearch]) -> Job | None:
        for search in searches:
            number = self._next_replicate(search)
            if number is None:
                continue
            study = search.study
            assert search.state.winner is not None
            winner = search.state.trials[search.state.winner]
            best = winner.best()
            assert best is not None
            self._book.record(
                "replicate_started",
                study=study.id,
                replicate=number,
                entrant=study.entrant.label,
                task=study.task,
                seed=derive(study.seed, "replicate", number),
                config=winner.config,
                stop_epoch=best[1] if study.replicates.refit == "train+validation" else None,
            )
            return self._replicate_job(study.id, search.state.replicates[number])
        return None

    def _search_on(self, among: Sequence[StudySearch]) -> Job | None:
        """A trial that goes on from its rung, or a new one, of the study furthest behind."""
        while searches := [search for search in among if _open(search)]:
            search = min(searches, key=StudySearch.share_spent)
            if (ruling := search.promotion()) is not None:
                trial = search.state.trials[ruling.trial]
                self._book.rule(search, ruling)
                search.grant(trial)
                return _search_job(search, trial)
            trial = self._book.start_trial(search)
            if trial.origin != "repeat":
                search.grant(trial)
                return _search_job(search, trial)
            self._book.repeat(search, trial)
            self._book.settle(search)
        return None

    # --- messages ---

    def on_message(self, job: Job, message: Content) -> bool:
        """Take a worker's message in; returns whether the worker goes on with this job."""
        assert not isinstance(message, Idle)
        search = self._searches[job.study]
        if isinstance(message, Report):
            goes_on = self._on_report(search, job, message)
        else:
            goes_on = False
            if isinstance(message, Trained):
                self._book.record(
                    "replicate_trained",
                    study=job.study,
                    replicate=job.number,
                    epoch=message.epoch,
                    note=message.note,
                )
            elif isinstance(message, Tested):
                self._book.tested(search, job, message)
            else:
                self._on_failure(search, job, message)
        if goes_on and isinstance(message, Report) and self._pausing():
            goes_on = False  # it goes on from its checkpoint when the run is resumed
        if not goes_on:
            self._in_flight.discard(job.key)
            self._book.settle(search)
        return goes_on

    def put_back(self, job: Job) -> None:
        """No worker took this job up: it is handed out again as if it never had been."""
        self._in_flight.discard(job.key)

    def on_death(self, job: Job, reason: str) -> None:
        """The worker died with this job: it is begun again, up to MAX_RETRIES times."""
        self._in_flight.discard(job.key)
        search = self._searches[job.study]
        is_search = job.kind == "search"
        begun = search.state.trials if is_search else search.state.replicates
        if begun[job.number].retries >= MAX_RETRIES:
            error = f"its worker died {MAX_RETRIES + 1} times, last: {reason}"
            self._book.fail(search, job, "worker_died", begun[job.number].epoch + 1, error)
        elif is_search:
            self._book.record("trial_retried", study=job.study, trial=job.number, reason=reason)
        else:
            self._book.record(
                "replicate_retried", study=job.study, replicate=job.number, reason=reason
            )
        self._book.settle(search)

    def _on_report(self, search: StudySearch, job: Job, report: Report) -> bool:
        is_search = job.kind == "search"
        owner: Trial | Replicate = (
            search.state.trials[job.number] if is_search else search.state.replicates[job.number]
        )
        if report.epoch not in owner.reports:
            kind = "trial" if is_search else "replicate"
            self._book.record(
                f"{kind}_reported",
                **{"study": job.study, kind: job.number},
                epoch=report.epoch,
                charged_seconds=round(report.charged_seconds, 6),
                free_seconds=round(report.free_seconds, 6),
                score=report.score,
                metrics=report.metrics,
                notes=list(report.notes),
                last=report.last,
            )
        if isinstance(owner, Replicate):
            return True
        if report.score is None:
            error = f"epoch {report.epoch} was reported without a validation score"
            self._book.fail(search, job, "no_score", report.epoch, error)
            return False
        if search.state.state == "failed":
            self._book.finish_trial(search, owner, "stopped", "its study has ended")
            return False
        return self._advance(search, owner)

    def _advance(self, search: StudySearch, trial: Trial) -> bool:
        """Decide for a trial that has reported an epoch; returns whether it goes on."""
        epoch = trial.epoch
        if trial.reports[epoch]["last"]:
            self._book.finish_trial(search, trial, "completed", _end_of(search, trial))
            return False
        if (ruling := search.ruling(trial)) is not None:
            self._book.rule(search, ruling)
        if trial.resting_at is not None:
            return False
        if (rung := _stopped_at(trial)) is not None:
            reason = search.scheduler.reason(trial.number, rung)
            self._book.finish_trial(search, trial, "stopped", reason)
            return False
        if epoch >= search.granted(trial) and search.grant(trial) <= epoch:
            self._book.finish_trial(search, trial, "stopped", "the study's effort is spent")
            return False
        return True

    def _on_failure(self, search: StudySearch, job: Job, failure: Failure) -> None:
        if failure.reason == "storage":
            self.paused = failure.error  # no configuration is to blame: nothing is recorded
            return
        self._book.fail(search, job, failure.reason, failure.epoch, failure.error)

    # --- the whole ---

    def outcome(self) -> str:
        """`completed`, or `failed` where any study or replicate failed."""
        states: list[StudyState] = [search.state for search in self._searches.values()]
        failed = any(
            study.state == "failed"
            or any(replicate.state == "failed" for replicate in study.replicates.values())
            for study in states
        )
        return "failed" if failed else "completed"

    @property
    def searches(self) -> Mapping[str, StudySearch]:
        """All studies by id, for the live view."""
        return self._searches

    def in_flight(self, study: str) -> int:
        """How many jobs of a study are with workers now."""
        return sum(key[1] == study for key in self._in_flight)


def _open(search: StudySearch) -> bool:
    """Whether a search has a trial to go on with or to start."""
    return search.may_start() or search.promotion() is not None


def _stall(search: StudySearch) -> dict[str, Any]:
    """A job's fields on how long a training of this study may be silent: many times its longest
    epoch so far. Before any is known, each update has its time."""
    if longest := search.longest_epoch_s:
        return {"stall_seconds": max(STALL_FLOOR_S, STALL_FACTOR * longest)}
    return {"stall_seconds": STALL_FIRST_S, "stall_of": "update"}


def _search_job(search: StudySearch, trial: Trial) -> Job:
    return Job(
        kind="search",
        study=search.study.id,
        number=trial.number,
        config=trial.config,
        seed=trial.seed,
        known_epoch=trial.epoch,
        save_epochs=search.save_epochs(trial),
        **_stall(search),
    )


def _end_of(search: StudySearch, trial: Trial) -> str:
    """Why a training that says that it is over is over."""
    plan = search.study.search
    if plan.max_seconds is not None and trial.charged_seconds >= plan.max_seconds - 1e-3:
        return "max_seconds"
    return "max_epochs" if trial.epoch >= plan.max_epochs else "patience"


def _stopped_at(trial: Trial) -> float | None:
    """The rung where a trial was ruled to stop."""
    return next((rung for rung, (_, said) in trial.rungs.items() if said == "stopped"), None)
