"""Live logging: a run's trials and replicates in MLflow or TensorBoard, while it goes on.

Ray Tune's own callbacks write them. What they are given is not Tune's trials, which are segments,
but the ledger's: one MLflow run, or one TensorBoard folder, for each trial and replicate, whatever
was paused, killed or resumed between. So it is the engine's events that drive the callbacks.

A log is a copy of the ledger, taken by a thread of its own: no run waits for it or ends with it,
and one that fails is tried again until it answers. In the run's folder stands how far each log has
come, and a resumed run logs what is missing first.
"""

from __future__ import annotations

import json
import queue
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from bench.errors import UserError
from bench.ledger import Event, read
from bench.redaction import in_one_line, without_secrets
from bench.runs import RunFile, RunFolder
from bench.spec import content_hash, unknown
from bench.tune.log_books import LogBook, TensorboardBook
from bench.tune.mlflow_book import MlflowBook

LIBRARIES = {"mlflow": ("mlflow", "mlflow-skinny"), "tensorboard": ("tensorboardX", "tensorboardX")}
"""By kind of log: the module that it takes, and the package that brings it."""
PROGRESS = "logged.json"
"""In the run's folder: by log, how many of the ledger's events about studies it holds; and `id`, by
which logs tell the run from another of its name."""
SAVE_EVERY_S = 1.0
AGAIN_S = 30.0
"""After so long, a log that has failed is tried again."""
CLOSE_S = 60.0
CONNECT_S = 5.0
HEARD = ("_reported", "_tested", "test_unsealed")
"""How events end that only a worker can bring about."""


def observers(
    specs: Sequence[str],
    run: RunFile,
    folder: RunFolder,
    *,
    say: Callable[[str], None] = lambda line: print(line, file=sys.stderr),
) -> list[Observer]:
    """An observer of the engine's events for each `mlflow=URI`, `tensorboard`, `tensorboard=DIR`.

    Call before the engine is made, and `close` each at the end. say: is told, in one line, of a log
    that fails; the run goes on. Raises UserError for a spec that is none, a library that is not
    installed, and a log that cannot be reached.
    """
    parsed = [_parsed(spec) for spec in dict.fromkeys(specs)]
    if not parsed:
        return []
    events = read(folder.ledger) if folder.ledger.exists() else []
    known = [event for event in events if "study" in event]
    found: list[Observer] = []
    try:
        for kind, place in parsed:
            book = _book(kind, place, run, folder)
            found.append(Observer(book, _Progress(folder, kind, place), known, say))
    except BaseException:
        for observer in found:
            observer.close()
        raise
    return found


def check(specs: Sequence[str]) -> None:
    """Before anything is begun, raise UserError for a spec that is none, a library that is not
    installed, and a server that does not answer."""
    for spec in specs:
        kind, place = _parsed(spec)
        module, _ = LIBRARIES[kind]
        if find_spec(module) is None:
            raise _missing(kind, f"no module named {module}")
        if kind == "mlflow":
            _check_server(place)


def _check_server(uri: str) -> None:
    """A server that is reached through a proxy is asked by its first real request."""
    try:
        parts = urlsplit(uri)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
        proxied = parts.scheme in getproxies() and not proxy_bypass(parts.hostname or "")
        if port is None or parts.hostname is None or proxied:
            return
        socket.create_connection((parts.hostname, port), timeout=CONNECT_S).close()
    except (OSError, ValueError) as error:
        raise _unwritable("mlflow", uri, error) from None


def _missing(kind: str, error: object) -> UserError:
    _, package = LIBRARIES[kind]
    return UserError(
        f"--log {kind} needs a library that is not installed ({error}): pip install {package}"
    )


def _unwritable(kind: str, place: str, error: Exception) -> UserError:
    return UserError(
        f"--log {kind}: {without_secrets(place)} cannot be written to: {in_one_line(error, place)}"
    )


def _parsed(spec: str) -> tuple[str, str]:
    kind, _, place = spec.partition("=")
    if kind not in LIBRARIES:
        raise UserError(
            f"--log takes mlflow=URI or tensorboard[=DIR]: {unknown('log', kind, LIBRARIES)}"
        )
    if kind == "mlflow" and not place:
        raise UserError(
            "--log mlflow needs an address: mlflow=http://HOST:5000, or mlflow=sqlite:///mlflow.db"
        )
    return kind, place


