"""Charged and free seconds are kept apart."""

from __future__ import annotations

import pytest

from bench.train import clock as module
from bench.train.clock import Clock


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock's time, moved by hand."""
    time = [100.0]
    monkeypatch.setattr(module.time, "perf_counter", lambda: time[0])
    return time


def test_two_clocks(now: list[float]) -> None:
    clock = Clock("cpu")
    for _ in range(2):
        with clock.charged():
            now[0] += 3
        now[0] += 50  # between the two: nobody's time
        with clock.free():
            now[0] += 1
    assert clock.take() == (6, 2)
    assert clock.take() == (0, 0)


def test_time_counts_where_the_block_raises(now: list[float]) -> None:
    clock = Clock("cpu")
    with pytest.raises(ValueError), clock.charged():
        now[0] += 3
        raise ValueError
    assert clock.take() == (3, 0)


@pytest.mark.gpu
def test_a_gpu_is_waited_for() -> None:
    import torch

    one = torch.randn(4096, 4096, device="cuda")
    clock = Clock("cuda")
    with clock.charged():
        for _ in range(50):
            one = one @ one
    assert torch.cuda.current_stream().query()
