"""No early stopping: every trial is trained to its end."""

from __future__ import annotations

from collections.abc import Iterator

from bench.ledger import Trial
from bench.tune.schedulers.scheduler import Ruling, Scheduler


class NoScheduler(Scheduler):
    """Lets every trial go on."""

    def rungs(self, trial: int) -> Iterator[float]:
        return iter(())

    def at(self, trial: Trial) -> Ruling | None:
        return None
