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
from bench.tune.jobs import Content, Failure, Idle, Job, JobKind, Tested, Trained
from bench.tune.schedulers import Ruling
from bench.tune.search import StudySearch

MAX_RETRIES = 3
"""How often a trial or replicate is begun again after its worker died."""

SavePredictions = Callable[[str, Mapping[str, Any]], dict[str, str]]
"""`save(name, arrays)` writes a predictions' file; returns its `file` and `sha256`."""


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
        self._test_fingerprints = test_fingerprints
        self._save_predictions = save_predictions
        self._discard_checkpoint = discard_checkpoint
        self._on_event = on_event
        self.expired = expired
        self.paused: str | None = None
        """Why nothing more is begun, though there is more to do: to be resumed later."""
        self._in_flight: set[tuple[str, str, int]] = set()
        self._searches = {
            study.id: StudySearch(study, spaces[study.id], ledger.state.studies[study.id])
            for study in studies
        }
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
                    self._repeat(search, trial)
                    continue
                search.grant(trial)
                if trial.epoch:
                    self._advance(search, trial)
            self._settle(search)

    # --- jobs ---

    def next_job(self) -> Job | None:
        """The next job, recorded as begun; None where there is none now.

        First what was begun and is not in flight, test openings among it, then new replicates;
        then, of the study that has used the least of its effort, a trial that goes on from its
        rung, or a new one.
        """
        if self._pausing():
            return None
        job = next(self._begun(), None) or self._new_replicate() or self._search_on()
        job = job or self._new_replicate()  # a search may have ended with nothing but repeats
        if job is None:
            return None
        if job.kind == "test":
            self._unseal(job)
        self._in_flight.add(job.key)
        return job

    def has_job(self) -> bool:
        """Whether `next_job` would hand one out now."""
        if self._pausing():
            return False
        return (
            next(self._begun(), None) is not None
            or any(self._next_replicate(s) is not None for s in self._searches.values())
            or any(map(_open, self._searches.values()))
        )

    def _pausing(self) -> bool:
        """Whether nothing more is begun: the time is up, or nothing can be stored."""
        if self.paused is None and self.expired():
            self.paused = "the time that it was given is up"
        return self.paused is not None

    def finished(self) -> bool:
        """Whether nothing is in flight and nothing is left to do, or it pauses."""
        return not self._in_flight and not self.has_job()

    def _begun(self) -> Iterator[Job]:
        for search in self._searches.values():
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
        )

    def _next_replicate(self, search: StudySearch) -> int | None:
        state = search.state
        due = state.state == "completed" and len(state.replicates) < search.study.replicates.seeds
        # Those of earlier winners keep their numbers, and with them their streams and files.
        return len(state.replicates) + len(state.superseded) if due else None

    def _new_replicate(self) -> Job | None:
        for search in self._searches.values():
            number = self._next_replicate(search)
            if number is None:
                continue
            study = search.study
            assert search.state.winner is not None
            winner = search.state.trials[search.state.winner]
            best = winner.best()
            assert best is not None
            self._record(
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

    def _search_on(self) -> Job | None:
        """A trial that goes on from its rung, or a new one, of the study furthest behind."""
        while searches := [search for search in self._searches.values() if _open(search)]:
            search = min(searches, key=StudySearch.share_spent)
            if (ruling := search.promotion()) is not None:
                trial = search.state.trials[ruling.trial]
                self._rule(search, ruling)
                search.grant(trial)
                return _search_job(search, trial)
            trial = self._start(search)
            if trial.origin != "repeat":
                search.grant(trial)
                return _search_job(search, trial)
            self._repeat(search, trial)
            self._settle(search)
        return None

    def _start(self, search: StudySearch) -> Trial:
        """Record the next trial of a search as begun."""
        start = search.start()
        suggestion, origin = start.suggestion, start.suggestion.origin
        repeats = start.of is not None and origin != "confirm"
        self._record(
            "trial_started",
            study=search.study.id,
            trial=suggestion.number,
            config=suggestion.config,
            seed=start.seed,
            origin="repeat" if repeats else origin,
            sampler=suggestion.attributes,
            **({} if start.of is None else {"of": start.of}),
        )
        return search.state.trials[suggestion.number]

    def _repeat(self, search: StudySearch, trial: Trial) -> None:
        """A configuration that was tried before is not trained again: its curve is told again."""
        self._finish_trial(search, trial, "repeated", f"the configuration of trial {trial.of}")

    def _unseal(self, job: Job) -> None:
        search = self._searches[job.study]
        if not search.state.replicates[job.number].unsealed:
            self._record(
                "test_unsealed",
                study=job.study,
                replicate=job.number,
                task=search.study.task,
                fingerprint=self._test_fingerprints[search.study.data],
            )

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
                self._record(
                    "replicate_trained",
                    study=job.study,
                    replicate=job.number,
                    epoch=message.epoch,
                    note=message.note,
                )
            elif isinstance(message, Tested):
                self._on_tested(search, job, message)
            else:
                self._on_failure(search, job, message)
        if goes_on and isinstance(message, Report) and self._pausing():
            goes_on = False  # it goes on from its checkpoint when the run is resumed
        if not goes_on:
            self._in_flight.discard(job.key)
            self._settle(search)
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
            self._fail(search, job, "worker_died", begun[job.number].epoch + 1, error)
        elif is_search:
            self._record("trial_retried", study=job.study, trial=job.number, reason=reason)
        else:
            self._record("replicate_retried", study=job.study, replicate=job.number, reason=reason)
        self._settle(search)

    def _on_report(self, search: StudySearch, job: Job, report: Report) -> bool:
        is_search = job.kind == "search"
        owner: Trial | Replicate = (
            search.state.trials[job.number] if is_search else search.state.replicates[job.number]
        )
        if report.epoch not in owner.reports:
            kind = "trial" if is_search else "replicate"
            self._record(
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
            self._fail(search, job, "no_score", report.epoch, error)
            return False
        if search.state.state == "failed":
            self._finish_trial(search, owner, "stopped", "its study has ended")
            return False
        return self._advance(search, owner)

    def _advance(self, search: StudySearch, trial: Trial) -> bool:
        """Decide for a trial that has reported an epoch; returns whether it goes on."""
        epoch = trial.epoch
        if trial.reports[epoch]["last"]:
            whole = epoch >= search.study.search.max_epochs
            self._finish_trial(search, trial, "completed", "max_epochs" if whole else "patience")
            return False
        if (ruling := search.ruling(trial)) is not None:
            self._rule(search, ruling)
        if trial.resting_at is not None:
            return False
        if (rung := _stopped_at(trial)) is not None:
            reason = search.scheduler.reason(trial.number, rung)
            self._finish_trial(search, trial, "stopped", reason)
            return False
        if epoch >= search.granted(trial) and search.grant(trial) <= epoch:
            self._finish_trial(search, trial, "stopped", "the study's effort is spent")
            return False
        return True

    def _rule(self, search: StudySearch, ruling: Ruling) -> None:
        self._record(
            "trial_rung",
            study=search.study.id,
            trial=ruling.trial,
            rung=ruling.rung,
            score=ruling.score,
            decision=ruling.decision,
        )

    def _on_tested(self, search: StudySearch, job: Job, tested: Tested) -> None:
        replicate = search.state.replicates[job.number]
        predictions = self._save_predictions(_predictions_name(job), tested.arrays)
        if replicate.untested:
            self._test_replicate(
                search,
                replicate,
                state="completed",
                error=None,
                test_metrics=tested.test_metrics,
                validation_metrics=tested.validation_metrics,
                predictions=predictions,
                notes=list(tested.notes),
            )
            return
        cost = dict(tested.cost)
        cases = cost.pop("training_cases", None)
        charged = replicate.charged_seconds
        cost |= {"charged_seconds": charged, "free_seconds": replicate.free_seconds}
        if cases and charged > 0:
            cost["examples_per_second"] = cases * replicate.epoch / charged
        self._finish_replicate(
            search,
            replicate,
            state="completed",
            error=None,
            test_metrics=tested.test_metrics,
            validation_metrics=tested.validation_metrics,
            cost=cost,
            notes=list(tested.notes),
            predictions=predictions,
        )

    def _on_failure(self, search: StudySearch, job: Job, failure: Failure) -> None:
        if failure.reason == "storage":
            self.paused = failure.error  # no configuration is to blame: nothing is recorded
            return
        self._fail(search, job, failure.reason, failure.epoch, failure.error)

    def _fail(self, search: StudySearch, job: Job, reason: str, epoch: int, error: str) -> None:
        if job.kind == "search":
            trial = search.state.trials[job.number]
            self._finish_trial(search, trial, "failed", reason, epochs=epoch, error=error)
        else:
            replicate = search.state.replicates[job.number]
            nothing: dict[str, Any] = {
                "state": "failed",
                "error": f"{reason}: {error}",
                "test_metrics": {},
                "validation_metrics": {},
                "predictions": None,
            }
            if replicate.untested:
                self._test_replicate(search, replicate, **nothing, notes=[])
            else:
                cost = {"charged_seconds": replicate.charged_seconds}
                self._finish_replicate(search, replicate, **nothing, cost=cost)

    # --- ends ---

    def _finish_trial(
        self,
        search: StudySearch,
        trial: Trial,
        state: str,
        reason: str,
        *,
        epochs: int = 0,
        error: str | None = None,
    ) -> None:
        self._record(
            "trial_finished",
            study=search.study.id,
            trial=trial.number,
            state=state,
            reason=reason,
            epochs=max(trial.epoch, epochs),
            error=error,
        )
        self._discard_checkpoint(f"{search.study.id}/trial-{trial.number}")

    def _finish_replicate(self, search: StudySearch, replicate: Replicate, **outcome: Any) -> None:
        self._record(
            "replicate_finished",
            study=search.study.id,
            replicate=replicate.number,
            entrant=replicate.entrant,
            task=replicate.task,
            seed=replicate.seed,
            **outcome,
        )

    def _test_replicate(self, search: StudySearch, replicate: Replicate, **outcome: Any) -> None:
        self._record(
            "replicate_tested", study=search.study.id, replicate=replicate.number, **outcome
        )

    def _settle(self, search: StudySearch) -> None:
        """End a study's search where it is over."""
        if search.state.state != "running":
            return
        if (error := search.broken_by()) is not None:
            self._dismiss(search)
            self._finish_study(search, "failed", None, f"the same error in a row: {error}")
            return
        if search.exhausted():
            self._dismiss(search)
        if search.exhausted():  # what was at rest may have kept the best from being confirmed
            winner, why = search.winner()
            state = "failed" if winner is None else "completed"
            self._finish_study(search, state, winner.number if winner else None, why)

    def _dismiss(self, search: StudySearch) -> None:
        """End the trials that rest: nothing will promote them any more."""
        for trial in search.resting():
            assert trial.resting_at is not None
            place = search.scheduler.place(trial.resting_at)
            self._finish_trial(search, trial, "stopped", f"not promoted from the rung of {place}")

    def _finish_study(self, search: StudySearch, state: str, winner: int | None, why: str) -> None:
        self._record("study_finished", study=search.study.id, state=state, winner=winner, why=why)

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

    def _record(self, event: str, **fields: Any) -> None:
        record = self.ledger.append(event, **fields)
        if "study" in record:
            self._searches[record["study"]].apply(record)
        self._on_event(record)


def _open(search: StudySearch) -> bool:
    """Whether a search has a trial to go on with or to start."""
    return search.may_start() or search.promotion() is not None


def _search_job(search: StudySearch, trial: Trial) -> Job:
    return Job(
        kind="search",
        study=search.study.id,
        number=trial.number,
        config=trial.config,
        seed=trial.seed,
        known_epoch=trial.epoch,
        save_epochs=search.save_epochs(trial),
    )


def _stopped_at(trial: Trial) -> float | None:
    """The rung where a trial was ruled to stop."""
    return next((rung for rung, (_, said) in trial.rungs.items() if said == "stopped"), None)


def _predictions_name(job: Job) -> str:
    """Unsealing leaves the file of the sealed run as it was recorded."""
    return f"{job.study}-{job.number}{'-validation' if job.kind == 'validate' else ''}"
