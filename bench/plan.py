"""Suite to studies: every search that a run consists of, with an id from all that defines it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace

from bench import narrowing, registry, sampler_options
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

MAX_EPOCHS = 1_000_000
"""Of a training that a time budget ends."""

First = Callable[[Study, Space], Sequence[Config]]
"""Of a study in this space, configurations that its search is to try before it suggests any."""


def plan(suite: Suite, *, first: First = lambda study, space: ()) -> tuple[Study, ...]:
    """The suite's studies: task by task, in the entrants' order, each one's splits and searches.

    first: what is tried after the suite's own first configurations. Raises UserError where nothing
    is left to run.
    """
    tasks: list[Task] = [registry.tasks().get(name) for name in suite.tasks]
    published = [task.id for task in tasks if isinstance(task.split, PublishedSplit)]
    if suite.replicates.splits > 1 and published:
        raise UserError(
            f"a patient k-fold draws test sets of its own, {', '.join(published)} has a published "
            "one: set splits = 1, or choose other tasks with --tasks"
        )
    studies = tuple(
        _study(suite, task, entrant, turn, first)
        for task in tasks
        for entrant in narrowing.entrants_for(suite, task)
        for turn in _turns(suite.replicates)
    )
    if not studies:
        raise UserError(
            f"suite {suite.id} has no study: none of the entrants "
            f"{', '.join(e.label for e in suite.entrants)} takes any of {', '.join(suite.tasks)}"
        )
    return studies


@dataclass(frozen=True, kw_only=True)
class _Turn:
    """One of an entrant's studies on a task."""

    fold: Fold | None
    search: int = 0
    budget: float | None = None
    """Of a fixed-time comparison."""

    @property
    def own(self) -> list[str]:
        """What makes it another one than the first; what there is once stays out of names and
        streams."""
        found = [] if self.fold is None else [f"split{self.fold.number + 1}of{self.fold.of}"]
        found += [f"search{self.search + 1}"] if self.search else []
        return found + ([] if self.budget is None else [f"time{self.budget:g}s"])


def _turns(replicates: Replicates) -> Iterator[_Turn]:
    """Each entrant's studies on a task: every split and search, then every time budget."""
    of = replicates.splits
    folds = [None] if of == 1 else [Fold(number=number, of=of) for number in range(of)]
    for fold in folds:
        for search in range(replicates.searches):
            yield _Turn(fold=fold, search=search)
    for budget in replicates.time_budgets_s:
        for fold in folds:
            yield _Turn(fold=fold, budget=budget)


def under(search: Search, replicates: Replicates, budget: float | None) -> Search:
    """The search of a task under a time budget: as many whole trainings' seconds, rungs at shares
    of it, two at most; itself without one."""
    if budget is None:
        return search
    eta = search.reduction_factor
    rungs = sum(1 for _ in replace(search, grace_seconds=None).rungs())
    return replace(
        search,
        effort_epochs=None,
        effort_seconds=replicates.time_trials * budget,
        max_epochs=MAX_EPOCHS,
        max_seconds=budget,
        grace_seconds=budget / eta ** min(rungs, 2) if rungs else None,
        confirm=0,
    )


def _study(suite: Suite, task: Task, entrant: Entrant, turn: _Turn, first: First) -> Study:
    family: Family = registry.families().get(entrant.family)
    space = registry.space_of(family, task, entrant.space)
    fixed = suite.training[task.id]
    search = suite.searches.get(task.id, suite.search)
    search = under(search, suite.replicates, turn.budget)
    pins = fixed | {name: value for name, value in entrant.pin.items() if name in space}
    if mistakes := sampler_options.check_space(search, space, space.held() | pins):
        raise UserError.of(mistakes, heading=f"{entrant.label} on {task.id}")
    own = turn.own
    study = Study(
        id="",
        task=task.id,
        entrant=entrant,
        search_number=turn.search,
        fold=turn.fold,
        time_budget_s=turn.budget,
        space=space.canonical(),
        pinned=space.held() | pins,
        free=space.free(pins),
        enqueued=_enqueued(search, space, family, task, entrant, fixed),
        search=search,
        replicates=suite.replicates,
        seed=derive(suite.seed, task.id, entrant.label, *own),
    )
    enqueued = list(study.enqueued)
    for config in first(study, space):
        enqueued += [config] if config not in enqueued else []
    defines: dict[str, object] = {
        "task": [task.id, task.version, suite.options[task.id], task.primary],
        "family": entrant.family,
        "plugin": registry.plugin_hash(entrant.family),
        "pin": entrant.pin,
        "training": fixed,
        "space": space.hash,
        "search": asdict(search),
        "enqueued": tuple(enqueued),
        "replicates": _defining(suite.replicates),
        "seed": suite.seed,
        "label": entrant.label,
    }
    if own:
        defines["repetition"] = own
    name = "-".join([task.id, _slug(entrant.label), *own, content_hash(defines, length=6)])
    return replace(study, id=name, enqueued=tuple(enqueued))


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
