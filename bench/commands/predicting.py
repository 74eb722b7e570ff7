"""`bench predict`: a run's winner on new files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.commands.options import RunArgument
from bench.commands.screen import console_of, progress_bar


def predict(
    run: RunArgument,
    files: Annotated[
        list[Path],
        typer.Argument(help="CT volumes as NIfTI, patches as PNG, texts as CSV or TXT."),
    ],
    entrant: Annotated[str, typer.Option(help="An entrant of the run, by label or family.")],
    task: Annotated[
        str | None, typer.Option(help="A task of the run; needed where the entrant has several.")
    ] = None,
    replicate: Annotated[
        str | None,
        typer.Option(
            help="The number of one of its trainings, or all: the mean of their probabilities. By "
            "default the training in the middle, by its validation score."
        ),
    ] = None,
    study: Annotated[
        str | None, typer.Option(help="Of several searches, splits or time budgets, only this.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="A new folder. By default predictions-RUN-ENTRANT-TASK, here."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write over earlier predictions in that folder.")
    ] = False,
    storage: Annotated[
        str | None, typer.Option(help="Where the run kept its checkpoints, as it was told.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="cpu or cuda; by default what is there.")
    ] = None,
) -> None:
    """Apply an entrant's trained winner to new files.

    Classifications become predictions.csv, with a probability for each class; segmentations a mask
    a volume, with its shape and affine. about.json beside them says which weights made them.
    """
    from bench.predict import Request
    from bench.predict import predict as work
    from bench.torch_check import check_torch

    check_torch()
    console = console_of()

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    request = Request(
        run=run,
        entrant=entrant,
        files=files,
        task=task,
        study=study,
        replicate=replicate,
        out=out,
        force=force,
        storage=storage,
        device=device,
    )
    with progress_bar(console) as progress:
        done = work(request, progress=progress)
    about = done.about
    numbers = ", ".join(f"{one['study']}/{one['replicate']}" for one in about["replicates"])
    say(f"{about['entrant']} on {about['task']}: {about['how']} ({numbers})")
    say(about["notice"])
    number, what = (about["rows"], "row") if "rows" in about else (len(about["outputs"]), "mask")
    say(f"wrote {number} {what}{'s' * (number != 1)} to {done.folder}")
