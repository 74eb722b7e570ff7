"""What a data set's raw files hold, in one word; files that have not changed are not read again."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench.errors import UserError
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
    UserError for files that cannot be read.
    """
    folder = folder.resolve()
    files = dataset.files(folder)
    memory = cache / "hashes" / f"{content_hash(str(folder))}.json"
    known = _recall(memory)
    fresh: dict[str, list[Any]] = {}
    digests = {}

    def digest(path: Path) -> tuple[str, int, int, str]:
        name, stat = path.relative_to(folder).as_posix(), path.stat()
        size, mtime, content = known.get(name, (-1, -1, ""))
        if (size, mtime) != (stat.st_size, stat.st_mtime_ns):
            content = file_hash(path)
        return name, stat.st_size, stat.st_mtime_ns, content

    try:
        with ThreadPoolExecutor(THREADS) as pool:
            for done, (name, size, mtime, content) in enumerate(pool.map(digest, files), 1):
                digests[name] = content
                if time.time() - mtime / 1e9 > SETTLED_SECONDS:
                    fresh[name] = [size, mtime, content]
                if progress:
                    progress("fingerprint", done, len(files))
    except OSError as error:
        raise UserError(
            f"{error.filename} cannot be read ({error.strerror}): it belongs to {dataset.id}"
        ) from None
    if fresh != known:
        write_atomically(memory, json.dumps(fresh))
    return content_hash(digests, length=32)


def file_hash(path: Path) -> str:
    """blake2b of a file's content, read in pieces."""
    state = hashlib.blake2b(digest_size=16)
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            state.update(chunk)
    return state.hexdigest()


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
