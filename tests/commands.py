"""The `bench` command as a user starts it, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from bench.ledger import read, timeless

BENCH = [sys.executable, "-m", "bench.cli"]


def bench(*arguments: str | Path, cwd: Path, timeout: float = 900) -> subprocess.CompletedProcess:
    """Run to the end; output as text."""
    return subprocess.run(
        [*BENCH, *map(str, arguments)],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def start(*arguments: str | Path, cwd: Path) -> subprocess.Popen:
    """Start in the background, in a process group of its own."""
    return subprocess.Popen(
        [*BENCH, *map(str, arguments)],
        cwd=cwd,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def environment() -> dict[str, str]:
    """This process's environment, with the checkout importable from any folder."""
    project = str(Path(__file__).resolve().parent.parent)
    return os.environ | {"PYTHONPATH": project}


def wait_for_lines(ledger: Path, count: int, process: subprocess.Popen) -> None:
    """Wait until a ledger has so many whole lines, or the process has ended."""
    while process.poll() is None:
        if ledger.exists() and ledger.read_bytes().count(b"\n") >= count:
            return
        time.sleep(0.02)


def comparable(run: Path) -> list[dict]:
    """A run's events without times, and without the notes of having been resumed."""
    events = read(run / "ledger.jsonl")
    return [timeless(event) for event in events if event["event"] != "run_resumed"]
