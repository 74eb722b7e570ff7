"""10,000 trials of a second on 16 logical workers: `python -m tests.perf.ten_thousand`.

Ten studies of 1,000 trials in one run: TPE, asha_promote, ledger. A trial sleeps: 0.6 s an epoch,
one epoch for two thirds of the trials and three for those that go on, a second in the mean. The
least that it can take is 625 s; Ray's documentation gives 715 s for as many trials without a
searcher. Only the driver needs a processor.

With --short the run is not played through. It is looked at half-way, in a ledger that is filled in
virtual time by random search: how much of the workers' time is spent in epochs once all are up.
What TPE takes grows in proportion to the trials of a study, so that the middle stands for the
whole; with how long the workers took to come up, what the whole would take follows. That is an
extrapolation, and the figure says so.
"""

from __future__ import annotations

import heapq
import resource
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.ledger import Ledger
from bench.spec import Search, Study
from bench.tune import experiment
from tests.perf import sleeping
from tests.perf.figures import Figure, Side, against_limit, finish, parser

EPOCHS, EPOCH_SECONDS = 3, 0.6
UP_S = 180.0
"""A look is given up where so long not every worker has come up."""
PUBLISHED_S = 715.0
"""Ray's "Scalability and Overhead Benchmarks for Ray Tune": 16 CPUs of one node, no searcher."""


def studies(count: int, trials: int) -> list[Study]:
    """So many studies, each of so many trials: a third of them goes on from the first rung."""
    search = Search(
        effort_epochs=trials + trials // 3 * (EPOCHS - 1), max_epochs=EPOCHS, max_trials=trials
    )
    return [sleeping.study(number, search, seeds=1) for number in range(count)]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What was seen of a run once all workers were up."""

    share: float
    """Of the workers' time, what was spent in epochs."""
    driver: float
    """Processors that the driver took."""
    work: float
    """Seconds of all epochs."""
    wall: float
    """Of the whole experiment."""
    start: float
    """Seconds of it until all workers were up."""


def play(begun: Sequence[Study], path: Path, resources: Any, *, seconds: float | None) -> Stage:
    """Work a run off, or so many seconds of it from when all workers are up."""
    watch = sleeping.Watch(resources.workers)
    began = time.perf_counter()

    def expired() -> bool:
        if seconds is None:
            return False
        now = time.perf_counter()
        return now > (began + UP_S if watch.up is None else watch.up + seconds)

    with Ledger(path) as ledger:
        engine = sleeping.engine(begun, ledger, on_event=watch, expired=expired)
        experiment.run(engine, sleeping.worker(begun, EPOCH_SECONDS), resources)
    ended = time.perf_counter()
    assert watch.up is not None, f"fewer than {resources.workers} workers came up"
    until = ended if seconds is None else watch.up + seconds
    return Stage(
        share=watch.share(watch.up, until),
        driver=(time.process_time() - watch.cpu_at_up) / (ended - watch.up),
        work=watch.work,
        wall=ended - began,
        start=watch.up - began,
    )


def fill(path: Path, begun: Sequence[Study], trials: int, *, workers: int) -> None:
    """A ledger as it is when so many trials have begun; the sampler is random search."""
    quick = [
        replace(one, search=replace(one.search, sampler="random", effort_epochs=10**9))
        for one in begun
    ]
    started = 0

    def count(event: Any) -> None:
        nonlocal started
        started += event["event"] == "trial_started"

    with Ledger(path) as ledger:
        engine = sleeping.engine(quick, ledger, on_event=count, expired=lambda: started >= trials)
        due: list[tuple[float, int, Any, int]] = []
        clock, turn = 0.0, 0
        while True:
            while len(due) < workers and (job := engine.next_job()) is not None:
                turn += 1
                heapq.heappush(due, (clock + 1, turn, job, job.known_epoch + 1))
            if not due:
                return
            clock, _, job, epoch = heapq.heappop(due)
            message = sleeping.report(job, epoch, last=EPOCHS, seconds=EPOCH_SECONDS, worker=0)
            if engine.on_message(job, message):
                turn += 1
                heapq.heappush(due, (clock + 1, turn, job, epoch + 1))


def main() -> None:
    options = parser(__doc__, repeats=1)
    options.add_argument("--workers", type=int, default=16)
    options.add_argument("--studies", type=int, default=10)
    options.add_argument("--trials", type=int, default=1000, help="of each study")
    options.add_argument("--seconds", type=float, default=10, help="of a look, with --short")
    given = options.parse_args()
    begun = studies(given.studies, given.trials)
    every = given.studies * given.trials
    walls: list[float] = []
    drivers: list[float] = []
    note = f"{every} trials, {given.workers} workers"
    for _ in range(given.repeats):
        with (
            tempfile.TemporaryDirectory() as folder,
            experiment.cluster(None, workers=given.workers, gpus=0) as resources,
        ):
            path = Path(folder) / "ledger.jsonl"
            if not given.short:
                stage = play(begun, path, resources, seconds=None)
                walls.append(stage.wall)
                drivers.append(stage.driver)
                continue
            fill(path, begun, every // 2, workers=given.workers)
            half = play(begun, path, resources, seconds=given.seconds)
            walls.append(half.start + every / given.workers / half.share)
            drivers.append(half.driver)
            note = (
                f"extrapolated from {given.seconds:g} s half-way ({half.share:.3f} of the workers' "
                f"time in epochs); {half.start:.0f} s of it until all workers were up"
            )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    wall = Side(label="wall", values=tuple(walls))
    published = Side(label="Ray, published", values=(PUBLISHED_S * every / 10_000,))
    finish(
        [
            Figure(
                what="ten thousand trials", unit="s", ours=wall, theirs=published,
                ratio=wall.median / published.median, bound="at most",
                target=round(680 / PUBLISHED_S, 3), note=note,
            ),
            against_limit(
                "ten thousand trials, driver's memory", "GiB", [peak], 1.0, label="peak"
            ),
            against_limit(
                "ten thousand trials, driver", "processors", drivers, 1.0, label="in the mean"
            ),
        ],
        given.json,
    )  # fmt: skip


if __name__ == "__main__":
    main()
