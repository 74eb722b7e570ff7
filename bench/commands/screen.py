"""What commands print: a console, progress, a run's leaderboard."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

if TYPE_CHECKING:
    from results.load import Run


def console_of() -> Console:
    """The terminal."""
    return Console(highlight=False)


def progress_bar(console: Console) -> Any:
    """A context manager: a bar that is there while something is slow."""
    from bench.progress import Bar

    return Bar(console)


def show_report(path: Path, console: Console) -> None:
    """Compile a run's report, and print its leaderboards."""
    from results.load import load_run

    show_page(load_run(path), path, console)


def show_page(run: Run, folder: Path, console: Console) -> None:
    """Compile the report of a run, or of several merged ones, into a folder; print as above."""
    from results.report import write_page
    from results.terminal import print_leaderboard

    written = write_page(run, folder)
    print_leaderboard(console, run)
    console.print(str(written), markup=False, highlight=False, soft_wrap=True)