def _book(kind: str, place: str, run: RunFile, folder: RunFolder) -> LogBook:
    try:
        identity, name = _identity(folder), folder.path.resolve().name
        if kind == "mlflow":
            return MlflowBook(place, run, name, identity)
        if place:
            return TensorboardBook(Path(place) / name, run, identity)
        return TensorboardBook(folder.path / "tensorboard", run, None)
    except ImportError as error:
        raise _missing(kind, error) from None
    except UserError:
        raise
    except Exception as error:
        raise _unwritable(kind, place, error) from None


class _Progress:
    """How much of the ledger a log holds, kept in the run's folder under a hash of its address."""

    def __init__(self, folder: RunFolder, kind: str, place: str) -> None:
        self.name = f"--log {kind}"
        self.place = place
        self._path = folder.path / PROGRESS
        self._key = f"{kind}-{content_hash(place)}"

    def load(self) -> int:
        return int(_kept(self._path).get(self._key, 0))

    def save(self, count: int) -> None:
        _keep(self._path, {self._key: count})


def _identity(folder: RunFolder) -> str:
    """What tells a run from another in a folder of the same name, begun before or elsewhere."""
    path = folder.path / PROGRESS
    if "id" not in _kept(path):
        _keep(path, {"id": uuid.uuid4().hex})
    return str(_kept(path)["id"])


def _keep(path: Path, more: dict[str, Any]) -> None:
    with _SAVING:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{PROGRESS}.partial")
        partial.write_text(json.dumps(_kept(path) | more))
        partial.replace(path)


def _kept(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


_SAVING = threading.Lock()


class Observer:
    """Takes the engine's events and hands them to a log from a thread of its own.

    The thread begins with the first word of a worker: the callbacks import Ray, which reads its
    settings when it is imported, and by then the driver has made them.
    """

    def __init__(
        self,
        book: LogBook,
        progress: _Progress,
        known: Sequence[Event],
        say: Callable[[str], None],
    ) -> None:
        """known: what the ledger holds about studies already."""
        self._book = book
        self._progress = progress
        self._say = say
        self._count = 0 if book.fresh else min(progress.load(), len(known))
        self._saved = time.monotonic()
        self._said = False
        self._closing = threading.Event()
        self._events: queue.Queue[Event | None] = queue.Queue()
        for event in known:
            book.learn(event)
        for event in known[self._count :]:
            self._events.put(event)
        self._thread = threading.Thread(target=self._work, daemon=True, name=progress.name)

    def __call__(self, event: Event) -> None:
        """Take an event in; returns at once, and never fails."""
        if "study" in event:
            self._events.put(event)
            if self._thread.ident is None and event["event"].endswith(HEARD):
                self._thread.start()

    def close(self) -> None:
        """Wait until the log holds all, but not for ever; the next resume logs what is missing."""
        self._closing.set()
        if self._thread.ident is None:
            if self._events.empty():
                return
            self._thread.start()
        self._events.put(None)
        self._thread.join(CLOSE_S)
        if self._thread.is_alive():
            self._say(f"{self._progress.name} is behind: the next resume with it goes on")

    def _work(self) -> None:
        try:
            while (event := self._events.get()) is not None:
                self._book.learn(event)
                self._take(event)
                self._count += 1
                if time.monotonic() - self._saved > SAVE_EVERY_S:
                    self._save()
        except Exception as error:
            self._warn(error)
        try:
            self._save()
            self._book.close()
        except Exception as error:
            self._warn(error)

    def _take(self, event: Event) -> None:
        """Log an event, however often that takes. Raises what the log raises at the run's end."""
        while True:
            last = self._closing.is_set()
            try:
                return self._book.take(event)
            except Exception as error:
                if last:
                    raise
                self._warn(error)
                self._closing.wait(AGAIN_S)

    def _warn(self, error: Exception) -> None:
        """Say that the log fails, once."""
        if not self._said:
            self._said = True
            why = in_one_line(error, self._progress.place)
            self._say(
                f"{self._progress.name} has failed, the run goes on and tries it again every "
                f"{AGAIN_S:.0f} s: {why}; what is missing at its end, the next resume with it logs"
            )

    def _save(self) -> None:
        self._progress.save(self._count)
        self._saved = time.monotonic()
