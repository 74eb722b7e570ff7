"""Searches and trainings as tables: trials, trajectories, winners, learning curves."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from bench.ledger import Replicate, StudyState, Trial
from results.analysis import TaskAnalysis, orient
from results.load import Run, StudyFacts
from results.tables import frame, part_of, replicates_of

if TYPE_CHECKING:
    import pandas as pd


def curves(run: Run, analysis: TaskAnalysis) -> pd.DataFrame:
    """Validation metric against charged seconds: one row a replicate and epoch, then the means.

    A mean is over all of an entrant's replicates, so it ends with the shortest of them; its
    `replicate` is -1.
    """
    rows: list[dict[str, Any]] = []
    sign = orient(analysis.task.primary)
    for entry in analysis.entries:
        trained = enumerate(one for _, _, one in replicates_of(run, entry))
        lines = [(number, line) for number, one in trained if (line := _curve(one, sign))]
        if len(lines) > 1:
            lines.append((-1, _mean_curve([line for _, line in lines])))
        for number, line in lines:
            for epoch, seconds, value in line:
                rows.append(
                    {
                        "task": analysis.task.id,
                        "entrant": entry.study.label,
                        "replicate": number,
                        "epoch": epoch,
                        "charged_seconds": seconds,
                        "metric": analysis.task.primary,
                        "validation": value,
                    }
                )
    return frame(rows, "task entrant replicate epoch charged_seconds metric validation")


_Line = list[tuple[int, float, float]]
"""Epoch, charged seconds so far, value."""


def _curve(replicate: Replicate, sign: int) -> _Line:
    line, seconds = [], 0.0
    for epoch, report in sorted(replicate.reports.items()):
        seconds += report["charged_seconds"]
        if report["score"] is not None:
            line.append((epoch, seconds, sign * report["score"]))
    return line


def _mean_curve(lines: Sequence[_Line]) -> _Line:
    mean = []
    for points in zip(*lines, strict=False):
        if len({epoch for epoch, _, _ in points}) > 1:
            break
        seconds = math.fsum(point[1] for point in points) / len(points)
        mean.append((points[0][0], seconds, math.fsum(p[2] for p in points) / len(points)))
    return mean


def trajectory(run: Run, analysis: TaskAnalysis) -> pd.DataFrame:
    """The search: the best validation metric so far against epochs spent by all trials.

    Rows of `kind` "best" are where the best changes and where the search stands; each ended
    trial has a row too, whose kind is its state, at the effort and with the best of its own.
    """
    rows: list[dict[str, Any]] = []
    sign = orient(analysis.task.primary)
    for study in _studies(analysis):
        for kind, trial, effort, score in _search(run.progress(study.id)):
            rows.append(
                {
                    "task": analysis.task.id,
                    "entrant": study.label,
                    **part_of(study),
                    "kind": kind,
                    "trial": trial,
                    "effort_epochs": effort,
                    "metric": analysis.task.primary,
                    "validation": None if score is None else sign * score,
                }
            )
    return frame(
        rows,
        "task entrant split_number search kind trial effort_epochs metric validation",
        real=("validation",),
    )


def _studies(analysis: TaskAnalysis) -> Iterator[StudyFacts]:
    """All studies of a task, each entrant's together."""
    for entry in analysis.entries:
        yield from entry.studies


def _search(progress: StudyState) -> Iterable[tuple[str, int, int, float | None]]:
    """Kind, trial, effort so far, score: in the order in which it happened."""
    # When, trial, epoch, score: no two have the first three in common.
    moments: list[tuple[str, int, int, float | None]] = []
    ends: dict[tuple[int, int], tuple[Trial, float | None]] = {}
    for number, trial in progress.trials.items():
        told = [
            (report["t"], number, epoch, report["score"]) for epoch, report in trial.reports.items()
        ]
        if trial.finished is not None:
            found = trial.best()
            ends[number, trial.epoch + 1] = trial, found[0] if found else None
            moments.append((trial.finished, number, trial.epoch + 1, None))
        if trial.state == "failed":  # it spent them, and found nothing
            told = [(t, number, epoch, None) for t, _, epoch, _ in told]
        moments += told
    moments.sort()
    effort, best = 0, -math.inf
    for _, number, epoch, score in moments:
        if score is not None:
            effort += 1
            if score > best:
                best = score
                yield "best", number, effort, best
        elif (number, epoch) in ends:
            trial, own = ends[number, epoch]
            effort += trial.effort - epoch + 1
            yield trial.state, number, effort, own
        else:
            effort += 1
    if math.isfinite(best):
        yield "best", moments[-1][1], effort, best


def winners(run: Run, analysis: TaskAnalysis) -> pd.DataFrame:
    """The configuration that each search chose: one row a parameter. `pinned`: the search did not
    vary it; `held`: nor did anybody set it, it has its default."""
    rows = []
    for study in _studies(analysis):
        progress = run.progress(study.id)
        if progress.winner is None or progress.winner not in progress.trials:
            continue
        trial, held = progress.trials[progress.winner], study.held
        for name, value in trial.config.items():
            rows.append(
                {
                    "task": analysis.task.id,
                    "entrant": study.label,
                    **part_of(study),
                    "trial": trial.number,
                    "parameter": name,
                    "value": value,
                    "pinned": name in study.pinned,
                    "held": name in held and held[name] == value,
                }
            )
    return frame(
        rows,
        "task entrant split_number search trial parameter value pinned held",
        plain=("value",),
    )


def trials(run: Run, analysis: TaskAnalysis) -> pd.DataFrame:
    """One row a search trial."""
    rows = []
    for study in _studies(analysis):
        for number, trial in sorted(run.progress(study.id).trials.items()):
            best = trial.best()
            rows.append(
                {
                    "task": analysis.task.id,
                    "entrant": study.label,
                    **part_of(study),
                    "trial": number,
                    "seed": trial.seed,
                    "state": trial.state,
                    "reason": trial.reason,
                    "epochs": trial.effort,
                    "charged_seconds": trial.charged_seconds,
                    "validation": orient(analysis.task.primary) * best[0] if best else None,
                    "retries": trial.retries,
                    "config": _config(trial),
                }
            )
    return frame(
        rows,
        "task entrant split_number search trial seed state reason epochs charged_seconds"
        " validation retries config",
        real=("validation",),
    )


def _config(trial: Trial) -> str:
    return ", ".join(f"{name}={value}" for name, value in trial.config.items())
