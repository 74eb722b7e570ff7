"""Commands that look at a run from outside: status, export."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.commands.options import RunArgument
from bench.commands.screen import console_of
from bench.errors import UserError
from bench.spec import unknown

REFRESH_S = 2.0
FORMATS = ("optuna", "csv", "parquet")


def status(
    run: RunArgument,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Look again every 2 seconds, until the run ends.")
    ] = False,
) -> None:
    """How far a run is: trials by state, rungs, best, effort, time left.

    For another terminal while it goes on, and for afterwards: only reads.
    """
    import json

    from results.status import Watch

    if watch and as_json:
        raise UserError("--json is one answer, --watch shows many: leave one of them out")
    looking = Watch(run)
    if as_json:
        typer.echo(json.dumps(looking.look().as_dict(), indent=1, ensure_ascii=False))
        return
    if not watch:
        from results.status_screen import rendered

        console_of().print(rendered(looking.look(), run=str(run)))
        return
    try:
        _watch(looking, run)
    except KeyboardInterrupt:
        return


def _watch(looking: Any, run: Path) -> None:
    """Look every REFRESH_S until nobody works at the run any more."""
    from rich.live import Live

    from results.status_screen import rendered

    found = looking.look()
    with Live(
        rendered(found, run=str(run)),
        console=console_of(),
        auto_refresh=False,
    ) as live:
        while found.state in ("running", "not begun"):
            time.sleep(REFRESH_S)
            found = looking.look()
            live.update(rendered(found, run=str(run)), refresh=True)


def export(
    run: RunArgument,
    to: Annotated[str, typer.Option("--to", help="optuna, csv or parquet.")],
    out: Annotated[
        Path,
        typer.Option(
            help="What to write: for optuna a file, for csv and parquet a folder of four tables. "
            "For optuna, a name that ends in .db or .sqlite3 makes an SQLite file, any other a "
            "journal, which is written many times as fast."
        ),
    ],
) -> None:
    """Write a run's searches for other programs: Optuna and its dashboard, CSV, Parquet."""
    if to not in FORMATS:
        raise UserError(unknown("format", to, FORMATS))
    if out.exists():
        raise UserError(f"{out} exists already: name another --out, or remove it first")
    if to == "optuna":
        from bench.tune.export import export_studies

        written = export_studies(run, out)
    else:
        from results.export import export_tables

        written = export_tables(run, out, to=to)
    console_of().print(written, markup=False, highlight=False, soft_wrap=True)
