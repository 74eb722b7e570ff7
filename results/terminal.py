"""The leaderboards in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results import figures, outside, sentences
from results.analysis import TaskAnalysis, analyse
from results.holes import holes
from results.load import Run
from results.tables import metric_title
from results.wording import NOTHING, interval, score, spread

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

SHOWN_HOLES = 10


def print_leaderboard(console: Console, run: Run) -> None:
    """Print each task's sentence and leaderboard, what is missing, and whether this is real."""
    from rich.text import Text

    analyses = [analyse(run, task) for task in run.tasks]
    if run.phantom:
        console.print(Text(f"PHANTOM: {sentences.PHANTOM}", style="bold yellow"))
    for analysis in analyses:
        console.print()
        console.print(_table(run, analysis))
        for line in _elsewhere(run, analysis):
            console.print(Text(line))
        console.print(Text(sentences.verdict(run, analysis).text))
    missing = holes(run, analyses).to_dict("records")
    if missing:
        console.print()
        console.print(Text(f"Missing ({len(missing)}):", style="bold"))
    for hole in missing[:SHOWN_HOLES]:
        console.print(Text(f"  {hole['entrant']}: {hole['what']}: {hole['why']}"))
    if len(missing) > SHOWN_HOLES:
        console.print(Text(f"  and {len(missing) - SHOWN_HOLES} more, in the report"))


def _elsewhere(run: Run, analysis: TaskAnalysis) -> list[str]:
    """A line for each model that was made elsewhere, marked."""
    lines = []
    for row in outside.rows(run, analysis).to_dict("records"):
        parts = [
            f"{spread(row['mean'], row['std'])} ({interval(row['low'], row['high'])})",
            f"each training {row['scores']}",
            f"place {row['place']}" if isinstance(row["place"], int) else "no place",
            row["note"],
        ]
        said = "; ".join(part for part in parts if part)
        lines.append(f"Made elsewhere: {row['entrant']}, on {row['on']}: {said}")
    return lines


_COLUMNS = {
    False: ("mean", "std", "seeds"),
    True: ("validation_mean", "validation_std", "validation_seeds"),
}
"""Whether a run is sealed, and which columns of its leaderboard are shown."""


def _table(run: Run, analysis: TaskAnalysis) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from results.leaderboard import leaderboard

    metric = metric_title(analysis.task, analysis.task.primary)
    stamp = " (phantom)" if run.phantom else ""
    split = "validation split, the test split is sealed" if run.sealed else "test split"
    title = Text(f"{analysis.task.title}{stamp}: {metric} on the {split}")
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    table.add_column("tier", justify="right")
    table.add_column("entrant", overflow="fold", ratio=1)
    for column in ("mean", "std", "95 % interval", "seeds"):
        table.add_column(column, justify="right", no_wrap=True)
    mean, std, seeds = _COLUMNS[run.sealed]
    looks = figures.styles(list(dict.fromkeys(s.label for s in run.studies.values())))
    for row in leaderboard(run, analysis).to_dict("records"):
        label = Text.assemble(("■ ", looks[row["entrant"]]["color"]), row["entrant"])
        if row["note"]:
            label.append(f"\n  {row['note']}", style="dim")
        table.add_row(
            str(row["tier"]) if isinstance(row["tier"], int) else NOTHING,
            label,
            score(row[mean]),
            score(row[std]),
            interval(row["low"], row["high"]),
            f"{row[seeds]}/{row['seeds_planned']}",
        )
    return table
