"""While a run goes on, its report is written anew once a minute, by a process of its own.

with Refresher(folder):
    ...work the run off...

The run never waits for it, nor fails by it: it has the lowest priority, there is one at a time, and
what goes wrong in it is left to the report at the run's end. It holds the reading end of a pipe to
the driver: when the driver is gone, however it went, the pipe ends, and so does the process.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

EVERY_SECONDS = 60.0
"""From the end of one to the beginning of the next."""
SHARE = 10
"""The same, as a multiple of what the last took: a long ledger's report takes seconds."""
GRACE_SECONDS = 5.0
"""Until a process that was told to end is killed."""
RENEWED = re.compile(rb"<!--renewed-->.*?<!--/renewed-->\s*", re.DOTALL)
"""What a page says of being renewed."""
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Refresher:
    """A context manager around a run that is worked off; afterwards nothing of it is left."""

    def __init__(
        self, folder: Path, *, command: Sequence[str] = (), every: float = EVERY_SECONDS
    ) -> None:
        """command: what is run each time; empty: this module, with the folder."""
        self._folder = folder
        self._command = list(command) or [sys.executable, "-P", "-m", "bench.refresh", str(folder)]
        self._every = every
        self._ended = threading.Event()
        self._starting = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._renew, name="refresher", daemon=True)

    def __enter__(self) -> Refresher:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """End what is running, and let the page no longer say that it renews itself."""
        with self._starting:
            self._ended.set()
            process = self._process
        if process is not None:
            _end(process)
        self._thread.join(GRACE_SECONDS)
        still(self._folder / "report.html")

    def _renew(self) -> None:
        pause = self._every
        while not self._ended.wait(pause):
            began = time.monotonic()
            with contextlib.suppress(OSError):  # no memory for a process: perhaps the next time
                self._once()
            pause = max(self._every, SHARE * (time.monotonic() - began))

    def _once(self) -> None:
        with self._starting:
            if self._ended.is_set():
                return
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=_environment(),
                start_new_session=True,  # Ctrl-C is the driver's to answer
            )
        with self._process as process:
            process.wait()


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _environment() -> dict[str, str]:
    """It imports what this process does, from the same places, and computes on one core."""
    places = os.pathsep.join(place or str(Path.cwd()) for place in sys.path)
    return os.environ | {"PYTHONPATH": places} | dict.fromkeys(THREADS, "1")


def still(page: Path) -> None:
    """Let a page no longer renew itself. One that cannot be read or written stays as it is."""
    with contextlib.suppress(OSError):
        text = page.read_bytes()
        settled = RENEWED.sub(b"", text)
        if settled != text:
            draft = page.with_name(f".{page.name}.still")
            draft.write_bytes(settled)
            draft.replace(page)


# --- the process ---


def _main(folder: Path) -> None:
    """Write the report of a run that goes on; end early when the driver does."""
    os.nice(19)
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_follow, daemon=True).start()
    from results.report import write_report

    write_report(folder, renewed=True)


def _leave(number: int, frame: object) -> None:
    """With an exception, so that files that are half written are removed."""
    raise SystemExit(1)


def _follow() -> None:
    """End this process when the pipe from the driver does."""
    os.read(0, 1)  # nobody writes: it returns at the pipe's end
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
