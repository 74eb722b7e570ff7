"""What a worker does with a job, as messages. It knows `bench.train`, and no Ray."""

from __future__ import annotations

import errno
import math
import os
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import plugins, registry
from bench.errors import UserError
from bench.folders import SPLIT_SEED, cache_root
from bench.spec import Budget, Family, Report, Split, Study, Task
from bench.tune.jobs import Content, Context, Failure, Job, Tested, Trained
from bench.tune.watchdog import Watchdog

if TYPE_CHECKING:
    from bench.data.prepared import PreparedTask
    from bench.train.checkpoint import Checkpoint


BEAT_SECONDS = 1.0
"""Between two updates that the watchdog hears of."""


class Workshop:
    """Everything that one worker's jobs share: plug-ins, threads, mapped data."""

    def __init__(self, context: Context, watchdog: Watchdog | None = None) -> None:
        """watchdog: of the process, where it is watched; it hears of what makes no message."""
        # Before anything is imported that reads them once.
        os.environ.update(context.environment)
        from bench.train import device

        self._context = context
        self._watchdog = watchdog or Watchdog()
        self._data: dict[str, PreparedTask] = {}
        for plugin in context.plugins:
            registry.add_plugin(plugin)
        device.set_threads(context.threads)

    def messages(self, job: Job) -> Iterator[Content]:
        """Work a job off. What goes wrong in it is a message too, and the last one."""
        epoch = job.known_epoch
        try:
            for message in self._work(job):
                if isinstance(message, Report):
                    epoch = message.epoch
                yield message
        except Exception as error:  # a worker outlives whatever a model does
            yield failure(error, epoch=epoch + 1)

    def _work(self, job: Job) -> Iterator[Content]:
        from bench.train.checkpoint import Checkpoint

        study = self._context.studies[job.study]
        checkpoint = Checkpoint(f"{self._context.checkpoints}/{job.name}.pt")
        if job.kind in ("validate", "test"):
            yield self._score(job, study, checkpoint)
            return
        yield from self._train(job, study, checkpoint)
        if job.kind == "replicate":
            state = checkpoint.load()
            assert state is not None, "a replicate's training ends with a checkpoint"
            notes = state["history"][-1]["notes"]
            yield Trained(epoch=state["selected_epoch"], note="; ".join(notes))

    def _train(self, job: Job, study: Study, checkpoint: Checkpoint) -> Iterator[Report]:
        from bench.train.fit import fit

        task, family, data = self._parts(study)
        replicate = job.kind != "search"
        return fit(
            task=task,
            family=family,
            config=job.config,
            seed=job.seed,
            budget=Budget(
                max_epochs=study.search.max_epochs,
                max_seconds=study.search.max_seconds,
                stop_epoch=job.stop_epoch,
                patience=study.search.patience,
            ),
            data=data,
            device=self._context.device,
            checkpoint=checkpoint,
            known_epoch=job.known_epoch,
            replicate=replicate,
            refit=study.replicates.refit if replicate else "train",
            checkpoint_every_s=self._context.checkpoint_every_s,
            save_epochs=job.save_epochs,
            save_after=math.inf if self._context.deadline is None else self._context.deadline,
            alive=self._watchdog.beat,
            updated=_seldom(self._watchdog.beat) if job.stall_of == "update" else lambda: None,
        )

    def _score(self, job: Job, study: Study, checkpoint: Checkpoint) -> Tested:
        """Score a trained replicate; where its checkpoint is gone it is trained again first."""
        from bench.train.evaluate import evaluate

        task, family, data = self._parts(study)
        if checkpoint.load() is None:
            for _ in self._train(job, study, checkpoint):
                pass
        evaluation = evaluate(
            task=task,
            family=family,
            config=job.config,
            data=data,
            checkpoint=checkpoint,
            device=self._context.device,
            splits=_scored(job, study),
            gallery=_shown(job, study),
        )
        arrays: dict[str, Any] = {
            f"{split}_{name}": array
            for split, outcome in evaluation.splits.items()
            for name, array in outcome.arrays.items()
        }
        metrics = {split: outcome.metrics for split, outcome in evaluation.splits.items()}
        return Tested(
            test_metrics=metrics.get("test", {}),
            validation_metrics=metrics.get("validation", {}),
            cost={
                "parameters": evaluation.parameters,
                "peak_memory_mb": evaluation.peak_memory_mb,
                "training_cases": evaluation.training_rows,
            },
            arrays=arrays,
            notes=tuple(
                dict.fromkeys(n for outcome in evaluation.splits.values() for n in outcome.notes)
            ),
        )

    def _parts(self, study: Study) -> tuple[Task, Family, PreparedTask]:
        task: Task = registry.tasks().get(study.task)
        return task, registry.families().get(study.entrant.family), self._prepared(task, study)

    def _prepared(self, task: Task, study: Study) -> PreparedTask:
        """The study's data: the driver's copy where this node sees it, else one of its own."""
        from bench.data.prepare import prepare
        from bench.data.prepared import PreparedTask

        if study.data not in self._data:
            there = Path(self._context.prepared[study.data])
            if (there / "manifest.json").exists():
                self._data[study.data] = PreparedTask(there)
            else:
                with self._watchdog.pause():  # hours, for a large data set
                    self._data[study.data] = prepare(
                        task,
                        Path(self._context.raw[study.data]),
                        options=self._context.options[task.id],
                        seed=SPLIT_SEED,
                        cache=cache_root(),
                        fold=study.fold,
                    )
        return self._data[study.data]


