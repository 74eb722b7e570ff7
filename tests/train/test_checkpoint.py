"""Saved whole or not at all; a damaged file is as good as none."""

from __future__ import annotations

import errno
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import pytest
import torch

from bench.train.checkpoint import Checkpoint, StorageError

ROOT = Path(__file__).parents[2]

STATE = {
    "epoch": 3,
    "model": {"weight": torch.arange(4.0)},
    "history": [{"notes": ["a"]}],
    "x": None,
}


@pytest.mark.parametrize("url", ["{folder}/deep/er/trial.pt", "memory://runs/trial.pt"])
def test_what_was_saved_is_loaded(url: str, tmp_path: Path) -> None:
    checkpoint = Checkpoint(url.format(folder=tmp_path))
    assert checkpoint.load() is None and checkpoint.note is None
    checkpoint.save(STATE)
    checkpoint.save(STATE | {"epoch": 4})
    state = Checkpoint(url.format(folder=tmp_path)).load()
    assert state is not None and state["epoch"] == 4 and state["x"] is None
    assert torch.equal(state["model"]["weight"], torch.arange(4.0))
    checkpoint.delete()
    checkpoint.delete()
    assert checkpoint.load() is None


@pytest.mark.parametrize("length", [0, 10, 500, -1])
def test_a_truncated_file_is_as_good_as_none(length: int, tmp_path: Path) -> None:
    file = tmp_path / "trial.pt"
    checkpoint = Checkpoint(file)
    checkpoint.save(STATE)
    file.write_bytes(file.read_bytes()[:length])
    assert checkpoint.load() is None
    assert checkpoint.note is not None and "damaged checkpoint ignored" in checkpoint.note
    checkpoint.save(STATE)
    assert checkpoint.load() is not None and checkpoint.note is None


def buried(number: int) -> Callable[[object, BinaryIO], None]:
    """A torch.save that writes half of it and fails as torch does: the system's error is hidden."""

    def torn(state: object, file: BinaryIO) -> None:
        file.write(b"half of it")
        try:
            raise OSError(number, os.strerror(number))
        finally:
            raise RuntimeError("[enforce fail at inline_container.cc:671] . unexpected pos 64 vs 0")

    return torn


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "No space left on device: free some space there, then go on"),
        (errno.EDQUOT, "Disk quota exceeded: free some of your quota there, then go on"),
        (errno.EROFS, "Read-only file system: make it writable, then go on"),
        (errno.EACCES, "Permission denied: make it writable, then go on"),
        (errno.EIO, "Input/output error: mend the storage, then go on"),
    ],
)
def test_a_save_that_fails_says_why_and_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, said: str
) -> None:
    checkpoint = Checkpoint(tmp_path / "trial.pt")
    checkpoint.save(STATE)
    monkeypatch.setattr(torch, "save", buried(number))
    with pytest.raises(StorageError) as caught:
        checkpoint.save(STATE | {"epoch": 9})
    assert f"trial.pt: {said}" in str(caught.value) and "\n" not in str(caught.value)
    state = checkpoint.load()
    assert state is not None and state["epoch"] == 3
    assert [file.name for file in tmp_path.iterdir()] == ["trial.pt"]


def test_a_mistake_in_the_state_is_no_fault_of_the_storage(tmp_path: Path) -> None:
    with pytest.raises((AttributeError, pickle.PicklingError)):
        Checkpoint(tmp_path / "trial.pt").save({"model": lambda: None})
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_a_fault_of_the_storage(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="file/trial.pt: (File exists|Not a directory)"):
        Checkpoint(tmp_path / "file" / "trial.pt").save(STATE)


def test_a_remote_storage_has_errors_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    from fsspec.implementations.memory import MemoryFileSystem

    class SlowDown(Exception):
        """As clouds raise them: no OSError."""

    def refuse(*_: object, **__: object) -> None:
        raise SlowDown("503:\nplease reduce your request rate")

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", refuse)
    with pytest.raises(StorageError) as caught:
        Checkpoint("memory://runs/full.pt").save(STATE)
    said = "memory://runs/full.pt: 503: please reduce your request rate: mend the storage"
    assert str(caught.value).startswith(said)


def test_a_file_that_cannot_be_written_whole(tmp_path: Path) -> None:
    """A real failure of the system in the midst of writing, anywhere: files may not be larger."""
    code = f"""
import resource, torch
from bench.train.checkpoint import Checkpoint, StorageError
checkpoint = Checkpoint({str(tmp_path / "trial.pt")!r})
checkpoint.save({{"epoch": 3}})
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
try:
    checkpoint.save({{"epoch": 4, "model": torch.zeros(1 << 20)}})
except StorageError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert "trial.pt: File too large: mend the storage, then go on" in done.stdout, done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["trial.pt"]
    state = Checkpoint(tmp_path / "trial.pt").load()
    assert state is not None and state["epoch"] == 3


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here: that takes root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_goes_on_once_there_is_space(small_disk: Path) -> None:
    checkpoint = Checkpoint(small_disk / "trial.pt")
    checkpoint.save(STATE)
    other = small_disk / "other"
    other.write_bytes(bytes(600_000))
    large = STATE | {"epoch": 4, "model": {"weight": torch.zeros(150_000)}}
    with pytest.raises(StorageError, match="trial.pt: No space left on device: free some space"):
        checkpoint.save(large)
    assert {file.name for file in small_disk.iterdir()} == {"trial.pt", "other"}
    state = checkpoint.load()
    assert state is not None and state["epoch"] == 3
    other.unlink()
    checkpoint.save(large)
    state = checkpoint.load()
    assert state is not None and state["epoch"] == 4


def test_a_file_that_cannot_be_read_is_as_good_as_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fsspec.implementations.local import LocalFileSystem

    checkpoint = Checkpoint(tmp_path / "trial.pt")
    checkpoint.save(STATE)

    def stale(*_: object, **__: object) -> None:
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    monkeypatch.setattr(LocalFileSystem, "open", stale)
    assert checkpoint.load() is None
    assert checkpoint.note == "checkpoint ignored, it cannot be read: Stale file handle"


def test_a_storage_that_does_not_answer_is_no_damaged_checkpoint() -> None:
    """Else the trial would begin again, and overwrite what is there."""
    checkpoint = Checkpoint("memory://away/trial.pt")
    checkpoint.save(STATE)
    with pytest.MonkeyPatch.context() as patch:

        def refuse(*_: object, **__: object) -> None:
            raise RuntimeError("EndpointConnectionError: no route to host")

        patch.setattr(type(checkpoint._fs), "exists", refuse)
        with pytest.raises(StorageError, match="no route to host: mend the storage"):
            checkpoint.load()
    state = checkpoint.load()
    assert state is not None and checkpoint.note is None


def test_a_file_with_code_in_it_is_not_run(tmp_path: Path) -> None:
    target = tmp_path / "was-run"

    class Evil:
        def __reduce__(self) -> tuple[object, tuple[Path]]:
            return (Path.touch, (target,))

    file = tmp_path / "trial.pt"
    file.write_bytes(pickle.dumps({"model": Evil()}, protocol=2))
    assert Checkpoint(file).load() is None
    torch.save({"model": Evil()}, file)
    assert Checkpoint(file).load() is None
    assert not target.exists()
