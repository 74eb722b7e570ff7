"""Two clocks: training is charged to a study's effort, validation and set-up are free.

And the allowance of a training that has charged seconds to spend instead of epochs.
"""

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
        self.waits = self._cuda
        """Whether reading it has a price: the device is waited for."""
        self.charged_seconds = 0.0
        self.free_seconds = 0.0
        self._charging_since: float | None = None

    @contextmanager
    def charged(self) -> Iterator[None]:
        """Time the block as training."""
        self._charging_since = self._now()
        try:
            yield
        finally:
            self.charged_seconds = self.read()
            self._charging_since = None

    def read(self) -> float:
        """Charged seconds so far, those of the block under way among them."""
        if self._charging_since is None:
            return self.charged_seconds
        return self.charged_seconds + self._now() - self._charging_since

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


class Allowance:
    """The charged seconds of one training, over all its epochs, and what is spent of them.

    On a GPU the clock is read, which waits for the device, every so many updates: so that those
    between two readings take at most a hundredth of all seconds, and at most what is left. Training
    ends too late by one update, or by about a hundredth where updates are shorter than that.
    """

    STRETCH = 0.01
    """Of all seconds, the most between two readings."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._clock: Clock | None = None
        self._before = self._spent = self._pace = 0.0
        self._since, self._stride = 0, 1

    def begin(self, clock: Clock, spent: float) -> None:
        """An epoch begins, on a clock that was taken; spent: by all epochs before it."""
        self._clock = clock
        self._before = self._spent = spent
        self._since, self._stride = 0, 1

    def share(self) -> float:
        """Of all seconds, those spent when the next update is half done; in [0, 1].

        Between two readings, at the pace of the updates before the last.
        """
        return min(1.0, (self._spent + (self._since + 0.5) * self._pace) / self.seconds)

    def spent(self) -> bool:
        """Whether nothing is left, as far as is known; to be asked once after each update."""
        assert self._clock is not None, "an epoch has begun"
        self._since += 1
        if self._since < self._stride:
            return False
        now = self._before + self._clock.read()
        self._pace = (now - self._spent) / self._since
        self._spent, self._since = now, 0
        if self._clock.waits and self._pace > 0:
            stretch = min(self.STRETCH * self.seconds, self.seconds - now)
            # Doubled at most: one short update says little about the next.
            self._stride = max(1, min(2 * self._stride, int(stretch / self._pace)))
        return now >= self.seconds
