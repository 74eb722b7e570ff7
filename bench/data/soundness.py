"""Reading every case of a data set once, in several threads, with all that is wrong in one list."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench.data.fingerprint import Progress
from bench.errors import BadData
from bench.spec import Case, Dataset

THREADS = max(1, min(4, os.cpu_count() or 1))
"""Inflating and hashing run outside of Python's lock. Memory holds this many cases at most."""
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


def _read(dataset: Dataset, case: Case) -> Any:
    try:
        return dataset.read(case)
    except OSError as error:
        name = error.filename or f"{dataset.id}, case {case.id}:"
        raise BadData(f"{name} cannot be read ({error.strerror or error})") from error
