"""One study's search: sampler, scheduler and effort, as functions of the ledger's trials.

`apply` takes in each event after it was written, and each event that is read back; nothing else
changes what is in here, but for the epochs that running trials have been granted.

A search has two stages: first trials that the sampler suggests, then, where the suite asks for it,
the best of them again under fresh seeds. A part of the effort is kept for the second.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean

from bench.ledger import Event, StudyState, Trial
from bench.seeds import derive
from bench.spec import Config, Space, Study
from bench.tune.sampler import Sampler, Suggestion
from bench.tune.schedulers import Ruling, scheduler

ERRORS_IN_A_ROW = 3
"""The same model error so often in a row ends a study."""
REPEATS_IN_A_ROW = 50
"""So many suggestions in a row that were all tried before end a search: there is nothing new."""


@dataclass(frozen=True, kw_only=True)
class Start:
    """A trial that may begin."""

    suggestion: Suggestion
    seed: int
    of: int | None = None
    """The trial whose configuration it repeats or confirms."""


class StudySearch:
    """What a study may do next, and what becomes of its trials."""

    def __init__(self, study: Study, space: Space, state: StudyState) -> None:
        self.study = study
        self.state = state
        self.scheduler = scheduler(study.search, state)
        self._sampler = Sampler(study, space)
        self._granted: dict[int, int] = {}
        """By running trial, the epoch up to which it may go."""
        self._settled = 0
        """Epochs of the trials that have ended."""
        self._charged = 0.0
        """Charged seconds of all trials."""
        self._reported: dict[int, int] = {}
        """By trial, the last epoch that is in them."""
        self.longest_epoch_s = 0.0
        """Charged and free seconds of the longest epoch of a trial or replicate so far."""
        self._errors: list[str | None] = []
        self._tried = 0
        self._confirms: list[int] = []
        self._resting: dict[int, Trial] = {}
        self._repeats = 0
        self._configs: dict[tuple[tuple[str, object], ...], int] = {}

    # --- the fold ---

    def apply(self, event: Event) -> None:
        """Take one event of this study in; the state has taken it in already."""
        match event["event"]:
            case "trial_started":
                self._started(self.state.trials[event["trial"]])
            case "trial_reported":
                number, epoch = event["trial"], event["epoch"]
                if epoch > self._reported.get(number, 0):  # else told twice
                    self._reported[number] = epoch
                    self._charged += event["charged_seconds"]
                if number in self._granted:  # of a fold, nothing was granted before
                    self._granted[number] = max(self._granted[number], epoch)
                self._took(event)
            case "replicate_reported":
                self._took(event)
            case "trial_rung":
                trial = self.state.trials[event["trial"]]
                ruling = Ruling(
                    trial=trial.number,
                    rung=event["rung"],
                    score=event["score"],
                    decision=event["decision"],
                )
                self.scheduler.apply(ruling)
                if ruling.decision == "paused":
                    self._granted[trial.number] = trial.epoch
                    self._resting[trial.number] = trial
                    self._sampler.rest(trial, rung=ruling.rung)
                elif self._resting.pop(trial.number, None) is not None:
                    self._sampler.wake(trial)
            case "trial_finished":
                self._finished(self.state.trials[event["trial"]])

    def _took(self, event: Event) -> None:
        seconds = event["charged_seconds"] + event["free_seconds"]
        self.longest_epoch_s = max(self.longest_epoch_s, seconds)

    def _started(self, trial: Trial) -> None:
        self._granted.setdefault(trial.number, 0)
        self._tried += trial.origin != "repeat"
        if trial.origin == "confirm":
            self._confirms.append(trial.number)
            return
        self._sampler.restore(trial)
        self._repeats = self._repeats + 1 if trial.origin == "repeat" else 0
        self._configs.setdefault(_key(trial.config), trial.number)

    def _finished(self, trial: Trial) -> None:
        self._granted.pop(trial.number, None)
        self._resting.pop(trial.number, None)
        self._settled += trial.effort
        if trial.origin == "confirm":
            return
        if trial.origin == "repeat":
            assert trial.of is not None
            self._sampler.tell(trial, like=self.state.trials[trial.of])
            return
        self._sampler.tell(trial)
        broken = trial.reason in ("model_error", "data_error")
        self._errors.append(trial.error if broken else None)

    def running(self) -> list[int]:
        """Trials begun, not finished and not at rest, by number."""
        return [number for number in sorted(self._granted) if number not in self._resting]

    def resting(self) -> list[Trial]:
        """Trials that rest at a rung, by number."""
        return [self._resting[number] for number in sorted(self._resting)]

    # --- effort ---

    @property
    def effort(self) -> float:
        """Epochs spent so far by finished trials and granted to running ones; or the charged
        seconds that are reported, where the effort is in those."""
        if self.study.search.in_effort_seconds:
            return self._charged
        return self._settled + sum(self._granted.values())

    @property
    def left(self) -> float:
        """What no trial has spent and none has been granted, in the unit of the effort; without
        what is kept for confirmation, until the search has come to that."""
        kept = 0 if self.confirming else self.study.search.reserved
        return max(0, self.study.search.effort - kept - self.effort)

    def grant(self, trial: Trial) -> int:
        """Let a trial go on to its next milestone, as far as effort goes.

        Returns the epoch where it must stop or ask again. An effort in charged seconds is only
        known as it is spent: it is looked at with each report.
        """
        epoch, last = trial.epoch, self.study.search.max_epochs
        self._granted[trial.number] = epoch
        if self.study.search.in_effort_seconds:
            self._granted[trial.number] = last if self.left > 0 else epoch
            return self._granted[trial.number]
        confirms = trial.origin == "confirm" or self.study.search.in_seconds
        milestone = math.inf if confirms else self.scheduler.milestone(trial)
        wanted = int(min(milestone, last)) - epoch
        self._granted[trial.number] += min(wanted, int(self.left))
        return self._granted[trial.number]

    def granted(self, trial: Trial) -> int:
        """The epoch up to which a running trial may go."""
        if self.study.search.in_effort_seconds and self.left <= 0:
            return trial.epoch
        return self._granted.get(trial.number, 0)

    def share_spent(self) -> float:
        """Of the whole effort, what is spent or granted."""
        return self.effort / self.study.search.effort

    # --- decisions ---

    @property
    def confirming(self) -> bool:
        """Whether the best trials are being trained again."""
        return bool(self._confirmations())

    def _confirmations(self) -> list[Trial]:
        """The trials that were trained again; a search that was reopened confirms its best anew."""
        since = self.state.since
        return [self.state.trials[number] for number in self._confirms if number >= since]

    def may_start(self) -> bool:
        """Whether the search may start another trial now."""
        if self.state.state != "running" or self.broken_by() is not None:
            return False
        if self.confirming or self._searched():
            return self._to_confirm() is not None
        return self.left > 0 and self._may_suggest()

    def _may_suggest(self) -> bool:
        cap = self.study.search.max_trials
        return (
            (cap is None or self._tried < cap)
            and self._repeats < REPEATS_IN_A_ROW
            and not self._sampler.exhausted(len(self.state.trials))
        )

    def _searched(self) -> bool:
        """Whether the first stage is over, so that the best trials are to be confirmed."""
        if not self.study.search.confirm or self._granted:
            return False
        effort = self.study.search.effort - self.study.search.reserved
        return self.effort >= effort or not self._may_suggest()

    def exhausted(self) -> bool:
        """Whether no trial runs, and none may start or go on: the search is over."""
        return not self.running() and self.promotion() is None and not self.may_start()

    def promotion(self) -> Ruling | None:
        """The resting trial that is to go on now; None where none is, or no effort is left."""
        if self.left <= 0 or self.state.state != "running":
            return None
        return self.scheduler.ready(self._resting.values()) if self._resting else None

    def broken_by(self) -> str | None:
        """The error that ends the study, where the last trials all failed with it."""
        last = self._errors[-ERRORS_IN_A_ROW:]
        if len(last) == ERRORS_IN_A_ROW and last[0] is not None and len(set(last)) == 1:
            return last[0]
        return None

    def start(self) -> Start:
        """The next trial: one to confirm where it has come to that, else what is suggested."""
        number = len(self.state.trials)
        if (candidate := self._to_confirm()) is not None:
            confirmed, seed = candidate
            suggestion = Suggestion(
                number=number, config=confirmed.config, origin="confirm", attributes={}
            )
            return Start(suggestion=suggestion, seed=seed, of=confirmed.number)
        suggestion = self._sampler.ask(number)
        of = self._configs.get(_key(suggestion.config))
        seed = derive(self.study.seed, "trial", number)
        return Start(suggestion=suggestion, seed=seed, of=of)

    def ruling(self, trial: Trial) -> Ruling | None:
        """What becomes of a trial that has just reported; None where it simply goes on."""
        return None if trial.origin == "confirm" else self.scheduler.at(trial)

    def save_epochs(self, trial: Trial) -> tuple[int, ...] | None:
        """Epochs at which a checkpoint must stand, as the trial may rest there; None: each."""
        if not self.scheduler.rests or trial.origin == "confirm":
            return ()
        if self.study.search.in_seconds:
            return None
        return tuple(int(rung) for rung in self.scheduler.rungs(trial.number))

    # --- confirmation and winner ---

    def _candidates(self) -> list[Trial]:
        """The best trials, best first: those that are confirmed."""
        ranked = sorted(
            (-best[0], number)
            for number, trial in self.state.trials.items()
            if trial.origin not in ("confirm", "repeat")
            and trial.state != "failed"
            and (best := trial.best()) is not None
        )
        return [self.state.trials[number] for _, number in ranked[: self.study.search.confirm]]

    def _to_confirm(self) -> tuple[Trial, int] | None:
        """The next trial to train again, and its fresh seed."""
        if not (self.confirming or self._searched()):
            return None
        begun = [trial.of for trial in self._confirmations()]
        for turn in range(self.study.search.confirm_seeds):
            for candidate in self._candidates():
                if begun.count(candidate.number) <= turn:
                    return candidate, self._fresh_seed(candidate)
        return None

    def _fresh_seed(self, candidate: Trial) -> int:
        """A seed under which a candidate was not confirmed yet, before the search was reopened
        neither."""
        turn = sum(
            trial.of == candidate.number
            for trial in self.state.trials.values()
            if trial.origin == "confirm"
        )
        return derive(self.study.seed, "confirm", candidate.number, turn)

    def winner(self) -> tuple[Trial | None, str]:
        """The trial whose configuration is replicated, and why."""
        best = self.state.best()
        trials = sum(trial.origin != "confirm" for trial in self.state.trials.values())
        if best is None:
            return None, f"none of {trials} trials has a validation score"
        if (confirmed := self._confirmed()) is not None:
            mean, trial, seeds = confirmed
            return trial, (
                f"best mean of {seeds} fresh seed{'s' * (seeds != 1)} among the "
                f"{len(self._candidates())} best of {trials} trials: {mean:.4f}"
            )
        score = best.best()
        assert score is not None
        return best, (
            f"best validation score of {trials} trial{'s' * (trials != 1)}: {score[0]:.4f} at "
            f"epoch {score[1]}"
        )

    def _confirmed(self) -> tuple[float, Trial, int] | None:
        """The best mean over fresh seeds, its trial, and how many seeds; failed ones count as none:
        of candidates, those with the most seeds are compared."""
        scores: dict[int, list[float]] = {}
        for trial in self._confirmations():
            best = trial.best()
            if trial.of is not None and trial.state != "failed":
                scores.setdefault(trial.of, []).extend([best[0]] if best else [])
        most = max((len(found) for found in scores.values()), default=0)
        ranked = [
            (fmean(found), -number)
            for number, found in scores.items()
            if found and len(found) == most
        ]
        if not ranked:
            return None
        mean, number = max(ranked)
        return mean, self.state.trials[-number], most


def _key(config: Config) -> tuple[tuple[str, object], ...]:
    """What makes two configurations one; 1, 1.0 and True are not one value."""
    return tuple(sorted((name, (type(value).__name__, value)) for name, value in config.items()))
