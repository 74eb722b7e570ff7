"""The live view of a run: a line a study in a terminal, a line an end elsewhere."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table

from bench.ledger import Event
from bench.tune.engine import Engine
from bench.tune.search import StudySearch

_ENDS = ("replicate_finished", "replicate_tested")


class LiveView:
    """A context manager around a running engine; `update` is told each event."""

    def __init__(self, engine: Engine, console: Console) -> None:
        self._engine = engine
        self._console = console
        self._began = time.monotonic()
        self._done_before = self._done()
        self._live = (
            Live(
                get_renderable=self._table,
                console=console,
                refresh_per_second=2,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            if console.is_terminal
            else None
        )

    def __enter__(self) -> LiveView:
        if self._live:
            self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live:
            self._live.__exit__(kind, error, trace)

    def update(self, event: Event) -> None:
        """Say in a line what ended for good."""
        if event["event"] == "study_finished":
            search = self._engine.searches[event["study"]]
            trials = len(search.state.trials)
            verb = "searched" if event["state"] == "completed" else "FAILED"
            self._console.print(
                f"{_name(search)}: {verb} with {trials} trial{'s' * (trials != 1)}, {event['why']}",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
        elif event["event"] in _ENDS and event["state"] == "failed":
            search = self._engine.searches[event["study"]]
            self._console.print(
                f"{_name(search)}: replicate {event['replicate'] + 1} FAILED, {event['error']}",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False, header_style="bold", caption=self._remaining())
        table.add_column("study", overflow="ellipsis", no_wrap=True)
        for heading in ("trials", "running", "effort", "best", "replicates"):
            table.add_column(heading, justify="right", no_wrap=True)
        for search in self._engine.searches.values():
            table.add_row(*_cells(self._engine, search))
        return table

    def _done(self) -> float:
        """Epochs of work done: the search's effort, and the replicates' epochs."""
        return sum(_epochs_done(search) for search in self._engine.searches.values())

    def _remaining(self) -> str:
        total = sum(_epochs_planned(search) for search in self._engine.searches.values())
        done = self._done()
        fresh = done - self._done_before
        elapsed = time.monotonic() - self._began
        if fresh <= 0:
            return f"{done / total:.0%} done" if total else ""
        left = elapsed * max(0.0, total - done) / fresh
        return f"{min(1.0, done / total):.0%} done, about {_duration(left)} left"


def _name(search: StudySearch) -> str:
    part = search.study.part
    return f"{search.study.task}: {search.study.entrant.label}{f', {part}' if part else ''}"


def _cells(engine: Engine, search: StudySearch) -> list[str]:
    state, plan = search.state, search.study
    ended = sum(trial.state != "running" for trial in state.trials.values())
    best = state.best()
    score = best.best() if best else None
    replicated = sum(r.state == "completed" for r in state.replicates.values())
    failed = " FAILED" if state.state == "failed" else ""
    return [
        _name(search) + failed,
        str(ended),
        str(engine.in_flight(plan.id)),
        f"{_spent(search):.0f}/{plan.search.effort:.0f}{' s' * plan.search.in_effort_seconds}",
        f"{score[0]:.4f}" if score else "",
        f"{replicated}/{plan.replicates.seeds}",
    ]


def _spent(search: StudySearch) -> float:
    """What a search has spent, in the unit of its effort."""
    state = search.state
    return state.charged_seconds if search.study.search.in_effort_seconds else state.effort


def _epochs_planned(search: StudySearch) -> float:
    """Epochs of a whole study; an effort in seconds counts as the epochs that it may buy."""
    plan = search.study
    epochs = plan.search.effort
    if plan.search.in_effort_seconds:
        epochs /= _price(search)
    replicates = _whole_training(search) * plan.replicates.seeds
    return epochs + (0 if search.state.state == "failed" else replicates)


def _epochs_done(search: StudySearch) -> float:
    trained = 0.0
    for replicate in search.state.replicates.values():
        ended = replicate.state in ("completed", "failed")
        trained += _whole_training(search) if ended else replicate.epoch
    return search.state.effort + trained


def _whole_training(search: StudySearch) -> float:
    """Epochs of a training that is not stopped early."""
    plan = search.study.search
    return plan.max_epochs if plan.max_seconds is None else plan.max_seconds / _price(search)


def _price(search: StudySearch) -> float:
    """Charged seconds of an epoch so far; 1 before any."""
    state = search.state
    return max(state.charged_seconds / state.effort, 1e-9) if state.effort else 1.0


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"
