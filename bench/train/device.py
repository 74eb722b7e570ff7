"""Where a trial trains."""

from __future__ import annotations

import torch


def pick() -> str:
    """ "cuda" where there is a GPU, else "cpu"; sets what makes training fast there."""
    if not torch.cuda.is_available():
        return "cpu"
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")
    return "cuda"


def set_threads(threads: int) -> None:
    """Threads of one operation on the CPU, at least one."""
    torch.set_num_threads(max(1, threads))
