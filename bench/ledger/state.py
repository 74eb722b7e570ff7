"""A run's state: a fold over its events, the same for live ones and for those read back."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from bench.ledger.events import Event


@dataclass
class Training:
    """What trials and replicates share: epochs reported so far."""

    seed: int
    config: dict[str, Any]
    reports: dict[int, Event] = field(default_factory=dict)
    """By epoch; a second report of one epoch is ignored."""
    retries: int = 0
    started: str = ""
    finished: str | None = None
    """UTC times."""

    @property
    def epoch(self) -> int:
        """The last epoch reported; 0 before the first."""
        return max(self.reports, default=0)

    @property
    def charged_seconds(self) -> float:
        return float(sum(report["charged_seconds"] for report in self.reports.values()))

    @property
    def free_seconds(self) -> float:
        return float(sum(report["free_seconds"] for report in self.reports.values()))

    def best(self, upto: int | None = None) -> tuple[float, int] | None:
        """The best score and its epoch, the earliest of equals; None without any."""
        best, at = -math.inf, 0
        for epoch, report in self.reports.items():
            score = report["score"]
            if score is None or score < best or (upto is not None and epoch > upto):
                continue
            if score > best or not at or epoch < at:
                best, at = score, epoch
        return (best, at) if at else None


@dataclass
class Trial(Training):
    """A search trial."""

    number: int = 0
    origin: str = "sampler"
    sampler: dict[str, Any] = field(default_factory=dict)
    """The sampler's system attributes, to fill a fresh Optuna study with."""
    state: Literal["running", "completed", "stopped", "failed", "repeated"] = "running"
    reason: str = ""
    error: str | None = None
    rungs: dict[float, tuple[float, str]] = field(default_factory=dict)
    """By rung: the score there and the decision."""
    of: int | None = None
    """The trial whose configuration it repeats or confirms."""
    spent: int = 0
    """Epochs charged at its end, one that was begun and not reported included."""

    @property
    def effort(self) -> int:
        """Epochs that it is charged with."""
        return max(self.epoch, self.spent)

    @property
    def resting_at(self) -> float | None:
        """The rung where it rests; None of a trial that does not."""
        if self.state != "running":
            return None
        return next((rung for rung, (_, said) in self.rungs.items() if said == "paused"), None)


@dataclass
class Replicate(Training):
    """A winner retrained under a fresh seed."""

    number: int = 0
    entrant: str = ""
    task: str = ""
    stop_epoch: int | None = None
    state: Literal["running", "trained", "completed", "failed"] = "running"
    error: str | None = None
    selected_epoch: int | None = None
    """The epoch whose weights are scored."""
    unsealed: bool = False
    """Whether it opened the test split."""
    untested: bool = False
    """Whether it completed while its run was sealed, and was not tested since."""
    test_metrics: dict[str, float] = field(default_factory=dict)
    validation_metrics: dict[str, float] = field(default_factory=dict)
    cost: dict[str, float] = field(default_factory=dict)
    predictions: dict[str, str] | None = None
    notes: list[str] = field(default_factory=list)
    """What of its evaluation was left out, and why."""


@dataclass
class StudyState:
    """One study as the ledger tells it."""

    id: str
    trials: dict[int, Trial] = field(default_factory=dict)
    replicates: dict[int, Replicate] = field(default_factory=dict)
    """Those of the winner that it has now; none while it has none."""
    superseded: dict[int, Replicate] = field(default_factory=dict)
    """Those of earlier winners: no result. Their numbers are not given again."""
    state: Literal["running", "completed", "failed"] = "running"
    winner: int | None = None
    why: str = ""
    since: int = 0
    """The first trial that could begin after the search was last reopened."""

    def reopen(self) -> None:
        """Let the search go on: until it has a winner again, no replicate is of the winner."""
        self.state, self.winner, self.why = "running", None, ""
        self.since = len(self.trials)
        self.superseded |= self.replicates
        self.replicates = {}

    def finish(self, state: Literal["completed", "failed"], winner: int | None, why: str) -> None:
        """End the search; replicates of this winner's configuration count again."""
        self.state, self.winner, self.why = state, winner, why
        if winner is None or not self.superseded:
            return
        config = self.trials[winner].config
        kept = {n: one for n, one in self.superseded.items() if one.config == config}
        self.replicates |= kept
        self.superseded = {n: one for n, one in self.superseded.items() if n not in kept}

    @property
    def effort(self) -> int:
        """Epochs spent by all trials, stopped and failed ones included."""
        return sum(trial.effort for trial in self.trials.values())

    @property
    def charged_seconds(self) -> float:
        """Charged seconds of all trials, stopped and failed ones included."""
        return float(sum(trial.charged_seconds for trial in self.trials.values()))

    def best(self) -> Trial | None:
        """The trial with the best score so far, the earliest of equals."""
        ranked = [
            (best[0], -number, trial)
            for number, trial in self.trials.items()
            if (best := trial.best()) is not None
            and trial.state != "failed"
            and trial.origin != "confirm"
        ]
        return max(ranked, key=lambda entry: entry[:2])[2] if ranked else None


