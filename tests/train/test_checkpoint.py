"""Saved whole or not at all; a damaged file is as good as none."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch

from bench.train.checkpoint import Checkpoint

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


def test_a_save_that_fails_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = Checkpoint(tmp_path / "trial.pt")
    checkpoint.save(STATE)

    def torn(state: object, path: Path) -> None:
        Path(path).write_bytes(b"half of it")
        raise OSError("no space left on device")

    monkeypatch.setattr(torch, "save", torn)
    with pytest.raises(OSError, match="no space"):
        checkpoint.save(STATE | {"epoch": 9})
    state = checkpoint.load()
    assert state is not None and state["epoch"] == 3
    assert [file.name for file in tmp_path.iterdir()] == ["trial.pt"]


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
