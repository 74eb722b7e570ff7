"""One study's search: sampler, rungs and effort, as functions of the ledger's trials.

`apply` takes in each event after it was written, and each event that is read back; nothing else
changes what is in here, but for the epochs that running trials have been granted.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench.ledger import Event, StudyState, Trial
from bench.spec import Space, Study
from bench.tune import asha
from bench.tune.sampler import Sampler, Suggestion

ERRORS_IN_A_ROW = 3
"""The same model error so often in a row ends a study."""


@dataclass(frozen=True, kw_only=True)
class Rung:
    """A decision at a rung."""

    rung: int
    score: float
    goes_on: bool


class StudySearch:
    """What a study may do next, and what becomes of its trials."""

    def __init__(self, study: Study, space: Space, state: StudyState) -> None:
        self.study = study
        self.state = state
        self._sampler = Sampler(study, space)
        self._rungs = study.search.rungs()
        self._rung_scores: dict[int, list[float]] = {rung: [] for rung in self._rungs}
        self._granted: dict[int, int] = {}
        self._settled = 0
        self._errors: list[str | None] = []

    # --- the fold ---

    def apply(self, event: Event) -> None:
        """Take one event of this study in; the state has taken it in already."""
        match event["event"]:
            case "trial_started":
                self._sampler.restore(self.state.trials[event["trial"]])
                self._granted.setdefault(event["trial"], 0)
            case "trial_rung":
                self._rung_scores[event["rung"]].append(event["score"])
            case "trial_finished":
                trial = self.state.trials[event["trial"]]
                self._sampler.tell(trial)
                self._granted.pop(trial.number, None)
                self._settled += trial.effort
                broken = trial.reason in ("model_error", "data_error")
                self._errors.append(trial.error if broken else None)

    def running(self) -> list[int]:
        """Trials begun and not finished, by number."""
        return sorted(self._granted)

    # --- effort ---

    @property
    def effort(self) -> int:
        """Epochs spent so far by finished trials, and granted to running ones."""
        return self._settled + sum(self._granted.values())

    @property
    def left(self) -> int:
        """Epochs that no trial has spent and none has been granted."""
        return max(0, self.study.search.effort_epochs - self.effort)

    def grant(self, trial: int, epoch: int) -> int:
        """Let a trial that stands at `epoch` go on to its next milestone, as far as effort goes.

        Returns the epoch where it must stop or ask again.
        """
        self._granted[trial] = epoch
        milestone = next((r for r in self._rungs if r > epoch), self.study.search.max_epochs)
        self._granted[trial] += min(milestone - epoch, self.left)
        return self._granted[trial]

    def granted(self, trial: int) -> int:
        """The epoch up to which a running trial may go."""
        return self._granted.get(trial, 0)

    # --- decisions ---

    def may_start(self) -> bool:
        """Whether the search may start another trial now."""
        cap = self.study.search.max_trials
        return (
            self.state.state == "running"
            and self.left > 0
            and (cap is None or len(self.state.trials) < cap)
            and self.broken_by() is None
        )

    def exhausted(self) -> bool:
        """Whether no trial runs and none may start: the search is over."""
        return not self._granted and not self.may_start()

    def broken_by(self) -> str | None:
        """The error that ends the study, where the last trials all failed with it."""
        last = self._errors[-ERRORS_IN_A_ROW:]
        if len(last) == ERRORS_IN_A_ROW and last[0] is not None and len(set(last)) == 1:
            return last[0]
        return None

    def suggest(self) -> Suggestion:
        """What the next trial is to run."""
        return self._sampler.ask(len(self.state.trials))

    def at_rung(self, trial: Trial) -> Rung | None:
        """The decision for a trial that has just reached a rung; None where it is at none."""
        epoch = trial.epoch
        if epoch not in self._rung_scores or epoch in trial.rungs:
            return None
        best = trial.best(upto=epoch)
        assert best is not None, f"trial {trial.number} reached a rung without a score"
        stays = asha.goes_on(
            best[0],
            self._rung_scores[epoch],
            reduction_factor=self.study.search.reduction_factor,
        )
        return Rung(rung=epoch, score=best[0], goes_on=stays)

    def winner(self) -> tuple[Trial | None, str]:
        """The trial whose configuration is replicated, and why."""
        best = self.state.best()
        trials = len(self.state.trials)
        if best is None:
            return None, f"none of {trials} trials has a validation score"
        score = best.best()
        assert score is not None
        return best, (
            f"best validation score of {trials} trials: {score[0]:.4f} at epoch {score[1]}"
        )
