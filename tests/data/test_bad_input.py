"""What preparation says of bad data, of a full disk and of older caches, and what it leaves."""

from __future__ import annotations

import errno
import json
import resource
import shutil
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest

from bench.data import contents, fingerprint
from bench.data.prepare import LAYOUT_VERSION, prepare, verify
from bench.data.prepared import PreparedTask
from bench.errors import BadData, UserError
from bench.spec import Case, Task
from tests.data import plates
from tests.data.plates import PLATES_CLS, PLATES_SEG


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    plates.register(monkeypatch)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return plates.write(tmp_path / "raw")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def of(raw: Path, cache: Path, task: Task = PLATES_CLS) -> PreparedTask:
    return prepare(task, raw, options={}, seed=0, cache=cache)


def refusal(raw: Path, cache: Path, task: Task = PLATES_CLS) -> str:
    """The message, once it has been seen that nothing was left behind."""
    with pytest.raises(UserError) as caught:
        of(raw, cache, task)
    assert left(cache) == []
    return str(caught.value)


def left(cache: Path) -> list[Path]:
    """Folders of prepared data, whole or half-made."""
    return [path for path in (cache / "prepared").glob("*") if path.is_dir()]


def test_all_problems_come_in_one_list_in_the_order_of_the_cases(raw: Path, cache: Path) -> None:
    (raw / "2.npy").unlink()
    (raw / "7.npy").write_bytes(b"rubbish")
    (raw / "7-mask.npy").write_bytes(b"")
    (raw / "4-mask.npy").write_bytes(b"rubbish")
    first, *lines = refusal(raw, cache).splitlines()
    assert first == "data set plates: 4 mistakes"
    names = ["2.npy", "4-mask.npy", "7.npy", "7-mask.npy"]
    assert len(lines) == 4
    assert all(f"{raw / name} " in line for name, line in zip(names, lines, strict=True))


def test_the_first_twenty_problems_are_shown_and_the_others_counted(
    tmp_path: Path, cache: Path
) -> None:
    raw = plates.write(tmp_path / "many", cases=30)
    for number in range(25):
        (raw / f"{number}.npy").write_bytes(b"rubbish")
    lines = refusal(raw, cache).splitlines()
    assert lines[0] == "data set plates: 25 mistakes"
    assert [f"/{number}.npy " in line for number, line in enumerate(lines[1:-1])] == [True] * 20
    assert lines[-1] == "  - and 5 more"


def test_what_a_task_finds_wrong_with_a_case_is_listed_too(raw: Path, cache: Path) -> None:
    (raw / "1.npy").write_bytes(b"rubbish")

    def picky(case: Case, raw: Any, options: Any) -> Any:
        if case.id == "3":
            raise BadData("3.npy is not to my liking")
        return plates.slices(case, raw, options)

    message = refusal(raw, cache, replace(PLATES_CLS, samples=picky))
    assert "2 mistakes" in message and "1.npy cannot" in message and "my liking" in message


def test_contradicting_options_are_one_mistake(raw: Path, cache: Path) -> None:
    def refuses(case: Case, raw: Any, options: Any) -> Any:
        raise UserError("a window needs low < high")

    message = refusal(raw, cache, replace(PLATES_CLS, samples=refuses))
    assert message == "a window needs low < high"


