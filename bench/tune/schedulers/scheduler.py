"""What every scheduler is: rulings at rungs, as a function of what a study's ledger records."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from bench.ledger import StudyState, Trial
from bench.spec import Search

Decision = Literal["promoted", "stopped", "paused"]


@dataclass(frozen=True, kw_only=True)
class Ruling:
    """What becomes of a trial at a rung. `paused`: it rests with a checkpoint."""

    trial: int
    rung: float
    """In the unit of the study's rungs: epochs, or charged seconds."""
    score: float
    """The trial's best score up to there; greater is better."""
    decision: Decision


class Scheduler(ABC):
    """Rules on trials that have just reported, and on those that rest.

    Its state is a fold: `apply` takes in each ruling when it has been recorded, live or read back,
    and the study's state holds the reports. Nothing else is remembered.
    """

    rests = False
    """Whether trials may rest at a rung, so that a checkpoint must stand there."""

    def __init__(self, search: Search, state: StudyState) -> None:
        self.search = search
        self.state = state

    def apply(self, ruling: Ruling) -> None:  # noqa: B027 - those without a memory need none
        """Take a recorded ruling in."""

    def rungs(self, trial: int) -> Iterator[float]:
        """A trial's rungs, lowest first."""
        return self.search.rungs()

    def resource(self, trial: Trial) -> float:
        """What a trial has used, in the unit of the rungs."""
        return trial.charged_seconds if self.search.in_seconds else float(trial.epoch)

    def milestone(self, trial: Trial) -> float:
        """The first rung above what a trial has used; infinity above the last."""
        used = self.resource(trial)
        return next((rung for rung in self.rungs(trial.number) if rung > used), math.inf)

    def reached(self, trial: Trial) -> float | None:
        """The highest rung that a trial has reached, if nothing was ruled there yet."""
        used = self.resource(trial)
        found = None
        for rung in self.rungs(trial.number):
            if rung > used:
                break
            found = rung
        return None if found is None or found in trial.rungs else found

    @abstractmethod
    def at(self, trial: Trial) -> Ruling | None:
        """The ruling on a trial that has just reported a score; None where there is none."""

    def reason(self, trial: int, rung: float) -> str:
        """Why a trial was stopped at a rung."""
        return f"below the best 1/{self.search.reduction_factor} at the rung of {self.place(rung)}"

    def place(self, rung: float) -> str:
        """A rung in words."""
        return f"{rung:g} charged seconds" if self.search.in_seconds else f"epoch {rung:g}"

    def ready(self, resting: Iterable[Trial]) -> Ruling | None:
        """The resting trial that is to go on next; None where none is."""
        return None


def best_of(trial: Trial) -> float:
    """The best score so far."""
    best = trial.best()
    assert best is not None, f"trial {trial.number} stands at a rung without a score"
    return best[0]
