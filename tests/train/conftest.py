"""One thread, and the synthetic tasks as fixtures."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bench.data.prepared import PreparedTask
from bench.spec import Task
from tests.train.synthetic import make_task, write_images, write_masks, write_texts


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def images(tmp_path: Path) -> PreparedTask:
    return write_images(tmp_path / "images")


@pytest.fixture
def masks(tmp_path: Path) -> PreparedTask:
    return write_masks(tmp_path / "masks")


@pytest.fixture
def texts(tmp_path: Path) -> PreparedTask:
    return write_texts(tmp_path / "texts")


@pytest.fixture
def task() -> Task:
    return make_task()
