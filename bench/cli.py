"""The `bench` command. Only here is `UserError` caught: one line on stderr, exit 2."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from bench.errors import UserError
from bench.spec import parse_assignments

INTERRUPTED = 130

app = typer.Typer(
    name="bench",
    help="Which model is better on this task, for the same tuning effort, and how sure are we?",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
data_app = typer.Typer(help="Raw data: prepare, verify, or make phantoms.")
app.add_typer(data_app, name="data")

SuiteOption = Annotated[
    str, typer.Option("--suite", help="A suite of `bench list suites`, or a path to a TOML file.")
]
ScaleOption = Annotated[
    str,
    typer.Option(
        help="demo (5 minutes on 2 cores), small (an hour), full (published sizes); auto: small "
        "where real data are found, else the built-in phantom at demo."
    ),
]
DataOption = Annotated[
    list[str] | None,
    typer.Option(
        "--data",
        help="ROOT, a folder that holds lits/, ag_news/, ..., or NAME=DIR. Repeatable. "
        "Without it: $TUNEBENCH_DATA, then ./data.",
    ),
]
TasksOption = Annotated[
    str | None, typer.Option(help="Only these tasks of the suite, separated by commas.")
]
EntrantsOption = Annotated[
    list[str] | None,
    typer.Option(help="Only this entrant of the suite, by label or family. Repeatable."),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="key=value on top of the scale: effort_epochs=30. Repeatable."),
]
PluginsOption = Annotated[
    list[Path] | None,
    typer.Option("--plugins", help="A Python file with one FAMILY in it. Repeatable."),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(min=1, help="Trials at a time. By default one a GPU, or one a CPU core."),
]
GpusOption = Annotated[
    float | None,
    typer.Option("--gpus-per-trial", min=0, help="By default 1 where there are GPUs, else 0."),
]
AddressOption = Annotated[
    str | None,
    typer.Option(help="A running Ray cluster: `auto`, or host:port. By default a local one."),
]
StorageOption = Annotated[
    str | None,
    typer.Option(
        help="Folder or URL for checkpoints that every node can reach. By default the run's folder."
    ),
]
RunArgument = Annotated[Path, typer.Argument(help="A run's folder, as `bench list runs` names it.")]


@app.command()
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
    sealed: Annotated[
        bool,
        typer.Option(
            "--sealed",
            help="Leave the test set closed: replicates are scored on validation only, until "
            "`bench unseal RUN`.",
        ),
    ] = False,
) -> None:
    """Search, replicate and report a whole suite.

    Checks the data and the suite and takes one step with each entrant's model; then searches each
    entrant's hyperparameters for the same effort, retrains each winner under fresh seeds, opens the
    test set once for each of those, and writes one offline report. Whatever interrupts it:
    `bench resume RUN` goes on.
    """
    from bench import launch, preflight, provisions, rehearsal, runs
    from bench.torch_check import check_torch
    from bench.tune.experiment import check_address

    check_torch()
    check_address(address)
    _load_plugins(plugins)
    settings = parse_assignments(set_ or [])
    if seeds is not None:
        settings["seeds"] = seeds
    found = launch.resolve(
        launch.Request(
            suite=suite,
            scale=scale,
            seed=seed,
            tasks=_listed(tasks),
            entrants=entrants or (),
            data=data or (),
            settings=settings,
            sealed=sealed,
        )
    )
    console = _console()
    console.print(found.headline, markup=False, highlight=False, soft_wrap=True)
    folder = runs.new_folder(found.suite, run)
    weights = provisions.find(found.studies)
    prepared = _prepare(found, console)
    with _progress(console) as progress, rehearsal.Apart() as step:
        rehearsed = list(preflight.entrants(found.studies, prepared, step, progress))
    preflight.refuse(found, rehearsed)
    launch.create(found, prepared, folder=folder, weights=weights, command=sys.argv)
    _proceed(folder.path, _options(workers, gpus_per_trial, address, storage), console)


@app.command()
def resume(
    run: RunArgument,
    workers: WorkersOption = None,
    gpus_per_trial: GpusOption = None,
    address: AddressOption = None,
    storage: StorageOption = None,
    plugins: PluginsOption = None,
) -> None:
    """Go on with a run where its ledger ends.

    Nothing is lost and nothing is done twice, whatever was killed and when. Give --storage again
    where the run was begun with it; plug-ins lie in the run's folder.
    """
    from bench import runs
    from bench.torch_check import check_torch

    check_torch()
    runs.load_plugins(*runs.load(run), given=plugins or ())
    _proceed(run, _options(workers, gpus_per_trial, address, storage), _console())


@app.command()
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
    from bench.torch_check import check_torch
    from bench.tune import driver

    check_torch()
    options = _options(workers, gpus_per_trial, address, storage)
    _proceed(run, options, _console(), work=driver.unseal, again="bench unseal")


@app.command()
def report(run: RunArgument) -> None:
    """Compile a run's report and tables again, finished or not."""
    _report(run, _console())


