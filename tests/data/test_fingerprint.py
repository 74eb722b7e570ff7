"""Fingerprints of raw files: what changes them, and what is not read twice."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path

import pytest

from bench.data import fingerprint
from bench.data.fingerprint import code_version, raw_fingerprint, write_atomically
from bench.errors import BadData
from bench.spec import Dataset

DATASET = Dataset(
    title="Files",
    layout="*.txt",
    groups=lambda folder: False,
    files=lambda folder: sorted(folder.rglob("*.txt")),
    problems=lambda folder: [],
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


def test_all_files_that_cannot_be_read_are_named(tmp_path: Path, reads: list[Path]) -> None:
    folder = make(tmp_path / "data", a="x", z="y")
    for name in ("b", "c"):
        (folder / f"{name}.txt").symlink_to(folder / "nowhere")
    with pytest.raises(BadData) as caught:
        raw_fingerprint(DATASET, folder, cache=tmp_path)
    assert caught.value.problems == tuple(
        f"{folder / name} cannot be read (No such file or directory)" for name in ("b.txt", "c.txt")
    )
    with pytest.raises(BadData):
        raw_fingerprint(DATASET, folder, cache=tmp_path)
    assert len(reads) == 2, "what could be read is remembered"


def test_small_files_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    write_atomically(path, "one")
    write_atomically(path, "two")
    assert path.read_text() == "two"
    assert list(path.parent.iterdir()) == [path]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package of readers, of which `readers.lists.plates` imports some of the others."""
    sources = {
        "__init__": "",
        "lists/__init__": "",
        "lists/plates": "from readers.parts import volume\ndef read(): import readers.late\n",
        "lists/other": "from readers import csv\ndef read(): ...\n",
        "parts/__init__": "HERE = 1\n",
        "parts/volume": "from . import axes\nfrom ..deep import sea\nimport json\n",
        "parts/axes": "import readers.parts.deeper.end\n",
        "parts/unused": "",
        "parts/deeper/__init__": "",
        "parts/deeper/end": "",
        "deep/__init__": "",
        "deep/sea": "",
        "late": "",
        "csv": "",
    }
    for name, source in sources.items():
        path = tmp_path / "readers" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path / "readers"
    for name in [name for name in sys.modules if name.partition(".")[0] == "readers"]:
        del sys.modules[name]


def test_the_code_version_covers_all_that_a_reader_imports(package: Path) -> None:
    read = importlib.import_module("readers.lists.plates").read

    def version() -> str:
        return code_version(read, package="readers")

    changed = set()
    for path in sorted(package.rglob("*.py")):
        before, text = version(), path.read_text()
        path.write_text(text + "# another line\n")
        if version() != before:
            changed.add(path.relative_to(package).with_suffix("").as_posix())
        path.write_text(text)
        assert version() == before
    assert changed == {
        "lists/plates", "parts/__init__", "parts/volume", "parts/axes", "deep/__init__", "deep/sea",
        "late", "parts/deeper/__init__", "parts/deeper/end",
    }  # fmt: skip


def test_the_code_version_knows_functions_by_their_files(package: Path) -> None:
    read = importlib.import_module("readers.lists.plates").read
    other = importlib.import_module("readers.lists.other").read
    versions = [code_version(*given, package="readers") for given in [(read,), (other,)]]
    assert versions[0] != versions[1]
    assert code_version(partial(read), package="readers") == versions[0]
    assert code_version(cache(read), package="readers") == versions[0]
    both = code_version(read, other, package="readers")
    assert both == code_version(other, read, package="readers")
    assert both not in versions
