"""Fingerprints of raw files: what changes them, and what is not read twice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.data import fingerprint
from bench.data.fingerprint import raw_fingerprint, write_atomically
from bench.errors import UserError
from bench.spec import Dataset

DATASET = Dataset(
    title="Files",
    layout="*.txt",
    groups=False,
    files=lambda folder: sorted(folder.rglob("*.txt")),
    check=lambda folder: [],
    cases=lambda folder: [],
    read=lambda case: None,
    id="files",
)


def make(folder: Path, **contents: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        path = folder / f"{name}.txt"
        path.write_text(content)
        os.utime(path, (1_000_000, 1_000_000))
    return folder


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files whose content is read."""
    found: list[Path] = []
    original = fingerprint.file_hash

    def counting(path: Path) -> str:
        found.append(path)
        return original(path)

    monkeypatch.setattr(fingerprint, "file_hash", counting)
    return found


def test_names_and_content_count_the_place_does_not(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = raw_fingerprint(DATASET, make(tmp_path / "1", a="x", b="y"), cache=cache)
    assert raw_fingerprint(DATASET, make(tmp_path / "2", a="x", b="y"), cache=cache) == first
    assert raw_fingerprint(DATASET, make(tmp_path / "3", a="x", b="z"), cache=cache) != first
    assert raw_fingerprint(DATASET, make(tmp_path / "4", a="x", c="y"), cache=cache) != first
    assert raw_fingerprint(DATASET, make(tmp_path / "5", a="y", b="x"), cache=cache) != first


def test_unchanged_files_are_read_once(tmp_path: Path, reads: list[Path]) -> None:
    folder = make(tmp_path / "data", a="x", b="y")
    first = raw_fingerprint(DATASET, folder, cache=tmp_path)
    assert len(reads) == 2
    assert raw_fingerprint(DATASET, folder, cache=tmp_path) == first
    assert len(reads) == 2
    (folder / "b.txt").write_text("z")
    os.utime(folder / "b.txt", (1_000_005, 1_000_005))
    assert raw_fingerprint(DATASET, folder, cache=tmp_path) != first
    assert [path.name for path in reads[2:]] == ["b.txt"]


def test_a_file_that_may_still_change_is_not_remembered(tmp_path: Path, reads: list[Path]) -> None:
    folder = make(tmp_path / "data", a="x")
    path = folder / "a.txt"
    later = 4_000_000_000
    os.utime(path, (later, later))
    first = raw_fingerprint(DATASET, folder, cache=tmp_path)
    path.write_text("z")
    os.utime(path, (later, later))
    assert raw_fingerprint(DATASET, folder, cache=tmp_path) != first


def test_a_broken_memory_is_forgotten(tmp_path: Path) -> None:
    folder = make(tmp_path / "data", a="x")
    first = raw_fingerprint(DATASET, folder, cache=tmp_path)
    (memory,) = (tmp_path / "hashes").glob("*.json")
    memory.write_text('{"a.txt": [1, 10')
    assert raw_fingerprint(DATASET, folder, cache=tmp_path) == first


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    folder = make(tmp_path / "data", a="x", b="y")
    raw_fingerprint(DATASET, folder, cache=tmp_path, progress=lambda *step: told.append(step))
    assert told == [("fingerprint", 1, 2), ("fingerprint", 2, 2)]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    folder = make(tmp_path / "data", a="x")
    (folder / "b.txt").symlink_to(folder / "nowhere")
    with pytest.raises(UserError, match=r"b\.txt cannot be read"):
        raw_fingerprint(DATASET, folder, cache=tmp_path)


def test_small_files_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    write_atomically(path, "one")
    write_atomically(path, "two")
    assert path.read_text() == "two"
    assert list(path.parent.iterdir()) == [path]