@dataclass
class RunState:
    """A run as its ledger tells it."""

    studies: dict[str, StudyState] = field(default_factory=dict)
    started: Event | None = None
    finished: Event | None = None
    paused: Event | None = None
    """Why nobody works at it, and nothing is wrong; None of a run that goes on or has ended."""
    resumes: int = 0
    extensions: list[Event] = field(default_factory=list)
    """What it was given to do besides, in order."""
    sealed: bool = False
    """Whether the test split is to stay closed."""
    unsealing: Event | None = None
    """What ended that; None of a run that is sealed still, or never was."""
    unsealed: list[Event] = field(default_factory=list)
    """The openings of test splits."""
    outside: list[Event] = field(default_factory=list)
    """What was scored of predictions made elsewhere, in order."""

    def apply(self, event: Event) -> None:
        """Take one event in. An event that is already known changes nothing."""
        getattr(self, "_" + event["event"])(event)

    def _run_started(self, event: Event) -> None:
        self.started = event
        self.sealed = event.get("sealed", False)
        for study in event["studies"]:
            self.studies.setdefault(study, StudyState(study))

    def _run_resumed(self, event: Event) -> None:
        self.resumes += 1
        self.finished = self.paused = None

    def _run_paused(self, event: Event) -> None:
        self.paused = event

    def _run_extended(self, event: Event) -> None:
        if event["number"] < len(self.extensions):
            return
        self.extensions.append(event)
        self.finished = None
        for study in event["studies"]:
            self.studies.setdefault(study, StudyState(study))
        for study in event["reopened"]:
            self.studies[study].reopen()

    def _trial_started(self, event: Event) -> None:
        self.studies[event["study"]].trials[event["trial"]] = Trial(
            number=event["trial"],
            seed=event["seed"],
            config=event["config"],
            origin=event["origin"],
            sampler=event["sampler"],
            of=event.get("of"),
            started=event["t"],
        )

    def _trial_reported(self, event: Event) -> None:
        trial = self.studies[event["study"]].trials[event["trial"]]
        trial.reports.setdefault(event["epoch"], event)

    def _trial_rung(self, event: Event) -> None:
        rungs = self._trial(event).rungs
        if rungs.get(event["rung"], (0.0, "paused"))[1] == "paused":
            rungs[event["rung"]] = (event["score"], event["decision"])

    def _trial_retried(self, event: Event) -> None:
        self._trial(event).retries += 1

    def _trial_finished(self, event: Event) -> None:
        trial = self._trial(event)
        trial.state, trial.reason = event["state"], event["reason"]
        trial.error, trial.spent, trial.finished = event["error"], event["epochs"], event["t"]

    def _study_finished(self, event: Event) -> None:
        study = self.studies[event["study"]]
        study.finish(event["state"], event["winner"], event["why"])

    def _replicate_started(self, event: Event) -> None:
        self.studies[event["study"]].replicates[event["replicate"]] = Replicate(
            number=event["replicate"],
            seed=event["seed"],
            config=event["config"],
            stop_epoch=event["stop_epoch"],
            entrant=event["entrant"],
            task=event["task"],
            started=event["t"],
        )

    def _replicate_reported(self, event: Event) -> None:
        self._replicate(event).reports.setdefault(event["epoch"], event)

    def _replicate_retried(self, event: Event) -> None:
        self._replicate(event).retries += 1

    def _replicate_trained(self, event: Event) -> None:
        replicate = self._replicate(event)
        replicate.state, replicate.selected_epoch = "trained", event["epoch"]

    def _test_unsealed(self, event: Event) -> None:
        self._replicate(event).unsealed = True
        self.unsealed.append(event)

    def _replicate_finished(self, event: Event) -> None:
        replicate = self._replicate(event)
        replicate.state, replicate.error = event["state"], event["error"]
        replicate.test_metrics = event["test_metrics"]
        replicate.validation_metrics = event["validation_metrics"]
        replicate.cost, replicate.predictions = event["cost"], event["predictions"]
        replicate.notes = event.get("notes", [])
        replicate.finished = event["t"]
        replicate.untested = self.sealed and replicate.state == "completed"

    def _replicate_tested(self, event: Event) -> None:
        replicate = self._replicate(event)
        replicate.state, replicate.error = event["state"], event["error"]
        replicate.untested = False
        if replicate.state == "failed":
            return  # what it has of validation stands
        replicate.test_metrics = event["test_metrics"]
        replicate.validation_metrics = event["validation_metrics"]
        replicate.predictions, replicate.notes = event["predictions"], event["notes"]

    def _run_finished(self, event: Event) -> None:
        self.finished = event

    def _run_unsealed(self, event: Event) -> None:
        self.sealed, self.unsealing, self.finished = False, event, None

    def _outside_scored(self, event: Event) -> None:
        self.outside.append(event)

    def _trial(self, event: Event) -> Trial:
        return self.studies[event["study"]].trials[event["trial"]]

    def _replicate(self, event: Event) -> Replicate:
        return self.studies[event["study"]].replicates[event["replicate"]]


def fold(events: Iterable[Event]) -> RunState:
    """The state that these events add up to."""
    state = RunState()
    for event in events:
        state.apply(event)
    return state
