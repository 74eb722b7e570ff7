"""Who goes on: one scheduler a file."""

from __future__ import annotations

from bench.ledger import StudyState
from bench.spec import Search
from bench.tune.schedulers.asha import Asha, AshaPromote
from bench.tune.schedulers.hyperband import Hyperband
from bench.tune.schedulers.median import Median
from bench.tune.schedulers.none import NoScheduler
from bench.tune.schedulers.scheduler import Ruling, Scheduler

__all__ = ["Ruling", "Scheduler", "scheduler"]

_SCHEDULERS: dict[str, type[Scheduler]] = {
    "asha": Asha,
    "asha_promote": AshaPromote,
    "hyperband": Hyperband,
    "median": Median,
    "none": NoScheduler,
}


def scheduler(search: Search, state: StudyState) -> Scheduler:
    """The scheduler that a search names."""
    return _SCHEDULERS[search.scheduler](search, state)
