"""Two clocks: training is charged to a study's effort, validation and set-up are free."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Clock:
    """Charged and free seconds since the start, or since they were last taken.

    A GPU works behind the program's back, so both ends of a stretch wait for it.
    """

    def __init__(self, device: str) -> None:
        self._cuda = device.startswith("cuda")
        self.charged_seconds = 0.0
        self.free_seconds = 0.0

    @contextmanager
    def charged(self) -> Iterator[None]:
        """Time the block as training."""
        start = self._now()
        try:
            yield
        finally:
            self.charged_seconds += self._now() - start

    @contextmanager
    def free(self) -> Iterator[None]:
        """Time the block as validation, checkpoint or set-up."""
        start = self._now()
        try:
            yield
        finally:
            self.free_seconds += self._now() - start

    def take(self) -> tuple[float, float]:
        """Charged and free seconds so far; both start again from zero."""
        taken = (self.charged_seconds, self.free_seconds)
        self.charged_seconds = self.free_seconds = 0.0
        return taken

    def _now(self) -> float:
        if self._cuda:
            import torch

            torch.cuda.synchronize()
        return time.perf_counter()
