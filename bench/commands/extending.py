"""What `bench resume` does first where a run is given more to do."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.console import Console

from bench.commands.screen import progress_bar

if TYPE_CHECKING:
    from bench.extend import Extension, Wanted
    from bench.runs import RunFile, RunFolder


def extend_run(folder: RunFolder, file: RunFile, wanted: Wanted, console: Console) -> None:
    """Check what is wanted, take one step with the models of new entrants, write it to run.json.

    The plug-ins must be loaded. Raises UserError before anything is written.
    """
    from bench import extend, provisions, warm_start

    extension = extend.extended(file, wanted, begun_with=warm_start.recorded(folder))
    if extension is None:
        return
    weights = provisions.find(extension.added)
    if extension.added:
        _rehearse(file, extension, console)
    extend.write(folder, file, extension, weights=weights, command=sys.argv)
    console.print(f"extended: {extension}", markup=False, highlight=False, soft_wrap=True)


def _rehearse(file: RunFile, extension: Extension, console: Console) -> None:
    """Raise UserError where a model of a new entrant cannot be built or stepped."""
    from bench import preflight, rehearsal
    from bench.data.prepared import PreparedTask
    from bench.prepared_run import prepare_data

    roots = prepare_data(file, tasks=sorted({study.task for study in extension.added}))
    prepared = {key: PreparedTask(root) for key, root in roots.items()}
    with progress_bar(console) as progress, rehearsal.Apart() as step:
        rehearsed = list(preflight.entrants(extension.added, prepared, step, progress))
    preflight.refuse(extension.suite, rehearsed)
