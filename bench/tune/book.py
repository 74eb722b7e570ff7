"""What the engine has decided, written to the ledger before it takes effect."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bench.ledger import Event, Ledger, Replicate, Trial
from bench.tune.jobs import Job, Tested
from bench.tune.schedulers import Ruling
from bench.tune.search import StudySearch

SavePredictions = Callable[[str, Mapping[str, Any]], dict[str, str]]
"""`save(name, arrays)` writes a predictions' file; returns its `file` and `sha256`."""


class Book:
    """Writes events, and has the searches and whoever looks on take them in."""

    def __init__(
        self,
        ledger: Ledger,
        searches: Mapping[str, StudySearch],
        *,
        test_fingerprints: Mapping[str, str],
        save_predictions: SavePredictions,
        discard_checkpoint: Callable[[str], None],
        on_event: Callable[[Event], None],
    ) -> None:
        """searches: by study. test_fingerprints: by `Study.data`."""
        self._ledger = ledger
        self._searches = searches
        self._test_fingerprints = test_fingerprints
        self._save_predictions = save_predictions
        self._discard_checkpoint = discard_checkpoint
        self._on_event = on_event

    def record(self, event: str, **fields: Any) -> None:
        """Write an event; then its search takes it in, and whoever looks on."""
        record = self._ledger.append(event, **fields)
        if "study" in record:
            self._searches[record["study"]].apply(record)
        self._on_event(record)

    # --- trials ---

    def start_trial(self, search: StudySearch) -> Trial:
        """Record the next trial of a search as begun."""
        start = search.start()
        suggestion, origin = start.suggestion, start.suggestion.origin
        repeats = start.of is not None and origin != "confirm"
        self.record(
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

    def repeat(self, search: StudySearch, trial: Trial) -> None:
        """A configuration that was tried before is not trained again: its curve is told again."""
        self.finish_trial(search, trial, "repeated", f"the configuration of trial {trial.of}")

    def rule(self, search: StudySearch, ruling: Ruling) -> None:
        """What was decided at a rung."""
        self.record(
            "trial_rung",
            study=search.study.id,
            trial=ruling.trial,
            rung=ruling.rung,
            score=ruling.score,
            decision=ruling.decision,
        )

    def finish_trial(
        self,
        search: StudySearch,
        trial: Trial,
        state: str,
        reason: str,
        *,
        epochs: int = 0,
        error: str | None = None,
    ) -> None:
        """The end of a trial, whose checkpoint nobody needs any more. epochs: an epoch that was
        begun counts."""
        self.record(
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
        self.record(
            "replicate_finished",
            study=search.study.id,
            replicate=replicate.number,
            entrant=replicate.entrant,
            task=replicate.task,
            seed=replicate.seed,
            **outcome,
        )

    def _test_replicate(self, search: StudySearch, replicate: Replicate, **outcome: Any) -> None:
        self.record(
            "replicate_tested", study=search.study.id, replicate=replicate.number, **outcome
        )

    def settle(self, search: StudySearch) -> None:
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
            self.finish_trial(search, trial, "stopped", f"not promoted from the rung of {place}")

    def _finish_study(self, search: StudySearch, state: str, winner: int | None, why: str) -> None:
        self.record("study_finished", study=search.study.id, state=state, winner=winner, why=why)

    # --- replicates ---

    def unseal(self, job: Job) -> None:
        """That a replicate is about to open the test split, once for each."""
        search = self._searches[job.study]
        if not search.state.replicates[job.number].unsealed:
            self.record(
                "test_unsealed",
                study=job.study,
                replicate=job.number,
                task=search.study.task,
                fingerprint=self._test_fingerprints[search.study.data],
            )

    def tested(self, search: StudySearch, job: Job, tested: Tested) -> None:
        """A replicate's scores, with its file of predictions."""
        replicate = search.state.replicates[job.number]
        outcome: dict[str, Any] = {
            "state": "completed",
            "error": None,
            "test_metrics": tested.test_metrics,
            "validation_metrics": tested.validation_metrics,
            "predictions": self._save_predictions(_predictions_name(job), tested.arrays),
            "notes": list(tested.notes),
        }
        if replicate.untested:
            self._test_replicate(search, replicate, **outcome)
            return
        cost = dict(tested.cost)
        cases = cost.pop("training_cases", None)
        charged = replicate.charged_seconds
        cost |= {"charged_seconds": charged, "free_seconds": replicate.free_seconds}
        if cases and charged > 0:
            cost["examples_per_second"] = cases * replicate.epoch / charged
        self._finish_replicate(search, replicate, **outcome, cost=cost)

    def fail(self, search: StudySearch, job: Job, reason: str, epoch: int, error: str) -> None:
        """The end of a trial or replicate that failed in this epoch."""
        if job.kind == "search":
            trial = search.state.trials[job.number]
            self.finish_trial(search, trial, "failed", reason, epochs=epoch, error=error)
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


def _predictions_name(job: Job) -> str:
    """Unsealing leaves the file of the sealed run as it was recorded."""
    return f"{job.study}-{job.number}{'-validation' if job.kind == 'validate' else ''}"
