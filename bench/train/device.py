"""Where a trial trains."""

from __future__ import annotations

import torch

from bench.errors import UserError
from bench.spec import unknown

KINDS = ("cpu", "cuda")


def pick(wanted: str | None = None) -> str:
    """The wanted one, or "cuda" where there is a GPU, else "cpu"; sets what makes training fast
    there. Raises UserError for one that is unknown, or that this machine does not have."""
    if wanted is not None and wanted.partition(":")[0] not in KINDS:
        raise UserError(f"--device: {unknown('device', wanted, KINDS)}")
    there = torch.cuda.is_available()
    if wanted is not None and wanted != "cpu" and not there:
        raise UserError("--device cuda: this machine has no GPU that PyTorch can use: leave it out")
    if wanted == "cpu" or not there:
        return "cpu"
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")
    return wanted or "cuda"


def set_threads(threads: int) -> None:
    """Threads of one operation on the CPU, at least one."""
    torch.set_num_threads(max(1, threads))
