"""Plug-ins: one file from anywhere with one FAMILY, run from its content, so that it can travel.

What is run is the content, never a path: a run keeps it in its folder and sends it to its workers,
which need not see the file. What goes wrong in it is said with its file and line.
"""

from __future__ import annotations

import ast
import hashlib
import linecache
import sys
import traceback
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

from bench.errors import UserError
from bench.spec import Family, Kind, Space, unknown

FOLDER = "plugins"
"""Where a run's folder keeps them; their place in tracebacks."""
FORM = 'a plug-in is one Python file with FAMILY = Family(...), given as --plugins "my_net.py"'
ALONE = (
    "a plug-in may import what is installed on every node, and no file beside it: "
    "put all into the one file"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class PluginFile:
    """A plug-in's file: small, and all that a worker needs of it."""

    name: str
    """The file's name, such as `my_net.py`."""
    content: bytes

    @property
    def id(self) -> str:
        """The family's id."""
        return self.name.removesuffix(".py")

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def module(self) -> str:
        """The name under which its module is known while it is loaded."""
        return f"tunebench_plugin_{self.id}"

    @property
    def filename(self) -> str:
        """The file that its tracebacks name."""
        return f"{FOLDER}/{self.name}"

    def at(self, line: int | None) -> str:
        """A place in it, as errors begin."""
        return self.name if line is None else f"{self.name}, line {line}"


def read(path: Path) -> PluginFile:
    """A file as a plug-in. Raises UserError where there is none or where its name cannot be an
    id."""
    if path.suffix != ".py":
        raise UserError(f"{FORM}, got {path}")
    if not path.is_file():
        raise UserError(f"{FORM}: there is no file {path}")
    if not path.stem.isidentifier():
        raise UserError(
            f"a plug-in's file name becomes its family's id: letters, digits and underscores, got "
            f"{path.name!r}: rename it"
        )
    try:
        return PluginFile(name=path.name, content=path.read_bytes())
    except OSError as error:
        raise UserError(f"plug-in {path} cannot be read: {error.strerror}") from None


def load(file: PluginFile) -> Family:
    """Run a plug-in's content and take its family, under the file's id.

    The module stays in `sys.modules`, as dataclasses and pickles want it, and its lines where
    tracebacks look for them. Raises UserError, with file and line, for what is wrong.
    """
    module = ModuleType(file.module)
    module.__file__ = file.filename
    lines = file.content.decode(errors="replace").splitlines(keepends=True)
    linecache.cache[file.filename] = (len(file.content), None, lines, file.filename)
    sys.modules[file.module] = module
    try:
        exec(compile(file.content, file.filename, "exec", dont_inherit=True), module.__dict__)
        return _family(file, module)
    except BaseException as error:
        unload(file)
        if isinstance(error, Exception | SystemExit):
            raise UserError(explain(error, file)) from error
        raise


def unload(file: PluginFile) -> None:
    """Take a plug-in's module out of `sys.modules`."""
    sys.modules.pop(file.module, None)


class _Wrong(UserError):
    """What is wrong with a FAMILY, and in which line."""

    def __init__(self, text: str, line: int | None) -> None:
        super().__init__(text)
        self.line = line


def _family(file: PluginFile, module: ModuleType) -> Family:
    """The module's family, as far as can be told without a space or a model."""
    line = line_of(file)
    family = getattr(module, "FAMILY", None)
    if family is None:
        raise _Wrong("the file must define FAMILY = Family(...)", None)
    if not isinstance(family, Family):
        raise _Wrong(f"FAMILY must be a Family(...), got {_shown(family)}", line)
    kinds: tuple[str, ...] = get_args(Kind)
    if not isinstance(family.kinds, set | frozenset) or not family.kinds:
        raise _Wrong(
            f"kinds must be a set of one or more of {', '.join(kinds)}, got {_shown(family.kinds)}",
            line_of(file, "kinds"),
        )
    if strange := sorted(map(str, set(family.kinds) - set(kinds))):
        raise _Wrong(unknown("kind", strange[0], kinds), line_of(file, "kinds"))
    if not callable(family.build):
        raise _Wrong(
            f"build must be a function of (config, shape), got {_shown(family.build)}",
            line_of(file, "build"),
        )
    if not isinstance(family.options, Space):
        raise _Wrong(
            f"options must be a Space(...), got {_shown(family.options)}", line_of(file, "options")
        )
    names = family.architectures
    if not isinstance(names, tuple) or not names or not all(isinstance(n, str) for n in names):
        raise _Wrong(
            f"architectures must be a tuple of one or more names, got {_shown(names)}",
            line_of(file, "architectures"),
        )
    return replace(family, id=file.id)


def line_of(file: PluginFile, argument: str | None = None) -> int | None:
    """The line of `FAMILY = ...`, or of one of its arguments where that is written there."""
    found: int | None = None
    for node in ast.parse(file.content).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if not any(isinstance(target, ast.Name) and target.id == "FAMILY" for target in targets):
            continue
        found = node.lineno
        value = getattr(node, "value", None)
        for keyword in value.keywords if isinstance(value, ast.Call) else ():
            if keyword.arg == argument:
                found = keyword.value.lineno
    return found


# --- Where something went wrong -------------------------------------------------------------


def explain(error: BaseException, file: PluginFile) -> str:
    """What went wrong in loading a plug-in, in one line that begins with its file and line."""
    if isinstance(error, _Wrong):
        return f"{file.at(error.line)}: {_one_line(error)}"
    if isinstance(error, SyntaxError) and error.filename in (file.filename, None):
        return f"{file.at(error.lineno)}: {type(error).__name__}: {error.msg}"
    text = said(error)
    if isinstance(error, ModuleNotFoundError):
        text = f"{text}: {ALONE}"
    return f"{file.at(_deepest(error, file.filename))}: {text}"


def where(error: BaseException) -> str | None:
    """The deepest place in any plug-in that an exception came through: `my_net.py, line 12`."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if Path(frame.filename).parent == Path(FOLDER):
            return f"{Path(frame.filename).name}, line {frame.lineno}"
    return None


def said(error: BaseException) -> str:
    """An exception in one line; a user's mistake needs no name of a class."""
    text = _one_line(error)
    return text if isinstance(error, UserError) else f"{type(error).__name__}: {text}"


def _deepest(error: BaseException, filename: str) -> int | None:
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == filename
    ]
    return lines[-1] if lines else None


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def _shown(value: Any) -> str:
    """A value in a message: its type too, and no more than a line of it."""
    text = " ".join(repr(value).split())
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"
