"""Trials in MLflow: one run each, over kills, outages and runs of one name; without a server."""

import json
import subprocess
import sys
import time
from datetime import datetime

import pytest

from bench.errors import UserError
from bench.ledger import read
from bench.runs import RunFolder
from bench.tune import logs
from tests.tune import fake_mlflow
from tests.tune.test_logs import expected, play, run_file
from tests.tune.virtual import Killed, study

HERE = "http://127.0.0.1:5000"


@pytest.fixture
def servers(monkeypatch):
    return fake_mlflow.install(monkeypatch)


def scores(server):
    """By the ledger's id of a trial, its scores by step; no step may come twice."""
    found = {}
    for run in server.runs:
        points = [metric for metric in run.metrics if metric.key == "score"]
        assert len({point.step for point in points}) == len(points), run.tags
        assert run.tags["ledger_id"] not in found
        found[run.tags["ledger_id"]] = {point.step: point.value for point in points}
    return {name: points for name, points in found.items() if points}


@pytest.mark.parametrize("scheduler", ["asha", "asha_promote"])
def test_killed_anywhere_each_trial_is_one_run_with_each_epoch_once(tmp_path, servers, scheduler):
    studies = [study("a", seeds=1, effort_epochs=14, scheduler=scheduler)]
    for kill in (1, 4, 9, 15, 19):
        folder, uri = tmp_path / str(kill), f"{HERE}/{kill}"
        with pytest.raises(Killed):
            play(folder, studies, [f"mlflow={uri}"], steps=kill)
        # What the dead driver had not noted down is taken again.
        path = folder / logs.PROGRESS
        path.write_text(json.dumps({"id": json.loads(path.read_text())["id"]}))
        play(folder, studies, [f"mlflow={uri}"])
        assert scores(servers[uri]) == expected(folder)
        ended = {
            e["trial"]: e for e in read(folder / "ledger.jsonl") if e["event"] == "trial_finished"
        }
        for run in servers[uri].runs:
            assert run.params["optimizer"] in ("adamw", "sgd")
            assert run.status == "FINISHED"
            if run.tags["kind"] == "trial":
                assert run.tags["state"] == ended[int(run.tags["number"])]["state"]


def test_times_are_those_of_the_ledger(tmp_path, servers):
    play(tmp_path, [study("a", seeds=1)], [f"mlflow={HERE}"])
    events = [e for e in read(tmp_path / "ledger.jsonl") if e.get("trial") == 0]
    at = {e["event"]: datetime.fromisoformat(e["t"]).timestamp() * 1000 for e in events}
    run = next(run for run in servers[HERE].runs if run.tags["ledger_id"] == "task-a/trial-0")
    assert run.times == pytest.approx([at["trial_started"], at["trial_finished"]], abs=1)


def wait_for(condition, log, close=logs.Observer.close):
    for _ in range(6000):
        if condition():
            break
        time.sleep(0.01)
    close(log)


def test_an_epoch_is_one_request(tmp_path, servers):
    play(tmp_path, [study("a", seeds=1)], [f"mlflow={HERE}"])
    events = [event for event in read(tmp_path / "ledger.jsonl") if "study" in event]
    reports = [event for event in events if event["event"].endswith("_reported")]
    assert servers[HERE].requests <= len(reports) + 6 * len(servers[HERE].runs) + 3


def test_a_new_run_of_a_name_that_was_used_has_runs_of_its_own(tmp_path, servers):
    for parent in "12":
        folder = tmp_path / parent / "first"
        play(folder, [study("a", seeds=1)], [f"mlflow={HERE}"])
    keys = [run.tags["run_key"] for run in servers[HERE].runs]
    assert len(set(keys)) == 2 and keys == sorted(keys, key=keys.index)
    assert keys.count(keys[0]) == keys.count(keys[-1])
    assert len(servers[HERE].experiments) == 1


def test_two_servers_get_all_each(tmp_path, servers):
    there = "http://127.0.0.1:5001"
    play(tmp_path, [study("a", seeds=1)], [f"mlflow={HERE}", f"mlflow={there}"])
    assert scores(servers[HERE]) == scores(servers[there]) == expected(tmp_path)


def test_a_server_that_was_away_gets_all_once_it_is_back(tmp_path, servers, monkeypatch):
    monkeypatch.setattr(logs, "AGAIN_S", 0.01)
    said, tried = [], []
    whole = logs.MlflowBook.take

    def take(book, event):
        if event["event"] == "trial_started" and event["trial"] == 2:
            tried.append(event)
            servers[HERE].down = len(tried) < 4
        whole(book, event)

    monkeypatch.setattr(logs.MlflowBook, "take", take)
    with pytest.MonkeyPatch.context() as patch:
        # The run's end would cut the tries short.
        patch.setattr(logs.Observer, "close", lambda log: wait_for(lambda: len(tried) >= 4, log))
        engine = play(tmp_path, [study("a", seeds=1)], [f"mlflow={HERE}"], said=said)
    assert engine.outcome() == "completed"
    assert len(said) == 1 and "Connection refused" in said[0]
    assert scores(servers[HERE]) == expected(tmp_path)


def test_a_server_that_stays_away_is_said_once_and_the_next_resume_logs_the_rest(tmp_path, servers):
    studies, said = [study("a", seeds=1)], []
    with pytest.raises(Killed):
        play(tmp_path, studies, [f"mlflow={HERE}"], steps=5)
    before = sum(len(run.metrics) for run in servers[HERE].runs)
    for _ in range(2):
        observer, *_ = logs.observers(
            [f"mlflow={HERE}"], run_file(studies), RunFolder(tmp_path), say=said.append
        )
        servers[HERE].down = True
        observer({**read(tmp_path / "ledger.jsonl")[-1]})
        observer.close()
        servers[HERE].down = False
    assert len(said) == 2 and all("the run goes on" in line for line in said)
    assert sum(len(run.metrics) for run in servers[HERE].runs) == before
    play(tmp_path, studies, [f"mlflow={HERE}"])
    assert scores(servers[HERE]) == expected(tmp_path)


def test_no_server_at_the_start_is_one_line(tmp_path, servers):
    servers[HERE] = fake_mlflow.Server()
    servers[HERE].down = True
    with pytest.raises(UserError, match=f"{HERE} cannot be written to: Connection refused"):
        logs.observers([f"mlflow={HERE}"], run_file([]), RunFolder(tmp_path))


def test_a_deleted_experiment_is_said_at_the_start(tmp_path, servers):
    logs.observers([f"mlflow={HERE}"], run_file([]), RunFolder(tmp_path))
    servers[HERE].experiments[tmp_path.name].lifecycle_stage = "deleted"
    with pytest.raises(UserError, match="was deleted: restore it"):
        logs.observers([f"mlflow={HERE}"], run_file([]), RunFolder(tmp_path))


def test_to_open_a_log_does_not_import_ray(tmp_path):
    program = f"""
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
import pytest
from bench.runs import RunFolder
from bench.tune import logs
from tests.tune import fake_mlflow
fake_mlflow.install(pytest.MonkeyPatch())
run = SimpleNamespace(studies=(), phantom=False)
found = logs.observers(["tensorboard", "mlflow=x"], run, RunFolder(Path({str(tmp_path)!r})))
for observer in found:
    observer({{"event": "study_finished", "study": "a"}})
assert "ray" not in sys.modules
assert not [one.name for one in threading.enumerate() if one.name.startswith("--log")]
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
