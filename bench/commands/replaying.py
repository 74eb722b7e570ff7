"""The command that compares searchers on recorded curves: replay."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.commands.screen import console_of
from bench.errors import UserError
from bench.spec import parse_assignments

if TYPE_CHECKING:
    from bench.tune.replay import Curves, Row, Searcher


def replay(
    run: Annotated[
        list[Path],
        typer.Argument(help="Runs whose trials were trained to their end; or files of --save."),
    ],
    sampler: Annotated[
        list[str] | None,
        typer.Option(help="tpe, random, ... Repeatable: each with each scheduler."),
    ] = None,
    scheduler: Annotated[
        list[str] | None,
        typer.Option(help="asha, asha_promote, hyperband, median, none. Repeatable."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="grace_epochs, reduction_factor or max_trials, as key=value."),
    ] = None,
    repeats: Annotated[int, typer.Option(min=2, help="Searches of each.")] = 30,
    effort: Annotated[
        int | None,
        typer.Option(min=1, help="Epochs of random search. By default a fifth of the table's."),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Virtual workers: trials at a time.")] = 1,
    seed: Annotated[int, typer.Option(help="From which all random streams come.")] = 0,
    save: Annotated[
        Path | None, typer.Option(help="Write the curves to this file (.json.gz) as well.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Compare searchers on a run's recorded curves, in virtual time: nothing is trained.

    How many epochs does each sampler and scheduler need until it is as good as random search
    without early stopping? The run must have stopped none early: `bench run --set sampler=random
    --set scheduler=none`.
    """
    from bench.tune import replay as replays

    tables = _tables(run)
    if save is not None:
        replays.save(tables, save)
    searchers = _searchers(sampler or (), scheduler or (), set_ or ())
    console = console_of()
    rows: list[Row] = []
    for table in tables:
        status = console.status(table.study) if not as_json else None
        if status is not None:
            status.start()
        try:
            rows += replays.compare(
                table, searchers, repeats=repeats, effort=effort, workers=workers, seed=seed
            )
        finally:
            if status is not None:
                status.stop()
    if as_json:
        typer.echo(json.dumps(_content(tables, rows), ensure_ascii=False, indent=1))
    else:
        for table in tables:
            _show(table, [row for row in rows if row.study == table.study])


def _tables(paths: Sequence[Path]) -> list[Curves]:
    from bench.tune import replay as replays

    tables: list[Curves] = []
    for path in paths:
        tables += replays.load(path) if path.is_file() else replays.of_runs([path])
    if len({table.study for table in tables}) < len(tables):
        raise UserError("two of the tables are of one study: give each run or file once")
    if len({table.phantom for table in tables}) > 1:
        raise UserError("phantom and real data are never mixed: give runs of one kind")
    return tables


def _searchers(
    samplers: Sequence[str], schedulers: Sequence[str], assignments: Sequence[str]
) -> list[Searcher]:
    """All pairs of those that are named; the usual ones where none are."""
    from bench.tune.replay import SEARCHERS, Searcher
    from bench.tune.replay.compare import check

    settings = parse_assignments(assignments)
    pairs = [(usual.sampler, usual.scheduler) for usual in SEARCHERS]
    if samplers or schedulers:
        pairs = list(
            product(
                samplers or dict.fromkeys(pair[0] for pair in pairs),
                schedulers or dict.fromkeys(pair[1] for pair in pairs),
            )
        )
    check(pairs, settings)
    return [Searcher(sampler=one, scheduler=other, settings=settings) for one, other in pairs]


def _content(tables: Sequence[Curves], rows: Sequence[Row]) -> dict[str, object]:
    return {
        "phantom": any(table.phantom for table in tables),
        "tables": [
            {
                "study": table.study,
                "task": table.task,
                "entrant": table.entrant,
                "configurations": len(table.curves),
                "left_out": table.left_out,
                "max_epochs": table.max_epochs,
            }
            for table in tables
        ],
        "searchers": [asdict(row) for row in rows],
    }


def _show(table: Curves, rows: Sequence[Row]) -> None:
    from rich.table import Table

    console = console_of()
    mark = " (phantom)" if table.phantom else ""
    heading = (
        f"{table.task}, {table.entrant}{mark}: {len(table.curves)} configurations of up to "
        f"{table.max_epochs} epochs"
    )
    console.print(heading, markup=False, highlight=False, soft_wrap=True)
    view = Table("searcher", box=None, pad_edge=False)
    for name in ("score", "epochs", "ratio", "95 % interval", "reached", "trials", "went on"):
        view.add_column(name, justify="right")
    for row in rows:
        view.add_row(
            row.searcher,
            f"{row.score:.4f}",
            f"{row.effort:.0f}",
            f"{row.ratio:.2f}",
            f"{row.low:.2f} to {row.high:.2f}",
            f"{row.reached}/{row.repeats}",
            f"{row.trials:.0f}",
            f"{row.promotions:.0f}",
        )
    console.print(view)
    for line in _notes(table, rows):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _notes(table: Curves, rows: Sequence[Row]) -> list[str]:
    notes = [
        f"epochs: charged until the score of {rows[0].target:.4f}, to which random search without "
        f"early stopping comes with {rows[0].spend}; ratio: of these; means of {rows[0].repeats} "
        "repeats, those that never came to it with twice as many"
    ]
    if table.left_out:
        notes.append(
            f"{table.left_out} trials are left out: they were not trained to their end, and what "
            "was stopped early may be worse than what is here"
        )
    if short := [row.searcher for row in rows if row.exhausted]:
        notes.append(
            f"the table ended before the effort in some repeats of {', '.join(short)}: record "
            "more configurations, or lower --effort"
        )
    if table.phantom:
        notes.append("PHANTOM: recorded on generated data")
    return notes
