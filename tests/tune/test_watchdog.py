"""A process that is stuck ends itself, whatever holds it; one that gives signs of life does not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.tune.watchdog import Watchdog
from tests.tune.alarm import Alarm

ROOT = Path(__file__).parents[2]


def run(body: str) -> subprocess.CompletedProcess[str]:
    """A process that runs the body under a watchdog, and then says that it lives."""
    code = f"""
import time
from bench.tune.watchdog import Watchdog
dog = Watchdog()
{body}
print("lived")
"""
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120
    )


SPINS = """
with dog.over(0.5):
    while True:
        pass
"""
HOLDS = """
import ctypes
with dog.over(0.5):
    ctypes.PyDLL(None).sleep(60)  # does not give the interpreter's lock away
"""
AFTER_A_BEAT = """
with dog.over(0.5):
    dog.beat()
    time.sleep(60)
"""
AFTER_A_PAUSE = """
with dog.over(0.5):
    with dog.pause():
        time.sleep(0.6)
    time.sleep(60)
"""


@pytest.mark.parametrize(
    "body",
    [SPINS, HOLDS, AFTER_A_BEAT, AFTER_A_PAUSE],
    ids=["spins", "holds", "after a beat", "after a pause"],
)
def test_what_is_stuck_ends_and_says_where(body: str) -> None:
    done = run(body)
    assert (done.stdout, done.returncode) == ("", 1)
    assert "Timeout (0:00:00.5" in done.stderr and 'File "<string>", line' in done.stderr


BEATS = """
with dog.over(3):
    for _ in range(7):
        time.sleep(0.5)
        dog.beat()
"""


def test_signs_of_life_keep_it_going() -> None:
    done = run(BEATS)
    assert (done.stdout, done.returncode) == ("lived\n", 0), done.stderr


def test_it_watches_the_block_alone_and_not_its_pauses(alarm: Alarm) -> None:
    dog = Watchdog()
    dog.beat()
    assert alarm.set_to is None
    with dog.over(5):
        assert alarm.set_to == 5
        with dog.pause():
            assert alarm.set_to is None
        assert alarm.set_to == 5 and alarm.times == 2
        dog.beat()
        assert alarm.times == 3
    assert alarm.set_to is None
    dog.beat()
    with dog.pause():
        pass
    assert alarm.set_to is None


def test_a_block_that_fails_leaves_no_watch_behind(alarm: Alarm) -> None:
    with pytest.raises(ValueError), Watchdog().over(5):
        raise ValueError
    assert alarm.set_to is None


def test_without_a_limit_nothing_is_watched(alarm: Alarm) -> None:
    dog = Watchdog()
    with dog.over(None):
        dog.beat()
        with dog.pause():
            pass
        assert alarm.times == 0
