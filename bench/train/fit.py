"""Trains one trial or replicate: a generator of one report an epoch, with or without a past."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Literal

from bench.data.prepared import PreparedTask
from bench.spec import Budget, Config, Family, Report, Task
from bench.train.checkpoint import Checkpoint
from bench.train.clock import Clock
from bench.train.steps import Diverged
from bench.train.training import Training

__all__ = ["Diverged", "fit"]


def fit(
    *,
    task: Task,
    family: Family,
    config: Config,
    seed: int,
    budget: Budget,
    data: PreparedTask,
    device: str,
    checkpoint: Checkpoint | None = None,
    known_epoch: int = 0,
    replicate: bool = False,
    refit: Literal["train", "train+validation"] = "train",
    checkpoint_every_s: float = 30.0,
    save_epochs: tuple[int, ...] | None = (),
    save_after: float = math.inf,
    alive: Callable[[], object] = lambda: None,
    updated: Callable[[], object] = lambda: None,
) -> Iterator[Report]:
    """Train to the budget's end and yield a report for each epoch after `known_epoch`.

    A budget in charged seconds ends at the update that spends them, in the midst of an epoch, which
    is validated and reported like a whole one. Its epochs are passes over the data; max_epochs only
    caps them, with a note.

    Where the checkpoint's file exists, training goes on from it. Epochs that it holds and that the
    caller does not know are yielded from its history, with their own seconds; epochs that the
    caller knows and that it does not hold are trained again in silence. Either way weights and
    scores are those of an unbroken training. The checkpoint is written before the report of its
    epoch is yielded: at most every `checkpoint_every_s` seconds (0: each epoch), after the epochs
    in `save_epochs` (None: each), after those that end past the Unix time `save_after`, and at the
    end. Where training had ended at `known_epoch`, nothing is yielded. `alive` is called after
    every epoch, also one that is trained in silence, `updated` after every update.

    A search trial whose checkpoint is gone may end in an epoch that the caller knows already, as
    the seconds do not always last for as many: its last report then bears the next number, and a
    note.

    A replicate's checkpoint also holds the weights to score: those of the best validation epoch,
    or, with `refit="train+validation"` (no validation, score None), the last ones. One that
    diverges ends with its last finite best ones and a note; a search trial raises Diverged.

    Raises torch.OutOfMemoryError where not even one case at a time fits into memory, StorageError
    where a checkpoint cannot be written.
    """
    clock = Clock(device)
    pending: list[str] = []
    with clock.free():
        training = Training(
            task=task,
            family=family,
            config=config,
            seed=seed,
            max_epochs=budget.max_epochs,
            max_seconds=budget.max_seconds,
            data=data,
            device=device,
            replicate=replicate,
            refit=refit,
        )
        if checkpoint is not None:
            state = checkpoint.load()
            if checkpoint.note:
                pending.append(checkpoint.note)
            if state is not None and not training.restore(state):
                pending.append("checkpoint of another training ignored")

    ended = training.ended(budget)
    for report in training.history[known_epoch : budget.end]:
        yield replace(report, last=ended and report.epoch == training.epoch)
    # A trial whose last epoch is known is not asked for; a replicate ends without a report.
    goes_on = known_epoch < budget.end and not replicate
    if ended and training.epoch < known_epoch and goes_on:
        yield _renumbered(training.history[-1], known_epoch)

    saved_at = time.monotonic()
    while not ended:
        report = training.train_epoch(clock, updated)
        ended = training.ended(budget)
        if ended and (note := _why_early(training, budget)):
            report = replace(report, notes=(*report.notes, note))
            training.history[-1] = report
        asked_for = save_epochs is None or report.epoch in save_epochs or time.time() > save_after
        due = ended or asked_for or time.monotonic() - saved_at >= checkpoint_every_s
        if checkpoint is not None and due:
            with clock.free():
                checkpoint.save(training.state())
            saved_at = time.monotonic()
            report = replace(report, free_seconds=report.free_seconds + clock.take()[1])
            training.history[-1] = report
        alive()
        if report.epoch > known_epoch:
            yield replace(report, notes=(*pending, *report.notes), last=ended)
            pending = []
        elif ended and goes_on:
            again = _renumbered(report, known_epoch)
            yield replace(again, notes=(*pending, *again.notes))


def _why_early(training: Training, budget: Budget) -> str | None:
    """What a reader should know of a training that ended before it spent its budget."""
    if training.diverged or training.out_of_seconds():
        return None
    if training.out_of_patience(budget):
        before = training.epoch < budget.end
        return f"stopped early: no better score in {budget.patience} epochs" if before else None
    if budget.max_seconds is None or training.epoch < budget.max_epochs:
        return None
    return (
        f"stopped at max_epochs ({budget.max_epochs}) after {training.charged_seconds:.3g} of "
        f"{budget.max_seconds:g} charged seconds"
    )


def _renumbered(report: Report, known_epoch: int) -> Report:
    """The last report of a training that the caller knows more epochs of."""
    note = f"trained again without its checkpoint, and ended in epoch {report.epoch}"
    return replace(report, epoch=known_epoch + 1, notes=(*report.notes, note), last=True)
