"""Where the keys of a suite belong: its search, its replicates, its tasks' options.

A suite's own tables are the lowest layer; a scale's flat keys and those of the command line are
laid over them. A key goes to whatever knows it: `image_size` to every task that has it,
`lits_seg.image_size` to one task, `effort_epochs` to the search of all tasks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from bench.errors import UserError
from bench.spec import Config, Parameter, Replicates, Search, Space, Task, unknown

SEARCHED = "search"
"""The value that frees a parameter of a task's training set for every search."""
SEARCH_KEYS = tuple(item.name for item in fields(Search))
EFFORTS = ("effort_epochs", "effort_seconds")
"""Of which a search has one."""
REPLICATES_KEYS = tuple(item.name for item in fields(Replicates))


@dataclass
class Settings:
    """What a suite sets, layer upon layer, and what was wrong on the way."""

    tasks: Mapping[str, Task]
    search: dict[str, Any] = field(default_factory=dict)
    """Of all tasks."""
    own_search: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Of single tasks, on top."""
    replicates: dict[str, Any] = field(default_factory=dict)
    options: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By task, what is set of its options and of its training set."""
    phantom_cases: dict[str, Any] = field(default_factory=dict)
    mistakes: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, table: Mapping[str, Any], tasks: Mapping[str, Task]) -> Settings:
        """A suite file's own tables."""
        self = cls(tasks)
        for name, target in (
            ("search", self.search),
            ("replicates", self.replicates),
            ("phantom_cases", self.phantom_cases),
        ):
            target.update(self._table(table, name))
        self.lay(self._table(table, "options"), where="options.", only_options=True)
        return self

    def copy(self) -> Settings:
        """The same settings, to lay others over; it shares the list of mistakes."""
        return Settings(
            tasks=self.tasks,
            search=dict(self.search),
            own_search={task: dict(keys) for task, keys in self.own_search.items()},
            replicates=dict(self.replicates),
            options={task: dict(keys) for task, keys in self.options.items()},
            phantom_cases=dict(self.phantom_cases),
            mistakes=self.mistakes,
        )

    def lay(self, layer: Mapping[str, Any], *, where: str, only_options: bool = False) -> None:
        """Lay keys over what is set. where: how mistakes name their place."""
        for key, value in layer.items():
            first, dot, rest = key.partition(".")
            if first in self.tasks and (dot or isinstance(value, dict)):
                own = {rest: value} if dot else value
                self._lay_one(first, own, where=f"{where}{first}.", only_options=only_options)
            elif key in SEARCH_KEYS and not only_options:
                _set(self.search, key, value)
            elif key in REPLICATES_KEYS and not only_options:
                self.replicates[key] = value
            elif key == "phantom_cases" and not only_options:
                if isinstance(value, dict):
                    self.phantom_cases |= value
                else:
                    self.mistakes.append(
                        f"{where}{key} must be a table of numbers by data set, got {value!r}"
                    )
            elif having := [id for id, task in self.tasks.items() if key in settable(task)]:
                for id in having:
                    self.options.setdefault(id, {})[key] = value
            else:
                noun = "task option" if only_options else "key"
                self._unknown(f"{where}{key}", noun, key, self._known(only_options))

    def _lay_one(
        self, id: str, layer: Mapping[str, Any], *, where: str, only_options: bool
    ) -> None:
        """Keys of one task."""
        known = [*settable(self.tasks[id]), *(() if only_options else SEARCH_KEYS)]
        for key, value in layer.items():
            if key in settable(self.tasks[id]):
                self.options.setdefault(id, {})[key] = value
            elif key in known:
                _set(self.own_search.setdefault(id, {}), key, value)
            else:
                self._unknown(f"{where}{key}", "task option", key, known)

    def check(self) -> None:
        """Note what is wrong with the values; the search and the replicates check their own."""
        for task in self.tasks.values():
            try:
                options = self.options_of(task)
                self.training_of(task)
            except UserError as error:
                self.mistakes.append(str(error))
                continue
            try:
                task.protocol(options)
            except UserError as error:
                self.mistakes.append(f"options.{task.id}: {error}")
        datasets = {task.dataset for task in self.tasks.values()}
        for name in self.phantom_cases:
            if name not in datasets:
                self._unknown(f"phantom_cases.{name}", "data set of this suite", name, datasets)

    def options_of(self, task: Task) -> Config:
        """All options of a task's data."""
        return _settled(task.options, self.options.get(task.id, {}), task)

    def training_of(self, task: Task) -> Config:
        """The parameters of a task's training set that are not searched."""
        given = self.options.get(task.id, {})
        searched = {name for name in task.training if given.get(name) == SEARCHED}
        fixed = {name: value for name, value in given.items() if name not in searched}
        settled = _settled(task.training, fixed, task)
        return {name: value for name, value in settled.items() if name not in searched}

    def _known(self, only_options: bool) -> Iterable[str]:
        options = {name for task in self.tasks.values() for name in settable(task)}
        if only_options:
            return [*options, *self.tasks]
        return [*options, *self.tasks, *SEARCH_KEYS, *REPLICATES_KEYS, "phantom_cases", "entrants"]

    def _table(self, table: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        value = table.get(key, {})
        if isinstance(value, dict):
            return value
        self.mistakes.append(f"{key} must be a table, got {value!r}")
        return {}

    def _unknown(self, place: str, noun: str, name: str, known: Iterable[str]) -> None:
        self.mistakes.append(f"{place}: {unknown(noun, name, known)}")


def _set(search: dict[str, Any], key: str, value: Any) -> None:
    """Set a key of a search; an effort takes the place of one in the other unit."""
    if key in EFFORTS:
        search |= dict.fromkeys(EFFORTS)
    search[key] = value


def settable(task: Task) -> Mapping[str, Parameter]:
    """All that a suite's options may name of a task."""
    return {**task.options, **task.training}


def _settled(space: Space, given: Mapping[str, Any], task: Task) -> Config:
    mine = {name: value for name, value in given.items() if name in space}
    return space.settled(mine, heading=f"options.{task.id}")
