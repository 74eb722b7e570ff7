"""A run's searches and replicates as four tables, for other programs: CSV or Parquet."""

from __future__ import annotations

import itertools
import math
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.ledger import Replicate, StudyState, Training, Trial, uncollected
from results.analysis import orient
from results.files import csv_text
from results.load import Run, StudyFacts, load_run

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Any]


@uncollected()
def export_tables(folder: Path, out: Path, *, to: str) -> str:
    """Write `trials`, `epochs`, `replicates` and `rungs` into a new folder, whole or not at all.

    to: `csv`, whose cells start no formula, or `parquet`. The first column says `phantom` or
    `real`. Validation and test values have the metrics' own direction. Returns a sentence that says
    what was written. Raises UserError where `folder` is no run.
    """
    run = load_run(folder)
    found = tables(run)
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
    try:
        for name, table in found.items():
            if to == "csv":
                text = csv_text(table, phantom=run.phantom)
                (partial / f"{name}.csv").write_text(text, encoding="utf-8", newline="")
            else:
                _parquet(table, run).to_parquet(partial / f"{name}.parquet", index=False)
        partial.chmod(0o755)
        partial.replace(out)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    rows = ", ".join(f"{name} ({len(table)} rows)" for name, table in found.items())
    return f"wrote {rows} to {out}/ as {to}{' (phantom data)' * run.phantom}"


def tables(run: Run) -> dict[str, pd.DataFrame]:
    """The four tables by name."""
    import pandas as pd

    studies = [(facts, run.progress(facts.id)) for facts in run.studies.values()]
    found: dict[str, list[Row] | dict[str, list[Any]]] = {
        "trials": _rows(run, studies, _trials),
        "epochs": _epochs(run, studies),
        "replicates": _rows(run, studies, _replicates),
        "rungs": _rows(run, studies, _rungs),
    }
    none = [*_of(None), "trial"]
    made = {name: pd.DataFrame(values) for name, values in found.items()}
    return {
        name: _tidied(table if len(table) else pd.DataFrame(columns=none))
        for name, table in made.items()
    }


def _rows(
    run: Run,
    studies: Sequence[tuple[StudyFacts, StudyState]],
    make: Callable[[Run, StudyFacts, StudyState], Iterator[Row]],
) -> list[Row]:
    return [row for facts, state in studies for row in make(run, facts, state)]


WHOLE = ("of", "best_epoch", "selected_epoch")
"""Whole numbers that may be missing."""


def _tidied(table: pd.DataFrame) -> pd.DataFrame:
    """Configurations last, since studies differ in what they have; whole numbers whole."""
    table = table.astype({name: "Int64" for name in WHOLE if name in table})
    return table[sorted(table.columns, key=lambda column: str(column).startswith("config_"))]


def _parquet(table: pd.DataFrame, run: Run) -> pd.DataFrame:
    """With the stamp, and with columns of one type: a mixed one is written as text."""
    import pandas as pd

    stamped = table.copy()
    stamped.insert(0, "data", "phantom" if run.phantom else "real")
    for name in stamped.columns[[pd.api.types.is_object_dtype(kind) for kind in stamped.dtypes]]:
        kinds = {type(value) for value in stamped[name] if not pd.isna(value)}
        if len(kinds) > 1:
            stamped[name] = [None if pd.isna(v) else str(v) for v in stamped[name]]
    return stamped


def _of(facts: StudyFacts | None) -> Row:
    """Which study a row is of."""
    if facts is None:
        return dict.fromkeys(("study", "task", "entrant", "part"))
    return {
        "study": facts.id,
        "task": facts.task,
        "entrant": facts.label,
        "part": facts.part,
    }


