"""Optuna by ask and tell, as a mirror of a study's trials in the ledger.

Optuna's study is filled by the same calls from live events and from events read back, so it is a
function of the ledger. The sampler for trial n is made anew from (study seed, n): a suggestion
depends on the recorded history alone, not on how often the driver was started.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from bench.ledger import Trial
from bench.seeds import derive
from bench.spec import Choice, Config, Int, Parameter, Scalar, Space, Study, Text


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
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._optuna = optuna
        self._study = study
        self._space = space
        self._storage = optuna.storages.InMemoryStorage()
        self._mirror = optuna.create_study(storage=self._storage, direction="maximize")
        self._mirror_id = self._storage.get_study_id_from_name(self._mirror.study_name)
        self._trials: dict[int, Any] = {}
        self.resting: set[int] = set()
        """Trials that rest at a rung: shown to Optuna's sampler as stopped there."""

    def exhausted(self, number: int) -> bool:
        """Whether there is no configuration left for trial `number`."""
        return False

    def rest(self, trial: Trial) -> None:
        """A trial rests at a rung: the sampler is to learn from what it has reached."""
        self.resting.add(trial.number)

    def wake(self, trial: Trial) -> None:
        """A trial goes on from its rung."""
        self.resting.discard(trial.number)

    def ask(self, number: int) -> Suggestion:
        """The configuration of trial `number`. Trials are asked for in order, from 0."""
        first = self._study.enqueued
        given = first[number] if number < len(first) else None
        pinned = self._study.pinned
        if given is not None:
            searched = self._searched(given)
            self._mirror.enqueue_trial(searched)
            pinned = {name: value for name, value in given.items() if name not in searched}
        self._mirror.sampler = self._sampler(derive(self._study.seed, "search", number))
        trial = self._mirror.ask()
        assert trial.number == number, (trial.number, number)
        self._trials[number] = trial
        config = self._space.resolve(
            lambda name, parameter: _suggest(trial, name, parameter), pinned=pinned
        )
        return Suggestion(
            number=number,
            config=config,
            origin="sampler" if given is None else "enqueued",
            attributes=dict(self._storage.get_trial_system_attrs(self._id_of(number))),
        )

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
        suggested = self._searched(trial.config)
        self._mirror.add_trial(
            self._optuna.trial.create_trial(
                state=self._optuna.trial.TrialState.RUNNING,
                params=suggested,
                distributions={name: self._distribution(name) for name in suggested},
                system_attrs=trial.sampler,
            )
        )
        mirrored = self._optuna.trial.Trial(self._mirror, self._id_of(trial.number))
        self._trials[trial.number] = mirrored

    def _id_of(self, number: int) -> int:
        return int(self._storage.get_trial_id_from_study_id_trial_number(self._mirror_id, number))

    def tell(self, trial: Trial, *, like: Trial | None = None) -> None:
        """How a trial ended; like: the trial that it repeats, whose curve is told again.

        A stopped trial is PRUNED with its intermediate values. A diverged one is PRUNED without
        any, which TPE ranks below every other: the sampler learns to avoid it. What failed for
        reasons outside its configuration is FAIL, which samplers ignore.
        """
        states = self._optuna.trial.TrialState
        mirrored = self._trials.pop(trial.number)
        self.resting.discard(trial.number)
        trial = like or trial
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

    @staticmethod
    def _report(mirrored: Any, trial: Trial) -> None:
        """The best score up to each epoch: what a stop at that epoch would have left."""
        for epoch in sorted(trial.reports):
            if (best := trial.best(upto=epoch)) is not None:
                mirrored.report(best[0], epoch)

    def _sampler(self, seed: int) -> Any:
        samplers = self._optuna.samplers
        match self._study.search.sampler:
            case "tpe":
                return samplers.TPESampler(seed=seed)
            case "random":
                return samplers.RandomSampler(seed=seed)

    def _distribution(self, name: str) -> Any:
        distributions = self._optuna.distributions
        parameter = self._space[name]
        if isinstance(parameter, Choice):
            return distributions.CategoricalDistribution(parameter.values)
        assert not isinstance(parameter, Text), f"{name} is held: a search draws no open names"
        if isinstance(parameter, Int):
            return distributions.IntDistribution(parameter.low, parameter.high, log=parameter.log)
        return distributions.FloatDistribution(parameter.low, parameter.high, log=parameter.log)


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
