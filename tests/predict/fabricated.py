"""A run that ended, with replicates whose weights are as they were drawn: nothing is trained."""

from __future__ import annotations

from pathlib import Path

import torch

from bench import launch, registry, runs
from bench.data.prepared import PreparedTask
from bench.ledger import Ledger
from bench.prepared_run import prepare_data
from bench.runs import RunFolder
from bench.spec import Study
from bench.train.checkpoint import Checkpoint
from bench.train.model import build, key_of
from bench.train.training import FORMAT

ENTRANTS = ("FCNN", "U-Net, tiny", "fastText")
SCORES = (0.5, 0.9, 0.7)
"""Each replicate's primary metric on validation: replicate 2 is in the middle."""


def make(path: Path) -> Path:
    """A run of three entrants with three replicates each."""
    found = launch.resolve(launch.Request(suite="smoke", entrants=ENTRANTS))
    folder = RunFolder(path)
    launch.create(found, launch.prepare(found), folder=folder, weights={}, command=["bench"])
    _, file = runs.load(path)
    data = {key: PreparedTask(root) for key, root in prepare_data(file).items()}
    with Ledger(folder.ledger) as events:
        events.append(
            "run_started",
            suite="smoke",
            scale="demo",
            seed=0,
            phantom=True,
            studies=[study.id for study in file.studies],
        )
        for study in file.studies:
            for number, score in enumerate(SCORES):
                replicate(events, folder, study, data[study.data], number, score)
        events.append("run_finished", state="completed")
    return path


def replicate(
    events: Ledger,
    folder: RunFolder,
    study: Study,
    data: PreparedTask,
    number: int,
    score: float,
) -> None:
    """Write a replicate's checkpoint, and its begin and end to the ledger."""
    task = registry.tasks().get(study.task)
    family = registry.families().get(study.entrant.family)
    space = registry.space_of(family, task, study.entrant.space)
    config = space.settled(dict(study.entrant.pin), heading="fabricated")
    model = build(family, config, data, seed=number, device=torch.device("cpu"))
    key = key_of(
        task=task,
        family=family,
        config=config,
        seed=number,
        max_epochs=study.search.max_epochs,
        max_seconds=study.search.max_seconds,
        fingerprint=data.manifest["fingerprint"],
        replicate=True,
        refit=study.replicates.refit,
    )
    place = folder.checkpoints / study.id / f"replicate-{number}.pt"
    Checkpoint(place).save({"format": FORMAT, "key": key, "best": model.state_dict()})
    whose = {"study": study.id, "replicate": number}
    names = {"entrant": study.entrant.label, "task": study.task, "seed": number}
    events.append("replicate_started", **whose, **names, config=config, stop_epoch=None)
    events.append("replicate_trained", **whose, epoch=1, note="")
    events.append(
        "replicate_finished",
        **whose,
        **names,
        state="completed",
        error=None,
        test_metrics={task.primary: score},
        validation_metrics={task.primary: score},
        cost={},
        predictions=None,
    )
