"""What is measured of one model, and of the device: plain numbers by name."""

from __future__ import annotations

import gc
import statistics
import sys
from collections.abc import Callable, Mapping
from typing import Any

import torch

from bench.train import device as devices
from bench.train.clock import Clock
from tests.perf.gpu.models import Model
from tests.perf.gpu.trainee import Trainee

REPEATS = 5
Figures = dict[str, float]


def prepare(device: str) -> torch.device:
    """The device, set as a trial sets it: TF32 in products, cuDNN choosing its fastest kernels."""
    if device == "cuda":
        assert devices.pick() == "cuda"
    else:
        devices.set_threads(1)
    return torch.device(device)


def release(device: torch.device) -> None:
    """Give back the memory of what is no longer in use, and forget what was compiled."""
    if "torch._dynamo" in sys.modules:
        torch._dynamo.reset()
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def ceiling(device: torch.device, *, toy: bool) -> Figures:
    """`ceiling_flops`: of a large square bfloat16 matrix product, in FLOP/s."""
    size = 128 if toy else 8192
    left, right = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))

    def multiply(times: int) -> None:
        for _ in range(times):
            torch.mm(left, right)

    sides = {"products": multiply}
    taken = rounds(sides, device, updates=_warm_up(sides, device, toy=toy))["products"]
    return {"ceiling_flops": 2 * size**3 / statistics.median(taken)}


def eager(model: Model, device: torch.device, *, toy: bool) -> Figures:
    """Of a model as it is: samples/s in float32, in bfloat16 and fed by the project's own loader.

    `share` is the median over pairs of rounds, one beside the other.
    """
    batch_size = model.batch_size
    while (found := _plain(model, batch_size, device, toy=toy)) is None:
        batch_size //= 2
    release(device)
    trainee = Trainee(model, batch_size=batch_size, device=device)
    sides = {"resident": trainee.resident, "ours": trainee.ours}
    updates = _warm_up(sides, device, toy=toy)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    taken = rounds(sides, device, updates=updates)
    pairs = [one / two for one, two in zip(taken["resident"], taken["ours"], strict=True)]
    found |= {
        "bfloat16": batch_size / statistics.median(taken["resident"]),
        "ours": batch_size / statistics.median(taken["ours"]),
        "share": statistics.median(pairs),
    }
    if device.type == "cuda":
        found["peak_gib"] = torch.cuda.max_memory_allocated(device) / 2**30
    return found


def _plain(model: Model, batch_size: int, device: torch.device, *, toy: bool) -> Figures | None:
    """Of the model in float32; None where such a batch does not fit and a smaller one may."""
    try:
        trainee = Trainee(model, batch_size=batch_size, device=device, plain=True)
        sides = {"float32": trainee.resident}
        taken = rounds(sides, device, updates=_warm_up(sides, device, toy=toy))["float32"]
    except torch.OutOfMemoryError:
        if batch_size <= 2:
            raise
        return None
    return {
        "batch_size": batch_size,
        "parameters": trainee.parameters,
        "flops_per_sample": trainee.flops_per_sample(),
        "float32": batch_size / statistics.median(taken),
    }


def compiled(model: Model, device: torch.device, *, toy: bool, batch_size: int) -> Figures:
    """Of a compiled model in bfloat16: samples/s, and the seconds until its first two updates."""
    trainee = Trainee(model, batch_size=batch_size, device=device)
    # A test has no minutes to generate code in.
    trainee.compile("aot_eager" if toy else "inductor")
    clock = Clock(device.type)
    with clock.charged():
        trainee.resident(2)
    sides = {"compiled": trainee.resident}
    taken = rounds(sides, device, updates=_warm_up(sides, device, toy=toy))["compiled"]
    return {
        "compiled": batch_size / statistics.median(taken),
        "compile_seconds": clock.charged_seconds,
    }


Side = Callable[[int], Any]


def rounds(
    sides: Mapping[str, Side], device: torch.device, *, updates: int, repeats: int = REPEATS
) -> dict[str, list[float]]:
    """Seconds an update of each side, round by round; the sides take turns in going first.

    The clock waits for the device at both ends of a round.
    """
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for repeat in range(repeats):
        for name in sorted(sides, reverse=bool(repeat % 2)):
            clock = Clock(device.type)
            with clock.charged():
                sides[name](updates)
            taken[name].append(clock.charged_seconds / updates)
    return taken


def _warm_up(sides: Mapping[str, Side], device: torch.device, *, toy: bool) -> int:
    """Run each side until it is warm; how many updates fill a round."""
    for side in sides.values():
        side(1 if toy else 5)
    if toy:
        return 2
    slowest = max(map(statistics.median, rounds(sides, device, updates=2, repeats=3).values()))
    return max(3, min(200, round(0.6 / slowest)))
