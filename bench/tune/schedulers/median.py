"""The median rule: a trial stops whose best is below the median of the others' averages.

Source: Golovin et al. 2017, Google Vizier, section 3.2.2: at step s, stop where the best score so
far is strictly worse than the median of the running averages, up to s, of all trials that came
as far.
"""

from __future__ import annotations

from statistics import fmean, median

from bench.ledger import Trial
from bench.tune.schedulers.scheduler import Ruling, Scheduler, best_of

FEWEST = 3
"""Other trials that must have come as far before one is stopped."""


class Median(Scheduler):
    """Rules after each epoch from the grace period on; only stops are recorded."""

    def at(self, trial: Trial) -> Ruling | None:
        used, epoch = self.resource(trial), trial.epoch
        if used < next(self.search.rungs(), float("inf")):
            return None
        averages = [
            fmean(scores)
            for other in self.state.trials.values()
            if other.number != trial.number and other.epoch >= epoch
            if (scores := _scores(other, epoch))
        ]
        if len(averages) < FEWEST or best_of(trial) >= median(averages):
            return None
        return Ruling(
            trial=trial.number,
            rung=used,
            score=best_of(trial),
            decision="stopped",
        )

    def reason(self, trial: int, rung: float) -> str:
        return f"below the median of the other trials at {self.place(rung)}"


def _scores(trial: Trial, epoch: int) -> list[float]:
    return [
        report["score"]
        for number, report in trial.reports.items()
        if number <= epoch and report["score"] is not None
    ]
