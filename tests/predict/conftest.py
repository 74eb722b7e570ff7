from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.predict import fabricated


@pytest.fixture(scope="session")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nobody writes to."""
    return fabricated.make(tmp_path_factory.mktemp("predict") / "run")


@pytest.fixture
def run(ended: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    shutil.copytree(ended, tmp_path / "run")
    return tmp_path / "run"
