"""Jobs in a process of its own: one that hangs or crashes costs its own cell and no other."""

from __future__ import annotations

import multiprocessing
import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Literal

from tests.perf.gpu.models import Model

Kind = Literal["ceiling", "eager", "compiled", "packed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One measurement."""

    kind: Kind
    limit_s: float
    """After which it is given up."""
    model: Model | None = None
    batch_size: int = 0
    """Of a compiled model: what fitted when it was not."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """Figures, or the sentence that says why there are none."""

    figures: dict[str, float]
    reason: str = ""


class Bench:
    """A process that measures one job after another; after a failure, a fresh one."""

    def __init__(self, device: str, *, toy: bool) -> None:
        self._device, self._toy = device, toy
        self._process: Any = None
        self._pipe: Connection | None = None
        self._busy = False

    def measure(self, job: Job, *, limit_s: float) -> Answer:
        """The job's figures within so many seconds, starting a process included."""
        if self._process is None:
            self._start()
        assert self._pipe is not None
        try:
            self._busy = True
            self._pipe.send(job)
            if self._pipe.poll(limit_s):
                answer: Answer = self._pipe.recv()
                self._busy = False
                return answer
        except (EOFError, OSError):
            self._process.join(5)
            code = self._process.exitcode
            self.close()
            return Answer(figures={}, reason=f"its process ended with exit code {code}")
        self.close()
        return Answer(figures={}, reason=f"not within {limit_s:.0f} s")

    def close(self) -> None:
        """End the process and all that it has started; one that waits for a job ends by itself."""
        if self._process is None:
            return
        assert self._pipe is not None
        self._pipe.close()
        self._process.join(0 if self._busy else 5)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.join()
        self._process = None

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self._device, self._toy))
        self._process.start()
        theirs.close()


def _serve(pipe: Connection, device: str, toy: bool) -> None:
    os.setsid()  # so that compilers and packed trials end with it
    from tests.perf.gpu.measures import prepare

    place = prepare(device)
    while True:
        try:
            job = pipe.recv()
        except EOFError:
            return
        pipe.send(run(job, place, toy=toy))


def run(job: Job, device: Any, *, toy: bool) -> Answer:
    """The job's figures in this process, or why there are none."""
    from bench.errors import UserError
    from tests.perf.gpu import measures, packing

    try:
        match job:
            case Job(kind="ceiling"):
                figures = measures.ceiling(device, toy=toy)
            case Job(kind="packed"):
                figures = packing.packed(device.type, toy=toy)
            case Job(kind="eager", model=Model() as model):
                figures = measures.eager(model, device, toy=toy)
            case Job(kind="compiled", model=Model() as model):
                figures = measures.compiled(model, device, toy=toy, batch_size=job.batch_size)
            case _:
                raise AssertionError(f"a job without a model: {job}")
    except ModuleNotFoundError as error:
        return Answer(figures={}, reason=f"{(error.name or '').split('.')[0]} is not installed")
    except UserError as error:
        return Answer(figures={}, reason=str(error))
    except Exception as error:  # compilers and drivers have no one error
        lines = str(error).strip().splitlines() or [""]
        return Answer(figures={}, reason=f"{type(error).__name__}: {lines[0]}"[:160])
    finally:
        measures.release(device)
    return Answer(figures=figures)
