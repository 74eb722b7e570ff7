"""Reading every case of a data set, in threads, with all problems in one list."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.data import soundness
from bench.data.soundness import check, read_all
from bench.errors import BadData
from bench.spec import Case, Dataset
from tests.data import plates


def numbered(read: Callable[[Case], Any]) -> Dataset:
    return replace(plates.DATASET, read=read)


CASES = [Case(id=str(number), group=str(number)) for number in range(40)]


@pytest.fixture(autouse=True)
def _two_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soundness, "THREADS", 2)


def test_a_sound_data_set_has_no_problems(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    raw = plates.write(tmp_path / "raw")
    assert check(plates.DATASET, raw, lambda *step: told.append(step)) == []
    assert told == [("check plates", done, 10) for done in range(1, 11)]


def test_tables_come_first_then_the_cases_in_their_order(tmp_path: Path) -> None:
    raw = plates.write(tmp_path / "raw")
    for name in ("1.npy", "9-mask.npy"):
        (raw / name).write_bytes(b"rubbish")
    (raw / "8.npy").unlink()
    found = check(plates.DATASET, raw)
    assert [line.partition(" ")[0] for line in found] == [
        f"{raw / name}" for name in ("8.npy", "1.npy", "9-mask.npy")
    ]


def test_problems_come_in_the_order_of_the_cases_whichever_is_read_first() -> None:
    def read(case: Case) -> None:
        if int(case.id) % 2 == 0:
            time.sleep(0.002)
        raise BadData(f"{case.id} a", f"{case.id} b")

    expected = [f"{case.id} {part}" for case in CASES for part in "ab"]
    assert read_all(numbered(read), CASES, lambda *given: None, what="read") == expected


def test_no_more_cases_are_in_memory_than_there_are_threads() -> None:
    lock, alive, most = threading.Lock(), [0], [0]

    class Raw:
        def __init__(self) -> None:
            with lock:
                alive[0] += 1
                most[0] = max(most[0], alive[0])

        def __del__(self) -> None:
            with lock:
                alive[0] -= 1

    used = []

    def use(thread: int, index: int, raw: Raw) -> None:
        time.sleep(0.001)
        used.append((thread, index))

    assert read_all(numbered(lambda case: Raw()), CASES, use, what="read") == []
    assert most[0] <= 2 and alive[0] == 0
    assert sorted(index for _, index in used) == list(range(40))
    assert {thread for thread, _ in used} <= {0, 1}


def test_a_file_that_the_reader_cannot_open_is_a_problem(tmp_path: Path) -> None:
    def read(case: Case) -> bytes:
        return (tmp_path / case.id).read_bytes()

    (tmp_path / "0").write_bytes(b"")
    found = read_all(numbered(read), CASES[:2], lambda *given: None, what="read")
    assert found == [f"{tmp_path / '1'} cannot be read (No such file or directory)"]


@pytest.mark.parametrize("where", ["read", "use", "progress"])
def test_whatever_else_goes_wrong_ends_the_reading(where: str) -> None:
    seen = []

    def breaks(here: str) -> None:
        if here == where:
            raise ValueError("a bug")

    def read(case: Case) -> None:
        seen.append(case.id)
        time.sleep(0.001)
        breaks("read")

    with pytest.raises(ValueError, match="a bug"):
        read_all(
            numbered(read),
            CASES,
            lambda thread, index, raw: breaks("use" if thread == 1 else "another thread's use"),
            what="read",
            progress=lambda *step: breaks("progress"),
        )
    assert len(seen) < len(CASES)


@pytest.mark.parametrize(("size", "together"), [(200, 2), (600, 1), (5_000, 1)])
def test_large_cases_are_read_one_at_a_time(
    monkeypatch: pytest.MonkeyPatch, size: int, together: int
) -> None:
    monkeypatch.setattr(soundness, "BUDGET", 1_000)
    lock, now, most = threading.Lock(), [0], [0]
    both = threading.Barrier(2)

    def read(case: Case) -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        if together == 2 and int(case.id) < 2:
            both.wait(timeout=10)  # Fails where the second is not let in.
        time.sleep(0.001)
        with lock:
            now[0] -= 1

    data = replace(numbered(read), memory=lambda case: size)
    assert read_all(data, CASES, lambda *given: None, what="read") == []
    assert most[0] == together
