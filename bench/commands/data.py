"""`bench data`: raw data to prepared, checked, or made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from bench.commands.options import DataOption
from bench.commands.screen import console_of, progress_bar
from bench.errors import UserError
from bench.spec import parse_assignments

DatasetArgument = Annotated[str, typer.Argument(help="A data set of `bench list datasets`.")]


def prepare(
    dataset: DatasetArgument,
    data: DataOption = None,
    option: Annotated[
        list[str] | None, typer.Option(help="Task option=value, as a suite sets it. Repeatable.")
    ] = None,
) -> None:
    """Check raw files and write the memory-mapped arrays that trials read.

    `bench run` does this by itself; on a cluster it saves the first run the wait.
    """
    from bench.data import upkeep

    console = console_of()
    with progress_bar(console) as progress:
        done = upkeep.prepare(dataset, data or (), parse_assignments(option or []), progress)
    for line in done:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def verify(
    dataset: DatasetArgument,
    data: DataOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="All problems, for programs; exit 2 where there are any.")
    ] = False,
) -> None:
    """Check raw files, and prepared arrays against what was written."""
    from bench.data import upkeep

    console = console_of()
    with progress_bar(console) as progress:
        found = upkeep.verify(dataset, data or (), progress)
    if as_json:
        typer.echo(json.dumps(found.as_dict(), indent=1, ensure_ascii=False))
        raise typer.Exit(2 if found.problems else 0)
    found.raise_problems()
    for line in found.lines():
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def phantom(
    dataset: DatasetArgument,
    out: Annotated[Path, typer.Option(help="A new or empty folder.")],
    cases: Annotated[
        int | None,
        typer.Option("--cases", "--volumes", min=1, help="Volumes, images, or training texts."),
    ] = None,
    shape: Annotated[
        str | None,
        typer.Option(help="Of every volume: columns,rows,slices, such as 512,512,450."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Other seeds, other phantoms.")] = 0,
) -> None:
    """Write generated data in a data set's real on-disk format."""
    from bench.data import sources

    console = console_of()
    with progress_bar(console) as progress:
        sources.make_phantom(dataset, out, cases, seed, shape=_shape(shape), progress=progress)
    console.print(
        f"wrote a phantom of {dataset} to {out}", markup=False, highlight=False, soft_wrap=True
    )


def _shape(text: str | None) -> tuple[int, int, int] | None:
    if text is None:
        return None
    parts = text.split(",")
    if len(parts) != 3 or not all(part.strip().isdecimal() and int(part) > 0 for part in parts):
        raise UserError(
            f"--shape takes columns,rows,slices, three whole numbers above 0, got {text!r}: "
            "such as 512,512,450"
        )
    return int(parts[0]), int(parts[1]), int(parts[2])