def _trials(run: Run, facts: StudyFacts, state: StudyState) -> Iterator[Row]:
    sign = orient(run.tasks[facts.task].primary)
    for number, trial in sorted(state.trials.items()):
        best = trial.best()
        resting = trial.resting_at
        yield {
            **_of(facts),
            "trial": number,
            "seed": trial.seed,
            "origin": trial.origin,
            "of": trial.of,
            "state": "resting" if resting is not None else trial.state,
            "reason": trial.reason,
            "error": trial.error,
            "winner": number == state.winner,
            "metric": run.tasks[facts.task].primary,
            "validation": sign * best[0] if best else None,
            "best_epoch": best[1] if best else None,
            "effort_epochs": trial.effort,
            "charged_seconds": trial.charged_seconds,
            "free_seconds": trial.free_seconds,
            "retries": trial.retries,
            "started": trial.started,
            "finished": trial.finished,
            **{f"config_{name}": value for name, value in trial.config.items()},
        }


def _epochs(run: Run, studies: Sequence[tuple[StudyFacts, StudyState]]) -> dict[str, list[Any]]:
    """By column, for a long run has half a million rows; a metric that a report lacks is NaN."""
    found: dict[str, list[Any]] = {
        name: []
        for name in (
            *_of(None),
            *("kind", "number", "epoch", "charged_seconds", "free_seconds", "validation"),
        )
    }
    measured: dict[str, list[Any]] = {}
    rows = 0
    for facts, state in studies:
        sign, of = orient(run.tasks[facts.task].primary), _of(facts)
        for kind, number, training in _trained(state):
            reports = [report for _, report in sorted(training.reports.items())]
            for name, value in {**of, "kind": kind, "number": number}.items():
                found[name] += [value] * len(reports)
            found["epoch"] += sorted(training.reports)
            for name in ("charged_seconds", "free_seconds"):
                found[name] += [report[name] for report in reports]
            scores = [report["score"] for report in reports]
            found["validation"] += [None if score is None else sign * score for score in scores]
            values = [report["metrics"] for report in reports]
            for name in dict.fromkeys(itertools.chain.from_iterable(values)):
                column = measured.setdefault(name, [])
                column += [math.nan] * (rows - len(column))
                column += [value.get(name, math.nan) for value in values]
            rows += len(reports)
    for name, column in measured.items():
        found[f"metric_{name}"] = column + [math.nan] * (rows - len(column))
    return found


def _trained(state: StudyState) -> Iterator[tuple[str, int, Training]]:
    """The trials, then the replicates, those of earlier winners too."""
    yield from (("trial", number, trial) for number, trial in sorted(state.trials.items()))
    replicates = sorted(_all_replicates(state).items())
    yield from (("replicate", number, replicate) for number, replicate in replicates)


def _all_replicates(state: StudyState) -> dict[int, Replicate]:
    """Those of earlier winners too."""
    return {**state.superseded, **state.replicates}


def _replicates(run: Run, facts: StudyFacts, state: StudyState) -> Iterator[Row]:
    for number, replicate in sorted(_all_replicates(state).items()):
        yield {
            **_of(facts),
            "replicate": number,
            "superseded": number in state.superseded,
            "seed": replicate.seed,
            "state": replicate.state,
            "error": replicate.error,
            "epochs": replicate.epoch,
            "selected_epoch": replicate.selected_epoch,
            "charged_seconds": replicate.charged_seconds,
            "free_seconds": replicate.free_seconds,
            "retries": replicate.retries,
            "started": replicate.started,
            "finished": replicate.finished,
            **{f"test_{name}": value for name, value in replicate.test_metrics.items()},
            **{f"validation_{name}": v for name, v in replicate.validation_metrics.items()},
            **{f"config_{name}": value for name, value in replicate.config.items()},
        }


def _rungs(run: Run, facts: StudyFacts, state: StudyState) -> Iterator[Row]:
    """A row a trial and rung: its score there and what became of it."""
    sign = orient(run.tasks[facts.task].primary)
    for number, trial in sorted(state.trials.items()):
        for rung, (score, decision) in sorted(trial.rungs.items()):
            yield {
                **_of(facts),
                "trial": number,
                "rung": rung,
                "unit": "epochs" if facts.search.get("grace_seconds") is None else "seconds",
                "validation": sign * score,
                "decision": _decision(trial, decision),
            }


def _decision(trial: Trial, decision: str) -> str:
    """Who rested there until the search was over was stopped."""
    return "stopped" if decision == "paused" and trial.state != "running" else decision
