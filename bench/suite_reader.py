"""A suite's table, as TOML has it, to `Suite`: every mistake is gathered, each with its key."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from bench import registry, sampler_options
from bench.errors import UserError
from bench.narrowing import in_spaces
from bench.settings import Settings
from bench.spec import (
    DEFAULTS,
    Entrant,
    Family,
    Replicates,
    Scalar,
    Search,
    Space,
    Suite,
    Task,
    unknown,
)

SCALES = ("demo", "small", "full")
ANALYSES = ("mean_difference",)
_TOP = frozenset(
    {"title", "tasks", "primary", "seed", "entrants", "search", "replicates", "options"}
    | {"spaces", "phantom_cases", "scales"}
)
_Section = TypeVar("_Section", Search, Replicates, Entrant)


@dataclass
class SuiteReader:
    """Reads one file's table and gathers its mistakes."""

    table: Mapping[str, Any]
    mistakes: list[str] = field(default_factory=list)

    def suite(
        self,
        id: str,
        scale: str,
        *,
        seed: int | None,
        settings: Mapping[str, Scalar],
        every: bool,
    ) -> Suite | None:
        """every: all entrants, whatever the scale names."""
        self._known("key", self.table, _TOP)
        scales = self._mapping("scales")
        self._known("scale", scales, SCALES, prefix="scales.")
        tasks = self._tasks()
        chosen = self._settings(tasks, scales, scale, settings)
        search = self._section(Search, "search", chosen.search)
        searches = {
            id: self._section(Search, f"search of {id}", chosen.search | own)
            for id, own in chosen.own_search.items()
        }
        for where, one in (
            ("search", search),
            *((f"search of {t}", s) for t, s in searches.items()),
        ):
            if one is not None:
                wrong = sampler_options.check_options(one.sampler, one.sampler_options)
                self.mistakes += [f"{where}: {mistake}" for mistake in wrong]
        replicates = self._section(Replicates, "replicates", chosen.replicates)
        entrants = self._entrants(tasks)
        for where, one in (
            ("search", search),
            *((f"search of {t}", s) for t, s in searches.items()),
        ):
            documents = _documents() if one is not None and set(one.enqueue) - {DEFAULTS} else []
            listed = [] if one is None else one.enqueue
            self._known("document", listed, [DEFAULTS, *documents], prefix=f"{where}.enqueue: ")
        for name, overlay in scales.items():
            listed = overlay.get("entrants", []) if isinstance(overlay, dict) else []
            labels = [entrant.label for entrant in entrants]
            self._known("entrant of this suite", listed, labels, prefix=f"scales.{name}.entrants.")
        primary = self.table.get("primary", ANALYSES[0])
        if primary not in ANALYSES:
            self.mistakes.append(f"primary: {unknown('analysis', primary, ANALYSES)}")
        if not isinstance(self.table.get("title"), str):
            self.mistakes.append("title: a suite needs a title")
        if self.mistakes or search is None or replicates is None:
            return None
        return Suite(
            id=id,
            title=self.table["title"],
            scale=scale,
            seed=self.table.get("seed", 0) if seed is None else seed,
            tasks=tuple(tasks),
            entrants=entrants if every else self._at_scale(entrants, scales.get(scale, {})),
            search=search,
            searches={id: own for id, own in searches.items() if own is not None},
            replicates=replicates,
            options={id: chosen.options_of(task) for id, task in tasks.items()},
            training={id: chosen.training_of(task) for id, task in tasks.items()},
            spaces={name: dict(table) for name, table in self._spaces().items()},
            phantom_cases=chosen.phantom_cases,
            primary=primary,
        )

    def _tasks(self) -> dict[str, Task]:
        listed = self.table.get("tasks")
        if not isinstance(listed, list) or not listed:
            self.mistakes.append("tasks: a suite needs a list of one or more tasks")
            return {}
        found = {}
        for name in listed:
            try:
                found[name] = registry.tasks().get(name)
            except UserError as error:
                self.mistakes.append(f"tasks: {error}")
        return found

    def _settings(
        self,
        tasks: Mapping[str, Task],
        scales: Mapping[str, Any],
        scale: str,
        command_line: Mapping[str, Scalar],
    ) -> Settings:
        """What the file sets at this scale, the command line on top. All scales are checked."""
        settings = Settings.of(self.table, tasks)
        chosen = settings
        for name, overlay in scales.items():
            if not isinstance(overlay, dict):
                self.mistakes.append(f"scales.{name} must be a table, got {overlay!r}")
                continue
            laid = settings.copy()
            keys = {key: value for key, value in overlay.items() if key != "entrants"}
            laid.lay(keys, where=f"scales.{name}.")
            chosen = laid if name == scale else chosen
        if scale not in scales and scale != "full":
            self.mistakes.append(f"--scale: {unknown('scale', scale, [*scales, 'full'])}")
        chosen.lay(command_line, where="--set ")
        chosen.check()
        self.mistakes += chosen.mistakes
        return chosen

    def _entrants(self, tasks: Mapping[str, Task]) -> tuple[Entrant, ...]:
        listed = self.table.get("entrants")
        if not isinstance(listed, list) or not listed:
            self.mistakes.append("entrants: a suite needs one or more [[entrants]]")
            return ()
        found: list[Entrant] = []
        spaces = self._spaces()
        for number, raw in enumerate(listed, 1):
            where = f"entrants[{number}]"
            entrant = self._section(Entrant, where, raw)
            if entrant is None:
                continue
            if any(entrant.label == other.label for other in found):
                self.mistakes.append(f"{where}: label {entrant.label!r} is taken: labels are names")
            both = sorted(set(entrant.pin) & set(entrant.space))
            self.mistakes += [f"{where}: {name} is pinned and in `space`" for name in both]
            entrant = in_spaces(entrant, spaces)
            self._check_entrant(where, entrant, tasks)
            found.append(entrant)
        return tuple(found)

    def _spaces(self) -> Mapping[str, Mapping[str, Any]]:
        """The suite's changes to whole spaces, by space; they hold for every family in them."""
        tables = self._mapping("spaces")
        self._known("space", tables, registry.spaces().items, prefix="spaces.")
        found = {}
        for name, table in tables.items():
            if name not in registry.spaces().items:
                continue
            try:
                if not isinstance(table, dict):
                    raise UserError(f"spaces.{name} must be a table, got {table!r}")
                registry.spaces().get(name).overridden(table, heading=f"spaces.{name}")
                found[name] = table
            except UserError as error:
                self.mistakes.append(str(error))
        return found

    def _at_scale(
        self, entrants: tuple[Entrant, ...], overlay: Mapping[str, Any]
    ) -> tuple[Entrant, ...]:
        """The entrants that a scale names, or all of them."""
        labels = overlay.get("entrants")
        if labels is None:
            return entrants
        return tuple(entrant for entrant in entrants if entrant.label in labels)

    def _check_entrant(self, where: str, entrant: Entrant, tasks: Mapping[str, Task]) -> None:
        where = f"{where} ({entrant.label})"
        try:
            family: Family = registry.families().get(entrant.family)
            entered = [
                task
                for name, task in tasks.items()
                if task.kind in family.kinds and name in (entrant.tasks or tasks)
            ]
            spaces = [registry.space_of(family, task) for task in (None, *entered)]
        except UserError as error:
            self.mistakes.append(f"{where}: {error}")
            return
        known = Space(**{name: item for space in spaces for name, item in space.items()})
        try:
            known = known.overridden(entrant.space, heading=f"{where}: space")
        except UserError as error:
            self.mistakes.append(str(error))
        mistakes = known.mistakes(entrant.pin)
        self.mistakes += [f"{where}: pin: {mistake}" for mistake in mistakes]
        for name in entrant.tasks or ():
            if name not in tasks:
                self.mistakes.append(f"{where}: {unknown('task of this suite', name, tasks)}")
            elif tasks[name].kind not in family.kinds:
                self.mistakes.append(
                    f"{where}: family {family.id} takes {', '.join(sorted(family.kinds))}, "
                    f"task {name} is {tasks[name].kind}"
                )
        if not entrant.tasks and not any(t.kind in family.kinds for t in tasks.values()):
            self.mistakes.append(f"{where}: family {family.id} can take none of the suite's tasks")

    def _section(self, kind: type[_Section], where: str, raw: object) -> _Section | None:
        try:
            return TypeAdapter(kind).validate_json(json.dumps(raw), strict=True)
        except ValidationError as error:
            for detail in error.errors():
                self.mistakes.append(_sentence(where, detail, _field_names(kind)))
            return None

    def _known(
        self, noun: str, keys: Iterable[str], known: Iterable[str], *, prefix: str = ""
    ) -> None:
        known = list(known)
        self.mistakes += [f"{prefix}{k}: {unknown(noun, k, known)}" for k in keys if k not in known]

    def _mapping(self, key: str) -> Mapping[str, Any]:
        value = self.table.get(key, {})
        if not isinstance(value, dict):
            self.mistakes.append(f"{key} must be a table, got {value!r}")
            return {}
        return value


def _documents() -> list[str]:
    """Keys of the documents whose settings some family knows."""
    families = registry.families().items.values()
    return sorted({one.document for family in families for one in family.published})


def _field_names(kind: type) -> list[str]:
    return [item.name for item in fields(kind)]


def _sentence(where: str, detail: Any, known: Sequence[str]) -> str:
    """One mistake that pydantic found, in our words."""
    key = ".".join(map(str, detail["loc"]))
    path = f"{where}.{key}" if key else where
    match detail["type"]:
        case "unexpected_keyword_argument":
            return f"{path}: {unknown('key', key, known)}"
        case "missing" | "missing_keyword_only_argument":
            return f"{path}: is needed"
        case "value_error":
            return f"{path}: {detail['ctx']['error']}"
        case _:
            message = detail["msg"].removeprefix("Input ").rstrip(".")
            return f"{path}: {message}, got {detail['input']!r}"
