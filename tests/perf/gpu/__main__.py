"""Training speed on one GPU, in one table within eight minutes: `python -m tests.perf.gpu`.

Samples a second of each model stepping on one batch that lies on the device: `float32` (products in
TF32), `bf16` (autocast, channels-last) and `compiled` (the same through torch.compile, the time
that this takes apart). `share`: what a trial makes of the bf16 figure with the project's own
loading, augmentation and stepping. `GFLOP`: of the forward and backward pass of one sample.
`of peak`: those against a large bfloat16 matrix product, measured here. `peak GiB`: of memory,
eight batches of data included. Each figure is a median of rounds; sides that are compared
alternate.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.perf.gpu import table
from tests.perf.gpu.models import MODELS, TOYS, Model
from tests.perf.gpu.worker import Answer, Bench, Job

MINUTES = 7.5
"""For all of it; half a minute is left for a start and an end that are slow."""
LEAST_SECONDS = 5.0
"""Under which no job is begun."""


def main(arguments: list[str] | None = None) -> int:
    """2 where there is no such device, else 0: a hole in the table is no failure."""
    given = _parser().parse_args(arguments)
    models = _chosen(TOYS if given.toy else MODELS, given.only)
    began = time.monotonic()
    try:
        device = describe(given.device)
    except RuntimeError as error:
        print(f"tests.perf.gpu: {error}", file=sys.stderr)
        return 2
    print(", ".join(f"{name} {value}" for name, value in device.items()), flush=True)
    found = measured(given, models, deadline=began + 60 * given.minutes)
    print("\n" + "\n".join(table.lines(models, found["rows"], found["packed"], found["holes"])))
    if "ceiling_flops" in found:
        print(f"bfloat16 matrix product: {found['ceiling_flops'] / 1e12:,.1f} TFLOP/s")
    seconds = time.monotonic() - began
    print(f"{seconds:.0f} s in all")
    if given.json:
        record = {"device": device, "seconds": seconds, **found}
        Path(given.json).write_text(json.dumps(record, indent=1) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.perf.gpu", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--only", action="append", default=[], help="a model's name; repeatable")
    parser.add_argument("--json", help="a file for all figures")
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--toy", action="store_true", help="tiny models, to try the script itself")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="for all of it")
    return parser


def _chosen(models: tuple[Model, ...], names: list[str]) -> tuple[Model, ...]:
    known = {model.name for model in models}
    if strange := [name for name in names if name not in known]:
        raise SystemExit(
            f"tests.perf.gpu: unknown model {strange[0]!r}: known are {', '.join(sorted(known))}"
        )
    return tuple(model for model in models if not names or model.name in names)


def describe(device: str) -> dict[str, str]:
    """The device and what drives it. RuntimeError where there is none."""
    import torch

    found = {"PyTorch": torch.__version__}
    if device == "cpu":
        return {"CPU": f"with {torch.get_num_threads()} threads", **found}
    if not torch.cuda.is_available():
        raise RuntimeError("no CUDA device is found here; --device cpu --toy tries the script")
    properties = torch.cuda.get_device_properties(0)
    memory = f"{properties.total_memory / 2**30:.0f} GiB"
    return {
        "GPU": f"{properties.name} ({memory})",
        "driver": _driver(),
        "CUDA": str(torch.version.cuda),
        "cuDNN": str(torch.backends.cudnn.version()),
        **found,
    }


def _driver() -> str:
    """The driver's version by its own tool; "unknown" where that is not there."""
    import subprocess

    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return (done.stdout.splitlines() or ["unknown"])[0].strip()


def measured(
    given: argparse.Namespace, models: tuple[Model, ...], *, deadline: float
) -> dict[str, Any]:
    """All figures: `rows` by model, `packed`, `ceiling_flops`, and `holes`, a sentence each."""
    found: dict[str, Any] = {"rows": {model.name: {} for model in models}, "packed": {}}
    holes: list[str] = []
    bench = Bench(given.device, toy=given.toy)
    try:
        for job in _jobs(models, found["rows"], packing=not given.only):
            name = f"{job.model.name}, {job.kind}" if job.model else job.kind
            left = deadline - time.monotonic()
            if left < LEAST_SECONDS:
                holes.append(f"{name}: not reached, the {given.minutes:g} minutes are over")
                continue
            # What is only tried out may run on a machine that is busy with other things.
            limit_s = left if given.toy else min(job.limit_s, left)
            answer = bench.measure(job, limit_s=limit_s)
            print(f"{name}: {answer.reason or 'measured'}", flush=True)
            if answer.reason:
                holes.append(f"{name}: {answer.reason}")
            _enter(found, job, answer)
    finally:
        bench.close()
    return found | {"holes": holes}


def _jobs(models: tuple[Model, ...], rows: dict[str, Any], *, packing: bool) -> Iterator[Job]:
    """What is measured, the most telling first; a model is compiled where it could be measured."""
    yield Job(kind="ceiling", limit_s=90)
    for model in models:
        yield Job(kind="eager", limit_s=60, model=model)
    if packing:
        yield Job(kind="packed", limit_s=120)
    for model in models:
        if "batch_size" in rows[model.name]:
            batch_size = int(rows[model.name]["batch_size"])
            yield Job(kind="compiled", limit_s=90, model=model, batch_size=batch_size)


def _enter(found: dict[str, Any], job: Job, answer: Answer) -> None:
    """Put a job's figures where they belong."""
    if job.model:
        found["rows"][job.model.name] |= answer.figures
        if answer.figures and "ceiling_flops" in found:
            found["rows"][job.model.name]["ceiling_flops"] = found["ceiling_flops"]
    elif job.kind == "packed":
        found["packed"] = answer.figures
    else:
        found |= answer.figures


if __name__ == "__main__":
    sys.exit(main())
