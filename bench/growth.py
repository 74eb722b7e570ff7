"""What of a suite may grow once its run has begun, and by how much."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from bench.errors import UserError
from bench.spec import Search, Suite, unknown

EFFORT = ("effort_epochs", "effort_seconds", "max_trials")
"""What of a search can grow."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing that grows."""

    what: str
    task: str | None = None
    """None: it holds for the whole run."""
    before: Any
    after: Any

    def __str__(self) -> str:
        where = f" of {self.task}" if self.task else ""
        if self.what == "entrants":
            return f"entrants {', '.join(name for name in self.after if name not in self.before)}"
        return f"{self.what}{where} from {self.before} to {self.after}"


def with_seeds(suite: Suite, seeds: object) -> Suite:
    """The suite with more seeds of each winner. Raises UserError for fewer."""
    replicates = suite.replicates
    return replace(
        suite, replicates=replace(replicates, seeds=_more("seeds", replicates.seeds, seeds))
    )


def with_effort(suite: Suite, key: str, value: object) -> Suite:
    """The suite with more effort for all studies of a task, or of all tasks: a task that has more
    or less than the others keeps its own.

    key: `effort_epochs`, `lits_cls.effort_epochs`. Raises UserError for less, and for what cannot
    grow.
    """
    task, _, name = key.rpartition(".")
    if name not in EFFORT:
        raise UserError(
            f"a run is extended by seeds, {', '.join(EFFORT)} and entrants, got --set {key}: leave "
            "it out, or begin a new run"
        )
    if task and task not in suite.tasks:
        raise UserError(
            f"--set {key}: {unknown('task of this suite', task, suite.tasks)}; all entrants of a "
            "task have the same effort"
        )
    if task:
        own = _search(suite.searches.get(task, suite.search), name, value)
        return replace(suite, searches={**suite.searches, task: own})
    shared = getattr(suite.search, name)
    if all(getattr(_search_of(suite, id), name) != shared for id in suite.tasks):
        keys = ", ".join(f"--set {id}.{name}={value}" for id in suite.tasks)
        raise UserError(f"each task of this run has {name} of its own: give {keys}")
    searches = {
        id: _search(own, name, value) if getattr(own, name) == shared else own
        for id, own in suite.searches.items()
    }
    return replace(suite, search=_search(suite.search, name, value), searches=searches)


def _search(search: Search, name: str, value: object) -> Search:
    """The search with more of one thing."""
    before = getattr(search, name)
    if before is None and name == "max_trials":
        raise UserError(
            f"trials of this run have no cap, max_trials = {value} would be one: leave it out"
        )
    if before is None:
        unit = "effort_seconds" if search.in_effort_seconds else "effort_epochs"
        raise UserError(
            f"the effort of this run is in {unit}, got --set {name}={value}: give "
            f"{unit} above {search.effort:g}"
        )
    changed: dict[str, Any] = {name: _more(name, before, value)}
    try:
        return replace(search, **changed)
    except ValueError as error:
        raise UserError(str(error)) from None


def _more(name: str, before: Any, value: object) -> Any:
    """The value, where it is one and no less than what there is."""
    kinds = (int, float) if name == "effort_seconds" else (int,)
    if not isinstance(value, kinds) or isinstance(value, bool):
        raise UserError(
            f"{name} must be a number{' without a fraction' * (len(kinds) == 1)}, "
            f"got {value!r}: give one of at least {before:g}"
        )
    if value < before:
        raise UserError(
            f"a run is extended and never cut: {name} must be at least the {before:g} that it has, "
            f"got {value:g}: give more, or begin a new run"
        )
    return float(value) if name == "effort_seconds" else value


def unpaid(before: Suite, after: Suite) -> list[str]:
    """What is wrong with the efforts, all changes taken together: a sentence a task."""
    mistakes = []
    for task in grown_tasks(before, after):
        own, least = _search_of(after, task), _search_of(before, task).effort
        least += own.reserved + own.max_epochs
        if own.confirm and own.effort < least:
            mistakes.append(
                f"{task}: a search that goes on confirms its best again, so effort_epochs must "
                f"grow by one whole trial of max_epochs and the {own.reserved} epochs of "
                f"confirmation, got {own.effort:g}: give {least:g} or more"
            )
    return mistakes


def grown_tasks(before: Suite, after: Suite) -> list[str]:
    """The tasks whose searches have more than they had."""
    return [task for task in after.tasks if _search_of(before, task) != _search_of(after, task)]


def changes(before: Suite, after: Suite) -> list[Change]:
    """All that the second suite has more."""
    found = []
    if before.replicates.seeds != after.replicates.seeds:
        seeds = before.replicates.seeds, after.replicates.seeds
        found.append(Change(what="seeds", before=seeds[0], after=seeds[1]))
    for name in EFFORT:
        grown: dict[str, tuple[Any, Any]] = {}
        for task in after.tasks:
            old, new = (getattr(_search_of(suite, task), name) for suite in (before, after))
            grown |= {task: (old, new)} if old != new else {}
        alike = len(grown) == len(after.tasks) and len(set(grown.values())) == 1
        for task, (old, new) in list(grown.items())[: 1 if alike else None]:
            found.append(Change(what=name, task=None if alike else task, before=old, after=new))
    labels = [[entrant.label for entrant in suite.entrants] for suite in (before, after)]
    if labels[0] != labels[1]:
        found.append(Change(what="entrants", before=labels[0], after=labels[1]))
    return found


def _search_of(suite: Suite, task: str) -> Search:
    return suite.searches.get(task, suite.search)
