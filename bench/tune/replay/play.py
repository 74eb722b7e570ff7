"""One search over a table of curves: the real engine, virtual workers, virtual time."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from bench.ledger import Event, StudyState
from bench.ledger.memory import MemoryLedger
from bench.seeds import derive
from bench.spec import Entrant, Replicates, Report, Search, Study
from bench.tune.engine import Engine
from bench.tune.jobs import Content, Failure, Job
from bench.tune.replay.curves import Curve, Curves
from bench.tune.replay.rows import NearestRows, RandomRows


@dataclass
class Played:
    """What a search over a table came to."""

    best: list[float] = field(default_factory=list)
    """By charged epoch, from the first: the best validation score so far; -inf before any."""
    charged_seconds: float = 0.0
    seconds: float = 0.0
    """Virtual seconds until the last message."""
    ledger: MemoryLedger = field(default_factory=MemoryLedger)

    @property
    def study(self) -> StudyState:
        (study,) = self.ledger.state.studies.values()
        return study

    @property
    def trials(self) -> int:
        return len(self.study.trials)

    @property
    def promotions(self) -> int:
        """Rungs from which a trial went on."""
        return sum(
            said == "promoted"
            for trial in self.study.trials.values()
            for _, said in trial.rungs.values()
        )

    def score_at(self, effort: int) -> float:
        """The best score after so many charged epochs, or at the end where it came before."""
        return self.best[min(effort, len(self.best)) - 1] if self.best else -np.inf

    def effort_to(self, targets: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Charged epochs until the best score is no less than each target; infinity: never."""
        reached = np.searchsorted(np.array(self.best), np.asarray(targets), side="left") + 1.0
        return np.where(reached > len(self.best), np.inf, reached)

    def take(self, event: Event) -> None:
        """Follow the ledger."""
        top = self.best[-1] if self.best else -np.inf
        if event["event"] == "trial_reported":
            self.best.append(max(top, event["score"]))
            self.charged_seconds += event["charged_seconds"]
        elif event["event"] == "trial_finished":
            trial = self.study.trials[event["trial"]]
            self.best += [top] * (event["epochs"] - trial.epoch)


def play(table: Curves, search: Search, *, seed: int, workers: int = 1) -> Played:
    """Search a table: every decision is the engine's.

    search: its `max_epochs` are those of the table. Nothing is enqueued; the search ends when its
    effort is spent or every row of the table was taken.
    """
    study = study_of(table, search, seed=seed)
    clock = _Clock()
    played = Played(ledger=MemoryLedger(clock.read))
    played.ledger.append(
        "run_started",
        suite="replay",
        scale="replay",
        seed=seed,
        phantom=table.phantom,
        studies=[study.id],
    )
    engine = Engine(
        [study],
        {study.id: table.space},
        played.ledger,
        test_fingerprints={},
        save_predictions=_no_predictions,
        discard_checkpoint=lambda _: None,
        on_event=played.take,
    )
    rows = RandomRows if search.sampler == "random" else NearestRows
    sampler = rows(study, table)
    engine.searches[study.id]._sampler = sampler
    _work(engine, study.id, table, sampler.rows, workers=workers, clock=clock)
    played.seconds = clock.now
    return played


def study_of(table: Curves, search: Search, *, seed: int) -> Study:
    """The study that searches a table."""
    held = dict(table.pinned)
    return Study(
        id=f"replay-{table.study}",
        task=table.task,
        entrant=Entrant(label=table.entrant, family=table.family),
        space=table.space.canonical(),
        pinned=held,
        free=table.space.free(held),
        search=search,
        replicates=Replicates(seeds=1),
        seed=derive(seed, "replay", table.study),
    )


@dataclass
class _Clock:
    now: float = 0.0

    def read(self) -> float:
        return self.now


def _work(
    engine: Engine,
    study: str,
    table: Curves,
    rows: Mapping[int, int],
    *,
    workers: int,
    clock: _Clock,
) -> None:
    """Let virtual workers work the search off: each epoch takes its recorded charged seconds."""
    state = engine.searches[study].state
    running: list[tuple[float, int, Job, Content, Iterator[tuple[float, Content]]]] = []
    order = 0
    while state.state == "running":
        while len(running) < workers and state.state == "running":
            job = engine.next_job()
            if job is None:
                break
            messages = _messages(table.curves[rows[job.number]], job)
            seconds, message = next(messages)
            order += 1
            heapq.heappush(running, (clock.now + seconds, order, job, message, messages))
        if not running:
            break
        clock.now, _, job, message, messages = heapq.heappop(running)
        if engine.on_message(job, message):
            seconds, message = next(messages)
            order += 1
            heapq.heappush(running, (clock.now + seconds, order, job, message, messages))


def _messages(curve: Curve, job: Job) -> Iterator[tuple[float, Content]]:
    """What a worker would send, each with the seconds that it takes."""
    for epoch in range(job.known_epoch + 1, len(curve.scores) + 1):
        score, seconds = curve.scores[epoch - 1], curve.charged_seconds[epoch - 1]
        yield (
            seconds,
            Report(
                epoch=epoch,
                charged_seconds=seconds,
                free_seconds=0.0,
                score=score,
                metrics={},
                last=curve.ended == "completed" and epoch == len(curve.scores),
            ),
        )
    epoch = len(curve.scores) + 1
    seconds = curve.charged_seconds[-1] if curve.charged_seconds else 0.0
    yield seconds, Failure(reason="diverged", epoch=epoch, error="as it was recorded")


def _no_predictions(name: str, arrays: Mapping[str, object]) -> dict[str, str]:
    raise AssertionError(f"{name}: a replay trains no replicate")
