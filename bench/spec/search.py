"""What a suite sets: its entrants, how each is searched, and how often results are repeated."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from bench.parameters import Scalar


@dataclass(frozen=True, kw_only=True, slots=True)
class Entrant:
    """What a leaderboard ranks: a family with pinned parameters under a label."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    label: str
    family: str
    group: str | None = None
    """Entrants of one group can be ranked together as if they had shared one effort."""
    tasks: tuple[str, ...] | None = None
    """The suite's tasks that it enters; None: every one that the family can take."""
    pin: dict[str, Scalar] = field(default_factory=dict)
    space: dict[str, Any] = field(default_factory=dict)
    """Changes to its space: by parameter "search", a list of values, or a table of a range."""


DEFAULTS = "defaults"


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    """How each study searches. The effort binds; `max_trials` only caps it."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    sampler: Literal["tpe", "gp", "cmaes", "random", "qmc", "grid"] = "tpe"
    sampler_options: dict[str, Scalar] = field(default_factory=dict)
    """Of Optuna's sampler, such as `multivariate` of TPE: docs/search.md lists them."""
    scheduler: Literal["asha", "asha_promote", "hyperband", "median", "none"] = "asha_promote"
    effort_epochs: int | None = None
    """Epochs that each study spends, over all its trials, stopped and failed ones included."""
    effort_seconds: float | None = None
    """Charged seconds in their place."""
    max_epochs: int
    """The most epochs of one trial; learning-rate schedules run over them."""
    max_seconds: float | None = None
    """Charged seconds of one trial, in the place of max_epochs: training stops at the step, and
    schedules run over the share of them that is spent."""
    grace_epochs: int = 1
    """The first rung: no trial is stopped before it."""
    grace_seconds: float | None = None
    """The first rung in charged seconds; then all rungs are in charged seconds."""
    reduction_factor: int = 3
    """Eta: of each rung, the best 1/eta go on."""
    max_trials: int | None = None
    confirm: int = 0
    """So many of the best trials are trained again under fresh seeds, and the best mean wins; 0:
    the best validation score wins."""
    confirm_seeds: int = 2
    """Fresh seeds of each; their epochs are part of the effort."""
    enqueue: tuple[str, ...] = (DEFAULTS,)
    """What each search tries first, with the entrant's pins: `defaults`, the space's, and by the
    keys of documents what those report for the entrant's model on the task."""
    patience: int | None = None
    """Epochs without a better score after which a trial or replicate ends; None: never."""

    def __post_init__(self) -> None:
        floors = {"max_epochs": 1, "grace_epochs": 1, "reduction_factor": 2, "confirm_seeds": 1}
        floors |= {
            name: 1 for name in ("effort_epochs", "max_trials", "patience") if self._has(name)
        }
        _at_least(self, confirm=0, **floors)
        for name in ("effort_seconds", "max_seconds", "grace_seconds"):
            if self._has(name) and not (
                math.isfinite(getattr(self, name)) and getattr(self, name) > 0
            ):
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        if self._has("effort_epochs") == self._has("effort_seconds"):
            raise ValueError(
                "a search has an effort: give effort_epochs, or effort_seconds instead"
            )
        if self.grace_epochs > self.max_epochs:
            raise ValueError(
                f"grace_epochs must be at most max_epochs, got {self.grace_epochs} > "
                f"{self.max_epochs}"
            )
        if self.in_effort_seconds and self.confirm:
            raise ValueError(
                "confirm needs an effort in epochs, got effort_seconds: what it will take in "
                "seconds is not known beforehand"
            )
        least = self.max_epochs + self.reserved
        if self.effort_seconds is not None and self.effort_seconds < (self.max_seconds or 0):
            raise ValueError(
                f"effort_seconds must pay for one whole trial of max_seconds, got "
                f"{self.effort_seconds:g} < {self.max_seconds:g}"
            )
        if self.effort_epochs is not None and self.effort_epochs < least:
            kept = f" and {self.reserved} of confirmation" if self.reserved else ""
            raise ValueError(
                f"effort_epochs must pay for one whole trial of max_epochs{kept}, got "
                f"{self.effort_epochs} < {least}"
            )

    def _has(self, name: str) -> bool:
        return getattr(self, name) is not None

    @property
    def effort(self) -> float:
        """What each study spends: epochs, or charged seconds where it is in those."""
        found = self.effort_epochs if self.effort_seconds is None else self.effort_seconds
        assert found is not None
        return found

    @property
    def in_effort_seconds(self) -> bool:
        """Whether the effort is in charged seconds."""
        return self.effort_seconds is not None

    @property
    def in_seconds(self) -> bool:
        """Whether the rungs are in charged seconds."""
        return self.grace_seconds is not None

    @property
    def reserved(self) -> int:
        """Epochs of the effort that are kept for confirmation."""
        return self.confirm * self.confirm_seeds * self.max_epochs

    def rungs(self) -> Iterator[float]:
        """The rungs, lowest first: the grace period times powers of the reduction factor.

        In epochs they end below max_epochs, in charged seconds below max_seconds if there are.
        """
        if self.scheduler == "none":
            return
        rung: float = self.grace_epochs if self.grace_seconds is None else self.grace_seconds
        end = (self.max_seconds or math.inf) if self.in_seconds else self.max_epochs
        while rung < end:
            yield rung
            rung *= self.reduction_factor


@dataclass(frozen=True, kw_only=True, slots=True)
class Replicates:
    """How often an entrant's result is repeated, and how each winner is retrained."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    seeds: int = 5
    """Trainings of each winner."""
    searches: int = 1
    """Independent searches of each entrant, each with the whole effort and a winner of its own:
    1, or 3 and more."""
    splits: int = 1
    """1: the task's own split. 3 and more: a patient k-fold, each split searched by itself."""
    refit: Literal["train", "train+validation"] = "train"
    """Train on the training split and select the epoch on validation; or train on both, for the
    number of epochs at which the winner was best."""
    time_budgets_s: tuple[float, ...] = ()
    """Fixed-time comparisons: for each of these charged seconds a search of its own, whose trials
    and replicates train for so long, one at a time on a device."""
    time_trials: int = 8
    """What a search under such a budget may spend: so many whole trainings."""

    def __post_init__(self) -> None:
        _at_least(self, seeds=1, searches=1, splits=1, time_trials=1)
        if len(set(self.time_budgets_s)) < len(self.time_budgets_s) or not all(
            math.isfinite(budget) and budget > 0 for budget in self.time_budgets_s
        ):
            raise ValueError(
                f"time_budgets_s are different numbers of seconds above 0, got "
                f"{list(self.time_budgets_s)}"
            )
        for name in ("searches", "splits"):
            if getattr(self, name) == 2:
                raise ValueError(
                    f"{name} must be 1, or 3 and more, got 2: two say too little of how they vary"
                )


def _at_least(owner: object, **floors: int) -> None:
    for name, floor in floors.items():
        value = getattr(owner, name)
        if value < floor:
            raise ValueError(f"{name} must be at least {floor}, got {value}")
