"""How a run was made and how its numbers were: in words that a methods section could use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from results.analysis import TaskAnalysis
from results.load import Run
from results.stats import MIN_SEEDS
from results.wording import listed


def protocol(run: Run, analyses: Sequence[TaskAnalysis]) -> list[str]:
    """How this run was made, in words that a methods section could use."""
    replicates = run.suite["replicates"]
    said = [
        _effort(run, analyses),
        "Searches saw the training and validation splits only. The best validation score chose "
        f"one configuration per {'entrant' if run.unit == 'seeds' else 'search'}; it was "
        f"retrained under {replicates['seeds']} fresh seeds, "
        f"{_REFIT.get(replicates['refit'], replicates['refit'])}. {_opening(run)}",
    ]
    splits = sorted({_unit(analysis) for analysis in analyses})
    said.append(" ".join(splits))
    said += filter(None, (_options(run, analysis) for analysis in analyses))
    said += _repetitions(run)
    said.append(
        f"Fewer than {MIN_SEEDS} {run.unit} get no interval and no tier. "
        + (
            f"Intervals for ten {run.unit} or more are from a hierarchical bootstrap: patients "
            f"are resampled jointly for all entrants, {run.unit} independently for each; "
            "percentiles are widened for the few of either (expanded percentile interval, "
            "Hesterberg 2015). "
            if any(analysis.bootstrapped for analysis in analyses)
            else ""
        )
        + _interval_words(run)
        + "All pairs of entrants are compared on the same "
        "patients; p values are adjusted after Holm within the task. An entrant's tier is one "
        "plus the number of entrants significantly better than it, at 5 %."
    )
    if run.state.outside:
        said.append(
            "Models marked as made elsewhere were scored on the same cases. They are in no "
            "comparison, tier or p value of this run's entrants."
        )
    said.append(
        "Charged seconds are training time. Validation, checkpoints and set-up are recorded as "
        "free seconds and not compared. Gap is the validation score minus the test score, turned "
        "so that a positive gap means: worse on test."
    )
    return said


def _interval_words(run: Run) -> str:
    """How intervals are made, of few units."""
    if run.splits > 1:
        return (
            "Intervals are t intervals of the splits' means, whose variance is corrected for the "
            "overlap of their training sets (Nadeau & Bengio 2003). "
        )
    return (
        f"Intervals for three to nine {run.unit} are t intervals whose variance is the sum of two "
        f"components: between {run.unit}, and between patients (delete-one jackknife), with "
        "Welch-Satterthwaite degrees of freedom. "
    )


def _repetitions(run: Run) -> list[str]:
    """What was repeated beside the seeds, and what a mean is then a mean of."""
    said = []
    if run.splits > 1:
        said.append(
            f"The patients were dealt at random into {run.splits} parts; each was the test set "
            "once, with a validation set drawn from the others and searches of its own. A score is "
            "the mean over the splits."
        )
    if budgets := run.suite["replicates"].get("time_budgets_s"):
        each = listed([f"{budget:g}" for budget in budgets])
        said.append(
            f"Fixed time: at {each} charged seconds of training each, every entrant was searched "
            f"again, with the charged seconds of {run.suite['replicates']['time_trials']} whole "
            "trainings; schedules ran over the share of the budget that was spent, and training "
            "stopped at the step that reached it. One training at a time had a device to itself; "
            "the order of entrants was random."
        )
    if run.searches > 1:
        said.append(
            f"Every entrant was searched {run.searches} times"
            f"{' on each split' if run.splits > 1 else ''}, with independent random streams, each "
            "time with the whole effort; the mean over its seeds stands for a search."
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
    said = "Each of these replicates opens the test split once, at its end."
    if run.finished:
        return said
    number, planned = opened(run)
    return f"{said} So far, {number} of {planned} have."


def opened(run: Run) -> tuple[int, int]:
    """How many replicates have opened their test split so far, and of how many planned."""
    replicates = [r for id in run.studies for r in run.progress(id).replicates.values()]
    planned = sum(study.seeds for study in run.studies.values())
    return sum(one.unsealed for one in replicates), planned


def _options(run: Run, analysis: TaskAnalysis) -> str:
    """How a task's data were prepared, and its training set composed."""
    task = analysis.task
    options = run.suite.get("options", {}).get(task.id, {})
    training = run.suite.get("training", {}).get(task.id, {})
    said = [f"{task.title}, data: {_values(options)}."] if options else []
    said += [f"{task.title}, training set: {_values(training)}."] if training else []
    return " ".join(said)


