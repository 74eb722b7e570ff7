"""The options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

SuiteOption = Annotated[
    str, typer.Option("--suite", help="A suite of `bench list suites`, or a path to a TOML file.")
]
ScaleOption = Annotated[
    str,
    typer.Option(
        help="demo (5 minutes on 2 cores), small (an hour), full (published sizes); auto: small "
        "where real data are found (full for a suite without a small), else the built-in phantom "
        "at demo."
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


LogOption = Annotated[
    list[str] | None,
    typer.Option(
        "--log",
        help="mlflow=URI or tensorboard[=DIR]: log trials and replicates there as they go on. "
        "Repeatable.",
    ),
]
MaxHoursOption = Annotated[
    float | None,
    typer.Option(
        min=0,
        help="Pause after so many hours: what is in flight is checkpointed, the report is made, "
        "`bench resume` goes on.",
    ),
]


def driver_options(
    workers: int | None,
    gpus_per_trial: float | None,
    address: str | None,
    storage: str | None,
    max_hours: float | None = None,
    logs: list[str] | None = None,
) -> Any:
    """How a run is worked off, as the driver takes it."""
    from bench.tune.driver import Options

    return Options(
        workers=workers,
        gpus_per_trial=gpus_per_trial,
        address=address,
        storage=storage,
        max_hours=max_hours,
        logs=tuple(logs or ()),
    )


def load_plugins(plugins: list[Path] | None) -> None:
    """Load the files of --plugins."""
    from bench import registry

    for plugin in plugins or ():
        registry.load_plugin(plugin)


def listed(text: str | None) -> list[str]:
    """The parts of an option that commas separate."""
    return [part.strip() for part in (text or "").split(",") if part.strip()]
