"""Reading every case of a data set once, in several threads, with all that is wrong in one list."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.data.fingerprint import Progress
from bench.errors import BadData
from bench.spec import Case, Dataset

THREADS = max(1, min(4, os.cpu_count() or 1))
"""Inflating and hashing run outside of Python's lock."""
BUDGET = 1 << 30
"""Bytes of the cases that are read side by side, as `Dataset.memory` tells them; a larger one is
read alone, so that memory holds no more than this or one case."""
STEPS = 200
"""How often progress is told."""

Use = Callable[[int, int, Any], None]
"""`use(thread, index, raw)`: what is done with the raw content of the case at that place."""


def check(dataset: Dataset, folder: Path, progress: Progress | None = None) -> list[str]:
    """Everything that is wrong with a data set's files, each line naming its file; empty if sound.

    Names, pairs and tables first, then what reading finds, in the order of the cases.
    """
    return dataset.problems(folder) + read_all(
        dataset,
        dataset.cases(folder),
        lambda thread, index, raw: None,
        what=f"check {dataset.id}",
        progress=progress,
    )


def read_all(
    dataset: Dataset,
    cases: Sequence[Case],
    use: Use,
    *,
    what: str,
    progress: Progress | None = None,
) -> list[str]:
    """Read each case and hand it to `use` in the thread that read it; returns what is wrong.

    `thread` is below THREADS; the calls of one thread follow one another. Any case may come at any
    time, problems come out in the order of the cases. `use` may raise BadData too; whatever else is
    raised ends the reading and is raised here.
    """
    problems: dict[int, tuple[str, ...]] = {}
    room = _Room(BUDGET)
    places = iter(range(len(cases)))
    step = max(1, len(cases) // STEPS)
    lock, stopped = threading.Lock(), threading.Event()
    done = 0

    def take() -> int | None:
        with lock:
            return None if stopped.is_set() else next(places, None)

    def tell() -> None:
        nonlocal done
        with lock:
            done += 1
            if progress and (done % step == 0 or done == len(cases)):
                progress(what, done, len(cases))

    def work(thread: int) -> None:
        try:
            while (index := take()) is not None:
                try:
                    with room.taken(dataset.memory(cases[index])):
                        use(thread, index, _read(dataset, cases[index]))
                except BadData as error:
                    problems[index] = error.problems
                tell()
        except BaseException:
            stopped.set()
            raise

    with ThreadPoolExecutor(THREADS) as pool:
        try:
            for future in [pool.submit(work, thread) for thread in range(THREADS)]:
                future.result()
        finally:
            stopped.set()  # An interrupt reaches this thread alone.
    return [problem for index in sorted(problems) for problem in problems[index]]


class _Room:
    """A number of bytes that threads share; who wants more than all of it waits to be alone."""

    def __init__(self, size: int) -> None:
        self._size, self._used, self._waiting = size, 0, threading.Condition()

    @contextmanager
    def taken(self, wanted: int) -> Iterator[None]:
        """Waits until there is room."""
        with self._waiting:
            self._waiting.wait_for(lambda: not self._used or self._used + wanted <= self._size)
            self._used += wanted
        try:
            yield
        finally:
            with self._waiting:
                self._used -= wanted
                self._waiting.notify_all()


def _read(dataset: Dataset, case: Case) -> Any:
    try:
        return dataset.read(case)
    except OSError as error:
        name = error.filename or f"{dataset.id}, case {case.id}:"
        raise BadData(f"{name} cannot be read ({error.strerror or error})") from error
