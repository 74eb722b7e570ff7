"""What commands print: a console, progress, a run's leaderboard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console


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
    from results.report import write_report
    from results.terminal import print_leaderboard

    written = write_report(path)
    print_leaderboard(console, load_run(path))
    console.print(str(written), markup=False, highlight=False, soft_wrap=True)
