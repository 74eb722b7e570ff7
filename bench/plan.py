"""Suite to studies: every search that a run consists of, with an id from all that defines it."""

from __future__ import annotations

import re
from dataclasses import asdict

from bench import registry, suites
from bench.errors import UserError
from bench.seeds import derive
from bench.spec import (
    DEFAULTS,
    Config,
    Entrant,
    Family,
    Search,
    Space,
    Study,
    Suite,
    Task,
    Text,
    content_hash,
)


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
    family: Family = registry.families().get(entrant.family)
    space = registry.space_of(family, task, entrant.space)
    fixed, search = suite.training[task.id], suite.searches.get(task.id, suite.search)
    pins = fixed | {name: value for name, value in entrant.pin.items() if name in space}
    enqueued = _enqueued(search, space, family, task, entrant, fixed)
    defines = {
        "task": [task.id, task.version, suite.options[task.id], task.primary],
        "family": entrant.family,
        "plugin": registry.plugin_hash(entrant.family),
        "pin": entrant.pin,
        "training": fixed,
        "space": space.hash,
        "search": asdict(search),
        "enqueued": enqueued,
        "replicates": asdict(suite.replicates),
        "seed": suite.seed,
        "label": entrant.label,
    }
    return Study(
        id=f"{task.id}-{_slug(entrant.label)}-{content_hash(defines, length=6)}",
        task=task.id,
        entrant=entrant,
        space=space.canonical(),
        pinned=space.held() | pins,
        free=space.free(pins),
        enqueued=enqueued,
        search=search,
        replicates=suite.replicates,
        seed=derive(suite.seed, task.id, entrant.label),
    )


def _enqueued(
    search: Search, space: Space, family: Family, task: Task, entrant: Entrant, fixed: Config
) -> tuple[Config, ...]:
    """What a search tries first, each configuration once: the space's defaults and published
    settings, with the entrant's pins and what is fixed of the training set."""
    found: list[Config] = []
    pins = {key: value for key, value in entrant.pin.items() if key in space}
    # An entrant is its net and its weights: those that it does not name have their default.
    names = {key: item.middle() for key, item in space.items() if isinstance(item, Text)}
    of_model = names | entrant.pin
    for name in search.enqueue:
        starts: list[Config] = [{}] if name == DEFAULTS else []
        starts += [
            {key: value for key, value in one.settings.items() if key in space}
            for one in family.published
            if one.document == name and one.concerns(task.id, of_model)
        ]
        for settings in starts:
            if mistakes := space.mistakes(settings):
                raise UserError.of(
                    mistakes,
                    heading=f"{entrant.label}: the setting of {name} lies outside of its space: "
                    "widen the space, or take it out of `enqueue`",
                )
            config = space.defaults(pinned=space.held() | settings | fixed | pins)
            found += [config] if config not in found else []
    return tuple(found)


def _slug(label: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")[:40] or "entrant"
