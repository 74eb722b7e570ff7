"""The report of a run that goes on, renewed beside it."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from bench.refresh import RENEWED, Refresher, still
from tests.commands import environment
from tests.results.synthetic import PAIR, write_run

PROJECT = Path(__file__).resolve().parent.parent


def wait_until(true, seconds=30):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)


def script(text):
    return [sys.executable, "-c", text]


def process_of(refresher):
    """Once it has one. The tests' own process may have other children, of tests before."""
    wait_until(lambda: refresher._process is not None)
    return psutil.Process(refresher._process.pid)


def noting(log, then=""):
    """A command that notes its begin and its end."""
    return script(
        f"import time\nwith open({str(log)!r}, 'a') as f:\n"
        f"    print('begin', file=f, flush=True)\n    time.sleep(0.05)\n    {then or 'pass'}\n"
        "    print('end', file=f, flush=True)"
    )


def test_it_is_begun_again_and_again_and_never_twice_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr("bench.refresh.SHARE", 0)
    log = tmp_path / "log"
    with Refresher(tmp_path, command=noting(log), every=0.01):
        wait_until(lambda: log.exists() and log.read_text().count("end") >= 3)
    lines = log.read_text().split()
    assert lines[:6] == ["begin", "end"] * 3
    time.sleep(0.2)
    assert log.read_text().split() == lines


def test_what_takes_long_is_done_seldom(tmp_path, monkeypatch):
    pauses = []
    refresher = Refresher(tmp_path, command=script("import time; time.sleep(0.3)"), every=0.01)

    def wait(pause):
        pauses.append(pause)
        return len(pauses) == 3

    monkeypatch.setattr(refresher._ended, "wait", wait)
    refresher._renew()
    assert pauses[0] == 0.01 and pauses[1] > 3 and pauses[2] > 3


def test_a_run_does_not_wait_for_it(tmp_path):
    log = tmp_path / "log"
    with Refresher(tmp_path, command=noting(log, "time.sleep(600)"), every=0.01) as refresher:
        wait_until(log.exists)
        child = process_of(refresher)
    assert not child.is_running()


def test_one_that_will_not_end_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr("bench.refresh.GRACE_SECONDS", 0.2)
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    log = tmp_path / "log"
    with Refresher(tmp_path, command=noting(log, f"{deaf}"), every=0.01) as refresher:
        wait_until(lambda: log.exists() and log.read_text())
        time.sleep(0.3)
        child = process_of(refresher)
    assert not child.is_running()


@pytest.mark.parametrize("command", [script("raise SystemExit(3)"), ["/no/such/program"]])
def test_a_run_does_not_fail_by_it(tmp_path, monkeypatch, command):
    monkeypatch.setattr("bench.refresh.SHARE", 0)
    with Refresher(tmp_path, command=command, every=0.01) as refresher:
        time.sleep(0.3)
        assert refresher._thread.is_alive()


def test_nothing_is_started_in_a_short_run(tmp_path):
    with Refresher(tmp_path, command=noting(tmp_path / "log")):
        pass
    assert not (tmp_path / "log").exists()


def test_it_renews_the_page_at_low_priority_and_settles_it_at_the_end(tmp_path):
    run = write_run(tmp_path / "run", PAIR, trials=3, finish=False)
    page = run / "report.html"
    with Refresher(run, every=0.01) as refresher:
        child = process_of(refresher)
        wait_until(lambda: child.nice() == 19)
        wait_until(page.exists)
        assert 'http-equiv="refresh"' in page.read_text()
    text = page.read_text()
    assert 'http-equiv="refresh"' not in text and "renews itself" not in text
    assert "This run is not finished" in text and not child.is_running()


DRIVER = """
import sys, time
from pathlib import Path
from bench.refresh import Refresher
try:
    with Refresher(Path(sys.argv[1]), every=0.01):
        time.sleep(600)
except KeyboardInterrupt:
    pass
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_it_ends_with_the_driver(tmp_path, how):
    run = write_run(tmp_path / "run", PAIR, trials=3, finish=False)
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(run)],
        env=environment(),
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        wait_until(lambda: psutil.Process(driver.pid).children())
        (child,) = psutil.Process(driver.pid).children()
        wait_until(lambda: child.nice() == 19)
        time.sleep(0.5)  # amid its imports, or already at work
        driver.send_signal(how)
        driver.wait(20)
        wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, 10)
    finally:
        driver.kill()
    assert [p.name for p in run.rglob(".*")] == []


def test_a_page_is_settled_whole_or_not_at_all(tmp_path):
    page = tmp_path / "report.html"
    still(page)
    assert not page.exists()
    page.write_text("a<!--renewed-->b<!--/renewed-->\nc<!--renewed-->\nd<!--/renewed-->e")
    still(page)
    assert page.read_text() == "ace" and list(tmp_path.iterdir()) == [page]
    assert RENEWED.sub(b"", b"&lt;!--renewed--&gt;x") == b"&lt;!--renewed--&gt;x"
