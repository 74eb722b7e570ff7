"""Ends a worker's process that has been silent for too long, from a thread of its own.

Ray sees the process die, and what it worked on goes on elsewhere, from its last checkpoint. The
thread is faulthandler's, in C: it needs no lock of Python's, so that a kernel or a library that
never comes back cannot hold it up. Where every thread was goes to stderr, the worker's log.
"""

from __future__ import annotations

import contextlib
import faulthandler
from collections.abc import Iterator

STDERR = 2
"""The file itself: `sys.stderr` may be an object that has none."""


class Watchdog:
    """Watches over one job at a time; a process has one such thread, and so one watchdog."""

    def __init__(self) -> None:
        self._seconds: float | None = None

    @contextlib.contextmanager
    def over(self, seconds: float | None) -> Iterator[None]:
        """Watch the block: it may go on for so long from its start or its last `beat`. None: for
        ever."""
        self._seconds = seconds
        self.beat()
        try:
            yield
        finally:
            self._seconds = None
            faulthandler.cancel_dump_traceback_later()

    def beat(self) -> None:
        """A sign of life: the time begins anew."""
        if self._seconds is not None:
            faulthandler.dump_traceback_later(self._seconds, exit=True, file=STDERR)

    @contextlib.contextmanager
    def pause(self) -> Iterator[None]:
        """The block may take as long as it takes; then the time begins anew."""
        faulthandler.cancel_dump_traceback_later()
        try:
            yield
        finally:
            self.beat()
