"""A run extended as a user does it: more effort, seeds and entrants, and a warm start from it."""

import json
import shutil

import pytest

from bench.ledger import fold, read
from tests.commands import bench, comparable

CHOSEN = ("--suite", "smoke", "--tasks", "lits_cls", "--workers", "1")
SHORT = ("--set", "effort_epochs=2", "--set", "max_epochs=1", "--seeds", "1")
MORE = ("--set", "effort_epochs=3", "--seeds", "2", "--entrants", "ConvMixer, tiny")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where a short run of one entrant lies, `run`, and one with more given to it, `more`."""
    folder = tmp_path_factory.mktemp("extended")
    done = bench("run", *CHOSEN, *SHORT, "--entrants", "FCNN", "--run", "run", cwd=folder)
    assert done.returncode == 0, done.stderr
    shutil.copytree(folder / "run", folder / "more")
    done = bench("resume", "more", *MORE, "--workers", "1", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "extended: seeds from 1 to 2; effort_epochs from 2 to 3" in done.stdout
    return folder


@pytest.mark.slow
def test_the_run_has_all_that_it_was_given(folder):
    state = fold(read(folder / "more" / "ledger.jsonl"))
    before = fold(read(folder / "run" / "ledger.jsonl"))
    (old,) = before.studies
    assert len(state.studies) == 2 and old in state.studies and len(state.extensions) == 1
    for study in state.studies.values():
        assert study.effort == 3 and len(study.replicates) == 2
        assert all(one.state == "completed" for one in study.replicates.values())
    was = comparable(folder / "run")
    assert comparable(folder / "more")[: len(was)] == was
    report = (folder / "more" / "report.html").read_text(encoding="utf-8")
    assert "after 1 opening of its test sets: seeds from 1 to 2" in report


@pytest.mark.slow
def test_killed_between_run_json_and_ledger_the_next_resume_goes_on(folder):
    shutil.copytree(folder / "run", folder / "killed")
    shutil.copy(folder / "more" / "run.json", folder / "killed" / "run.json")
    done = bench("resume", "killed", "--workers", "1", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert comparable(folder / "killed") == comparable(folder / "more")


@pytest.mark.slow
def test_less_is_refused_in_one_line_and_nothing_is_written(folder):
    text = (folder / "more" / "run.json").read_bytes()
    done = bench("resume", "more", "--seeds", "1", cwd=folder)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "seeds must be at least the 2 that it has, got 1" in done.stderr
    assert (folder / "more" / "run.json").read_bytes() == text


@pytest.mark.slow
def test_another_run_begins_with_its_best(folder):
    warm = ("--warm-start", "more", "--entrants", "FCNN", "--run", "warm")
    done = bench("run", *CHOSEN, "--set", "effort_epochs=4", "--set", "max_epochs=1", *warm,
                 "--seeds", "1", cwd=folder)  # fmt: skip
    assert done.returncode == 0, done.stderr
    record = json.loads((folder / "warm" / "run.json").read_text())
    (origins,) = record["warm_start"]["studies"].values()
    assert record["warm_start"]["run"] == "more" and origins
    (study,) = fold(read(folder / "warm" / "ledger.jsonl")).studies.values()
    for number, origin in enumerate(origins, 1):
        assert study.trials[number].config == origin["config"]
        assert study.trials[number].origin == "enqueued"
    assert "best configurations of run more" in (folder / "warm" / "report.html").read_text()
    done = bench("resume", "warm", "--entrants", "ConvMixer, tiny", "--workers", "1", cwd=folder)
    assert done.returncode == 0, done.stderr
    (entry,) = json.loads((folder / "warm" / "run.json").read_text())["extensions"]
    (origins,) = entry["warm_start"]["studies"].values()
    added = fold(read(folder / "warm" / "ledger.jsonl")).studies[entry["added"][0]]
    configs = [trial.config for trial in added.trials.values() if trial.origin == "enqueued"]
    assert origins and configs[-len(origins) :] == [origin["config"] for origin in origins]
    report = (folder / "warm" / "report.html").read_text()
    assert "each search of ConvMixer, tiny began with" in report
