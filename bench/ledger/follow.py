"""The ledger of a run that may be going on: read as it grows, and never locked for long."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from pathlib import Path

from bench.ledger.events import Event
from bench.ledger.file import parse


class Follower:
    """Reads a ledger once, and then only what was added to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0
        self._lines = 0

    def new(self) -> Iterator[Event]:
        """The events that were written since the last call; none where there is no ledger yet.

        What follows the last newline is left for the next call: its writer is at it, or was killed.
        Raises UserError as `read` does.
        """
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            return
        with file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._offset += len(line)
                self._lines += 1
                yield parse(line, self.path, self._lines)


def is_held(path: Path) -> bool:
    """Whether a process works at this ledger now.

    Asks for a shared lock and gives it back at once; waits for nothing.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return False
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        fcntl.flock(file, fcntl.LOCK_UN)
        return False
