"""The `bench` command as a user starts it, in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

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
    """Start in the background, in a process group of its own, and open to Ctrl-C: a shell that
    starts the tests in its own background has them ignore it."""
    return subprocess.Popen(
        [*BENCH, *map(str, arguments)],
        cwd=cwd,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
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
        time.sleep(0.005)


BREAKS = ("run_resumed", "run_paused")
"""Events that a broken run has, and an unbroken one has not."""


def comparable(run: Path) -> list[dict]:
    """A run's events without times, and without the notes of having been resumed."""
    events = read(run / "ledger.jsonl")
    return [timeless(event) for event in events if event["event"] not in BREAKS]


AGENTS = ("ray::DashboardAgent", "ray::RuntimeEnvAgent")
"""Ray's own. Where a node's other processes were killed they try for a minute to report that to the
store that is gone as well, and then leave: no option of Ray's shortens it."""
_SESSION = re.compile(r"session_\d{4}-\d\d-\d\d_[\d_-]+")


def below(process: subprocess.Popen) -> list[psutil.Process]:
    """All processes that a running command has started, and those that they have."""
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def workers_of(process: subprocess.Popen) -> list[psutil.Process]:
    """The worker processes of a running command, those that are starting up left out."""
    titles = ("ray::ResourceTrainable", "ray::RunWorker")
    found = [one for one in below(process) if _title(one).startswith(titles)]
    return sorted(found, key=lambda one: one.pid)


def sessions(processes: Iterable[psutil.Process]) -> set[str]:
    """The names of the Ray sessions that these processes belong to: those of their folders."""
    return {name for one in processes for name in _SESSION.findall(_title(one))}


def left_behind(
    processes: Iterable[psutil.Process], *, seconds: float = 20, agents: bool = False
) -> list[str]:
    """What is still alive of these processes and of their Ray sessions after so many seconds.

    processes: as `below` found them before the kill. agents: Ray's two are asked for too.
    """
    known = set(processes)
    folders = tuple(f"{folder}/" for folder in sessions(known))
    end = time.monotonic() + seconds
    while True:
        left = [
            one
            for one in known | _mentioning(folders)
            if _alive(one) and (agents or not _title(one).startswith(AGENTS))
        ]
        if not left or time.monotonic() >= end:
            return [f"{one.pid} {_title(one)}" for one in left]
        time.sleep(0.1)


def _mentioning(folders: tuple[str, ...]) -> set[psutil.Process]:
    """All processes that name one of these folders, or work in it."""
    return {
        one
        for one in psutil.process_iter()
        if any(folder in f"{_title(one)} {_folder(one)}/" for folder in folders)
    }


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline()).strip()
    except psutil.Error:
        return ""


def _folder(process: psutil.Process) -> str:
    try:
        return process.cwd()
    except psutil.Error:
        return ""


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
