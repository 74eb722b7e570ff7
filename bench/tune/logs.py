"""Live logging: a run's trials and replicates in MLflow or TensorBoard, while it goes on.

Ray Tune's own callbacks write them. What they are given is not Tune's trials, which are segments,
but the ledger's: one MLflow run, or one TensorBoard folder, for each trial and replicate, whatever
was paused, killed or resumed between. So it is the engine's events that drive the callbacks.

A log is a copy of the ledger, taken by a thread of its own: no run waits for it or ends with it. In
the run's folder stands how far each log has come, and a resumed run logs what is missing first.
"""

from __future__ import annotations

import json
import queue
import re
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.errors import UserError
from bench.ledger import Event, read
from bench.runs import RunFile, RunFolder
from bench.spec import content_hash, unknown
from bench.tune.log_books import LogBook, MlflowBook, TensorboardBook

KINDS = ("mlflow", "tensorboard")
PROGRESS = "logged.json"
"""In the run's folder: by log, how many of the ledger's events about studies it holds."""
SAVE_EVERY_S = 1.0
CLOSE_S = 60.0


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


def _parsed(spec: str) -> tuple[str, str]:
    kind, _, place = spec.partition("=")
    if kind not in KINDS:
        raise UserError(
            f"--log takes mlflow=URI or tensorboard[=DIR]: {unknown('log', kind, KINDS)}"
        )
    if kind == "mlflow" and not place:
        raise UserError(
            "--log mlflow needs an address: mlflow=http://HOST:5000, or mlflow=sqlite:///mlflow.db"
        )
    return kind, place


def _book(kind: str, place: str, run: RunFile, folder: RunFolder) -> LogBook:
    try:
        if kind == "mlflow":
            return MlflowBook(place, run, folder)
        root = Path(place) / folder.path.resolve().name if place else folder.path / "tensorboard"
        return TensorboardBook(root, run)
    except ImportError as error:
        library = "mlflow-skinny" if kind == "mlflow" else "tensorboardX"
        raise UserError(
            f"--log {kind} needs a library that is not installed ({error}): pip install {library}"
        ) from None
    except Exception as error:
        raise UserError(
            f"--log {kind}: {without_secrets(place)} cannot be written to: {_line(error, place)}"
        ) from None


_LOGIN = re.compile(r"(\w[\w+.-]*://)\S*@")
_QUERY = re.compile(r"([?&;][^=&;\s]*(?:token|password|pwd|secret|key)[^=&;\s]*=)[^&;\s]+", re.I)


def without_secrets(text: str) -> str:
    """A text without what stands before the @ of its addresses, and without keys behind them."""
    return _QUERY.sub(r"\1***", _LOGIN.sub(r"\1***@", text))


def _line(error: Exception, place: str) -> str:
    """An error in one line, without the address that it may repeat."""
    text = " ".join(str(error).split()).replace(place, without_secrets(place))
    return without_secrets(text)[:300] or type(error).__name__


class _Progress:
    """How much of the ledger a log holds, kept in the run's folder under a hash of its address."""

    def __init__(self, folder: RunFolder, kind: str, place: str) -> None:
        self.name = f"--log {kind}"
        self.place = place
        self._path = folder.path / PROGRESS
        self._key = f"{kind}-{content_hash(place)}"

    def load(self) -> int:
        return int(self._all().get(self._key, 0))

    def save(self, count: int) -> None:
        with _SAVING:
            partial = self._path.with_name(f".{PROGRESS}.partial")
            partial.write_text(json.dumps(self._all() | {self._key: count}))
            partial.replace(self._path)

    def _all(self) -> dict[str, int]:
        try:
            found = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


_SAVING = threading.Lock()


class Observer:
    """Takes the engine's events and hands them to a log from a thread of its own."""

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
        self._failed = False
        self._events: queue.Queue[Event | None] = queue.Queue()
        for event in known:
            book.learn(event)
        for event in known[self._count :]:
            self._events.put(event)
        self._thread = threading.Thread(target=self._work, daemon=True, name=progress.name)
        self._thread.start()

    def __call__(self, event: Event) -> None:
        """Take an event in; returns at once, and never fails."""
        if "study" in event and not self._failed:
            self._events.put(event)

    def close(self) -> None:
        """Wait until the log holds all, but not for ever; the next resume logs what is missing."""
        self._events.put(None)
        self._thread.join(CLOSE_S)
        if self._thread.is_alive():
            self._say(f"{self._progress.name} is behind: the next resume with it goes on")

    def _work(self) -> None:
        try:
            while (event := self._events.get()) is not None:
                self._book.learn(event)
                self._book.take(event)
                self._count += 1
                if time.monotonic() - self._saved > SAVE_EVERY_S:
                    self._save()
        except Exception as error:
            self._failed = True
            why = _line(error, self._progress.place)
            self._say(
                f"{self._progress.name} has stopped, the run goes on: {why}; the next resume with "
                "it logs what is missing"
            )
        try:
            self._book.close()
            self._save()
        except Exception as error:
            self._say(f"{self._progress.name}: {_line(error, self._progress.place)}")

    def _save(self) -> None:
        self._progress.save(self._count)
        self._saved = time.monotonic()
