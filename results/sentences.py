"""What a run says, in sentences: who is ahead on a task, and who cannot be told apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from results.analysis import Comparison, Entry, TaskAnalysis
from results.load import Run
from results.stats import MIN_SEEDS
from results.stats.estimates import SURE_SEEDS
from results.tables import metric_title
from results.wording import interval, name, p_value, plain, score

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
    names = _and([name(entry.study.label) for entry in first])
    everyone = "all " if len(first) == len(tiered) > 2 else ""
    headline = (
        f"{names} {everyone}share the first tier and cannot be told apart: "
        f"{_and([_score(analysis, e, named=e is first[0]) for e in first], respectively=True)}."
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
    if entries and all(run.progress(e.study.id).state == "failed" for e in entries):
        every = "Its only study" if len(entries) == 1 else f"All {len(entries)} studies"
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
    return [f"Not ranked: {_and(without)}; the reasons are listed under what is missing."]


def _reservations(run: Run, analysis: TaskAnalysis) -> list[str]:
    said = []
    searched = any(run.progress(e.study.id).trials for e in analysis.entries)
    if searched and any(len(entry.scores) for entry in analysis.entries):
        said.append(
            "Each entrant was searched once: this speaks of the configurations that were found, "
            "not of the models as such."
        )
    if 0 < analysis.patients < 10:
        unit = "patients" if analysis.task.groups_known else "cases"
        said.append(f"The test set holds only {analysis.patients} {unit}.")
    if any(len(e.scores) < SURE_SEEDS and math.isfinite(e.estimate.low) for e in analysis.entries):
        said.append(
            f"An interval from fewer than {SURE_SEEDS} seeds is too narrow where trainings of one "
            "configuration end in two distinct ways: so few seeds often show only one of them."
        )
    if not run.finished:
        said.append("The run is not finished: this may change.")
    return said


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
    seeds = f"{len(entry.scores)} seeds"
    estimate = entry.estimate
    if not math.isfinite(estimate.low):
        return f"{metric}{score(estimate.value)} ({seeds}, no interval)"
    label = "95 % interval " if named else ""
    ends = interval(estimate.low, estimate.high)
    return f"{metric}{score(estimate.value)} ({label}{ends}, {seeds})"


def protocol(run: Run, analyses: Sequence[TaskAnalysis]) -> list[str]:
    """How this run was made, in words that a methods section could use."""
    replicates = run.suite["replicates"]
    said = [
        _effort(run, analyses),
        "Searches saw the training and validation splits only. The best validation score chose "
        f"one configuration per entrant; it was retrained under {replicates['seeds']} fresh "
        f"seeds, {_REFIT.get(replicates['refit'], replicates['refit'])}. {_opening(run)}",
    ]
    splits = sorted({_unit(analysis) for analysis in analyses})
    said.append(" ".join(splits))
    said += filter(None, (_options(run, analysis) for analysis in analyses))
    said.append(
        f"Fewer than {MIN_SEEDS} seeds get no interval and no tier. "
        + (
            "Intervals for ten seeds or more are from a hierarchical bootstrap: patients are "
            "resampled jointly for all entrants, seeds independently for each; percentiles are "
            "widened for the few of either (expanded percentile interval, Hesterberg 2015). "
            if any(analysis.bootstrapped for analysis in analyses)
            else ""
        )
        + "Intervals for three to nine seeds are t intervals whose variance is the sum of two "
        "components: between seeds, and between patients (delete-one jackknife), with "
        "Welch-Satterthwaite degrees of freedom. All pairs of entrants are compared on the same "
        "patients; p values are adjusted after Holm within the task. An entrant's tier is one "
        "plus the number of entrants significantly better than it, at 5 %."
    )
    said.append(
        "Charged seconds are training time. Validation, checkpoints and set-up are recorded as "
        "free seconds and not compared. Gap is the validation score minus the test score, turned "
        "so that a positive gap means: worse on test."
    )
    return said


def _opening(run: Run) -> str:
    """When the replicates open the test split."""
    if run.sealed:
        return (
            "The run is sealed: these replicates were scored on validation only, and no test split "
            "was opened."
        )
    if run.state.unsealing is not None:
        return (
            "These replicates were scored on validation only at first; on "
            f"{run.state.unsealing['t'][:10]} the run was unsealed, and each of them that had "
            "finished opened the test split once."
        )
    return "Each of these replicates opens the test split once, at its end."


def _options(run: Run, analysis: TaskAnalysis) -> str:
    """How a task's data were prepared, and its training set composed."""
    task = analysis.task
    options = run.suite.get("options", {}).get(task.id, {})
    training = run.suite.get("training", {}).get(task.id, {})
    said = [f"{task.title}, data: {_values(options)}."] if options else []
    said += [f"{task.title}, training set: {_values(training)}."] if training else []
    return " ".join(said)


def _values(options: dict[str, object]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in options.items())


def _effort(run: Run, analyses: Sequence[TaskAnalysis]) -> str:
    """What every search was given: for all tasks alike, or for each task."""
    suite = run.suite
    special: dict[str, dict[str, object]] = suite.get("searches", {})
    titles = {analysis.task.id: analysis.task.title for analysis in analyses}
    shared = [title for task, title in titles.items() if task not in special]
    said = []
    if shared:
        where = "" if len(shared) == len(titles) else f"{_and(shared)}: "
        said.append(_one_effort(suite["search"], where))
    said += [
        _one_effort(search, f"{titles[task]}: ")
        for task, search in special.items()
        if task in titles
    ]
    return " ".join(said)


def _one_effort(search: dict[str, object], where: str) -> str:
    cap = f", with {search['max_trials']} trials at most" if search.get("max_trials") else ""
    sampler = str(search["sampler"])
    return (
        f"{where}Every entrant was given one search per task of the same effort: "
        f"{search['effort_epochs']} epochs over all its trials, stopped and failed ones "
        f"included{cap}. {_SAMPLERS.get(sampler, sampler)} proposed the configurations; "
        f"{_scheduler(search)}."
    )


_SAMPLERS = {"tpe": "A tree-structured Parzen estimator (TPE)", "random": "Random search"}
_REFIT = {
    "train": "on the training split, with the epoch selected on validation",
    "train+validation": "on training and validation data together, for the number of epochs at "
    "which the winner was best",
}


def _scheduler(search: dict[str, object]) -> str:
    if search["scheduler"] == "none":
        return "no trial was stopped early in favour of another"
    return (
        f"ASHA stopped trials early (from epoch {search['grace_epochs']}, the best one in "
        f"{search['reduction_factor']} going on, {search['max_epochs']} epochs at most)"
    )


def _unit(analysis: TaskAnalysis) -> str:
    if analysis.task.groups_known:
        return f"{analysis.task.title}: no patient (group) is on two sides of a split."
    return (
        f"{analysis.task.title}: group unknown. The data set does not say which cases belong "
        "together, so each case counts as a patient of its own, and intervals may be too narrow."
    )


def _p(p: float) -> str:
    """`p = 0.012`, `p < 0.001`: adjusted ones are what a reader gets to see."""
    text = p_value(p)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def _and(parts: Sequence[str], *, respectively: bool = False) -> str:
    joint = "; " if respectively else ", "
    if len(parts) < 2 or respectively:
        return joint.join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"