def _values(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in options.items())


def _effort(run: Run, analyses: Sequence[TaskAnalysis]) -> str:
    """What every search was given: for all tasks alike, or for each task."""
    suite = run.suite
    special: dict[str, dict[str, Any]] = suite.get("searches", {})
    titles = {analysis.task.id: analysis.task.title for analysis in analyses}
    shared = [title for task, title in titles.items() if task not in special]
    said = []
    if shared:
        where = "" if len(shared) == len(titles) else f"{listed(shared)}: "
        said.append(_one_effort(suite["search"], where))
    said += [
        _one_effort(search, f"{titles[task]}: ")
        for task, search in special.items()
        if task in titles
    ]
    return " ".join(said)


def _one_effort(search: Mapping[str, Any], where: str) -> str:
    cap = f", with {search['max_trials']} trials at most" if search.get("max_trials") else ""
    effort = f"{search['effort_epochs']} epochs"
    if search.get("effort_seconds") is not None:
        effort = f"{search['effort_seconds']:g} charged seconds"
    sampler = str(search["sampler"])
    return (
        f"{where}Every search was given the same effort: "
        f"{effort} over all its trials, stopped and failed ones "
        f"included{cap}. {_SAMPLERS.get(sampler, sampler)} proposed the configurations"
        f"{_options_of(search)}; {_scheduler(search)}.{_confirmation(search)}"
    )


_SAMPLERS = {
    "tpe": "A tree-structured Parzen estimator (TPE)",
    "gp": "A Gaussian process",
    "cmaes": "CMA-ES",
    "random": "Random search",
    "qmc": "A quasi-random sequence",
    "grid": "A grid",
}
_REFIT = {
    "train": "on the training split, with the epoch selected on validation",
    "train+validation": "on training and validation data together, for the number of epochs at "
    "which the winner was best",
}


def _options_of(search: Mapping[str, Any]) -> str:
    options = search.get("sampler_options") or {}
    return f" ({_values(options)})" if options else ""


def _scheduler(search: Mapping[str, Any]) -> str:
    """How trials were stopped early."""
    eta = search["reduction_factor"]
    seconds = search.get("grace_seconds")
    grace = f"epoch {search['grace_epochs']}" if seconds is None else f"{seconds:g} charged seconds"
    ends = f"from {grace} on, {search['max_epochs']} epochs at most"
    match search["scheduler"]:
        case "none":
            return "no trial was stopped early in favour of another"
        case "median":
            return (
                "a trial was stopped early where its best score lay below the median of the "
                f"others' running averages ({ends})"
            )
        case "asha_promote":
            return (
                f"ASHA let trials rest at rungs and promoted the best one in {eta} of each ({ends})"
            )
        case "hyperband":
            return (
                "asynchronous Hyperband stopped trials early, in brackets that begin to do so "
                f"later and later ({ends}; the best one in {eta} going on)"
            )
        case _:
            return f"ASHA stopped trials early ({ends}; the best one in {eta} going on)"


def _confirmation(search: Mapping[str, Any]) -> str:
    if not search.get("confirm"):
        return ""
    seeds = search["confirm_seeds"]
    return (
        f" The {search['confirm']} best were trained again under {seeds} fresh "
        f"seed{'s' * (seeds != 1)} each, within that effort, and the best mean won."
    )


def _unit(analysis: TaskAnalysis) -> str:
    if analysis.task.groups_known:
        return f"{analysis.task.title}: no patient (group) is on two sides of a split."
    return (
        f"{analysis.task.title}: group unknown. The data set does not say which cases belong "
        "together, so each case counts as a patient of its own, and intervals may be too narrow."
    )
