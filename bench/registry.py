"""Finds tasks, data sets, phantoms, families and spaces: a file's name is its id.

Listing reads file names and imports the small files; none of them imports torch at its top. A file
that does not import is named with its error and does not hide its neighbours.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from bench import plugins
from bench.errors import UserError
from bench.plugins import PluginFile
from bench.spec import Dataset, Family, Masks, Phantom, Space, Task, Unlabelled, unknown


@dataclass(frozen=True)
class Shelf:
    """What was found in one folder."""

    noun: str
    items: Mapping[str, Any]
    broken: Mapping[str, str] = field(default_factory=dict)
    """By id: the error of a file that does not import or holds no such object."""

    def get(self, id: str) -> Any:
        """The item of that id; UserError with the nearest known id where there is none."""
        if id in self.items:
            return self.items[id]
        if id in self.broken:
            raise UserError(f"{self.noun} {id!r} cannot be loaded: {self.broken[id]}")
        raise UserError(unknown(self.noun, id, self.items))


def tasks() -> Shelf:
    return _shelf("suite.tasks", "task", "TASK", Task)


def datasets() -> Shelf:
    return _shelf("suite.datasets", "data set", "DATASET", Dataset)


def phantoms() -> Shelf:
    return _shelf("suite.phantoms", "phantom", "PHANTOM", Phantom)


def masks() -> Shelf:
    return _shelf("suite.masks", "reader of masks", "MASKS", Masks)


def unlabelled() -> Shelf:
    return _shelf("suite.unlabelled", "reader of new files", "UNLABELLED", Unlabelled)


def spaces() -> Shelf:
    return _shelf("search_spaces", "space", "SPACE", Space)


def families() -> Shelf:
    """The house's families, and those of the plug-ins that are loaded."""
    found = _house_families()
    return replace(
        found, items={**found.items, **{id: item.family for id, item in _plugins.items()}}
    )


def _house_families() -> Shelf:
    return _shelf("suite.families", "family", "FAMILY", Family)


# --- Plug-ins -------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Plugin:
    family: Family
    file: PluginFile


_plugins: dict[str, _Plugin] = {}


def load_plugin(path: Path) -> Family:
    """Add the family of a file from anywhere; its id is the file's name."""
    return add_plugin(plugins.read(path))


def add_plugin(file: PluginFile) -> Family:
    """Add a plug-in's family, from its content; nothing happens where that is loaded already.

    Raises UserError, with file and line, for what is wrong with it.
    """
    if file.id in _plugins:
        loaded = _plugins[file.id]
        if loaded.file.content == file.content:
            return loaded.family
        raise UserError(
            f"{file.name}: there is another plug-in of that name, with another content "
            f"(sha256 {loaded.file.sha256[:12]} and {file.sha256[:12]}): rename the file"
        )
    house = _house_families()
    if file.id in house.items or file.id in house.broken:
        raise UserError(f"{file.name}: there is a family {file.id!r} already: rename the file")
    family = plugins.load(file)
    try:
        for task in (None, *tasks().items.values()):
            if task is None or task.kind in family.kinds:
                space_of(family, task)
    except UserError as error:
        plugins.unload(file)
        argument = "space" if family.space not in spaces().items else "options"
        line = plugins.line_of(file, argument)
        raise UserError(f"{file.at(line)}: {' '.join(str(error).split())}") from None
    _plugins[file.id] = _Plugin(family, file)
    return family


def plugin_files() -> tuple[PluginFile, ...]:
    """The plug-ins that are loaded, in their order."""
    return tuple(item.file for item in _plugins.values())


def plugin_file(family: str) -> PluginFile | None:
    """The plug-in that a family comes from; None of the house's own."""
    return _plugins[family].file if family in _plugins else None


def plugin_hash(family: str) -> str | None:
    """The sha256 of the plug-in that a family comes from; None of the house's own."""
    file = plugin_file(family)
    return None if file is None else file.sha256


# --- Spaces ---------------------------------------------------------------------------------


def space_of(
    family: Family, task: Task | None = None, overrides: Mapping[str, object] | None = None
) -> Space:
    """All parameters of a family: its own options, its training space, and those that the task
    adds of its training set; as a suite overrides those of them that it names.

    Raises UserError for an override that is none: see `Space.overridden`.
    """
    space: Space = family.options | spaces().get(family.space)
    if task is not None:
        space |= task.training
    theirs = {name: item for name, item in (overrides or {}).items() if name in space}
    return space.overridden(theirs, heading=f"space of {family.id}")


@cache
def _shelf(package: str, noun: str, attribute: str, kind: type) -> Shelf:
    items, broken = {}, {}
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
        if module.ispkg:
            continue
        id = module.name
        try:
            taken = _take(importlib.import_module(f"{package}.{id}"), attribute, kind, id)
        except Exception as error:
            broken[id] = _one_line(error)
            continue
        if isinstance(taken, str):
            broken[id] = taken
        else:
            items[id] = taken
    return Shelf(noun, items, broken)


def _take(module: ModuleType, attribute: str, kind: type, id: str) -> Any:
    """The module's object under its id, or the sentence that says why there is none."""
    value = getattr(module, attribute, None)
    if not isinstance(value, kind):
        return f"the file must define {attribute} = {kind.__name__}(...)"
    return value if kind is Space else replace(value, id=id)  # type: ignore[type-var]


def _one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
