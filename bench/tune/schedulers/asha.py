"""ASHA, both forms: who is not in the top 1/eta of a rung is stopped, or rests there.

Source: Li et al. 2020, A System for Massively Parallel Hyperparameter Tuning, section 3 and
algorithm 2; the stopping form decides at once, as Ray Tune's does.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable, Sequence

from bench.ledger import StudyState, Trial
from bench.spec import Search
from bench.tune.schedulers.scheduler import Ruling, Scheduler, best_of


def goes_on(score: float, others: Sequence[float], *, reduction_factor: int) -> bool:
    """Whether a trial that reaches a rung is in the top 1/reduction_factor of it.

    score: greater is better. others: scores of the trials that reached the rung before. At least
    one place is always open, so the first trial goes on; of equal scores all are in.
    """
    places = max(1, (len(others) + 1) // reduction_factor)
    return sum(other > score for other in others) < places


class Asha(Scheduler):
    """The stopping form: decides at once, and never takes a stop back."""

    def __init__(self, search: Search, state: StudyState) -> None:
        super().__init__(search, state)
        self._scores: dict[float, list[float]] = defaultdict(list)

    def apply(self, ruling: Ruling) -> None:
        self._scores[ruling.rung].append(ruling.score)

    def at(self, trial: Trial) -> Ruling | None:
        rung = self.reached(trial)
        if rung is None:
            return None
        score, eta = best_of(trial), self.search.reduction_factor
        stays = goes_on(score, self._scores[rung], reduction_factor=eta)
        return Ruling(
            trial=trial.number,
            rung=rung,
            score=score,
            decision="promoted" if stays else "stopped",
        )


class AshaPromote(Scheduler):
    """The paper's form: a trial rests at its rung and goes on once it is in the top 1/eta.

    A trial that is in it when it arrives goes on at once. As trials arrive the top grows, so that
    one which had an early dip is promoted later.
    """

    rests = True

    def __init__(self, search: Search, state: StudyState) -> None:
        super().__init__(search, state)
        self._ranked: dict[float, list[tuple[float, int]]] = defaultdict(list)
        self._waiting: dict[float, list[tuple[float, int]]] = defaultdict(list)
        """By rung, (-score, trial), best first: of all that reached it, and of those at rest."""

    def apply(self, ruling: Ruling) -> None:
        entry = (-ruling.score, ruling.trial)
        ranked, waiting = self._ranked[ruling.rung], self._waiting[ruling.rung]
        place = bisect_left(ranked, entry)
        if place == len(ranked) or ranked[place] != entry:
            ranked.insert(place, entry)
        if ruling.decision == "paused":
            insort(waiting, entry)
        elif (place := bisect_left(waiting, entry)) < len(waiting) and waiting[place] == entry:
            waiting.pop(place)

    def at(self, trial: Trial) -> Ruling | None:
        rung = self.reached(trial)
        if rung is None:
            return None
        score, ranked = best_of(trial), self._ranked[rung]
        above = bisect_right(ranked, (-score, math.inf))
        top = (len(ranked) + 1) // self.search.reduction_factor
        return Ruling(
            trial=trial.number,
            rung=rung,
            score=score,
            decision="promoted" if above < top else "paused",
        )

    def ready(self, resting: Iterable[Trial]) -> Ruling | None:
        """Of the highest rung first, and there of the best score."""
        able = {trial.number for trial in resting}
        for rung in sorted(self._waiting, reverse=True):
            ranked = self._ranked[rung]
            top = len(ranked) // self.search.reduction_factor
            for entry in self._waiting[rung]:
                if bisect_left(ranked, entry) >= top:
                    break
                if entry[1] in able:
                    return Ruling(trial=entry[1], rung=rung, score=-entry[0], decision="promoted")
        return None
