"""Optuna's samplers, made anew for each trial.

QMC and CMA-ES take their search space from the trials that have ended, and lose their place when
it changes, as it does where parameters are conditional: here both get a space that is fixed.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import (
    BaseSampler,
    CmaEsSampler,
    GPSampler,
    QMCSampler,
    RandomSampler,
)
from optuna.trial import FrozenTrial, TrialState

from bench.spec import Scalar
from bench.tune.samplers.quick_tpe import Memory, QuickTpe

Distributions = Mapping[str, BaseDistribution]


class _GivenSpace:
    """A sampler's space is the one that it is given, whatever the trials have."""

    def __init__(self, distributions: Distributions, **options: Any) -> None:
        super().__init__(**options)
        self._distributions = distributions

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        return dict(self._distributions)


class WholeSpaceQmc(_GivenSpace, QMCSampler):
    """One sequence over all parameters, conditional ones too: those that are not active in a
    configuration leave their coordinate unused."""


class FixedSpaceCmaEs(_GivenSpace, CmaEsSampler):
    """Adapts these numeric parameters, which every configuration has."""

    def _get_trials(self, study: Study) -> list[FrozenTrial]:
        """The trials that it learns from.

        Optuna's own copies each pruned trial to its depth, to set its value to that of its last
        step: at a thousand trials minutes, over a search. It has that value since it was told, or
        since it rests; one that reported nothing has none.
        """
        states = [TrialState.COMPLETE] + [TrialState.PRUNED] * self._consider_pruned_trials
        ended = study.get_trials(deepcopy=False, states=states)
        return [trial for trial in ended if trial.value is not None]


def make(
    name: str,
    options: Mapping[str, Scalar],
    *,
    seed: int,
    sequence_seed: int,
    memory: Memory,
    everything: Distributions,
    numeric: Distributions,
) -> BaseSampler:
    """The sampler for one trial.

    options: checked (bench/sampler_options.py). seed: the trial's. sequence_seed: the study's, of a
    sequence that goes on from trial to trial. memory: the study's. everything: all parameters that
    the search varies.
    numeric: those of them that are numbers and active in every configuration.
    """
    given: dict[str, Any] = dict(options)
    with warnings.catch_warnings():
        # Optuna calls qmc, group, with_margin and others experimental, and sigma0 deprecated.
        warnings.simplefilter("ignore", ExperimentalWarning)
        warnings.simplefilter("ignore", FutureWarning)
        match name:
            case "tpe":
                return QuickTpe(memory, seed=seed, **given)
            case "gp":
                return GPSampler(seed=seed, **given)
            case "cmaes":
                given = {"consider_pruned_trials": True} | given
                # For a warning that nobody sees, it would look through all trials at each choice.
                given |= {"warn_independent_sampling": False}
                return FixedSpaceCmaEs(numeric, seed=seed, **given)
            case "qmc":
                given = {"scramble": True} | given
                return WholeSpaceQmc(everything, seed=sequence_seed, **given)
            case "random" | "grid":
                return RandomSampler(seed=seed)
    raise AssertionError(f"no sampler is called {name!r}")
