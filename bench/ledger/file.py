"""The ledger's file: appended by one process at a time, read by any."""

from __future__ import annotations

import contextlib
import fcntl
import gc
import json
import math
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from bench.errors import UserError
from bench.ledger.events import DURABLE, VERSION, Event, mistake
from bench.ledger.state import RunState

_Shape = list[str | type]
"""Of an event: its fields, and then the types of their values."""

_SOUND: dict[str, _Shape] = {}
"""By event: the last shape in which there was no mistake."""


def read(path: Path) -> list[Event]:
    """All events of a ledger; a torn last line is left out.

    Raises UserError for a line that is broken elsewhere, or that a newer version wrote.
    """
    return list(stream(path))


def stream(path: Path) -> Iterator[Event]:
    """The same one after the other, of which no more is kept than the caller keeps."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise UserError(f"no ledger at {path}: is this a run's folder?") from None
    with file:
        for number, line in enumerate(file, 1):
            if line.endswith(b"\n"):
                yield parse(line, path, number)


def parse(line: bytes, path: Path, number: int) -> Event:
    """The event on a ledger's line of this number; raises as `read` does."""
    try:
        event = from_json(line)
    except ValueError:
        event = None
    if not isinstance(event, dict):
        raise UserError(f"{path}, line {number} is not a JSON object: the ledger was altered")
    version = event.get("v")
    if isinstance(version, int) and version > VERSION:
        raise UserError(
            f"{path}, line {number} has record version {version}, this tunebench reads up to "
            f"{VERSION}: update tunebench"
        )
    # Whether there is a mistake follows from these alone, and most lines of a ledger are alike.
    name, shape = str(event.get("event")), [*event, *map(type, event.values())]
    if _SOUND.get(name) != shape:
        if wrong := mistake(event):
            raise UserError(f"{path}, line {number}: {wrong}")
        _SOUND[name] = shape
    return event


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Without the collector of cycles, also as a decorator: events are in none, and those of a
    long ledger are millions of objects that it would go through again and again."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class LedgerUnwritable(UserError):
    """A line could not be written: nothing may happen that is not recorded."""


class Ledger:
    """The open ledger of a run; one process at a time may hold it."""

    def __init__(self, path: Path) -> None:
        """Open or create; cut off a torn last line. Raises UserError where another holds it."""
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise UserError(f"{path.parent} is in use by another process: wait for it") from None
        self._torn: str | None = None
        self._cut_torn_line()
        self.state = RunState()
        with uncollected():
            for event in stream(path):
                self.state.apply(event)

    def _cut_torn_line(self) -> None:
        self._file.seek(0)
        text = self._file.read()
        if text and not text.endswith(b"\n"):
            self._file.truncate(text.rfind(b"\n") + 1)
        self._file.seek(0, os.SEEK_END)

    def append(self, event: str, **fields: Any) -> Event:
        """Write one event, flush it, apply it to the state; returns it as written.

        Raises LedgerUnwritable where the disk is full or gone.
        """
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        record: Event = {"v": VERSION, "t": now, "event": event, **_finite(fields)}
        wrong = mistake(record)
        assert wrong is None, wrong
        self._write(record, durable=event in DURABLE)
        self.state.apply(record)
        return record

    def _write(self, record: Event, *, durable: bool) -> None:
        """One line. Once a line could not be written nothing follows it: it may be torn."""
        if self._torn is not None:
            raise LedgerUnwritable(self._torn)
        try:
            self._file.write(
                json.dumps(record, ensure_ascii=False, allow_nan=False).encode() + b"\n"
            )
            self._file.flush()
            if durable:
                os.fsync(self._file.fileno())
        except OSError as error:
            self._torn = f"{self.path} cannot be written ({error.strerror or error})"
            raise LedgerUnwritable(self._torn) from None

    def close(self) -> None:
        # What a full disk refused is still in the buffer; the next opening cuts a torn line off.
        with contextlib.suppress(OSError):
            self._file.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: an undefined metric is null."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
