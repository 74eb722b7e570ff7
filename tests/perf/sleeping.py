"""Studies whose trials sleep: what is left is what the search engine does."""

from __future__ import annotations

import math
import os
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.ledger import Event, Ledger
from bench.seeds import derive
from bench.spec import Entrant, Float, Replicates, Report, Search, Space, Study
from bench.tune import experiment
from bench.tune.engine import Engine
from bench.tune.jobs import Job, Tested, Trained

SPACE = Space(learning_rate=Float(1e-4, 1e-1, log=True), weight_decay=Float(1e-6, 1e-2, log=True))


def study(number: int, search: Search, *, seeds: int) -> Study:
    """One of a run's studies."""
    return Study(
        id=f"sleeping-{number}",
        task="none",
        entrant=Entrant(label=f"Sleeper {number}", family="sleeper"),
        space=SPACE.canonical(),
        pinned={},
        search=search,
        replicates=Replicates(seeds=seeds),
        seed=derive(7, number),
    )


def score(job: Job, epoch: int) -> float:
    """A made-up validation score: best near a learning rate of 0.01, rising with epochs."""
    distance = abs(math.log10(job.config["learning_rate"]) + 2)  # type: ignore[arg-type]
    noise = random.Random(f"{job.seed}-{epoch}").gauss(0, 0.01)
    return 0.9 - 0.1 * distance - 0.4 * math.exp(-epoch / 3) + noise


def report(job: Job, epoch: int, *, last: int, seconds: float, worker: int) -> Report:
    """worker: the process that it comes from."""
    return Report(
        epoch=epoch, charged_seconds=seconds, free_seconds=0.0, score=score(job, epoch),
        metrics={"worker": float(worker)}, last=epoch == last,
    )  # fmt: skip


def worker(studies: Sequence[Study], epoch_seconds: float) -> type:
    """A Tune trainable for which an epoch is a sleep; torch is not imported."""
    from bench.tune.worker import Worker

    last = {one.id: one.search.max_epochs for one in studies}

    class Workshop:
        def messages(self, job: Job) -> Any:
            if job.kind == "test":
                yield Tested(test_metrics={}, validation_metrics={}, cost={}, arrays={})
                return
            end = last[job.study]
            for epoch in range(job.known_epoch + 1, end + 1):
                began = time.perf_counter()
                time.sleep(epoch_seconds)
                took = time.perf_counter() - began
                yield report(job, epoch, last=end, seconds=took, worker=os.getpid())
            if job.kind == "replicate":
                yield Trained(epoch=end)

    class Sleeper(Worker):
        def open_workshop(self) -> Any:
            return Workshop()

    return Sleeper


@dataclass
class Watch:
    """When which worker was at work, as the driver hears of it."""

    workers: int
    up: float | None = None
    """When every worker had ended its first epoch; seconds of `time.perf_counter`."""

    def __post_init__(self) -> None:
        self._epochs: list[tuple[float, float]] = []
        self._begun: dict[float, float] = {}
        self.cpu_at_up = 0.0
        """Seconds of this process's CPU time until then."""

    def __call__(self, event: Event) -> None:
        if event["event"] not in ("trial_reported", "replicate_reported"):
            return
        now = time.perf_counter()
        begin = now - event["charged_seconds"]
        self._epochs.append((begin, now))
        self._begun.setdefault(event["metrics"]["worker"], begin)
        if self.up is None and len(self._begun) == self.workers:
            self.up, self.cpu_at_up = now, time.process_time()

    @property
    def work(self) -> float:
        """Seconds of all epochs."""
        return sum(end - begin for begin, end in self._epochs)

    def share_once_up(self) -> float:
        """Of the workers' time from when all were up until the last epoch's end."""
        assert self.up is not None, f"fewer than {self.workers} workers reported an epoch"
        return self.share(self.up, max(end for _, end in self._epochs))

    def share(self, begin: float, end: float) -> float:
        """Of the workers' time between these two, how much was spent in epochs."""
        busy = sum(max(0.0, min(end, e) - max(begin, b)) for b, e in self._epochs)
        return busy / (self.workers * (end - begin))


def engine(
    studies: Sequence[Study],
    ledger: Ledger,
    *,
    on_event: Callable[[Event], None],
    expired: Callable[[], bool] = lambda: False,
) -> Engine:
    """Over these studies, begun in the ledger where it is empty."""
    if ledger.state.started is None:
        ids = [one.id for one in studies]
        ledger.append("run_started", suite="perf", scale="demo", seed=0, phantom=True, studies=ids)
    return Engine(
        studies,
        {one.id: SPACE for one in studies},
        ledger,
        test_fingerprints={"none": ""},
        save_predictions=lambda name, arrays: {"file": name, "sha256": ""},
        discard_checkpoint=lambda name: None,
        on_event=on_event,
        expired=expired,
    )


def seconds(
    studies: Sequence[Study], path: Path, resources: Any, watch: Watch, each: float
) -> float:
    """Wall time of one experiment over these studies. each: seconds of an epoch."""
    with Ledger(path) as ledger:
        made = engine(studies, ledger, on_event=watch)
        began = time.perf_counter()
        experiment.run(made, worker(studies, each), resources)
        return time.perf_counter() - began
