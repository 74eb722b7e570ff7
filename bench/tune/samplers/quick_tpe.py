"""Optuna's TPE with what it needs of each ended trial remembered from suggestion to suggestion.

A sampler is made anew for each trial, and Optuna's class then goes through all trials again: their
distributions, ranks and parameters, for over half of the time that a suggestion takes at a thousand
trials. What is suggested is the same to the last bit; a test holds it against Optuna's own class.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import TPESampler
from optuna.samplers._tpe.sampler import default_gamma
from optuna.trial import FrozenTrial, TrialState

_ENDED = (TrialState.COMPLETE, TrialState.PRUNED)
Row = dict[str, float]
"""A configuration by its parameters, as Optuna's distributions represent their values."""


@dataclass(frozen=True, slots=True)
class _Ended:
    """An ended trial as TPE sees it."""

    trial: FrozenTrial
    number: int
    rank: tuple[float, float, float]
    """The lower, the better: complete ones by value; then pruned ones by how far they came and
    their value there; last those that reported nothing."""
    values: Row
    names: frozenset[str]
    """Of its parameters."""


class Memory:
    """The ended trials of one study, which maximizes one value without constraints."""

    def __init__(self, distributions: Mapping[str, BaseDistribution]) -> None:
        """distributions: of all parameters that the search varies; a name has one."""
        self.distributions = distributions
        self._ended: dict[int, _Ended] = {}

    def of(self, trials: Sequence[FrozenTrial]) -> list[_Ended]:
        """Of trials that have ended, or are shown as such. A storage replaces what it changes, so
        that what is remembered holds as long as a trial is the same object."""
        known = [self._ended.get(trial.number) for trial in trials]
        return [
            one if one is not None and one.trial is trial else self._looked_at(trial)
            for one, trial in zip(known, trials, strict=True)
        ]

    def _looked_at(self, trial: FrozenTrial) -> _Ended:
        values = self.represented(trial.params)
        one = _Ended(trial, trial.number, _rank(trial), values, frozenset(values))
        self._ended[trial.number] = one
        return one

    def represented(self, params: Mapping[str, Any]) -> Row:
        """Parameters as Optuna's distributions represent them."""
        return {name: self.distributions[name].to_internal_repr(params[name]) for name in params}


def _rank(trial: FrozenTrial) -> tuple[float, float, float]:
    if trial.state == TrialState.COMPLETE:
        assert trial.value is not None
        return 0, -trial.value, 0
    if not trial.intermediate_values:
        return 1, 1, 0
    step, value = max(trial.intermediate_values.items())
    return 1, -step, math.inf if math.isnan(value) else -value


class QuickTpe(TPESampler):
    """TPE over a memory of the study's ended trials."""

    def __init__(self, memory: Memory, **options: Any) -> None:
        """options: TPESampler's, but for those of several objectives and of constraints."""
        super().__init__(**options)
        self._memory = memory
        self._joint = options.get("multivariate", True) and not options.get("group", False)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """What all ended trials have, by its names."""
        if not self._joint:
            return super().infer_relative_search_space(study, trial)
        ended = study.get_trials(deepcopy=False, states=_ENDED)
        if not ended:
            return {}
        everything = self._memory.distributions
        names = set(everything).intersection(*{one.names for one in self._memory.of(ended)})
        return {name: everything[name] for name in sorted(names)}

    def _sample(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """As Optuna's, which goes through all trials to take the best."""
        ended = self._memory.of(study.get_trials(deepcopy=False, states=_ENDED))
        count = (self._gamma or default_gamma)(len(ended))
        best = heapq.nsmallest(count, ended, key=attrgetter("rank"))
        below = {one.number: one.values for one in sorted(best, key=attrgetter("number"))}
        above = {one.number: one.values for one in ended if one.number not in below}
        if self._constant_liar:  # what runs is as bad as the others, for nobody to go there too
            running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
            above |= {
                one.number: self._memory.represented(self._get_params(one, study))
                for one in running
                if one.number != trial.number
            }
            above = dict(sorted(above.items()))
        good, rest = (
            self._parzen_estimator_cls(
                _columns(rows.values(), search_space),
                search_space,
                self._parzen_estimator_parameters,
            )
            for rows in (below, above)
        )
        drawn = good.sample(self._rng.rng, self._n_ei_candidates)
        chosen = self._compare(drawn, self._compute_acquisition_func(drawn, good, rest))
        return {name: item.to_external_repr(chosen[name]) for name, item in search_space.items()}


def _columns(rows: Iterable[Row], names: Iterable[str]) -> dict[str, np.ndarray]:
    """The values, by parameter, of those rows that have all of these."""
    wanted = frozenset(names)
    whole = [row for row in rows if wanted <= row.keys()]
    return {name: np.asarray([row[name] for row in whole]) for name in names}
