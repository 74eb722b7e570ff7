"""The Tune trainable: a worker that is kept, and runs one job after another.

Failures of a job are messages, not exceptions, so that the process with its imported torch, its
CUDA context and its mapped data lives on. Only a death of the process reaches Tune as an error.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ray import tune

from bench.spec import Budget, Report, Split, Study
from bench.tune.jobs import Context, Failure, Idle, Job, Message, Tested, Trained

IDLE_SECONDS = 0.1
"""How long an idle worker sleeps between two questions for work."""


class Worker(tune.Trainable):
    """Runs the job in `config["job"]`; each `step` sends one message."""

    context: Context

    def setup(self, config: dict[str, Any]) -> None:
        self._messages: Iterator[Any] = iter(())
        self._data: dict[str, Any] = {}
        from bench import registry
        from bench.train import device

        for plugin in self.context.plugins:
            registry.load_plugin(Path(plugin))
        device.set_threads(self.context.threads)
        self.reset_config(config)

    def reset_config(self, config: dict[str, Any]) -> bool:
        self._messages = self._run(config["job"])
        return True

    def step(self) -> dict[str, Any]:
        return {"message": Message(next(self._messages))}

    def cleanup(self) -> None:
        self._messages = iter(())

    def _run(self, job: Job | None) -> Iterator[Any]:
        if job is None:
            while True:
                time.sleep(IDLE_SECONDS)
                yield Idle()
        epoch = job.known_epoch
        try:
            for message in self._work(job):
                if isinstance(message, Report):
                    epoch = message.epoch
                yield message
        except Exception as error:  # a worker outlives whatever a model does
            yield failure(error, epoch=epoch + 1)

    def _work(self, job: Job) -> Iterator[Any]:
        from bench import registry
        from bench.train import evaluate, fit
        from bench.train.checkpoint import Checkpoint

        study = self.context.studies[job.study]
        task = registry.tasks().get(study.task)
        family = registry.families().get(study.entrant.family)
        data = self._prepared(task)
        checkpoint = Checkpoint(f"{self.context.checkpoints}/{job.name}.pt")
        where = self.context.device
        if job.kind == "test":
            yield _tested(
                evaluate.evaluate(
                    task=task,
                    family=family,
                    config=job.config,
                    data=data,
                    checkpoint=checkpoint,
                    device=where,
                    splits=_splits(study),
                ),
                data,
                study,
            )
            return
        replicate = job.kind == "replicate"
        report = None
        for report in fit.fit(
            task=task,
            family=family,
            config=job.config,
            seed=job.seed,
            budget=Budget(
                max_epochs=study.search.max_epochs,
                stop_epoch=job.stop_epoch,
                patience=study.search.patience,
            ),
            data=data,
            device=where,
            checkpoint=checkpoint,
            known_epoch=job.known_epoch,
            replicate=replicate,
            refit=study.replicates.refit if replicate else "train",
            checkpoint_every_s=self.context.checkpoint_every_s,
        ):
            yield report
        if replicate:
            state = checkpoint.load()
            assert state is not None, "a replicate's training ends with a checkpoint"
            notes = "; ".join(report.notes) if report else ""
            yield Trained(epoch=state["selected_epoch"], note=notes)

    def _prepared(self, task: Any) -> Any:
        """The task's data: the driver's copy where this node sees it, else one of its own."""
        from bench.data.prepare import prepare
        from bench.data.prepared import PreparedTask
        from bench.folders import SPLIT_SEED, cache_root

        if task.id not in self._data:
            there = Path(self.context.prepared[task.id])
            if (there / "manifest.json").exists():
                self._data[task.id] = PreparedTask(there)
            else:
                self._data[task.id] = prepare(
                    task,
                    Path(self.context.raw[task.id]),
                    options=self.context.options[task.id],
                    seed=SPLIT_SEED,
                    cache=cache_root(),
                )
        return self._data[task.id]


def worker_class(context: Context) -> type[Worker]:
    """The worker of one run: what all jobs share travels once, with the class."""
    return type("RunWorker", (Worker,), {"context": context})


def _splits(study: Study) -> tuple[Split, ...]:
    return ("validation", "test") if study.replicates.refit == "train" else ("test",)


def _tested(evaluation: Any, data: Any, study: Study) -> Tested:
    arrays: dict[str, Any] = {}
    metrics: dict[str, dict[str, float]] = {"test": {}, "validation": {}}
    for split, outcome in evaluation.splits.items():
        metrics[split] = outcome.metrics
        arrays |= {
            f"{split}_ids": outcome.ids,
            f"{split}_groups": outcome.groups,
            f"{split}_labels": outcome.labels,
            f"{split}_scores": outcome.scores,
        }
    trained_on = ("train",) if study.replicates.refit == "train" else ("train", "validation")
    return Tested(
        test_metrics=metrics["test"],
        validation_metrics=metrics["validation"],
        cost={
            "parameters": evaluation.parameters,
            "peak_memory_mb": evaluation.peak_memory_mb,
            "training_cases": sum(data.manifest["splits"][s]["cases"] for s in trained_on),
        },
        arrays=arrays,
    )


def failure(error: Exception, *, epoch: int) -> Failure:
    """An exception as the message that the ledger keeps."""
    import torch

    from bench.errors import UserError
    from bench.train.steps import Diverged

    text = " ".join(f"{type(error).__name__}: {error}".split())
    if isinstance(error, Diverged):
        return Failure(reason="diverged", epoch=error.epoch, error=" ".join(str(error).split()))
    if isinstance(error, torch.OutOfMemoryError):
        return Failure(reason="out_of_memory", epoch=epoch, error=text)
    if isinstance(error, UserError | OSError):
        return Failure(reason="data_error", epoch=epoch, error=text)
    return Failure(reason="model_error", epoch=epoch, error=text)
