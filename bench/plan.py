"""Suite to studies: every search that a run consists of, with an id from all that defines it."""

from __future__ import annotations

import re
from dataclasses import asdict

from bench import registry, suites
from bench.errors import UserError
from bench.seeds import derive
from bench.spec import Entrant, Study, Suite, Task, content_hash


def plan(suite: Suite) -> tuple[Study, ...]:
    """The suite's studies, task by task and in the entrants' order.

    Raises UserError where nothing is left to run.
    """
    studies = tuple(
        _study(suite, task, entrant)
        for task in (registry.tasks().get(name) for name in suite.tasks)
        for entrant in suites.entrants_for(suite, task)
    )
    if not studies:
        raise UserError(
            f"suite {suite.id} has no study: none of the entrants "
            f"{', '.join(e.label for e in suite.entrants)} takes any of {', '.join(suite.tasks)}"
        )
    return studies


def _study(suite: Suite, task: Task, entrant: Entrant) -> Study:
    space = registry.space_of(registry.families().get(entrant.family), task)
    fixed, search = suite.training[task.id], suite.searches.get(task.id, suite.search)
    defines = {
        "task": [task.id, task.version, suite.options[task.id], task.primary],
        "family": entrant.family,
        "pin": entrant.pin,
        "training": fixed,
        "space": space.canonical(),
        "search": asdict(search),
        "replicates": asdict(suite.replicates),
        "seed": suite.seed,
        "label": entrant.label,
    }
    return Study(
        id=f"{task.id}-{_slug(entrant.label)}-{content_hash(defines, length=6)}",
        task=task.id,
        entrant=entrant,
        space=space.canonical(),
        pinned=fixed | {name: value for name, value in entrant.pin.items() if name in space},
        search=search,
        replicates=suite.replicates,
        seed=derive(suite.seed, task.id, entrant.label),
    )


def _slug(label: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")[:40] or "entrant"
