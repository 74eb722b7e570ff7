"""Runs whose driver or workers are killed at any moment, and gone on with."""

import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from bench.ledger import fold, read
from tests.commands import (
    below,
    bench,
    comparable,
    left_behind,
    start,
    wait_for_lines,
    workers_of,
)

SMOKE = ("run", "--suite", "smoke")
TINY = (*SMOKE, "--tasks", "lits_cls", "--entrants", "FCNN", "--set", "effort_epochs=8")
RETRIES = ("trial_retried", "replicate_retried")
"""What the death of a worker adds to a ledger, and all that it adds."""
ONCE = {
    "trial_started": ("study", "trial"),
    "trial_reported": ("study", "trial", "epoch"),
    "trial_finished": ("study", "trial"),
    "study_finished": ("study",),
    "replicate_started": ("study", "replicate"),
    "replicate_reported": ("study", "replicate", "epoch"),
    "replicate_trained": ("study", "replicate"),
    "test_unsealed": ("study", "replicate"),
    "replicate_finished": ("study", "replicate"),
    "run_finished": (),
}
AGENTS_SECONDS = 90


@pytest.fixture(scope="module")
def smoke(tmp_path_factory) -> Path:
    """An unbroken run of the whole suite with one worker."""
    return unbroken(tmp_path_factory.mktemp("smoke"), SMOKE)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    """An unbroken run of one study with one worker."""
    return unbroken(tmp_path_factory.mktemp("tiny"), TINY)


