from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.results.synthetic import PAIR, Actor, write_run


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNEBENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """Writes a synthetic run into a fresh folder."""

    def make(actors: Sequence[Actor] = PAIR, **more: object) -> Path:
        return write_run(tmp_path / "runs" / "liver-20261121T101500Z", actors, **more)  # type: ignore[arg-type]

    return make
