"""Trains one trial or replicate: a generator of one report an epoch, with or without a past."""

from __future__ import annotations

import time
from collections.abc import Iterator
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
) -> Iterator[Report]:
    """Train to the budget's end and yield a report for each epoch after `known_epoch`.

    Where the checkpoint's file exists, training goes on from it. Epochs that it holds and that the
    caller does not know are yielded from its history, with their own seconds; epochs that the
    caller knows and that it does not hold are trained again in silence. Either way weights and
    scores are those of an unbroken training. The checkpoint is written before the report of its
    epoch is yielded: at most every `checkpoint_every_s` seconds (0: each epoch), and at the end.
    Where training had ended at `known_epoch`, nothing is yielded.

    A replicate's checkpoint also holds the weights to score: those of the best validation epoch,
    or, with `refit="train+validation"` (no validation, score None), the last ones. One that
    diverges ends with its last finite best ones and a note; a search trial raises Diverged.

    Raises torch.OutOfMemoryError where not even one case at a time fits into memory.
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

    saved_at = time.monotonic()
    while not ended:
        report = training.train_epoch(clock)
        ended = training.ended(budget)
        if ended and report.epoch < budget.end and training.out_of_patience(budget):
            report = replace(
                report,
                notes=(
                    *report.notes,
                    f"stopped early: no better score in {budget.patience} epochs",
                ),
            )
            training.history[-1] = report
        due = ended or time.monotonic() - saved_at >= checkpoint_every_s
        if checkpoint is not None and due:
            with clock.free():
                checkpoint.save(training.state())
            saved_at = time.monotonic()
            report = replace(report, free_seconds=report.free_seconds + clock.take()[1])
            training.history[-1] = report
        if report.epoch > known_epoch:
            yield replace(report, notes=(*pending, *report.notes), last=ended)
            pending = []
