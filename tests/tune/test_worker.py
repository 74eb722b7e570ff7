"""The worker on its own: a job that is stuck ends its process, one that is slow does not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.spec import Report
from bench.tune.jobs import Content, Job
from tests.tune.alarm import Alarm

ROOT = Path(__file__).parents[2]


def report(epoch: int) -> Report:
    return Report(epoch=epoch, charged_seconds=1.0, free_seconds=0.0, score=0.5, metrics={})


def job(seconds: float | None) -> dict[str, Any]:
    made = Job(kind="search", study="s", number=0, config={}, seed=1, stall_seconds=seconds)
    return {"job": made}


def worker_of(workshop: Any) -> Any:
    """A worker without Tune, whose own start makes folders."""
    from bench.tune.worker import Worker

    class Alone(Worker):
        def __init__(self) -> None:
            self.setup({"job": None})

        def open_workshop(self) -> Any:
            return workshop

    return Alone()


def test_a_job_that_is_stuck_ends_the_process_and_says_where() -> None:
    code = """
import time
from tests.tune.test_worker import job, report, worker_of

class Workshop:
    def messages(self, job):
        yield report(1)
        time.sleep(60)

worker = worker_of(Workshop())
worker.reset_config(job(0.8))
for _ in range(2):
    print(worker.step()["message"].take().epoch, flush=True)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.stdout == "1\n" and done.returncode == 1
    assert "Timeout (0:00:00.8" in done.stderr and "in messages" in done.stderr


def test_it_is_watched_while_it_makes_a_message_and_not_between(alarm: Alarm) -> None:
    class Workshop:
        def messages(self, job: Job) -> Iterator[Content]:
            for epoch in (1, 2):
                assert alarm.set_to == job.stall_seconds
                yield report(epoch)
            raise ValueError

    worker = worker_of(Workshop())
    worker.reset_config(job(7.0))
    for times in (1, 2):
        assert alarm.set_to is None, "the driver's own time"
        worker.step()
        assert alarm.times == times
    with pytest.raises(ValueError):
        worker.step()
    assert alarm.set_to is None and alarm.times == 3
    worker.reset_config({"job": None})
    worker.step()
    worker.reset_config(job(None))
    worker.step()
    assert alarm.times == 3, "neither an idle worker nor a job without a limit"