def test_a_bug_of_a_reader_is_no_bad_data(
    raw: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(case: Case) -> Any:
        raise KeyError("forgotten")

    plates.register(monkeypatch, replace(plates.DATASET, read=breaks))
    with pytest.raises(KeyError, match="forgotten"):
        of(raw, cache)
    assert left(cache) == []


def test_files_that_may_not_be_read_are_named_with_all_that_is_wrong(
    raw: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (raw / "7.npy").write_bytes(b"rubbish")

    def forbidden(path: Path) -> str:
        if path.name in ("3.txt", "5.npy"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return original(path)

    def read(case: Case) -> Any:
        if case.id == "5":
            raise PermissionError(errno.EACCES, "Permission denied", str(raw / "5.npy"))
        return plates.read(case)

    original = fingerprint.file_hash
    monkeypatch.setattr(fingerprint, "file_hash", forbidden)
    plates.register(monkeypatch, replace(plates.DATASET, read=read))
    message = refusal(raw, cache)
    assert "3 mistakes" in message and "7.npy" in message
    assert f"{raw / '5.npy'} cannot be read (Permission denied)" in message
    assert f"{raw / '3.txt'} cannot be read (Permission denied)" in message


def test_a_folder_without_the_data_set_says_what_is_expected(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "table.json is missing" in refusal(tmp_path / "empty", cache)


class _Full:
    """A file on a disk on which so many bytes are left."""

    def __init__(self, stream: IO[Any], name: str, room: list[int]) -> None:
        self._stream, self._name, self._room = stream, name, room

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __enter__(self) -> _Full:
        return self

    def __exit__(self, *error: object) -> None:
        self._stream.close()

    def write(self, content: Any) -> int:
        self._room[0] -= len(content) if isinstance(content, str) else memoryview(content).nbytes
        if self._room[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device", self._name)
        return self._stream.write(content)

    def writelines(self, pieces: Any) -> None:
        for piece in pieces:
            self.write(piece)


@pytest.mark.parametrize("share", [0, 0.2, 0.4, 0.6, 0.8, 0.999])
def test_a_full_disk_is_said_and_nothing_half_written_is_left(
    share: float, raw: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = [1 << 30]
    original = Path.open

    def limited(self: Path, mode: str = "r", *rest: Any, **options: Any) -> Any:
        stream = original(self, mode, *rest, **options)
        inside = "prepared" in self.parts and "w" in mode
        return _Full(stream, str(self), room) if inside else stream

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", limited)
        of(raw, tmp_path / "other", PLATES_SEG)
        room[0] = int(share * ((1 << 30) - room[0]))
        message = refusal(raw, cache, PLATES_SEG)
    assert message.startswith(f"{cache / 'prepared'}") and "\n" not in message
    assert "cannot be written (No space left on device): free some space" in message
    assert verify(of(raw, cache, PLATES_SEG)) == []


def test_what_the_system_itself_refuses_to_write_is_said(raw: Path, cache: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, hard))
    try:
        with pytest.raises(UserError, match=r"cannot be written \(File too large\): free some"):
            of(raw, cache)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert left(cache) == []
    assert verify(of(raw, cache)) == []


def test_a_cache_that_may_not_be_written_is_said(
    raw: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Path.mkdir

    def forbidden(self: Path, *rest: Any, **options: Any) -> None:
        if ".part-" in self.name:
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        original(self, *rest, **options)

    monkeypatch.setattr(Path, "mkdir", forbidden)
    message = refusal(raw, cache)
    assert r"cannot be written (Permission denied): allow writing there, or name" in message
    assert "$TUNEBENCH_CACHE" in message and "\n" not in message


def test_a_file_where_the_cache_should_be_is_said(raw: Path, cache: Path) -> None:
    cache.write_text("")
    with pytest.raises(UserError, match="cannot be written .Not a directory"):
        of(raw, cache)


def test_what_is_interrupted_leaves_nothing(
    raw: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(inputs: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(contents, "moments", interrupted)
        with pytest.raises(KeyboardInterrupt):
            of(raw, cache)
    assert left(cache) == []
    assert verify(of(raw, cache)) == []


def test_a_cache_of_an_older_layout_is_made_anew(raw: Path, cache: Path) -> None:
    prepared = of(raw, cache)
    whole = (prepared.root / "manifest.json").read_text()
    old = {**json.loads(whole), "layout": LAYOUT_VERSION - 1}
    (prepared.root / "manifest.json").write_text(json.dumps(old))
    (prepared.root / "train" / "inputs.npy").unlink()
    (problem,) = verify(PreparedTask(prepared.root))
    assert f"is of layout {LAYOUT_VERSION - 1}, this version reads {LAYOUT_VERSION}" in problem
    assert verify(of(raw, cache)) == []
    assert (prepared.root / "manifest.json").read_text() == whole


@pytest.mark.parametrize("ruin", ["no manifest", "half a manifest", "another's manifest"])
def test_a_folder_that_is_not_whole_is_made_anew(ruin: str, raw: Path, cache: Path) -> None:
    root = of(raw, cache).root
    manifest = root / "manifest.json"
    if ruin == "no manifest":
        manifest.unlink()
    elif ruin == "half a manifest":
        manifest.write_bytes(manifest.read_bytes()[:40])
    else:
        manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "fingerprint": "x"}))
    (root / "train" / "inputs.npy").unlink()
    assert verify(of(raw, cache)) == []
    assert left(cache) == [root]


def test_verify_finds_what_changed(raw: Path, cache: Path) -> None:
    root = of(raw, cache, PLATES_SEG).root
    assert verify(PreparedTask(root)) == []

    def problem_after(name: str, change: Any) -> str:
        """What is said of one changed file; it is put back afterwards."""
        path = root / name
        kept = path.read_bytes()
        change(path)
        found = verify(PreparedTask(root))
        path.write_bytes(kept)
        assert len(found) == 1 and str(root) in found[0]
        return found[0]

    def flipped(path: Path) -> None:
        array = np.load(path)
        array.flat[-1] ^= 1
        np.save(path, array)

    for name in ("inputs", "masks", "labels"):
        assert "content has changed" in problem_after(f"train/{name}.npy", flipped)
    shorter = problem_after("test/labels.npy", lambda path: np.save(path, np.load(path)[1:]))
    assert "7 labels and 8 ids instead of 8" in shorter
    outside = problem_after("test/labels.npy", lambda path: np.save(path, np.load(path) + 1))
    assert "labels reach outside 0 to 2" in outside
    assert "cannot be read" in problem_after(
        "validation/inputs.npy", lambda path: path.write_bytes(b"rubbish")
    )
    assert "is missing" in problem_after("validation/labels.npy", Path.unlink)
    assert "cannot be read" in problem_after("train/cases.json", lambda path: path.write_text("{}"))
    assert "content has changed" in problem_after(
        "train/cases.json",
        lambda path: path.write_text(path.read_text().replace('"p', '"q')),
    )
    assert "manifest.json cannot be read" in problem_after(
        "manifest.json", lambda path: path.write_text("[]")
    )


def test_verify_finds_changed_texts(raw: Path, cache: Path) -> None:
    root = of(raw, cache, plates.PLATES_TEXT).root
    for name, value, message in (
        ("texts", 64, "content has changed"),
        ("texts", 255, "content has changed"),
        ("offsets", 9_999, "texts and offsets do not fit together"),
    ):
        path = root / "train" / f"{name}.npy"
        kept = path.read_bytes()
        array = np.load(path)
        array[-1] = value
        np.save(path, array)
        (problem,) = verify(PreparedTask(root))
        assert message in problem
        path.write_bytes(kept)
    shutil.rmtree(root / "test")
    (problem,) = verify(PreparedTask(root))
    assert "test split of plates_text is incomplete" in problem
