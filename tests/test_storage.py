"""Places for checkpoints: absolute for all workers, refused in one line where they cannot serve."""

from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem

from bench.errors import UserError
from bench.runs import RunFolder
from bench.storage import check_storage, checkpoints_of


class Remote(DirFileSystem):
    """A file system behind a URL, which is not taken for a local one."""

    protocol = "remote"
    where = ""

    def __init__(self, **_):
        super().__init__(path=self.where, fs=LocalFileSystem(auto_mkdir=True))


@pytest.fixture
def remote(tmp_path, monkeypatch):
    fsspec.register_implementation("remote", Remote, clobber=True)
    monkeypatch.setattr(Remote, "where", str(tmp_path / "far"))
    Remote.clear_instance_cache()
    return tmp_path / "far"


def test_a_path_is_absolute_wherever_a_worker_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    folder = RunFolder(Path("runs/first"))
    assert checkpoints_of(folder, None) == str(tmp_path / "runs/first/checkpoints")
    assert checkpoints_of(folder, "far") == str(tmp_path / "far/first")
    assert checkpoints_of(folder, f"file://{tmp_path}/far/") == str(tmp_path / "far/first")
    assert checkpoints_of(folder, "~/far") == str(tmp_path / "home/far/first")


def test_a_url_gets_the_run_s_name(remote):
    assert checkpoints_of(RunFolder(Path("runs/first")), "remote://x/") == "remote://x/first"


def test_what_can_be_written_to_is_left_as_it_was(tmp_path, remote):
    check_storage(None)
    check_storage(str(tmp_path / "new"))
    check_storage("remote://x")
    assert list((tmp_path / "new").iterdir()) == []
    assert [path for path in remote.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("storage", "message"),
    [
        ("memory://x", "the memory of one process"),
        ("s4://bucket/x", "s4"),
        ("remotely://me:hunter2@host/x", r"\*\*\*@host"),
    ],
)
def test_what_cannot_serve_is_refused(tmp_path, storage, message):
    for refused in (check_storage, lambda url: checkpoints_of(RunFolder(tmp_path), url)):
        with pytest.raises(UserError, match=message) as caught:
            refused(storage)
        assert "hunter2" not in str(caught.value) and "\n" not in str(caught.value)


def test_a_library_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "s3fs", None)
    with pytest.raises(UserError, match="Install s3fs"):
        check_storage("s3://bucket/x")


def test_what_refuses_to_be_written_to_says_why(tmp_path, remote, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written to: .*mend that, or leave it out"):
        check_storage(str(tmp_path / "file"))

    def refused(*_, **__):
        raise RuntimeError("wrapped") from ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(Remote, "pipe_file", refused)
    with pytest.raises(UserError, match="remote://x cannot be written to: Connection refused"):
        check_storage("remote://x")
    monkeypatch.undo()
    monkeypatch.setattr(Remote, "where", str(tmp_path / "far"))
    monkeypatch.setattr(Remote, "cat_file", lambda *_, **__: b"other")
    with pytest.raises(UserError, match="gives back other bytes"):
        check_storage("remote://x")
