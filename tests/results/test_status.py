"""How far a run is: while it goes on, after it was killed, and at its end."""

import json
import shutil
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from bench.errors import UserError
from bench.ledger import Ledger
from bench.ledger.follow import Follower, is_held
from results.status import Watch
from results.status_screen import rendered
from tests.results.synthetic import CAST


def shown(status, width=80):
    console = Console(width=width, highlight=False)
    with console.capture() as capture:
        console.print(rendered(status, run="runs/x"))
    return capture.get()


def test_a_finished_run(make_run):
    run = make_run()
    status = Watch(run).look()
    assert status.state == "completed" and not status.held
    assert status.phantom and status.left_seconds is None
    study = status.studies[0]
    assert study.state == "completed" and study.best_trial == study.winner
    assert study.trials["completed"] + study.trials["stopped"] == 9
    assert sum(study.trials.values()) == 9
    assert (study.replicates, study.replicates_planned) == (3, 3)
    assert study.epochs_done == study.epochs_planned
    assert study.effort == 3 * 9 + 6 * 3 and study.effort_left == 0
    json.dumps(status.as_dict(), allow_nan=False)


def test_a_run_under_way_is_told_from_one_that_was_killed(make_run):
    run = make_run(finish=False)
    assert Watch(run).look().state == "interrupted"
    with Ledger(run / "ledger.jsonl") as ledger:
        watch = Watch(run)
        assert watch.look().state == "running"
        ledger.append("run_resumed")
        ledger.append("run_finished", state="completed")
        assert watch.look().state == "completed"
    assert Watch(run).look().resumes == 1


def test_looking_holds_no_lock_and_writes_nothing(make_run):
    run = make_run(finish=False)
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    watch = Watch(run)
    watch.look()
    with Ledger(run / "ledger.jsonl"):
        assert is_held(run / "ledger.jsonl")
        watch.look()
    assert not is_held(run / "ledger.jsonl")
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


def test_a_torn_line_is_left_until_it_is_whole(tmp_path):
    path = tmp_path / "ledger.jsonl"
    follower = Follower(path)
    assert list(follower.new()) == []
    line = b'{"v": 1, "t": "2026-11-21T10:00:00+00:00", "event": "run_resumed"}\n'
    path.write_bytes(line + line[:20])
    assert [event["event"] for event in follower.new()] == ["run_resumed"]
    assert list(follower.new()) == []
    path.write_bytes(line + line + line)
    assert len(list(follower.new())) == 2
    path.write_bytes(3 * line + b"garbage\n")
    with pytest.raises(UserError, match="line 4 is not a JSON object"):
        list(follower.new())


def test_rungs_and_resting_trials_are_counted(make_run):
    run = make_run(finish=False)
    key = {"study": "lits_cls-0"}
    began = {"config": {}, "seed": 1, "origin": "sampler", "sampler": {}}
    ended = {"state": "stopped", "reason": "", "epochs": 1, "error": None}
    rulings = {20: ["paused"], 21: ["paused", "promoted"], 22: ["stopped"], 23: ["paused"]}
    with Ledger(run / "ledger.jsonl") as ledger:
        for number, decisions in rulings.items():
            ledger.append("trial_started", **key, trial=number, **began)
            for decision in decisions:
                more = {"rung": 3.0, "score": 0.5, "decision": decision}
                ledger.append("trial_rung", **key, trial=number, **more)
        ledger.append("trial_finished", **key, trial=22, **ended)
        ledger.append("trial_finished", **key, trial=23, **ended)  # rested to the end
    study = Watch(run).look().studies[0]
    assert study.trials["resting"] == 1 and study.trials["running"] == 1
    (rung,) = study.rungs
    assert (rung.rung, rung.reached, rung.promoted, rung.paused, rung.stopped) == (3, 4, 1, 1, 2)


def test_time_left_is_what_is_planned_at_the_pace_of_the_last_session(make_run):
    run = make_run(finish=False)
    path = run / "ledger.jsonl"
    start = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    first = [e for e in lines if e.get("study") == "lits_cls-0" and "replicate" not in e]
    kept = [lines[0], *first[:4]]  # started; a trial started and two epochs of it reported
    kept = [kept[0]] + [e for e in kept if e["event"].startswith("trial")][:3]
    assert [e["event"] for e in kept[2:]] == ["trial_reported"] * 2
    for number, event in enumerate(kept):
        event["t"] = (start + timedelta(seconds=10 * number)).isoformat()
    path.write_text("".join(json.dumps(event) + "\n" for event in kept))
    status = Watch(run).look(start + timedelta(seconds=100))
    assert status.state == "interrupted" and status.seconds == 30
    assert status.pace == pytest.approx(2 / 30)
    whole = 2 * (54 + 3 * 9)  # two studies: effort of the search, and three replicates each
    assert status.left_seconds == pytest.approx((whole - 2) * 15)
    assert status.last_event_age_seconds == 70
    with Ledger(path):
        assert Watch(run).look(start + timedelta(seconds=100)).pace == pytest.approx(2 / 100)


@pytest.mark.parametrize("width", [80, 120])
def test_nothing_overflows(make_run, width):
    text = shown(Watch(make_run(CAST)).look(), width)
    assert max(map(len, text.splitlines())) <= width
    for row in ("PHANTOM", "running", "resting", "repeated", "effort", "FAILED"):
        assert row in text


def test_before_the_ledger_and_where_there_is_no_run(make_run, tmp_path):
    run = make_run()
    (run / "ledger.jsonl").unlink()
    assert Watch(run).look().state == "not begun"
    assert "not begun" in shown(Watch(run).look())
    shutil.rmtree(run)
    with pytest.raises(UserError, match="no run.json"):
        Watch(run).look()
