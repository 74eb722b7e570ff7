"""Which recorded configuration stands for one that was suggested."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from bench.spec import Choice, Config, Float, Int, Space
from bench.tune.replay.curves import scale


class Nearest:
    """Recorded configurations in the space's coordinates.

    A number lies in [0, 1] of its range, of its logarithms where the space says so; two different
    choices are 1 apart; a parameter that one of both lacks counts nothing, as the choice on which
    it depends counts already. The distance is Euclidean.
    """

    def __init__(self, space: Space, searched: Sequence[str], configs: Sequence[Config]) -> None:
        """searched: the parameters that count."""
        self._numbers = {
            name: item for name in searched if isinstance(item := space[name], Float | Int)
        }
        choices = {name: item for name in searched if isinstance(item := space[name], Choice)}
        self._codes: dict[str, dict[object, float]] = {
            name: {(type(value), value): float(code) for code, value in enumerate(_all(item))}
            for name, item in choices.items()
        }
        rows = [self._row(config) for config in configs]
        self._table: npt.NDArray[np.float64] = np.array(rows).reshape(len(configs), -1)
        self._free = np.ones(len(configs), dtype=bool)

    def _row(self, config: Config) -> list[float]:
        """Coordinates, then codes of choices; NaN where a parameter is not active."""
        numbers = [
            scale(item, float(config[name])) if name in config else math.nan
            for name, item in self._numbers.items()
        ]
        codes = [
            codes.get((type(config[name]), config[name]), -1.0) if name in config else math.nan
            for name, codes in self._codes.items()
        ]
        return numbers + codes

    def distances(self, config: Config) -> npt.NDArray[np.float64]:
        """float (configurations,) >= 0."""
        apart = self._table - np.array(self._row(config))
        split = len(self._numbers)
        apart[:, split:] = np.where(np.isnan(apart[:, split:]), np.nan, apart[:, split:] != 0)
        squares: npt.NDArray[np.float64] = np.nansum(apart * apart, axis=1)
        return np.sqrt(squares)

    def take(self, config: Config) -> int:
        """The nearest that was not taken yet, the first of equals; it is taken now."""
        assert self._free.any(), "every recorded configuration was taken"
        found = int(np.argmin(np.where(self._free, self.distances(config), np.inf)))
        self._free[found] = False
        return found


def _all(choice: Choice) -> tuple[object, ...]:
    return (*choice.values, *choice.also)
