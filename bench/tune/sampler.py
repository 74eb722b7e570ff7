"""Optuna by ask and tell, as a mirror of a study's trials in the ledger.

Optuna's study is filled by the same calls from live events and from events read back, so it is a
function of the ledger. The sampler for trial n is made anew from (study seed, n): a suggestion
depends on the recorded history alone, not on how often the driver was started. What a sampler
remembers from trial to trial (QMC and a grid their place, CMA-ES its state) follows from it too.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from bench.grid import grid
from bench.ledger import Trial
from bench.sampler_options import points_of
from bench.seeds import derive
from bench.spec import Choice, Config, Int, Parameter, Scalar, Space, Study, Text

_PICKLED = ":optimizer"
"""In the names of attributes in which CMA-ES keeps itself, pickled: no ledger holds them, as one
that was altered would run anything when it is read."""
_SEQUENCE = "qmc:"
"""Begins the name of the study's attribute that holds QMC's place in its sequence."""
_POINT = "grid:point"
"""A trial's attribute: its place in the list of the grid's points."""


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """What a trial is to run."""

    number: int
    config: Config
    origin: Literal["sampler", "enqueued", "confirm"]
    attributes: dict[str, Any]
    """The system attributes that it left in Optuna."""


class Sampler:
    """Suggests configurations for one study and is told the truth about each trial."""

    def __init__(self, study: Study, space: Space) -> None:
        """Raises UserError where there is no grid over the space."""
        import optuna

        from bench.tune.samplers.quick_tpe import Memory
        from bench.tune.samplers.storage import RestingStorage

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._optuna = optuna
        self._study = study
        self._space = space
        self._storage = RestingStorage()
        self._mirror = optuna.create_study(storage=self._storage, direction="maximize")
        self._mirror_id = self._storage.get_study_id_from_name(self._mirror.study_name)
        self._free = {name: self._distribution(name) for name in space.free(study.pinned)}
        self._memory = Memory(self._free)
        self._trials: dict[int, Any] = {}
        """Optuna's trials that have not been told yet, by the ledger's number."""
        self._repeats: dict[int, list[int]] = defaultdict(list)
        """By trial that has not ended, those that repeat it and wait for its end."""
        self.resting: set[int] = set()
        """Trials that rest at a rung: shown to Optuna's sampler as stopped there."""
        self._points: list[Config] = []
        self._next_point = 0
        if study.search.sampler == "grid":
            seed = derive(study.seed, "search", "grid")
            self._points = grid(space, study.pinned, points_of(study.search), seed=seed)

    # --- suggestions ---

    def exhausted(self, number: int) -> bool:
        """Whether there is no configuration left for trial `number`."""
        if self._study.search.sampler != "grid" or number < len(self._study.enqueued):
            return False
        return self._next_point >= len(self._points)

    def ask(self, number: int) -> Suggestion:
        """The configuration of trial `number`. Trials are asked for in order, from 0."""
        enqueued = number < len(self._study.enqueued)
        attributes: dict[str, Any] = {}
        given = self._study.enqueued[number] if enqueued else None
        if given is None and self._study.search.sampler == "grid":
            given, attributes = self._points[self._next_point], {_POINT: self._next_point}
            self._next_point += 1
        pinned = self._study.pinned
        if given is not None:
            searched = self._searched(given)
            self._mirror.enqueue_trial(searched)
            pinned = {name: value for name, value in given.items() if name not in searched}
        self._mirror.sampler = self._made(number)
        place = self._place()
        trial = self._trials[number] = self._mirror.ask()
        config = self._space.resolve(
            lambda name, parameter: _suggest(trial, name, parameter), pinned=pinned
        )
        attributes |= _kept(self._storage.get_trial_system_attrs(self._id_of(trial)))
        attributes |= {name: at for name, at in self._place().items() if place.get(name) != at}
        return Suggestion(
            number=number,
            config=config,
            origin="enqueued" if enqueued else "sampler",
            attributes=attributes,
        )

    def _made(self, number: int) -> Any:
        """The sampler for a trial."""
        from bench.tune.samplers.optuna_samplers import make

        search, seed = self._study.search, self._study.seed
        return make(
            search.sampler,
            search.sampler_options,
            seed=derive(seed, "search", number),
            sequence_seed=derive(seed, "search", "sequence"),
            memory=self._memory,
            everything=self._free,
            numeric={name: item for name, item in self._free.items() if self._adapted(name)},
        )

    def _adapted(self, name: str) -> bool:
        """Whether it is a number, and active whatever the others are."""
        return not isinstance(self._space[name], Choice) and self._always(name)

    def _always(self, name: str) -> bool:
        return all(
            other in self._study.pinned and self._always(other)
            for other in self._space[name].when or {}
        )

    def _place(self) -> dict[str, Any]:
        """Where QMC is in its sequence."""
        attributes = self._storage.get_study_system_attrs(self._mirror_id)
        return {name: at for name, at in attributes.items() if name.startswith(_SEQUENCE)}

    def _searched(self, config: Config) -> Config:
        """What Optuna knows of a configuration: what the search varies, and, of one that was
        enqueued, only values that the search could have drawn."""
        return {
            name: value
            for name, value in config.items()
            if name not in self._study.pinned and self._space[name].drawn(value)
        }

    def restore(self, trial: Trial) -> None:
        """Take in a trial that an earlier driver started."""
        if trial.number in self._trials:
            return
        attributes = _kept(trial.sampler)
        searched = self._searched(trial.config)
        if self._study.search.sampler == "cmaes" and trial.number >= len(self._study.enqueued):
            self._trials[trial.number] = self._asked_again(trial.number, searched, attributes)
        else:
            self._trials[trial.number] = self._added(searched, attributes)
        for name, at in attributes.items():
            if name.startswith(_SEQUENCE):
                self._storage.set_study_system_attr(self._mirror_id, name, at)
            elif name == _POINT:
                self._next_point = at + 1

    def _added(self, searched: Config, attributes: dict[str, Any]) -> Any:
        self._mirror.add_trial(
            self._optuna.trial.create_trial(
                state=self._optuna.trial.TrialState.RUNNING,
                params=searched,
                distributions={name: self._free[name] for name in searched},
                system_attrs=attributes,
            )
        )
        last = self._mirror.get_trials(deepcopy=False)[-1]
        return self._optuna.trial.Trial(self._mirror, self._id_of(last))

    def _asked_again(self, number: int, searched: Config, attributes: dict[str, Any]) -> Any:
        """CMA-ES has its state from the trials as they stood when it was asked, which is as they
        stand now: it is asked again, and the answer replaced by what was recorded."""
        self._mirror.sampler = self._made(number)
        mirrored = self._mirror.ask()
        if searched:
            _ = mirrored.relative_params  # lets the sampler write its state down
        for name, value in searched.items():
            distribution = self._free[name]
            internal = distribution.to_internal_repr(value)
            self._storage.set_trial_param(self._id_of(mirrored), name, internal, distribution)
        for name, value in attributes.items():
            self._storage.set_trial_system_attr(self._id_of(mirrored), name, value)
        return mirrored

    def _id_of(self, mirrored: Any) -> int:
        """Optuna numbers the trials as they come; the ledger counts those that confirm too."""
        return int(
            self._storage.get_trial_id_from_study_id_trial_number(self._mirror_id, mirrored.number)
        )

    # --- outcomes ---

    def rest(self, trial: Trial, *, rung: float | None = None) -> None:
        """A trial rests at a rung: the sampler is to learn from what it has reached.

        rung: where; a trial that is read back may have left it behind since. None: its last epoch.
        """
        self.resting.add(trial.number)
        upto = None if rung is None else self._epoch_of(trial, rung)
        reached = _best_by_epoch(trial, upto=upto)
        self._storage.rest(self._id_of(self._trials[trial.number]), reached)

    def _epoch_of(self, trial: Trial, rung: float) -> int:
        """The epoch at which a trial reached a rung."""
        epochs = sorted(trial.reports)
        if not self._study.search.in_seconds:
            return next(epoch for epoch in epochs if epoch >= rung)
        seconds = [trial.reports[epoch]["charged_seconds"] for epoch in epochs]
        # Summed as a trial's charged seconds are, whose last bit decided.
        return next(e for n, e in enumerate(epochs, 1) if float(sum(seconds[:n])) >= rung)

    def wake(self, trial: Trial) -> None:
        """A trial goes on from its rung."""
        self.resting.discard(trial.number)
        self._storage.wake(self._id_of(self._trials[trial.number]))

    def tell(self, trial: Trial, *, like: Trial | None = None) -> None:
        """How a trial ended; like: the trial that it repeats, whose curve is told again, at its end
        if that is still to come.

        A stopped trial is PRUNED with its intermediate values. A diverged one is PRUNED without
        any, which TPE ranks below every other: the sampler learns to avoid it. What failed for
        reasons outside its configuration is FAIL, which samplers ignore.
        """
        if like is not None and like.number in self._trials:
            self._repeats[like.number].append(trial.number)
            return
        self._end(trial.number, like or trial)
        for number in self._repeats.pop(trial.number, ()):
            self._end(number, trial)

    def _end(self, number: int, trial: Trial) -> None:
        states = self._optuna.trial.TrialState
        if number in self.resting:
            self.wake(trial)
        mirrored = self._trials.pop(number)
        best = trial.best()
        if trial.state == "completed" and best is not None:
            self._report(mirrored, trial)
            self._mirror.tell(mirrored, best[0], state=states.COMPLETE)
        elif trial.state == "stopped":
            self._report(mirrored, trial)
            self._mirror.tell(mirrored, state=states.PRUNED)
        elif trial.reason == "diverged":
            self._mirror.tell(mirrored, state=states.PRUNED)
        else:
            self._mirror.tell(mirrored, state=states.FAIL)

    def _report(self, mirrored: Any, trial: Trial) -> None:
        for epoch, best in _best_by_epoch(trial).items():
            mirrored.report(best, epoch)

    def _distribution(self, name: str) -> Any:
        distributions = self._optuna.distributions
        parameter = self._space[name]
        if isinstance(parameter, Choice):
            return distributions.CategoricalDistribution(parameter.values)
        assert not isinstance(parameter, Text), f"{name} is held: a search draws no open names"
        if isinstance(parameter, Int):
            return distributions.IntDistribution(parameter.low, parameter.high, log=parameter.log)
        return distributions.FloatDistribution(parameter.low, parameter.high, log=parameter.log)


def _best_by_epoch(trial: Trial, upto: int | None = None) -> dict[int, float]:
    """The best score up to each epoch: what a stop at that epoch would have left."""
    found: dict[int, float] = {}
    best = -math.inf
    for epoch in sorted(trial.reports):
        score = trial.reports[epoch]["score"]
        if score is not None and (upto is None or epoch <= upto):
            best = found[epoch] = max(best, score)
    return found


def _kept(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Of a trial's system attributes, those that a ledger keeps."""
    return {name: value for name, value in attributes.items() if _PICKLED not in name}


def _suggest(trial: Any, name: str, parameter: Parameter) -> Scalar:
    value: Scalar
    if isinstance(parameter, Choice):
        value = trial.suggest_categorical(name, parameter.values)
    elif isinstance(parameter, Text):
        raise AssertionError(f"{name} is held: a search draws no open names")
    elif isinstance(parameter, Int):
        value = trial.suggest_int(name, parameter.low, parameter.high, log=parameter.log)
    else:
        value = trial.suggest_float(name, parameter.low, parameter.high, log=parameter.log)
    return value
