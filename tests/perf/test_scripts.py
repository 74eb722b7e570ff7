"""The speed scripts run, at sizes at which their figures mean nothing."""

import importlib
import subprocess
import sys
import time

import pytest

from bench.ledger import Ledger
from results.load import load_run
from tests.perf import __main__ as every
from tests.perf import figures, report, sleeping, start_up, ten_thousand


def run(monkeypatch, tmp_path, name, *arguments):
    """The figures of a script that is called with these arguments."""
    path = tmp_path / "figures.json"
    monkeypatch.setattr(sys, "argv", [name, "--repeats", "1", "--json", str(path), *arguments])
    importlib.import_module(f"tests.perf.{name}").main()
    return figures.read(path)


def test_every_script_has_the_options_that_the_table_gives():
    for name in every.SCRIPTS:
        assert callable(importlib.import_module(f"tests.perf.{name}").main), name
    assert set(every.LEFT_OUT) < set(every.SCRIPTS)


def test_a_name_that_is_no_script_is_refused(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["tests.perf", "overheat"])
    with pytest.raises(SystemExit) as ended:
        every.main()
    assert ended.value.code == 2
    assert "overheat" in capsys.readouterr().err


def test_the_table_says_what_is_left_out_and_what_failed(monkeypatch, capsys):
    called = []

    def ran(command, **_):
        name = command[2].removeprefix("tests.perf.")
        called.append((name, "--short" in command))
        found = figures.against_limit(name, "s", [1.0], 2.0, label="ours")
        figures.finish([found], every.Path(command[4]))
        return subprocess.CompletedProcess(command, int(name == "replay"))

    monkeypatch.setattr(every.subprocess, "run", ran)
    monkeypatch.setattr(sys, "argv", ["tests.perf", "--short"])
    assert every.main() == 1
    out = capsys.readouterr().out
    assert called == [(name, True) for name in every.SCRIPTS if name not in every.LEFT_OUT]
    assert "replay failed, exit code 1" in out
    assert all(f"{name} is left out: {why}" in out for name, why in every.LEFT_OUT.items())

    monkeypatch.setattr(sys, "argv", ["tests.perf", "--short", "makespan"])
    assert every.main() == 0  # one that is named is run
    assert called[-1] == ("makespan", True)


def test_start_up(monkeypatch, tmp_path):
    found = run(monkeypatch, tmp_path, "start_up")
    assert [one.what for one in found] == [name for name in start_up.COMMANDS if "bench" in name]
    assert all(0 < one.ours.median < 60 for one in found)


def test_the_large_run_of_the_report_can_be_read(tmp_path):
    report.write(tmp_path / "large", trials=40, epochs=5)
    studies = load_run(tmp_path / "large").state.studies.values()
    assert [len(study.trials) for study in studies] == [10] * 4
    assert all(len(study.trials[9].reports) == 5 for study in studies)
    assert all(study.state == "completed" for study in studies)


@pytest.mark.slow
def test_report(monkeypatch, tmp_path):
    found = run(monkeypatch, tmp_path, "report", "--trials", "40", "--epochs", "5")
    assert [one.unit for one in found] == ["s", "GiB", "MB"]
    assert all(one.ours.median > 0 for one in found)


def test_a_filled_ledger_is_gone_on_with(tmp_path):
    """Of ten_thousand: half-way, with trials at rest, and what it leaves is the engine's to do."""
    studies = ten_thousand.studies(2, 30)
    path = tmp_path / "ledger.jsonl"
    ten_thousand.fill(path, studies, 40, workers=4)
    with Ledger(path) as ledger:
        trials = [
            trial for study in ledger.state.studies.values() for trial in study.trials.values()
        ]
        assert len(trials) == 40
        assert any(trial.resting_at is not None for trial in trials)
        assert any(trial.state == "completed" for trial in trials)
        engine = sleeping.engine(studies, ledger, on_event=lambda event: None)
        assert engine.next_job() is not None


def test_the_share_of_the_workers_time_counts_epochs_between_two_moments(monkeypatch):
    watch = sleeping.Watch(workers=2)
    for now, worker in ((2.0, 1), (3.0, 2), (5.0, 1), (6.0, 2)):
        monkeypatch.setattr(time, "perf_counter", lambda now=now: now)
        metrics = {"worker": worker}
        watch({"event": "trial_reported", "charged_seconds": 2.0, "metrics": metrics})
    assert watch.up == 3.0
    assert watch.share(3.0, 6.0) == pytest.approx((0 + 0 + 2 + 2) / 6)
    assert watch.share_once_up() == pytest.approx(4 / 6)
    assert watch.share(2.5, 4.5) == pytest.approx((0 + 0.5 + 1.5 + 0.5) / 4)
    assert watch.work == 8


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("replay", ("--short",)),
        ("training_throughput", ("--updates", "2", "--size", "32")),
        ("text_throughput", ("--updates", "2")),
        ("loading", ("--batches", "2", "--batch-size", "4", "--size", "32")),
        ("preparation", ("--volumes", "3", "--shape", "32,32,12", "--size", "32")),
        ("makespan", ("--workers", "2", "--epoch-seconds", "0.01", "--effort", "12")),
    ],
)
def test_the_others(monkeypatch, tmp_path, name, arguments):
    found = run(monkeypatch, tmp_path, name, *arguments)
    assert found and all(one.ratio > 0 for one in found)
