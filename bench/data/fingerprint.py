"""What a data set's raw files hold, in one word, and what the code is that reads them.

Files that have not changed are not read again.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import inspect
import json
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from bench.data.sharing import writing
from bench.errors import BadData
from bench.spec import Dataset, content_hash

THREADS = 2
CHUNK = 1 << 22
SETTLED_SECONDS = 2.0
"""A file changed later than this may change again within one tick of its clock: not remembered."""

Progress = Callable[[str, int, int], None]
"""`progress(what, done, total)`."""


def raw_fingerprint(
    dataset: Dataset, folder: Path, *, cache: Path, progress: Progress | None = None
) -> str:
    """A hash over the relative names and the content of all raw files of a data set.

    Content hashes are remembered in `cache/hashes/` by path, size and modification time. Raises
    BadData that names every file that cannot be read.
    """
    folder = folder.resolve()
    files = dataset.files(folder)
    memory = cache / "hashes" / f"{content_hash(['sha256', str(folder)])}.json"
    known = _recall(memory)
    fresh: dict[str, list[Any]] = {}
    digests = {}
    problems = []

    def digest(path: Path) -> tuple[str, int, int, str] | str:
        try:
            name, stat = path.relative_to(folder).as_posix(), path.stat()
            size, mtime, content = known.get(name, (-1, -1, ""))
            if (size, mtime) != (stat.st_size, stat.st_mtime_ns):
                content = file_hash(path)
        except OSError as error:
            return f"{path} cannot be read ({error.strerror or error})"
        return name, stat.st_size, stat.st_mtime_ns, content

    with ThreadPoolExecutor(THREADS) as pool:
        for done, found in enumerate(pool.map(digest, files), 1):
            if isinstance(found, str):
                problems.append(found)
            else:
                name, size, mtime, content = found
                digests[name] = content
                if time.time() - mtime / 1e9 > SETTLED_SECONDS:
                    fresh[name] = [size, mtime, content]
            if progress:
                progress("fingerprint", done, len(files))
    if fresh != known:
        with writing(memory):
            write_atomically(memory, json.dumps(fresh))
    if problems:
        raise BadData(*problems)
    return content_hash(digests, length=32)


def file_hash(path: Path) -> str:
    """SHA-256 of a file's content, read in pieces; its first half."""
    state = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            state.update(chunk)
    return state.hexdigest()[:32]


def write_atomically(path: Path, text: str) -> None:
    """Write a small file so that other processes see all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.{time.monotonic_ns()}.part")
    part.write_text(text)
    part.replace(path)


def _recall(memory: Path) -> dict[str, list[Any]]:
    try:
        known = json.loads(memory.read_text())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def code_version(*functions: Callable[..., Any], package: str = "suite") -> str:
    """A hash of the files that define these functions, and of all of `package` that those import.

    Imports are read from the source, also those inside functions and those of imported modules: the
    version does not depend on what happens to be loaded.
    """
    root = Path(next(iter(importlib.import_module(package).__path__))).resolve()
    waiting = [_source(function) for function in functions]
    texts: dict[Path, str] = {}
    while waiting:
        path = waiting.pop()
        if path not in texts:
            texts[path] = path.read_text(encoding="utf-8")
            waiting += _imported(path, texts[path], package, root)
    return content_hash(sorted(texts.values()))


def _source(function: Callable[..., Any]) -> Path:
    while isinstance(function, partial):
        function = function.func
    function = inspect.unwrap(function)
    source = inspect.getsourcefile(function if inspect.isroutine(function) else type(function))
    assert source, f"{function} has no source file"
    return Path(source).resolve()


def _imported(path: Path, text: str, package: str, root: Path) -> Iterator[Path]:
    """The files of the package that a source imports."""
    for level, base, names in _imports(text):
        parts = base.split(".") if base else []
        if level:
            folder = path.parents[level - 1]
            if not folder.is_relative_to(root):
                continue
            parts = [package, *folder.relative_to(root).parts, *parts]
        for name in ("", *names):
            top, *below = [*parts, *filter(None, [name])]
            for end in range(1, len(below) + 1 if top == package else 0):
                place = root.joinpath(*below[:end])
                files = (place.with_suffix(".py"), place / "__init__.py")
                yield from (file for file in files if file.is_file())


@lru_cache(maxsize=512)
def _imports(text: str) -> list[tuple[int, str, tuple[str, ...]]]:
    """What a source imports: the dots before it, the module, and the names taken from it."""
    found: list[tuple[int, str, tuple[str, ...]]] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found += [(0, alias.name, ()) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = tuple(alias.name for alias in node.names)
            found.append((node.level, node.module or "", names))
    return found
