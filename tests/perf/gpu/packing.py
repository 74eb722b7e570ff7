"""Small trials that share one device, each in a process of its own, as a run's workers do."""

from __future__ import annotations

import multiprocessing
import os
import statistics
import time
from multiprocessing.synchronize import Barrier
from typing import Any

from tests.perf.gpu.measures import Figures, prepare
from tests.perf.gpu.models import PACKED, PACKED_TOY

COUNTS = (1, 2, 4, 8)
START_SECONDS = 120.0
"""Within which all processes must be ready."""


def packed(device: str, *, toy: bool) -> Figures:
    """`packed_N`: samples/s of N trials in all. Those of a larger N wait while fewer train.

    Raises RuntimeError where a process does not come up.
    """
    counts = COUNTS[:2] if toy else COUNTS
    # Up and down again: a device that warms up, or clocks down, counts for all alike.
    phases = [*counts, *reversed(counts)] * (1 if toy else 2)
    seconds = 0.1 if toy else 2.0
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(max(counts) + 1)
    found = context.Queue()
    workers = [
        context.Process(target=_train, args=(number, phases, seconds, device, toy, barrier, found))
        for number in range(max(counts))
    ]
    for worker in workers:
        worker.start()
    rates: dict[int, list[float]] = {count: [] for count in counts}
    try:
        barrier.wait(START_SECONDS)
        for count in phases:
            barrier.wait(START_SECONDS)
            rates[count].append(sum(found.get(timeout=START_SECONDS) for _ in range(count)))
            barrier.wait(START_SECONDS)
    except Exception as error:  # a broken barrier, an empty queue
        raise RuntimeError(f"the processes did not train: {type(error).__name__}") from error
    finally:
        for worker in workers:
            worker.join(5)
            worker.terminate()
    return {f"packed_{count}": statistics.median(several) for count, several in rates.items()}


def _train(
    number: int,
    phases: list[int],
    seconds: float,
    device: str,
    toy: bool,
    barrier: Barrier,
    found: Any,
) -> None:
    """One process; what goes wrong in it ends the others' waiting."""
    try:
        _train_in_turn(number, phases, seconds, device, toy, barrier, found)
    except Exception:
        barrier.abort()
        raise


def _train_in_turn(
    number: int,
    phases: list[int],
    seconds: float,
    device: str,
    toy: bool,
    barrier: Barrier,
    found: Any,
) -> None:
    """In each phase with more than `number` trials it trains, else it waits."""
    import torch

    from tests.perf.gpu.trainee import Trainee

    place = prepare(device)
    torch.set_num_threads(1 if toy else max(1, (os.cpu_count() or 1) // COUNTS[-1]))
    model = PACKED_TOY if toy else PACKED
    trainee = Trainee(model, batch_size=model.batch_size, device=place)
    trainee.ours(3)
    barrier.wait(START_SECONDS)
    for count in phases:
        barrier.wait(START_SECONDS)
        if number < count:
            updates, began = 0, time.perf_counter()
            while (elapsed := time.perf_counter() - began) < seconds:
                trainee.ours(5)  # ends by waiting for the device
                updates += 5
            found.put(updates * model.batch_size / elapsed)
        barrier.wait(START_SECONDS)