@app.command()
def compare(
    baseline: Annotated[Path, typer.Argument(help="The run's folder to hold the other against.")],
    candidate: Annotated[Path, typer.Argument(help="A run's folder; it may be the same.")],
    entrant: Annotated[
        list[str] | None,
        typer.Option(
            help="Once: this label in both runs. Twice: of the baseline, then of the candidate. "
            "Without it: every label that both have."
        ),
    ] = None,
    on: Annotated[
        str, typer.Option(help="validation; or test, which is counted as an opening of it.")
    ] = "validation",
    alpha: Annotated[float, typer.Option(help="Of each one-sided bound.")] = 0.05,
    cost_margin: Annotated[
        float, typer.Option(help="The ratio of costs above which the candidate costs more.")
    ] = 1.1,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    markdown: Annotated[
        Path | None, typer.Option(help="Write a table for a pull request to this file.")
    ] = None,
) -> None:
    """The regression gate: is the candidate as good as the baseline, by the task's margin?

    Exit 0: better, or not worse. 3: regressed. 4: inconclusive; it says how many seeds would
    decide. 5: not measured; it says what differs or is missing.
    """
    from results import compare as comparison
    from results import gate_report

    settings = comparison.Settings(on=on, alpha=alpha, cost_margin=cost_margin)  # type: ignore[arg-type]
    outcome = comparison.compare(baseline, candidate, entrants=entrant or (), settings=settings)
    if markdown is not None:
        gate_report.write_markdown(markdown, outcome)
    typer.echo(gate_report.as_json(outcome) if as_json else gate_report.as_text(outcome))
    raise typer.Exit(outcome.exit_code)


@app.command()
def check(
    suite: SuiteOption,
    scale: ScaleOption = "auto",
    tasks: TasksOption = None,
    entrants: EntrantsOption = None,
    data: DataOption = None,
    set_: SetOption = None,
    plugins: PluginsOption = None,
) -> None:
    """Check before a long run: data there and whole, every entrant builds and steps once."""
    from bench import launch, preflight, provisions
    from bench.torch_check import check_torch

    check_torch()
    _load_plugins(plugins)
    found = launch.resolve(
        launch.Request(
            suite=suite,
            scale=scale,
            tasks=_listed(tasks),
            entrants=entrants or (),
            data=data or (),
            settings=parse_assignments(set_ or []),
        )
    )
    console = _console()
    console.print(found.headline, markup=False, highlight=False, soft_wrap=True)
    provisions.find(found.studies)
    prepared = _prepare(found, console)
    findings = []
    for finding in preflight.check(found, prepared):
        mark = "ok  " if finding.mistake is None else "FAIL"
        console.print(
            f"{mark} {finding.subject}: {finding.detail}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
        findings.append(finding)
    preflight.refuse(found, findings)


@app.command()
def trial(
    task: Annotated[str, typer.Option(help="A task of `bench list tasks`.")],
    family: Annotated[str, typer.Option(help="A family of `bench list families`.")],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="parameter=value; others take their defaults. Repeatable."),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(help="Task option=value, such as image_size=64. Repeatable."),
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="How long to train.")] = 5,
    seed: Annotated[int, typer.Option(help="Of this one training.")] = 0,
    data: DataOption = None,
    phantom_cases: Annotated[
        int | None, typer.Option(min=1, help="Size of the phantom, where one is used.")
    ] = None,
    plugins: PluginsOption = None,
    device: Annotated[
        str | None, typer.Option(help="cpu or cuda; by default what is there.")
    ] = None,
) -> None:
    """Train one configuration, without Ray or Optuna; an epoch a line."""
    from bench import single
    from bench.torch_check import check_torch

    check_torch()
    _load_plugins(plugins)
    console = _console()
    for line in single.trial(
        task=task,
        family=family,
        config=parse_assignments(set_ or []),
        options=parse_assignments(option or []),
        epochs=epochs,
        seed=seed,
        data=data or (),
        phantom_cases=phantom_cases,
        device=device,
    ):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


