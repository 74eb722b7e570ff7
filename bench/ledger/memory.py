"""A ledger without a file, for searches that are played in virtual time."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.ledger.events import VERSION, Event, mistake
from bench.ledger.file import Ledger
from bench.ledger.state import RunState

_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)


class MemoryLedger(Ledger):
    """Events are checked and applied as in a file's ledger, and kept in `events`.

    It begins empty: its path is the null device, from which nothing is read back.
    """

    def __init__(self, clock: Callable[[], float] = lambda: 0.0) -> None:
        """clock: virtual seconds since the beginning, in which the events are dated."""
        self.path = Path(os.devnull)
        self.state = RunState()
        self.events: list[Event] = []
        self._clock = clock

    def append(self, event: str, **fields: Any) -> Event:
        """Take one event in; returns it as a file's ledger would have written it."""
        now = (_BEGINNING + timedelta(seconds=self._clock())).isoformat(timespec="milliseconds")
        record: Event = {"v": VERSION, "t": now, "event": event, **fields}
        wrong = mistake(record)
        assert wrong is None, wrong
        self.events.append(record)
        self.state.apply(record)
        return record

    def close(self) -> None:
        """There is nothing to close."""
