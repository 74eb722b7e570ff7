"""suite/*.toml to `Suite`: every mistake of a file is reported at once, each with its key."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import UserError
from bench.narrowing import narrowed
from bench.spec import Scalar, Suite, unknown
from bench.suite_reader import SCALES, SuiteReader

FOLDER = Path(__file__).resolve().parent.parent / "suite"


@dataclass(frozen=True, kw_only=True)
class SuiteFile:
    """A suite's file, read but not resolved to a scale."""

    id: str
    path: Path
    table: Mapping[str, Any]

    @property
    def title(self) -> str:
        return str(self.table.get("title", self.id))

    @property
    def tasks(self) -> list[str]:
        return [str(task) for task in self.table.get("tasks", [])]

    @property
    def scales(self) -> list[str]:
        """The scales that the file names, and `full`, which needs no table of its own."""
        named = self.table.get("scales", {})
        return [scale for scale in SCALES if scale in named or scale == "full"]


def names() -> list[str]:
    """Ids of all suites: the names of the files in `suite/`."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def read(name: str) -> SuiteFile:
    """A suite by its id, or by the path of a TOML file. UserError where there is none."""
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if name.endswith(".toml"):
            raise UserError(f"no suite file at {path}") from None
        raise UserError(unknown("suite", name, names())) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path.name} is not valid TOML: {error}") from None
    return SuiteFile(id=path.stem, path=path, table=table)


def resolve(
    file: SuiteFile,
    *,
    scale: str,
    seed: int | None = None,
    tasks: Sequence[str] | None = None,
    entrants: Sequence[str] | None = None,
    settings: Mapping[str, Scalar] | None = None,
) -> Suite:
    """The suite at one scale, narrowed to some tasks and entrants, with settings on top.

    Raises UserError with every mistake of the file, each with its key.
    """
    reader = SuiteReader(file.table)
    suite = reader.suite(
        file.id, scale, seed=seed, settings=settings or {}, every=entrants is not None
    )
    if reader.mistakes:
        raise UserError.of(reader.mistakes, heading=f"suite {file.id} ({file.path.name})")
    assert suite is not None
    return narrowed(suite, tasks, entrants)
