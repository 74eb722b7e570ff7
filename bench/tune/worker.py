"""The Tune trainable: a worker that is kept, and runs one job after another.

Failures of a job are messages, not exceptions, so that the process with its imported torch, its
CUDA context and its mapped data lives on. Only a death of the process reaches Tune as an error;
a job that sends nothing for too long is made one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from ray import tune

from bench.tune.jobs import Content, Context, Idle, Job, Message
from bench.tune.watchdog import Watchdog
from bench.tune.work import Workshop

IDLE_SECONDS = 0.1
"""How long an idle worker sleeps between two questions for work."""


class Worker(tune.Trainable):
    """Runs the job in `config["job"]`; each `step` sends one message."""

    context: Context

    def setup(self, config: dict[str, Any]) -> None:
        self._messages: Iterator[Content] = iter(())
        self._stall_seconds: float | None = None
        self._watchdog = Watchdog()
        self._workshop = self.open_workshop()
        self.reset_config(config)

    def open_workshop(self) -> Any:
        """What turns jobs into messages."""
        return Workshop(self.context, self._watchdog)

    def reset_config(self, config: dict[str, Any]) -> bool:
        job: Job | None = config["job"]
        self._messages = _idle() if job is None else self._workshop.messages(job)
        self._stall_seconds = None if job is None else job.stall_seconds
        return True

    def step(self) -> dict[str, Any]:
        # Between two steps it is the driver who takes his time.
        with self._watchdog.over(self._stall_seconds):
            return {"message": Message(next(self._messages))}

    def cleanup(self) -> None:
        self._messages = iter(())


def _idle() -> Iterator[Content]:
    yield Idle()
    while True:
        time.sleep(IDLE_SECONDS)
        yield Idle()


def worker_class(context: Context) -> type[Worker]:
    """The worker of one run: what all jobs share travels once, with the class."""
    return type("RunWorker", (Worker,), {"context": context})
