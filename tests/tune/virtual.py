"""The engine without Ray: jobs run in virtual time, on made-up learning curves."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable
from pathlib import Path

from bench.ledger import Ledger
from bench.seeds import derive
from bench.spec import Choice, Entrant, Float, Replicates, Report, Search, Space, Study
from bench.tune.engine import Engine
from bench.tune.jobs import Failure, Job, Tested, Trained

SPACE = Space(
    optimizer=Choice("adamw", "sgd"),
    learning_rate=Float(1e-4, 1e-1, log=True, default=0.05),
    momentum=Float(0.8, 0.99, when={"optimizer": "sgd"}),
    decay=Float(1e-6, 1e-1, log=True, limits=(0, 1), default=1e-3),
    clip=Choice("none", "norm", held=True),
)


def study(
    name: str = "a",
    *,
    seeds: int = 3,
    refit: str = "train",
    enqueued: tuple[dict, ...] = (SPACE.defaults(),),
    **search,
) -> Study:
    settings = {"max_epochs": 9} | search
    if "effort_seconds" not in settings:
        settings.setdefault("effort_epochs", 30)
    return Study(
        id=f"task-{name}",
        task="task",
        entrant=Entrant(label=f"Entrant {name}", family="family"),
        space=SPACE.canonical(),
        pinned=SPACE.held(),
        enqueued=enqueued,
        search=Search(**settings),
        replicates=Replicates(seeds=seeds, refit=refit),
        seed=derive(7, name),
    )


def curve(config: dict, seed: int, epoch: int) -> float:
    """A made-up validation score: best near a learning rate of 0.01, rising with epochs."""
    distance = abs(math.log10(config["learning_rate"]) + 2)
    noise = random.Random(f"{seed}-{epoch}").gauss(0, 0.01)
    return 0.9 - 0.1 * distance - 0.4 * math.exp(-epoch / 3) + noise


class Killed(Exception):
    """The driver died."""


def messages(job: Job, of: Study, failing: Callable[[Job, int], Failure | None]):
    """What a worker would send for a job."""
    if job.kind in ("validate", "test"):
        if failure := failing(job, of.search.max_epochs):
            yield failure
            return
        score = curve(job.config, job.seed, of.search.max_epochs)
        yield Tested(
            test_metrics={"accuracy": score} if job.kind == "test" else {},
            validation_metrics={"accuracy": score},
            cost={"parameters": 10},
            arrays={},
        )
        return
    end = job.stop_epoch or of.search.max_epochs
    for epoch in range(job.known_epoch + 1, end + 1):
        if failure := failing(job, epoch):
            yield failure
            return
        score = curve(job.config, job.seed, epoch)
        yield Report(
            epoch=epoch,
            charged_seconds=1.0,
            free_seconds=0.1,
            score=score,
            metrics={"accuracy": score},
            last=epoch == end,
        )
    if job.kind == "replicate":
        yield Trained(epoch=end)


def run(
    folder: Path,
    studies: list[Study],
    *,
    workers: int = 1,
    steps: int | None = None,
    failing: Callable[[Job, int], Failure | None] = lambda job, epoch: None,
    dying: Callable[[Job, int], bool] = lambda job, step: False,
    discarded: list[str] | None = None,
    sealed: bool = False,
    unseal: bool = False,
    expired: Callable[[], bool] = lambda: False,
    space: Space = SPACE,
) -> Engine:
    """Work off a run; after `steps` messages the driver dies with Killed.

    sealed: of a new run. unseal: of a sealed run that has finished, or was unsealed already.
    expired: whether the run's time is up. A run that pauses is not finished.
    """
    by_id = {s.id: s for s in studies}
    with Ledger(folder / "ledger.jsonl") as ledger:
        if ledger.state.started is None:
            ledger.append(
                "run_started",
                suite="virtual",
                scale="demo",
                seed=7,
                phantom=True,
                studies=list(by_id),
                sealed=sealed,
            )
        elif unseal and ledger.state.sealed:
            ledger.append("run_unsealed")
        engine = Engine(
            studies,
            {study.id: space for study in studies},
            ledger,
            test_fingerprints={"task": "f00d"},
            save_predictions=lambda name, arrays: {"file": f"{name}.npz", "sha256": "0"},
            discard_checkpoint=(discarded if discarded is not None else []).append,
            expired=expired,
        )
        clock, order, running = 0.0, 0, []
        while not engine.finished():
            while len(running) < workers and (job := engine.next_job()) is not None:
                order += 1
                heapq.heappush(
                    running, (clock + 1, order, job, messages(job, by_id[job.study], failing))
                )
            if not running and engine.paused is not None:
                break
            assert running, "nothing runs, nothing is handed out, and the run is not finished"
            if steps is not None:
                if steps == 0:
                    raise Killed
                steps -= 1
            clock, _, job, source = heapq.heappop(running)
            order += 1
            if dying(job, order):
                engine.on_death(job, "the worker was killed")
            elif engine.on_message(job, next(source)):
                duration = 1 + random.Random(order).random() * (workers > 1)
                heapq.heappush(running, (clock + duration, order, job, source))
        if engine.paused is None:
            ledger.append("run_finished", state=engine.outcome())
        return engine