def unbroken(folder, command):
    done = bench(*command, "--workers", "1", "--run", "whole", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "whole"


# --- kills ---


def kill_drivers(command, folder, *, workers, kills, lines, seed):
    """Run it, with its driver killed so often, and gone on with each time; returns all processes
    that there were. Every fourth kill falls into the first seconds, wherever the ledger is."""
    moments = random.Random(seed)
    options = ("--workers", str(workers))
    ledger, seen = folder / "broken" / "ledger.jsonl", set()
    process = start(*command, *options, "--run", "broken", cwd=folder)
    for kill in range(1, kills + 1):
        if kill % 4 == 2:
            time.sleep(moments.uniform(0.5, 12))
        else:
            jitter = moments.randint(-2, 2)
            wait_for_lines(ledger, kill * lines // (kills + 1) + jitter, process)
            time.sleep(moments.uniform(0, 0.1))
        assert process.poll() is None, process.communicate()
        there = below(process)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert left_behind(there) == []
        seen.update(there)
        process = start("resume", "broken", *options, cwd=folder)
    end(process)
    return seen


def kill_workers(command, folder, *, workers, kills, lines, seed):
    """Run it, with one of its workers killed so often; returns all processes that there were."""
    moments = random.Random(seed)
    ledger, seen = folder / "broken" / "ledger.jsonl", set()
    process = start(*command, "--workers", str(workers), "--run", "broken", cwd=folder)
    for kill in range(1, kills + 1):
        jitter = moments.randint(-2, 2)
        wait_for_lines(ledger, kill * lines // (kills + 1) + jitter, process)
        time.sleep(moments.uniform(0, 0.1))
        while not (found := workers_of(process)) and process.poll() is None:
            time.sleep(0.005)
        assert process.poll() is None, process.communicate()
        victim = moments.choice(found)
        victim.kill()
        assert left_behind([victim]) == []
        seen.update(below(process))
    end(process)
    assert left_behind(seen) == []
    return seen


def end(process):
    out, errors = process.communicate(timeout=900)
    assert process.returncode == 0, errors
    assert out.strip().splitlines()[-1].endswith("report.html")


# --- what must be true afterwards ---


def equals(broken, whole, *, but=()):
    """One worker: one ledger, times aside."""
    assert [e for e in comparable(broken) if e["event"] not in but] == comparable(whole)


def nothing_lost_nothing_twice(broken, whole):
    """Any number of workers: the work of the unbroken run, once."""
    events = comparable(broken)
    for kind, keys in ONCE.items():
        seen = Counter(tuple(e[key] for key in keys) for e in events if e["event"] == kind)
        assert seen and max(seen.values()) == 1, f"{kind}: {seen.most_common(3)}"
    state, plan = fold(read(broken / "ledger.jsonl")), fold(read(whole / "ledger.jsonl"))
    assert set(state.studies) == set(plan.studies)
    for id, study in plan.studies.items():
        found = state.studies[id]
        assert (found.effort, found.state) == (study.effort, "completed")
        assert sorted(found.trials) == list(range(len(found.trials))), "a gap"
        assert all(trial.finished for trial in found.trials.values())
        assert sorted(found.replicates) == sorted(study.replicates)
        assert all(one.state == "completed" for one in found.replicates.values())
        for owner in (*found.trials.values(), *found.replicates.values()):
            assert sorted(owner.reports) == list(range(1, owner.epoch + 1)), "a gap"
        for one in found.replicates.values():
            assert (broken / one.predictions["file"]).is_file()


def retries(run):
    return sum(event["event"] in RETRIES for event in read(run / "ledger.jsonl"))


# --- the tests ---


def test_a_killed_driver_leaves_nobody_and_is_gone_on_with(tiny, tmp_path):
    lines = len(comparable(tiny))
    kill_drivers(TINY, tmp_path, workers=1, kills=1, lines=lines, seed=1)
    equals(tmp_path / "broken", tiny)
    nothing_lost_nothing_twice(tmp_path / "broken", tiny)


@pytest.mark.slow
def test_a_killed_worker_is_replaced_in_the_same_run(tiny, tmp_path):
    lines = len(comparable(tiny))
    kill_workers(TINY, tmp_path, workers=1, kills=1, lines=lines, seed=1)
    assert retries(tmp_path / "broken") == 1
    equals(tmp_path / "broken", tiny, but=RETRIES)
    nothing_lost_nothing_twice(tmp_path / "broken", tiny)


@pytest.mark.slow
@pytest.mark.parametrize(("kill", "workers"), [(kill_drivers, 1), (kill_workers, 2)])
def test_killed_at_five_random_moments(smoke, tmp_path, kill, workers):
    check(smoke, tmp_path, kill, workers, kills=5)


@pytest.mark.soak
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("kill", [kill_drivers, kill_workers])
def test_killed_at_twenty_random_moments(smoke, tmp_path, kill, workers):
    check(smoke, tmp_path, kill, workers, kills=20)


def check(smoke, folder, kill, workers, *, kills):
    lines = len(comparable(smoke))
    seen = kill(SMOKE, folder, workers=workers, kills=kills, lines=lines, seed=kills + workers)
    broken = folder / "broken"
    nothing_lost_nothing_twice(broken, smoke)
    if kill is kill_workers:
        assert 1 <= retries(broken) <= kills
    else:
        assert retries(broken) == 0
    if workers == 1:
        equals(broken, smoke, but=RETRIES)
    assert left_behind(seen, seconds=AGENTS_SECONDS, agents=True) == []


@pytest.mark.slow
def test_interrupted_with_ctrl_c_says_how_to_go_on_and_does(tmp_path):
    process = start(*SMOKE, "--tasks", "lits_cls", "--run", "broken", cwd=tmp_path)
    wait_for_lines(tmp_path / "broken" / "ledger.jsonl", 8, process)
    there = below(process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "bench resume broken" in errors and "Traceback" not in errors
    assert left_behind(there, agents=True) == []
    read(tmp_path / "broken" / "ledger.jsonl")  # whole
    done = bench("resume", "broken", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    again = bench("resume", "broken", cwd=tmp_path)
    assert again.returncode == 0
    assert fold(read(tmp_path / "broken" / "ledger.jsonl")).resumes == 1
