"""Commands that look before a run: check, trial, list."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from bench.commands.options import (
    DataOption,
    EntrantsOption,
    PluginsOption,
    ScaleOption,
    SetOption,
    SuiteOption,
    TasksOption,
    listed,
    load_plugins,
)
from bench.commands.screen import console_of, progress_bar
from bench.spec import parse_assignments


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
    load_plugins(plugins)
    found = launch.resolve(
        launch.Request(
            suite=suite,
            scale=scale,
            tasks=listed(tasks),
            entrants=entrants or (),
            data=data or (),
            settings=parse_assignments(set_ or []),
        )
    )
    console = console_of()
    console.print(found.headline, markup=False, highlight=False, soft_wrap=True)
    provisions.find(found.studies)
    with progress_bar(console) as progress:
        prepared = launch.prepare(found, progress)
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
    preflight.refuse(found.suite, findings)


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
    load_plugins(plugins)
    console = console_of()
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


def list_(
    what: Annotated[str, typer.Argument(help="suites, tasks, families, spaces, datasets or runs.")],
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    plugins: PluginsOption = None,
) -> None:
    """What there is: suites, tasks, families, spaces, data sets, runs."""
    from bench import listing

    load_plugins(plugins)
    rows = listing.rows(what)
    if as_json:
        typer.echo(json.dumps(rows, indent=1, ensure_ascii=False))
    else:
        listing.show(what, rows, console_of())
