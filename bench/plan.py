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
    Fold,
    PublishedSplit,
    Replicates,
    Search,
    Space,
    Study,
    Suite,
    Task,
    Text,
    content_hash,
)


def plan(suite: Suite) -> tuple[Study, ...]:
    """The suite's studies: task by task, in the entrants' order, each one's splits and searches.

    Raises UserError where nothing is left to run.
    """
    tasks: list[Task] = [registry.tasks().get(name) for name in suite.tasks]
    published = [task.id for task in tasks if isinstance(task.split, PublishedSplit)]
    if suite.replicates.splits > 1 and published:
        raise UserError(
            f"a patient k-fold draws test sets of its own, {', '.join(published)} has a published "
            "one: set splits = 1, or choose other tasks with --tasks"
        )
    studies = tuple(
        _study(suite, task, entrant, search, fold)
        for task in tasks
        for entrant in suites.entrants_for(suite, task)
        for fold in folds(suite)
        for search in range(suite.replicates.searches)
    )
    if not studies:
        raise UserError(
            f"suite {suite.id} has no study: none of the entrants "
            f"{', '.join(e.label for e in suite.entrants)} takes any of {', '.join(suite.tasks)}"
        )
    return studies


def folds(suite: Suite) -> tuple[Fold | None, ...]:
    """The splits of each task: its own, or those of a patient k-fold."""
    of = suite.replicates.splits
    return (None,) if of == 1 else tuple(Fold(number=number, of=of) for number in range(of))


def _study(suite: Suite, task: Task, entrant: Entrant, number: int, fold: Fold | None) -> Study:
    family: Family = registry.families().get(entrant.family)
    space = registry.space_of(family, task, entrant.space)
    fixed, search = suite.training[task.id], suite.searches.get(task.id, suite.search)
    pins = fixed | {name: value for name, value in entrant.pin.items() if name in space}
    enqueued = _enqueued(search, space, family, task, entrant, fixed)
    defines: dict[str, object] = {
        "task": [task.id, task.version, suite.options[task.id], task.primary],
        "family": entrant.family,
        "plugin": registry.plugin_hash(entrant.family),
        "pin": entrant.pin,
        "training": fixed,
        "space": space.hash,
        "search": asdict(search),
        "enqueued": enqueued,
        "replicates": _defining(suite.replicates),
        "seed": suite.seed,
        "label": entrant.label,
    }
    # What there is once stays out of names and streams.
    own = [] if fold is None else [f"split{fold.number + 1}of{fold.of}"]
    own += [f"search{number + 1}"] if number else []
    if own:
        defines["repetition"] = own
    return Study(
        id="-".join([task.id, _slug(entrant.label), *own, content_hash(defines, length=6)]),
        task=task.id,
        entrant=entrant,
        search_number=number,
        fold=fold,
        space=space.canonical(),
        pinned=space.held() | pins,
        free=space.free(pins),
        enqueued=enqueued,
        search=search,
        replicates=suite.replicates,
        seed=derive(suite.seed, task.id, entrant.label, *own),
    )


def _defining(replicates: Replicates) -> dict[str, object]:
    """What makes a study another one: how often it is searched besides does not."""
    return {"seeds": replicates.seeds, "refit": replicates.refit}


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
