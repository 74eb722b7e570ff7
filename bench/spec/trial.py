"""One trial: how long it may train, what it reports, and values from a command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.errors import UserError
from bench.parameters import Scalar


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """How long a trial may train."""

    max_epochs: int
    """What learning-rate schedules run over."""
    max_seconds: float | None = None
    """Charged seconds in the place of max_epochs: training stops at the step that reaches them, and
    schedules run over the share of them that is spent."""
    stop_epoch: int | None = None
    """Where training ends; None: at max_epochs."""
    patience: int | None = None
    """Epochs without a better score after which training ends; None: never."""

    @property
    def end(self) -> int:
        return self.max_epochs if self.stop_epoch is None else self.stop_epoch


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What `fit` yields after each epoch."""

    epoch: int
    """Epochs trained so far, from 1."""
    charged_seconds: float
    """Training time of this epoch only."""
    free_seconds: float
    """Validation, checkpoints and set-up of this epoch."""
    score: float | None
    """The primary validation metric, turned so that greater is better; None without validation."""
    metrics: dict[str, float]
    """Validation metrics by id; `train_loss` too."""
    notes: tuple[str, ...] = ()
    """What a reader should know: a halved micro-batch, early stopping."""
    last: bool = False
    """Whether training ended with this epoch."""


def parse_assignments(pairs: Sequence[str]) -> dict[str, Scalar]:
    """`["lr=1e-3", "depth=18"]` as values: numbers and booleans where they read as such."""
    values: dict[str, Scalar] = {}
    for pair in pairs:
        name, sign, text = pair.partition("=")
        if not sign or not name:
            raise UserError(f"--set takes key=value, got {pair!r}")
        values[name.strip()] = _scalar(text.strip())
    return values


def _scalar(text: str) -> Scalar:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
