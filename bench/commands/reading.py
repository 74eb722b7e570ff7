"""Commands that read runs: report, compare."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.commands.screen import console_of, show_page, show_report
from bench.errors import UserError
from bench.spec import Split


def report(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Folders of runs of one protocol.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the report. By default the run's own; of several runs, "
            "report-RUN1+RUN2 in this folder."
        ),
    ] = None,
) -> None:
    """Compile a run's report and tables again, finished or not; of several runs, one report.

    Runs of one protocol become one: all their entrants in one analysis. Where two have an entrant
    of one label, it appears as "LABEL (run A)" and "LABEL (run B)". Runs whose protocols differ are
    refused.
    """
    from results.files import check_report_folder, joint_folder
    from results.load import load_run
    from results.merge import merge

    if out is None and len(runs) == 1:
        show_report(runs[0], console_of())
        return
    out = out or joint_folder(runs)
    check_report_folder(out)
    run = merge(runs) if len(runs) > 1 else load_run(runs[0])
    show_page(run, out, console_of())


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


def score(
    task: Annotated[str, typer.Argument(help="A task of the run.")],
    predictions: Annotated[
        list[Path] | None,
        typer.Argument(help="A CSV, or a folder of masks, of each training of the model."),
    ] = None,
    run: Annotated[Path | None, typer.Option(help="The run whose test cases they are of.")] = None,
    label: Annotated[str | None, typer.Option(help="What the model is called.")] = None,
    on: Annotated[
        str, typer.Option(help="test, which is counted as an opening of it; or validation.")
    ] = "test",
    ids: Annotated[
        Path | None,
        typer.Option(help="Instead of scoring, write the ids of the cases to predict to this CSV."),
    ] = None,
) -> None:
    """Score predictions made elsewhere on a run's cases, and show them beside its entrants.

    Checks the ids and the shapes of what is predicted before any label is read. The rows are
    marked: how such a model was tuned is not known here.
    """
    from bench import outside

    if run is None:
        raise UserError("--run is needed: the run whose cases are predicted")
    if on not in ("validation", "test"):
        raise UserError(f"--on takes validation or test, got {on!r}")
    split: Split = "test" if on == "test" else "validation"
    console = console_of()
    if ids is not None:
        if predictions or label:
            raise UserError(
                "--ids writes what is to be predicted: leave out PREDICTIONS and --label"
            )
        count = outside.write_ids(task, ids, run=run, on=split)
        console.print(f"wrote {count} ids to {ids}", markup=False, highlight=False, soft_wrap=True)
        return
    if not predictions or label is None:
        raise UserError("scoring needs PREDICTIONS and --label; --ids FILE says what to predict")
    event = outside.score(task, predictions, run=run, label=label, on=split)
    for note in event["notes"]:
        console.print(f"note: {note}", markup=False, highlight=False, soft_wrap=True)
    show_report(run, console)
