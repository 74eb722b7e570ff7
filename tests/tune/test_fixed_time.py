"""Trainings under a time budget: after all others, alone, in random order."""

from dataclasses import replace

import pytest

from bench.ledger import read, timeless
from bench.spec import Search
from bench.tune.engine import Engine
from tests.tune.virtual import Killed, run, study

BUDGET = Search(max_epochs=3, max_seconds=3.0, effort_seconds=9.0, scheduler="none")


def timed(name):
    of = study(name, seeds=2)
    return replace(of, id=f"timed-{name}", search=BUDGET, time_budget_s=3.0)


@pytest.fixture
def company(monkeypatch):
    """How many jobs were in flight with each timed one, itself included."""
    found = []
    honest = Engine.next_job

    def next_job(engine):
        job = honest(engine)
        if any("timed" in key[1] for key in engine._in_flight):
            found.append(len(engine._in_flight))
        return job

    monkeypatch.setattr(Engine, "next_job", next_job)
    return found


def test_each_has_the_machine_to_itself_after_all_others(tmp_path, company):
    run(tmp_path, [study("a"), timed("b"), timed("c")], workers=4)
    assert company and set(company) == {1}
    owners = [
        event["study"]
        for event in read(tmp_path / "ledger.jsonl")
        if "started" in event["event"] and event["event"] != "run_started"
    ]
    first = next(n for n, owner in enumerate(owners) if "timed" in owner)
    assert "task-a" not in owners[first:]
    of_timed = owners[first:]
    assert of_timed not in (sorted(of_timed), sorted(of_timed, reverse=True)), "the order is mixed"


def test_where_each_training_has_a_device_they_run_side_by_side(tmp_path, company, monkeypatch):
    honest = Engine.__init__

    def with_devices(engine, *args, **more):
        honest(engine, *args, **more)
        engine.alone = False

    monkeypatch.setattr(Engine, "__init__", with_devices)
    run(tmp_path, [timed("b"), timed("c")], workers=4)
    assert max(company) > 1


def test_killed_and_resumed_is_the_unbroken_run(tmp_path):
    studies = [study("a", seeds=1, effort_epochs=12), timed("b")]
    run(tmp_path / "whole", studies)

    def comparable(folder):
        events = read(folder / "ledger.jsonl")
        return [timeless(event) for event in events if event["event"] != "run_resumed"]

    for kill in range(1, 40, 4):
        folder = tmp_path / str(kill)
        with pytest.raises(Killed):
            run(folder, studies, steps=kill)
        run(folder, studies)
        assert comparable(folder) == comparable(tmp_path / "whole"), f"killed after {kill}"