@app.command(name="list")
def list_(
    what: Annotated[str, typer.Argument(help="suites, tasks, families, spaces, datasets or runs.")],
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    plugins: PluginsOption = None,
) -> None:
    """What there is: suites, tasks, families, spaces, data sets, runs."""
    from bench import listing

    _load_plugins(plugins)
    rows = listing.rows(what)
    if as_json:
        typer.echo(json.dumps(rows, indent=1, ensure_ascii=False))
    else:
        listing.show(what, rows, _console())


DatasetArgument = Annotated[str, typer.Argument(help="A data set of `bench list datasets`.")]


@data_app.command()
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

    console = _console()
    with _progress(console) as progress:
        done = upkeep.prepare(dataset, data or (), parse_assignments(option or []), progress)
    for line in done:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


@data_app.command()
def verify(
    dataset: DatasetArgument,
    data: DataOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="All problems, for programs; exit 2 where there are any.")
    ] = False,
) -> None:
    """Check raw files, and prepared arrays against what was written."""
    from bench.data import upkeep

    console = _console()
    with _progress(console) as progress:
        found = upkeep.verify(dataset, data or (), progress)
    if as_json:
        typer.echo(json.dumps(found.as_dict(), indent=1, ensure_ascii=False))
        raise typer.Exit(2 if found.problems else 0)
    found.raise_problems()
    for line in found.lines():
        console.print(line, markup=False, highlight=False, soft_wrap=True)


@data_app.command()
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

    console = _console()
    with _progress(console) as progress:
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


def _options(
    workers: int | None,
    gpus_per_trial: float | None,
    address: str | None,
    storage: str | None,
) -> Any:
    from bench.tune.driver import Options

    return Options(
        workers=workers,
        gpus_per_trial=gpus_per_trial,
        address=address,
        storage=storage,
    )


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
    from bench.tune import driver
    from bench.tune.live import LiveView

    folder, file = runs.load(path)
    try:
        outcome = (work or driver.proceed)(
            folder, file, options, watch=lambda engine: LiveView(engine, console)
        )
    except KeyboardInterrupt:
        typer.echo(f"\ninterrupted, nothing is lost: go on with `{again} {path}`", err=True)
        raise typer.Exit(INTERRUPTED) from None
    _report(path, console)
    if outcome == "failed":
        typer.echo("bench: the run ended with failures, see above and the report", err=True)
        raise typer.Exit(1)


def _report(path: Path, console: Console) -> None:
    from results.load import load_run
    from results.report import write_report
    from results.terminal import print_leaderboard

    written = write_report(path)
    print_leaderboard(console, load_run(path))
    console.print(str(written), markup=False, highlight=False, soft_wrap=True)


def _prepare(found: Any, console: Console) -> dict[str, Any]:
    from bench import launch

    with _progress(console) as progress:
        return launch.prepare(found, progress)


def _progress(console: Console) -> Any:
    from bench.progress import Bar

    return Bar(console)


def _load_plugins(plugins: list[Path] | None) -> None:
    from bench import registry

    for plugin in plugins or ():
        registry.load_plugin(plugin)


def _listed(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def _console() -> Console:
    return Console(highlight=False)


def main() -> None:
    """The console script."""
    try:
        code = app(sys.argv[1:] or ["--help"], standalone_mode=False)
    except UserError as error:
        _quit(f"bench: {error}", 2)
    except typer.TyperException as error:
        message = " ".join(error.format_message().split()).rstrip(".")
        _quit(f"bench: {message}: see `bench --help`", 2)
    except (typer.Abort, KeyboardInterrupt):
        _quit("bench: interrupted", INTERRUPTED)
    sys.exit(code or 0)


def _quit(message: str, code: int) -> NoReturn:
    typer.echo(message, err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
