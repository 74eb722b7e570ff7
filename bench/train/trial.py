"""One trial by hand: what `bench trial` runs, on a machine with neither Ray nor Optuna."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bench import registry
from bench.data.prepared import PreparedTask
from bench.errors import UserError
from bench.spec import Budget, Config, Family, Report, Scalar, Task
from bench.train import device as devices
from bench.train.checkpoint import Checkpoint
from bench.train.fit import fit


def configure(family: Family, task: Task, settings: Mapping[str, Scalar]) -> Config:
    """The default configuration of a family on a task with these settings.

    Raises UserError with every setting that is unknown, out of range or without effect.
    """
    heading = f"settings for {family.id} on {task.id}"
    return registry.space_of(family, task).settled(settings, heading=heading)


def run_trial(
    *,
    task: Task,
    family: Family,
    data: PreparedTask,
    settings: Mapping[str, Scalar],
    epochs: int,
    seed: int = 0,
    patience: int | None = None,
    device: str | None = None,
    checkpoint: Checkpoint | None = None,
) -> Iterator[Report]:
    """Check the settings, then train; yields a report an epoch, as `fit`.

    Raises UserError at once, before the first report is asked for, for wrong settings and for a
    family that cannot take the task.
    """
    if task.kind not in family.kinds:
        raise UserError(
            f"{family.id} takes {', '.join(sorted(family.kinds))}, {task.id} is {task.kind}: "
            "choose another family or task"
        )
    return fit(
        task=task,
        family=family,
        config=configure(family, task, settings),
        seed=seed,
        budget=Budget(max_epochs=epochs, patience=patience),
        data=data,
        device=devices.pick(device),
        checkpoint=checkpoint,
    )
