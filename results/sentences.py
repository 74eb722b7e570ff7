"""What a run says, in sentences: who is ahead on a task, and who cannot be told apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from results.analysis import Comparison, Entry, TaskAnalysis
from results.load import Run
from results.stats.estimates import SURE_SEEDS
from results.tables import metric_title
from results.wording import interval, listed, name, p_value, plain, score

PHANTOM = (
    "Computed on generated data (a phantom), not on real data: these numbers show that the "
    "benchmark works and say nothing about which model is better."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """The result of a task in words: one sentence, and what belongs to it.

    Names of entrants stand between `wording.NAME_BEGIN` and `NAME_END`.
    """

    task: str
    headline: str
    details: tuple[str, ...]

    @property
    def text(self) -> str:
        """All of it as plain text."""
        return plain(" ".join([self.headline, *self.details]))


NAMED = 8
"""Entrants that a sentence names; of more it gives the number."""
_SEALED = (
    "The scores shown are of the validation split, by which configurations and epochs were chosen; "
    "they rank nobody."
)


def verdict(run: Run, analysis: TaskAnalysis) -> Verdict:
    """What may be said of a task, and no more."""
    tiered = [entry for entry in analysis.entries if entry.tier is not None]
    first = [entry for entry in tiered if entry.tier == min(e.tier or 0 for e in tiered)]
    if not tiered:
        headline, details = _without_tiers(run, analysis)
    elif len(tiered) == 1:
        headline, details = _alone(analysis, tiered[0])
    elif len(first) == 1:
        headline, details = _one_first(analysis, first[0], tiered)
    else:
        headline, details = _several_first(analysis, first, tiered)
    details += [*_left_out(analysis, tiered), *_reservations(run, analysis)]
    return Verdict(task=analysis.task.id, headline=headline, details=tuple(details))


def _one_first(
    analysis: TaskAnalysis, first: Entry, tiered: Sequence[Entry]
) -> tuple[str, list[str]]:
    runner_up = tiered[1]
    headline = (
        f"{name(first.study.label)} is alone in the first tier, {_score(analysis, first)}, "
        f"ahead of {name(runner_up.study.label)}, {_score(analysis, runner_up, named=False)}."
    )
    pair = analysis.between(first.study, runner_up.study)
    details = [] if pair is None else [_lead(analysis, first, pair)]
    return headline, details


def _several_first(
    analysis: TaskAnalysis, first: Sequence[Entry], tiered: Sequence[Entry]
) -> tuple[str, list[str]]:
    names = listed([name(entry.study.label) for entry in first])
    everyone = "all " if len(first) == len(tiered) > 2 else ""
    headline = (
        f"{names} {everyone}share the first tier and cannot be told apart: "
        f"{listed([_score(analysis, e, named=e is first[0]) for e in first], respectively=True)}."
    )
    if len(first) > NAMED:
        number = f"All {len(first)}" if everyone else f"{len(first)} of {len(tiered)}"
        headline = (
            f"{number} ranked entrants share the first tier and cannot be told apart; the best "
            f"mean is that of {name(first[0].study.label)}, {_score(analysis, first[0])}."
        )
    details = []
    pair = analysis.between(first[0].study, first[1].study)
    if pair is not None:
        details.append(_lead(analysis, first[0], pair))
    return headline, details


def _alone(analysis: TaskAnalysis, entry: Entry) -> tuple[str, list[str]]:
    headline = (
        f"{name(entry.study.label)} has {_score(analysis, entry)}; "
        "there is no other entrant with enough seeds to compare it with."
    )
    return headline, []


def _without_tiers(run: Run, analysis: TaskAnalysis) -> tuple[str, list[str]]:
    entries = analysis.entries
    studies = [study for entry in entries for study in entry.studies]
    if studies and all(run.progress(study.id).state == "failed" for study in studies):
        every = "Its only study" if len(studies) == 1 else f"All {len(studies)} studies"
        return f"{every} failed: there is no result.", []
    if run.sealed:
        return "The test split is sealed: there is no result yet.", [_SEALED]
    scored = [entry for entry in entries if len(entry.scores) > 1]
    if not scored:
        return f"There is no result{'' if run.finished else ' yet'}.", []
    best = scored[0]
    return (
        "Nobody can be ranked: no entrant has what an interval needs.",
        [
            f"{name(best.study.label)} has the best mean, {_score(analysis, best)}; "
            "without an interval that decides nothing."
        ],
    )


def _left_out(analysis: TaskAnalysis, tiered: Sequence[Entry]) -> list[str]:
    without = [name(e.study.label) for e in analysis.entries if e.tier is None]
    if not tiered or not without:
        return []
    if len(without) > NAMED:
        without = [*without[:NAMED], f"{len(without) - NAMED} more"]
    return [f"Not ranked: {listed(without)}; the reasons are listed under what is missing."]


def _reservations(run: Run, analysis: TaskAnalysis) -> list[str]:
    said = []
    searched = any(run.progress(e.study.id).trials for e in analysis.entries)
    if searched and any(len(entry.scores) for entry in analysis.entries):
        said.append(_about(run))
    if 0 < analysis.patients < 10:
        unit = "patients" if analysis.task.groups_known else "cases"
        which = "The test sets hold" if run.splits > 1 else "The test set holds"
        said.append(f"{which} only {analysis.patients} {unit}.")
    bounded = [entry for entry in analysis.entries if math.isfinite(entry.estimate.low)]
    if run.unit == "seeds" and any(len(entry.scores) < SURE_SEEDS for entry in bounded):
        said.append(
            f"An interval from fewer than {SURE_SEEDS} seeds is too narrow where trainings of one "
            "configuration end in two distinct ways: so few seeds often show only one of them."
        )
    if not run.finished:
        said.append("The run is not finished: this may change.")
    return said


def _about(run: Run) -> str:
    """What a result is a result about."""
    if run.splits > 1:
        again = f", {run.searches} times" if run.searches > 1 else ""
        return (
            f"Each of {run.splits} splits of the patients was searched by itself{again}: this "
            "speaks of the models as tuned with this effort on such data. Training sets of a "
            "k-fold overlap, so that no estimate of its variance is unbiased; the interval is "
            "widened for it."
        )
    if run.searches > 1:
        return (
            f"Each entrant was searched {run.searches} times, independently: this speaks of the "
            "models as tuned with this effort, on this split."
        )
    return (
        "Each entrant was searched once: this speaks of the configurations that were found, "
        "not of the models as such."
    )


def _lead(analysis: TaskAnalysis, ahead: Entry, pair: Comparison) -> str:
    """The difference of two as a positive number, with its interval."""
    task = analysis.task
    difference = pair.difference
    value = abs(difference.value)
    low, high = difference.low, difference.high
    if difference.value < 0:
        low, high = -high, -low
    other = pair.second if ahead.study.id == pair.first.id else pair.first
    names = f"{name(ahead.study.label)} and {name(other.label)}"
    text = f"The difference between {names} is {score(value)}"
    if math.isfinite(low):
        text += f" (95 % interval {interval(low, high)}, {_p(pair.p_holm)})"
    elif math.isfinite(pair.p_holm):
        text += f" ({_p(pair.p_holm)})"
    if value < task.margin:
        text += f", below the {task.margin:g} that matters on this task"
    return text + "."


def _score(analysis: TaskAnalysis, entry: Entry, *, named: bool = True) -> str:
    """`macro-F1 0.912 (95 % interval 0.880 to 0.944, 5 seeds)`."""
    metric = f"{metric_title(analysis.task, analysis.task.primary)} " if named else ""
    seeds = _repeated(entry)
    estimate = entry.estimate
    if not math.isfinite(estimate.low):
        return f"{metric}{score(estimate.value)} ({seeds}, no interval)"
    label = "95 % interval " if named else ""
    ends = interval(estimate.low, estimate.high)
    return f"{metric}{score(estimate.value)} ({label}{ends}, {seeds})"


def _repeated(entry: Entry) -> str:
    """`5 seeds`; `3 searches of 5 seeds`; `5 splits of 3 seeds`."""
    splits = len({study.fold for study in entry.studies})
    searches = len({study.search_number for study in entry.studies})
    parts = [f"{splits} splits"] if splits > 1 else []
    parts += [f"{searches} searches"] if searches > 1 else []
    seeds = len(entry.scores) if not parts else entry.study.seeds
    return " of ".join([*parts, f"{seeds} seed{'s' if seeds != 1 else ''}"])


def _p(p: float) -> str:
    """`p = 0.012`, `p < 0.001`: adjusted ones are what a reader gets to see."""
    text = p_value(p)
    return f"p {text}" if text.startswith("<") else f"p = {text}"
