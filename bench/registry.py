"""Finds tasks, data sets, phantoms, families and spaces: a file's name is its id.

Listing reads file names and imports the small files; none of them imports torch at its top. A file
that does not import is named with its error and does not hide its neighbours.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from bench.errors import UserError
from bench.spec import Dataset, Family, Phantom, Space, Task, unknown


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


def spaces() -> Shelf:
    return _shelf("search_spaces", "space", "SPACE", Space)


def families() -> Shelf:
    found = _shelf("suite.families", "family", "FAMILY", Family)
    return replace(found, items={**found.items, **_plugins})


_plugins: dict[str, Family] = {}


def load_plugin(path: Path) -> Family:
    """Add the family of a file from anywhere; its id is the file's name."""
    if not path.is_file():
        raise UserError(f"a plug-in is a Python file with one FAMILY, {path} does not exist")
    spec = importlib.util.spec_from_file_location(f"tunebench_plugin_{path.stem}", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise UserError(f"plug-in {path} cannot be loaded: {_one_line(error)}") from error
    family: Family | str = _take(module, "FAMILY", Family, path.stem)
    if isinstance(family, str):
        raise UserError(f"plug-in {path}: {family}")
    if path.stem in _shelf("suite.families", "family", "FAMILY", Family).items:
        raise UserError(f"plug-in {path}: there is a family {path.stem!r} already: rename the file")
    _plugins[path.stem] = family
    return family


def space_of(family: Family, task: Task | None = None) -> Space:
    """All parameters of a family: its architecture options, its training space, and those that
    the task adds of its training set."""
    space: Space = spaces().get(family.space)
    own = family.options | space
    return own if task is None else own | task.training


@cache
def _shelf(package: str, noun: str, attribute: str, kind: type) -> Shelf:
    items, broken = {}, {}
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
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
