"""Folders of a cache that several processes, also on several nodes, may make at the same time.

A folder is made under another name, `<name>.part-<host>-<pid>-<number>`, and renamed when it is
whole. A lock lets one process of a machine work while the others wait. On a shared file system it
may not reach other nodes, or not exist: then two may work, the first to rename has made the folder,
and the other one's work is thrown away.
"""

from __future__ import annotations

import errno
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from bench.errors import UserError

NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}
"""What a file system answers that has no locks."""
TAKEN = {errno.EEXIST, errno.ENOTEMPTY}
"""What a rename answers where the folder is there already."""
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def locked(root: Path) -> Iterator[bool]:
    """Hold the lock `<root>.lock`; False where the file system has no locks."""
    lock = FileLock(root.with_name(f"{root.name}.lock"))
    try:
        lock.acquire()
    except NotImplementedError:
        yield False
        return
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def new_part(root: Path) -> Path:
    """A new, empty folder beside `root`, named after this machine and process."""
    part = root.with_name(f"{_prefix(root)}{os.getpid()}-{time.monotonic_ns()}")
    part.mkdir()
    return part


def clear_dead_parts(root: Path, *, alone: bool) -> None:
    """Delete what processes of this machine that are no more have left half-made of `root`.

    `alone`: whether the lock is held, so that no other thread of this process is at work either.
    Other machines' processes cannot be asked: theirs stay.
    """
    prefix = _prefix(root)
    for part in root.parent.glob(f"{prefix}*-*"):
        pid = part.name.removeprefix(prefix).partition("-")[0]
        if pid.isdecimal() and ((alone and int(pid) == os.getpid()) or not _alive(int(pid))):
            shutil.rmtree(part, ignore_errors=True)


def moved(part: Path, root: Path) -> bool:
    """Rename a finished folder to its place, which may be an empty folder; False if it is taken."""
    try:
        part.rename(root)
    except OSError as error:
        if error.errno not in TAKEN:
            raise
        return False
    return True


def publish(part: Path, root: Path, *, whole: Callable[[Path], bool]) -> None:
    """Rename a finished folder to its place; where another whole one is there, that one stays.

    What is there and not whole is removed.
    """
    ruin = part / "ruin"
    while not moved(part, root) and not whole(root):
        root.rename(ruin)
        shutil.rmtree(ruin)


@contextmanager
def made(root: Path, *, whole: Callable[[Path], bool]) -> Iterator[Path]:
    """A new folder to write to, which takes its place at the end; see `publish`.

    Nothing of it stays where writing fails.
    """
    part = new_part(root)
    try:
        yield part
        publish(part, root, whole=whole)
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextmanager
def writing(
    place: Path, *, elsewhere: str = "name another folder in $TUNEBENCH_CACHE"
) -> Iterator[None]:
    """Turns what an operating system has against writing below `place` into a UserError.

    `elsewhere`: how to write to another place.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        remedy = "free some space" if error.errno in FULL else "allow writing there"
        raise UserError(
            f"{error.filename or place} cannot be written ({error.strerror}): {remedy}, or "
            f"{elsewhere}"
        ) from error


def _prefix(root: Path) -> str:
    return f"{root.name}.part-{socket.gethostname()}-"


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # Somebody else's.
        return True
    return True
