"""Samplers whose suggestions are rows of a table, each at most once."""

from __future__ import annotations

import random

from bench.ledger import Trial
from bench.seeds import derive
from bench.spec import Config, Study
from bench.tune.replay.curves import Curves
from bench.tune.replay.nearest import Nearest
from bench.tune.sampler import Sampler, Suggestion


class NearestRows(Sampler):
    """Every suggestion becomes the nearest recorded configuration that was not taken yet.

    The sampler is told so: it learns from the configuration whose curve it sees.
    """

    def __init__(self, study: Study, table: Curves) -> None:
        super().__init__(study, table.space)
        self._table = table
        self._nearest = Nearest(table.space, study.free, [c.config for c in table.curves])
        self.rows: dict[int, int] = {}
        """By trial, its row of the table."""

    def exhausted(self, number: int) -> bool:
        """Whether every row was taken, or the sampler itself has no more."""
        return number >= len(self._table.curves) or super().exhausted(number)

    def ask(self, number: int) -> Suggestion:
        suggestion = super().ask(number)
        row = self.rows[number] = self._nearest.take(suggestion.config)
        config = dict(self._table.curves[row].config)
        self._correct(number, config)
        return Suggestion(
            number=number,
            config=config,
            origin=suggestion.origin,
            attributes=suggestion.attributes,
        )

    def _correct(self, number: int, config: Config) -> None:
        """Have Optuna's trial hold the recorded configuration; what only the suggestion had, it
        keeps."""
        trial = self._id_of(self._trials[number])
        for name, value in self._searched(config).items():
            distribution = self._free[name]
            internal = distribution.to_internal_repr(value)
            self._storage.set_trial_param(trial, name, internal, distribution)


class RandomRows(Sampler):
    """Random search over a table: its rows in random order.

    A table that random search recorded is a sample of the space itself. The nearest row to a random
    point would favour the rows that lie alone.
    """

    def __init__(self, study: Study, table: Curves) -> None:
        super().__init__(study, table.space)
        self._table = table
        self._order = list(range(len(table.curves)))
        random.Random(derive(study.seed, "rows")).shuffle(self._order)
        self.rows: dict[int, int] = {}
        """By trial, its row of the table."""

    def exhausted(self, number: int) -> bool:
        """Whether every row was taken."""
        return number >= len(self._order)

    def ask(self, number: int) -> Suggestion:
        row = self.rows[number] = self._order[number]
        config = dict(self._table.curves[row].config)
        return Suggestion(number=number, config=config, origin="sampler", attributes={})

    def restore(self, trial: Trial) -> None:
        """Random search learns nothing."""

    def rest(self, trial: Trial, *, rung: float | None = None) -> None:
        self.resting.add(trial.number)

    def wake(self, trial: Trial) -> None:
        self.resting.discard(trial.number)

    def tell(self, trial: Trial, *, like: Trial | None = None) -> None:
        self.resting.discard(trial.number)
