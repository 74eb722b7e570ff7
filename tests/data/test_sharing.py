"""Folders that several processes and nodes may make at once, and processes that are killed."""

from __future__ import annotations

import contextlib
import errno
import multiprocessing
import os
import random
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from bench.data import contents, prepare, sharing
from bench.data.prepared import PreparedTask
from tests.data import plates

SPAWN = multiprocessing.get_context("spawn")
HOST = socket.gethostname()


def whole(folder: Path) -> bool:
    return (folder / "whole").exists()


@pytest.fixture
def dead() -> int:
    """The id of a process that is no more."""
    process = SPAWN.Process(target=os.getpid)
    process.start()
    process.join()
    assert process.pid
    return process.pid


def test_parts_of_dead_processes_of_this_machine_are_cleared(tmp_path: Path, dead: int) -> None:
    gone = [f"root.part-{HOST}-{dead}-1", f"root.part-{HOST}-{os.getpid()}-1"]
    kept = [
        f"root.part-{HOST}-{os.getppid()}-1",
        f"root.part-elsewhere-{dead}-1",
        f"other.part-{HOST}-{dead}-1",
        f"root.part-{HOST}-strange-1",
    ]
    for name in gone + kept:
        (tmp_path / name).mkdir()
    sharing.clear_dead_parts(tmp_path / "root", alone=False)
    assert {path.name for path in tmp_path.iterdir()} == {*kept, gone[1]}, "a thread of ours"
    sharing.clear_dead_parts(tmp_path / "root", alone=True)
    assert {path.name for path in tmp_path.iterdir()} == set(kept)


def test_a_part_is_named_after_its_maker(tmp_path: Path) -> None:
    parts = {sharing.new_part(tmp_path / "root") for _ in range(3)}
    assert len(parts) == 3
    assert all(part.name.startswith(f"root.part-{HOST}-{os.getpid()}-") for part in parts)


@pytest.mark.parametrize(
    ("there", "expected"), [(None, "ours"), ("whole", "theirs"), ("ruin", "ours"), ("", "ours")]
)
def test_the_first_whole_folder_stays(tmp_path: Path, there: str | None, expected: str) -> None:
    part = sharing.new_part(tmp_path / "root")
    for name in ("whole", "ours"):
        (part / name).touch()
    if there is not None:
        (tmp_path / "root").mkdir()
    if there:
        (tmp_path / "root" / there).touch()
        (tmp_path / "root" / "theirs").touch()
    sharing.publish(part, tmp_path / "root", whole=whole)
    assert sorted(path.name for path in (tmp_path / "root").iterdir()) == [expected, "whole"]


def test_other_errors_of_renaming_are_raised(tmp_path: Path) -> None:
    (tmp_path / "root").write_text("a file")
    with pytest.raises(NotADirectoryError):
        sharing.publish(sharing.new_part(tmp_path / "root"), tmp_path / "root", whole=whole)


@pytest.mark.parametrize("error", [OSError(errno.ENOLCK, "No locks"), NotImplementedError()])
def test_without_locks_work_goes_on(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(self: FileLock, *rest: Any, **options: Any) -> None:
        raise error

    with sharing.locked(tmp_path / "root") as alone:
        assert alone
    monkeypatch.setattr(FileLock, "acquire", fails)
    with sharing.locked(tmp_path / "root") as alone:
        assert not alone


def test_what_fails_under_the_lock_is_not_taken_for_a_lack_of_locks(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No locks"), sharing.locked(tmp_path / "root"):
        raise OSError(errno.ENOLCK, "No locks")
    with sharing.locked(tmp_path / "root") as alone:
        assert alone, "it was released"


def _prepare(raw: Path, cache: Path) -> PreparedTask:
    """In this process, or in one that knows nothing of the fixtures."""
    with pytest.MonkeyPatch.context() as patch:
        plates.register(patch)
        return prepare.prepare(plates.PLATES_SEG, raw, options={}, seed=0, cache=cache)


def _work(raw: Path, cache: Path, barrier: Barrier, locks: bool) -> None:
    """Prepare when the other does, and slowly, so that both are at it if nothing keeps one out."""
    original = contents.moments

    def slowly(inputs: Path) -> tuple[list[float], list[float]]:
        (cache / f"written-by-{os.getpid()}").touch()
        time.sleep(1)
        return original(inputs)

    def absent(self: FileLock, *rest: Any, **options: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    contents.moments = slowly
    if not locks:
        FileLock.acquire = absent  # type: ignore[assignment, method-assign]
    barrier.wait()
    assert prepare.verify(_prepare(raw, cache)) == []


@pytest.mark.parametrize(("locks", "workers"), [(True, 1), (False, 2)])
def test_two_at_once_end_with_one_whole_folder(locks: bool, workers: int, tmp_path: Path) -> None:
    raw = plates.write(tmp_path / "raw")
    barrier = SPAWN.Barrier(2)
    processes = [
        SPAWN.Process(target=_work, args=(raw, tmp_path, barrier, locks)) for _ in range(2)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert len(list(tmp_path.glob("written-by-*"))) == workers
    (root,) = (path for path in (tmp_path / "prepared").iterdir() if path.is_dir())
    assert prepare.verify(PreparedTask(root)) == []


def _prepare_told(raw: Path, cache: Path, ready: Event, done: Event) -> None:
    ready.set()
    _prepare(raw, cache)
    done.set()


def _kill_after(seconds: float, raw: Path, cache: Path) -> float:
    """Start to prepare in another process, kill it then; returns how long it was at work."""
    ready, done = SPAWN.Event(), SPAWN.Event()
    process = SPAWN.Process(target=_prepare_told, args=(raw, cache, ready, done))
    process.start()
    assert ready.wait(60)
    begin = time.monotonic()
    done.wait(seconds)
    worked = time.monotonic() - begin
    assert process.pid
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return worked


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, PreparedTask, float]]:
    """A data set that takes a moment, undisturbed prepared data, and how long these took."""
    folder = tmp_path_factory.mktemp("large")
    raw = plates.write(folder / "raw", cases=20, shape=(40, 160, 160))
    seconds = _kill_after(60, raw, folder / "cache")
    yield raw, _prepare(raw, folder / "cache"), seconds
    shutil.rmtree(folder)


def kill_once(share: float, large: tuple[Path, PreparedTask, float], cache: Path) -> None:
    """Kill a preparation once that share of its usual time has passed, then start it again."""
    raw, undisturbed, seconds = large
    print(f"killed after {share * seconds:.4f} of {seconds:.4f} s")
    _kill_after(share * seconds, raw, cache)
    again = _prepare(raw, cache)
    assert again.manifest == undisturbed.manifest
    assert prepare.verify(again) == []
    assert [path.name for path in (cache / "prepared").glob("*/")] == [again.root.name]
    assert sorted(path.name for path in again.root.iterdir()) == [
        "manifest.json", "test", "train", "validation",
    ]  # fmt: skip


@pytest.mark.parametrize("third", range(3))
def test_after_a_kill_the_next_start_ends_with_a_right_cache(
    third: int, large: tuple[Path, PreparedTask, float], tmp_path: Path
) -> None:
    kill_once((third + random.random()) / 3, large, tmp_path)


@pytest.mark.soak
@pytest.mark.parametrize("part", range(20))
def test_after_any_kill_the_next_start_ends_with_a_right_cache(
    part: int, large: tuple[Path, PreparedTask, float], tmp_path: Path
) -> None:
    kill_once((part + random.random()) / 20, large, tmp_path)
