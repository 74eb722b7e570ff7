"""Optuna's storage of a study's trials, in which some rest."""

from __future__ import annotations

import copy
from collections.abc import Container, Mapping

import optuna
from optuna.trial import FrozenTrial, TrialState


class RestingStorage(optuna.storages.InMemoryStorage):
    """Shows running trials that rest at a rung as pruned there, with what they have reached.

    A trial that rests, perhaps for good, has told what a stopped one tells. To Optuna it is running
    nevertheless: samplers would learn nothing from it until the search ends. Only the lists that
    samplers read differ; the trial itself is told as any other.
    """

    def __init__(self) -> None:
        super().__init__()
        self._resting: dict[int, FrozenTrial] = {}
        """By number, as it is shown."""

    def rest(self, trial_id: int, reached: Mapping[int, float]) -> None:
        """Show a running trial as pruned. reached: its intermediate values, by step."""
        trial = copy.copy(self.get_trial(trial_id))
        trial.state = TrialState.PRUNED
        trial.intermediate_values = dict(reached)
        if trial.last_step is not None:
            trial.value = trial.intermediate_values[trial.last_step]
        self._resting[trial.number] = trial

    def wake(self, trial_id: int) -> None:
        """Show a trial as it is again."""
        self._resting.pop(self.get_trial_number_from_id(trial_id), None)

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        if not self._resting or states == (TrialState.WAITING,):
            return super().get_all_trials(study_id, deepcopy, states)
        trials = super().get_all_trials(study_id, deepcopy=False)
        for number, shown in self._resting.items():
            trials[number] = shown
        if states is not None:
            trials = [trial for trial in trials if trial.state in states]
        return copy.deepcopy(trials) if deepcopy else trials
