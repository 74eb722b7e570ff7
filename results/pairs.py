"""Which studies of two runs are compared."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Sequence

from bench.errors import UserError
from results.load import Run, StudyFacts

Studies = tuple[StudyFacts, ...]
"""An entrant's studies on one task: its splits and searches, one at least."""
Pair = tuple[Studies, Studies]
"""An entrant of the baseline, and one of the candidate, on one task."""


def choose(first: Run, second: Run, entrants: Sequence[str]) -> list[Pair]:
    """The pairs of entrants to compare, by task, at least one.

    entrants: none, for every label that both runs have; one, of both; or two, of the baseline and
    of the candidate. Raises UserError where there is nothing to compare.
    """
    _refuse_itself(first, second, entrants)
    labels = _labels(first, second, entrants)
    tasks = [task for task in first.tasks if task in second.tasks]
    pairs = [pair for task in tasks for pair in _pairs(first, second, task, labels)]
    if not pairs:
        raise UserError(
            f"{first.name} and {second.name} have no task with {_named(labels)} in common: "
            "see the tasks and entrants in their reports"
        )
    return pairs


def beside(first: Run, second: Run) -> list[Pair]:
    """Every entrant of the candidate with one of the baseline, by task: the one of its label, else
    the one that the baseline's searches found best on validation.

    Raises UserError where the runs have no task in common.
    """
    pairs = []
    for task in second.tasks:
        mine = {studies[0].label: studies for studies in first.entrants_of(task)}
        if not mine:
            continue
        best = max(mine.values(), key=lambda studies: _found(first, studies))
        pairs += [(mine.get(each[0].label, best), each) for each in second.entrants_of(task)]
    if not pairs:
        raise UserError(f"{first.name} and {second.name} have no task in common")
    return pairs


def _found(run: Run, studies: Studies) -> float:
    """The mean of the winners' validation scores, of those searches that have a winner."""
    scores = []
    for study in studies:
        progress = run.progress(study.id)
        if progress.winner is not None and (best := progress.trials[progress.winner].best()):
            scores.append(best[0])
    return sum(scores) / len(scores) if scores else -math.inf


def _refuse_itself(first: Run, second: Run, entrants: Sequence[str]) -> None:
    if len(entrants) > 2:
        raise UserError(f"--entrant is given once or twice, got {len(entrants)} of them")
    same = first.folder.resolve() == second.folder.resolve()
    if same and len(set(entrants)) < 2:
        raise UserError(
            f"{first.folder} cannot be compared with itself: name two of its entrants, "
            "--entrant A --entrant B"
        )


def _labels(first: Run, second: Run, entrants: Sequence[str]) -> list[tuple[str, str]]:
    """Labels in the baseline and in the candidate that are to be compared."""
    mine, others = _known(first), _known(second)
    if not entrants:
        common = [label for label in mine if label in others]
        if not common:
            raise UserError(
                f"{first.name} and {second.name} have no entrant in common: name one of each, "
                "--entrant A --entrant B"
            )
        return [(label, label) for label in common]
    pair = (entrants[0], entrants[-1])
    for label, known, run in zip(pair, (mine, others), (first, second), strict=True):
        if label not in known:
            raise UserError(f"{run.name} has no entrant {label!r}: {_hint(label, known)}")
    return [pair]


def _known(run: Run) -> list[str]:
    return list(dict.fromkeys(study.label for study in run.studies.values()))


def _hint(label: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(label, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"it has {', '.join(map(repr, known))}"


def _named(labels: Sequence[tuple[str, str]]) -> str:
    return ", ".join(sorted({repr(label) for pair in labels for label in pair}))


def _pairs(first: Run, second: Run, task: str, labels: Sequence[tuple[str, str]]) -> Iterator[Pair]:
    mine = {studies[0].label: studies for studies in first.entrants_of(task)}
    others = {studies[0].label: studies for studies in second.entrants_of(task)}
    for label, other in labels:
        if label in mine and other in others:
            yield mine[label], others[other]


def left_out(
    first: Run, second: Run, pairs: Sequence[Pair], entrants: Sequence[str]
) -> Iterator[str]:
    """What is not compared, though all that both runs have was asked for; and who has not ended."""
    compared = ({one[0].id for one, _ in pairs}, {other[0].id for _, other in pairs})
    for run, ids in zip((first, second), compared, strict=True):
        known = [studies[0] for task in run.tasks for studies in run.entrants_of(task)]
        for study in () if entrants else known:
            if study.id not in ids:
                yield f"{study.label} on {study.task} is in {run.name} alone: not compared"
    for name in dict.fromkeys(run.name for run in (first, second) if not run.finished):
        yield f"{name} has not ended: what it has so far is compared"
