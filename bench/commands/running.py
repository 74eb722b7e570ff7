"""Commands that work a run off: run, resume, unseal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from bench.commands.extending import extend_run
from bench.commands.options import (
    AddressOption,
    DataOption,
    EntrantsOption,
    GpusOption,
    LogOption,
    MaxHoursOption,
    PluginsOption,
    RunArgument,
    ScaleOption,
    SetOption,
    StorageOption,
    SuiteOption,
    TasksOption,
    WorkersOption,
    driver_options,
    listed,
    load_plugins,
)
from bench.commands.screen import console_of, progress_bar, show_report
from bench.spec import parse_assignments

INTERRUPTED = 130


def run(
    suite: SuiteOption,
    scale: ScaleOption = "auto",
    tasks: TasksOption = None,
    entrants: EntrantsOption = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Replicates of each winner.")] = None,
    seed: Annotated[int | None, typer.Option(help="From which all random streams come.")] = None,
    run: Annotated[
        Path | None, typer.Option("--run", help="Folder of the run. By default below runs/.")
    ] = None,
    data: DataOption = None,
    set_: SetOption = None,
    workers: WorkersOption = None,
    gpus_per_trial: GpusOption = None,
    address: AddressOption = None,
    storage: StorageOption = None,
    plugins: PluginsOption = None,
    max_hours: MaxHoursOption = None,
    log: LogOption = None,
    sealed: Annotated[
        bool,
        typer.Option(
            "--sealed",
            help="Leave the test set closed: replicates are scored on validation only, until "
            "`bench unseal RUN`.",
        ),
    ] = False,
    against: Annotated[
        Path | None,
        typer.Option(
            help="A run's folder: follow its protocol to the letter, and end with the verdict of "
            "`bench compare` and its exit code."
        ),
    ] = None,
    warm_start: Annotated[
        Path | None,
        typer.Option(
            help="A run's folder: each search first tries the best configurations that it found."
        ),
    ] = None,
) -> None:
    """Search, replicate and report a whole suite.

    Checks the data and the suite and takes one step with each entrant's model; then searches each
    entrant's hyperparameters for the same effort, retrains each winner under fresh seeds, opens the
    test set once for each of those, and writes one offline report. Whatever interrupts it:
    `bench resume RUN` goes on.
    """
    from bench import launch, preflight, provisions, rehearsal, runs
    from bench.redaction import without_secrets
    from bench.storage import check_storage
    from bench.torch_check import check_torch
    from bench.tune import logs
    from bench.tune.experiment import check_address

    check_torch()
    check_address(address)
    check_storage(storage)
    logs.check(log or ())
    load_plugins(plugins)
    settings = parse_assignments(set_ or [])
    if seeds is not None:
        settings["seeds"] = seeds
    found = launch.resolve(
        launch.Request(
            suite=suite,
            scale=scale,
            seed=seed,
            tasks=listed(tasks),
            entrants=entrants or (),
            data=data or (),
            settings=settings,
            sealed=sealed,
            against=against,
            warm_start=warm_start,
        )
    )
    console = console_of()
    console.print(found.headline, markup=False, highlight=False, soft_wrap=True)
    folder = runs.new_folder(found.suite, run)
    weights = provisions.find(found.studies)
    with progress_bar(console) as progress:
        prepared = launch.prepare(found, progress)
    with progress_bar(console) as progress, rehearsal.Apart() as step:
        rehearsed = list(preflight.entrants(found.studies, prepared, step, progress))
    preflight.refuse(found.suite, rehearsed)
    command = [without_secrets(argument) for argument in sys.argv]
    launch.create(found, prepared, folder=folder, weights=weights, command=command)
    _proceed(
        folder.path,
        driver_options(workers, gpus_per_trial, address, storage, max_hours, log),
        console,
    )


def resume(
    run: RunArgument,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Replicates of each winner, if more than it has.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="effort_epochs=60, effort_seconds= or max_trials=, more than it has; of one task: "
            "lits_cls.effort_epochs=60. Repeatable.",
        ),
    ] = None,
    entrants: Annotated[
        list[str] | None,
        typer.Option(
            help="One more entrant, by its label in the suite's file or by family. Repeatable."
        ),
    ] = None,
    workers: WorkersOption = None,
    gpus_per_trial: GpusOption = None,
    address: AddressOption = None,
    storage: StorageOption = None,
    plugins: PluginsOption = None,
    max_hours: MaxHoursOption = None,
    log: LogOption = None,
) -> None:
    """Go on with a run where its ledger ends, or give it more seeds, effort or entrants.

    Nothing is lost and nothing is done twice, whatever was killed and when. Give --storage again
    where the run was begun with it; plug-ins lie in the run's folder, but for those of new
    entrants.
    """
    from bench import runs
    from bench.extend import Wanted
    from bench.storage import check_storage
    from bench.torch_check import check_torch
    from bench.tune import logs

    check_torch()
    check_storage(storage)
    logs.check(log or ())
    folder, file = runs.load(run)
    runs.load_plugins(folder, file, given=plugins or ())
    console = console_of()
    wanted = Wanted(seeds=seeds, settings=parse_assignments(set_ or []), entrants=entrants or ())
    extend_run(folder, file, wanted, console)
    _proceed(
        run, driver_options(workers, gpus_per_trial, address, storage, max_hours, log), console
    )


def unseal(
    run: RunArgument,
    workers: WorkersOption = None,
    gpus_per_trial: GpusOption = None,
    address: AddressOption = None,
    storage: StorageOption = None,
) -> None:
    """Open the test set of a sealed run: once for each replicate, and for good.

    Scores each finished replicate from its checkpoint, or trains it again where that is gone, and
    writes the report anew. Whatever interrupts it: the same command goes on. Give --storage again
    where the run was begun with it.
    """
    from bench.storage import check_storage
    from bench.torch_check import check_torch
    from bench.tune import driver

    check_torch()
    check_storage(storage)
    options = driver_options(workers, gpus_per_trial, address, storage)
    _proceed(run, options, console_of(), work=driver.unseal, again="bench unseal")


def _proceed(
    path: Path,
    options: Any,
    console: Console,
    *,
    work: Any = None,
    again: str = "bench resume",
) -> None:
    """Work a run off, report it, and exit 1 where a part of it failed.

    work: a function of the driver; None for `proceed`. again: the command that goes on with it.
    """
    from bench import runs
    from bench.refresh import Refresher
    from bench.tune import driver
    from bench.tune.live import LiveView

    folder, file = runs.load(path)
    try:
        with Refresher(path):
            outcome = (work or driver.proceed)(
                folder, file, options, watch=lambda engine: LiveView(engine, console)
            )
    except KeyboardInterrupt:
        typer.echo(f"\ninterrupted, nothing is lost: go on with `{again} {path}`", err=True)
        raise typer.Exit(INTERRUPTED) from None
    show_report(path, console)
    if outcome == "paused":
        typer.echo(f"paused, the time is up: go on with `{again} {path}`", err=True)
        return
    if outcome == "failed":
        typer.echo("bench: the run ended with failures, see above and the report", err=True)
        raise typer.Exit(1)
    if file.against is not None:
        _verdict(file.against, path)


def _verdict(baseline: Path, candidate: Path) -> NoReturn:
    """End with what the regression gate says."""
    from results import compare as comparison
    from results import gate_report

    outcome = comparison.held_against(baseline, candidate)
    typer.echo(gate_report.as_text(outcome))
    raise typer.Exit(outcome.exit_code)
