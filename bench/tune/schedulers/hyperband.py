"""Hyperband without waiting: brackets that begin to stop later and later, ASHA in each.

Sources: Li et al. 2018 for the brackets and their shares; Li et al. 2020, section 3, for running
them without waiting for a rung to fill.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from bench.ledger import StudyState, Trial
from bench.spec import Search
from bench.tune.schedulers.asha import goes_on
from bench.tune.schedulers.scheduler import Ruling, Scheduler, best_of

BRACKETS = 5
"""The most there are, where rungs have no end."""


class Hyperband(Scheduler):
    """Trial n belongs to a bracket by its number alone; bracket b lacks the first b rungs."""

    def __init__(self, search: Search, state: StudyState) -> None:
        super().__init__(search, state)
        rungs = sum(1 for _ in zip(search.rungs(), range(BRACKETS), strict=False))
        eta = search.reduction_factor
        # Bracket b starts at rung b with n_b trials, so that each spends about the same.
        self._shares = [eta ** (rungs - b) / (rungs - b + 1) for b in range(rungs + 1)]
        self._brackets: list[int] = []
        self._counts = [0] * len(self._shares)
        self._scores: dict[tuple[int, float], list[float]] = defaultdict(list)

    def bracket(self, trial: int) -> int:
        """The bracket of a trial: the one that lags most behind its share, the first of equals."""
        while len(self._brackets) <= trial:
            behind = [
                (count + 1) / share for count, share in zip(self._counts, self._shares, strict=True)
            ]
            chosen = behind.index(min(behind))
            self._counts[chosen] += 1
            self._brackets.append(chosen)
        return self._brackets[trial]

    def rungs(self, trial: int) -> Iterator[float]:
        skipped = self.bracket(trial)
        for number, rung in enumerate(self.search.rungs()):
            if number >= skipped:
                yield rung

    def apply(self, ruling: Ruling) -> None:
        self._scores[self.bracket(ruling.trial), ruling.rung].append(ruling.score)

    def at(self, trial: Trial) -> Ruling | None:
        rung = self.reached(trial)
        if rung is None:
            return None
        score, eta = best_of(trial), self.search.reduction_factor
        bracket = self.bracket(trial.number)
        stays = goes_on(score, self._scores[bracket, rung], reduction_factor=eta)
        return Ruling(
            trial=trial.number,
            rung=rung,
            score=score,
            decision="promoted" if stays else "stopped",
        )

    def reason(self, trial: int, rung: float) -> str:
        return f"{super().reason(trial, rung)}, in bracket {self.bracket(trial)}"