def _seldom(beat: Callable[[], None]) -> Callable[[], None]:
    """The same, at most once in BEAT_SECONDS: an update may take less than a thread's start."""
    last = time.monotonic()

    def seldom() -> None:
        nonlocal last
        if (now := time.monotonic()) - last >= BEAT_SECONDS:
            last = now
            beat()

    return seldom


def _scored(job: Job, study: Study) -> tuple[Split, ...]:
    """The splits that a job may open to score a replicate."""
    if job.kind == "validate":
        return ("validation",)
    if study.replicates.refit == "train+validation":
        return ("test",)
    return ("validation", "test")


def _shown(job: Job, study: Study) -> Split | None:
    """The split whose best, median and worst cases are kept: of one of a winner's replicates, of an
    entrant's first search on its first split."""
    one = job.number % study.replicates.seeds == 0  # an earlier winner's took the first numbers
    first = study.search_number == 0 and (study.fold is None or study.fold.number == 0)
    return _scored(job, study)[-1] if one and first and study.time_budget_s is None else None


def failure(error: Exception, *, epoch: int) -> Failure:
    """An exception as the message that the ledger keeps: one line, and where it was raised.

    What came through a plug-in is placed in its file, whatever library raised it.
    """
    import torch

    from bench.train.checkpoint import StorageError
    from bench.train.steps import Diverged

    if isinstance(error, Diverged):
        return Failure(reason="diverged", epoch=error.epoch, error=" ".join(str(error).split()))
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        error = StorageError(str(error.filename or "a file"), error)
    if isinstance(error, StorageError):
        return Failure(reason="storage", epoch=epoch, error=" ".join(str(error).split()))
    place = plugins.where(error)
    if isinstance(error, UserError):
        said = f"{place}: {error}" if place else str(error)
        return Failure(reason="data_error", epoch=epoch, error=said)
    text = " ".join(f"{type(error).__name__}: {error}".split())
    if isinstance(error, torch.OutOfMemoryError):
        return Failure(reason="out_of_memory", epoch=epoch, error=text)
    if place is not None:
        text += f" ({place})"
    elif frames := traceback.extract_tb(error.__traceback__):
        text += f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})"
    if isinstance(error, OSError):
        return Failure(reason="data_error", epoch=epoch, error=text)
    return Failure(reason="model_error", epoch=epoch, error=text)
