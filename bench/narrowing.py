"""A suite with some of its tasks and entrants alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bench import registry
from bench.errors import UserError
from bench.spec import Entrant, Suite, Task, unknown


def entrants_for(suite: Suite, task: Task) -> list[Entrant]:
    """The suite's entrants that enter this task."""
    return [
        entrant
        for entrant in suite.entrants
        if (entrant.tasks is None or task.id in entrant.tasks)
        and task.kind in registry.families().get(entrant.family).kinds
    ]


def narrowed(suite: Suite, tasks: Sequence[str] | None, entrants: Sequence[str] | None) -> Suite:
    """A suite with some of its tasks and entrants alone, by label or family.

    A family that is no entrant of the suite becomes one, by its title. Tasks that none of the named
    entrants enters are left out. Raises UserError for what it does not know, and for a named task
    without an entrant.
    """
    labels = {entrant.label: entrant for entrant in suite.entrants}
    groups = {entrant.family for entrant in suite.entrants}
    mistakes = [
        unknown("task of this suite", t, suite.tasks) for t in tasks or [] if t not in suite.tasks
    ]
    mistakes += [
        unknown("entrant of this suite", name, labels)
        for name in entrants or []
        if name not in labels and name not in groups and not _enters(suite, name)
    ]
    if mistakes:
        raise UserError.of(mistakes, heading=f"suite {suite.id}")
    if tasks:
        suite = replace(suite, tasks=tuple(task for task in suite.tasks if task in tasks))
    if entrants:
        chosen = tuple(e for e in suite.entrants if e.label in entrants or e.family in entrants)
        new = [name for name in entrants if name not in labels and name not in groups]
        titled = [(registry.families().get(name).title, name) for name in dict.fromkeys(new)]
        chosen += tuple(
            in_spaces(Entrant(label=title, family=name), suite.spaces) for title, name in titled
        )
        suite = _entered(replace(suite, entrants=chosen), tasks or ())
    return suite


def _entered(suite: Suite, named: Sequence[str]) -> Suite:
    """The suite without the tasks that nobody enters; those that are named must be entered."""
    entered = {task: bool(entrants_for(suite, registry.tasks().get(task))) for task in suite.tasks}
    if idle := [task for task in suite.tasks if task in named and not entered[task]]:
        labels = ", ".join(entrant.label for entrant in suite.entrants)
        raise UserError(
            f"a task needs an entrant, {', '.join(idle)} has none among {labels}: leave the task "
            "out, or name an entrant that enters it"
        )
    return replace(suite, tasks=tuple(task for task in suite.tasks if entered[task]))


def in_spaces(entrant: Entrant, spaces: Mapping[str, Mapping[str, Any]]) -> Entrant:
    """The entrant with what the suite changes in its family's space; its own changes and pins go
    first."""
    family = registry.families().items.get(entrant.family)
    theirs = spaces.get(family.space, {}) if family is not None else {}
    kept = {name: item for name, item in theirs.items() if name not in entrant.pin}
    return replace(entrant, space={**kept, **entrant.space})


def _enters(suite: Suite, name: str) -> bool:
    """Whether a family that is no entrant of the suite can take one of its tasks."""
    family = registry.families().items.get(name)
    tasks = [registry.tasks().get(task) for task in suite.tasks]
    return family is not None and any(task.kind in family.kinds for task in tasks)
