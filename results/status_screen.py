"""How far a run is, in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from results.holes import cause
from results.status import TRIAL_STATES, RunStatus, StudyStatus
from results.wording import NOTHING, duration, score

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

_STATES = {
    "not begun": "not begun yet: no ledger",
    "running": "running",
    "paused": "paused: `bench resume {run}` goes on",
    "interrupted": "not finished, and nobody works at it: `bench resume {run}` goes on",
    "completed": "completed",
    "failed": "ended, with failures: see `bench report {run}`",
}


def rendered(status: RunStatus, *, run: str) -> Group:
    """A run's state, its studies, their trials and rungs. run: what commands call it."""
    from rich.console import Group
    from rich.text import Text

    studies = status.studies
    lines = [Text(line) for line in _heading(status, run)]
    if status.phantom:
        lines.insert(1, Text("PHANTOM: generated data, not a result", style="bold yellow"))
    ends = [
        Text(f"{one.name}: {'FAILED, ' * (one.state == 'failed')}{cause(one.why)}")
        for one in studies
        if one.state != "running"
    ]
    rungs = [one for one in studies if one.rungs]
    tables = [_progress(studies), _trials(studies), *([_rungs(rungs)] if rungs else [])]
    return Group(*lines, *(part for table in tables for part in (Text(), table)), Text(), *ends)


def _heading(status: RunStatus, run: str) -> list[str]:
    sealed = ", test split sealed" if status.sealed else ""
    lines = [
        f"{status.run} ({status.scale}{sealed}): {_STATES[status.state].format(run=run)}",
        f"worked at for {duration(status.seconds)}"
        + (f", resumed {status.resumes} times" if status.resumes else "")
        + (f"; last event {_ago(status)}" if status.last_event else ""),
    ]
    if status.left_seconds is not None and status.pace is not None:
        at = "at its pace" if status.state == "running" else "once resumed, at its last pace"
        lines.append(
            f"about {duration(status.left_seconds)} left, {at} of {60 * status.pace:.3g} epochs a "
            "minute: what is planned of searches and replicates, at most"
        )
    return lines


def _ago(status: RunStatus) -> str:
    return f"{duration(status.last_event_age_seconds)} ago"


def _table(*headings: str) -> Table:
    """The study first, folded where it is long; numbers to the right."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1))
    table.add_column("study", overflow="fold", min_width=10)
    for heading in headings:
        table.add_column(heading, justify="right", overflow="fold")
    return table


def _progress(studies: Sequence[StudyStatus]) -> Table:
    from rich.text import Text

    table = _table("best", "of trial", "effort", "left", "replicates")
    for one in studies:
        unit = " s" * (one.effort_unit != "epochs")
        failed = f" ({one.replicates_failed} failed)" if one.replicates_failed else ""
        table.add_row(
            Text(f"{one.name}\n  {one.metric}"),
            score(one.best),
            NOTHING if one.best_trial is None else str(one.best_trial),
            f"{one.effort:.0f}/{one.effort_planned:.0f}{unit}",
            f"{one.effort_left:.0f}{unit}",
            f"{one.replicates}/{one.replicates_planned}{failed}",
        )
    return table


def _trials(studies: Sequence[StudyStatus]) -> Table:
    from rich.text import Text

    table = _table(*TRIAL_STATES)
    for one in studies:
        table.add_row(Text(one.name), *(str(one.trials[name]) for name in TRIAL_STATES))
    return table


def _rungs(studies: Sequence[StudyStatus]) -> Table:
    from rich.text import Text

    table = _table("rung", "reached", "promoted", "paused", "stopped")
    for one in studies:
        unit = " s" * (one.rung_unit == "seconds")
        for number, rung in enumerate(one.rungs):
            table.add_row(
                Text(one.name if number == 0 else ""),
                f"{rung.rung:g}{unit}",
                *map(str, (rung.reached, rung.promoted, rung.paused, rung.stopped)),
            )
    return table
