"""What a search does beside the ordinary: confirm, repeat, pause, run out of time."""

from collections import Counter
from dataclasses import replace

import pytest

from bench.ledger import read, timeless
from bench.spec import Choice, Report, Search, Space
from bench.tune.jobs import Failure
from tests.tune import virtual
from tests.tune.virtual import Killed, run, study

FEW = Space(optimizer=Choice("adamw", "sgd"), learning_rate=Choice(0.1, 0.01))


def trials_of(engine, name="task-a"):
    return engine.searches[name].state.trials


def comparable(folder):
    events = read(folder / "ledger.jsonl")
    return [timeless(event) for event in events if event["event"] != "run_resumed"]


# --- Confirmation ---------------------------------------------------------------------------

CONFIRM = {"effort_epochs": 60, "max_epochs": 4, "confirm": 3, "confirm_seeds": 2}


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("scheduler", ["asha", "asha_promote", "none"])
def test_the_best_are_trained_again_and_the_best_mean_wins(tmp_path, workers, scheduler):
    engine = run(tmp_path, [study("a", scheduler=scheduler, **CONFIRM)], workers=workers)
    state = engine.searches["task-a"].state
    fresh = [trial for trial in state.trials.values() if trial.origin == "confirm"]
    ranked = sorted(
        (trial for trial in state.trials.values() if trial.origin != "confirm" and trial.best()),
        key=lambda trial: (-trial.best()[0], trial.number),
    )
    best = [trial.number for trial in ranked[:3]]
    assert Counter(trial.of for trial in fresh) == dict.fromkeys(best, 2)
    assert len({trial.seed for trial in state.trials.values()}) == len(state.trials)
    assert {trial.epoch for trial in fresh} == {4} and not any(trial.rungs for trial in fresh)
    means = {n: sum(t.best()[0] for t in fresh if t.of == n) / 2 for n in best}
    assert state.winner == max(means, key=lambda number: means[number])
    assert "best mean of 2 fresh seeds among the 3 best" in state.why
    assert state.effort == 60, "confirmation is part of the effort"


def test_the_first_stage_leaves_confirmation_its_effort(tmp_path):
    engine = run(tmp_path, [study("a", scheduler="none", **CONFIRM)])
    search = sum(t.effort for t in trials_of(engine).values() if t.origin != "confirm")
    assert search == 60 - 3 * 2 * 4


def test_a_confirmation_that_fails_does_not_count_and_another_wins(tmp_path):
    def failing(job, epoch):
        fresh = job.kind == "search" and job.number >= 9 and job.config == firsts[0]
        return (
            Failure(reason="diverged", epoch=epoch, error="NaN") if fresh and epoch == 2 else None
        )

    kind = CONFIRM | {"scheduler": "none"}
    whole = run(tmp_path / "whole", [study("a", **kind)])
    best = trials_of(whole)[whole.searches["task-a"].state.winner]
    firsts = [best.config]
    engine = run(tmp_path / "failing", [study("a", **kind)], failing=failing)
    state = engine.searches["task-a"].state
    assert state.state == "completed" and state.trials[state.winner].config != best.config


def test_effort_must_pay_for_confirmation():
    with pytest.raises(ValueError, match="one whole trial of max_epochs and 24 of confirmation"):
        Search(effort_epochs=20, max_epochs=4, confirm=3, confirm_seeds=2)


# --- Repeats --------------------------------------------------------------------------------


def few(**search):
    of = study("a", scheduler="none", max_epochs=2, sampler="random", **search)
    return replace(of, space=FEW.canonical(), pinned={}, enqueued=())


def test_a_configuration_is_trained_once_and_its_curve_told_again(tmp_path):
    engine = run(tmp_path, [few(effort_epochs=30)], space=FEW)
    state = engine.searches["task-a"].state
    trained = [t for t in state.trials.values() if t.origin != "repeat"]
    repeats = [t for t in state.trials.values() if t.origin == "repeat"]
    assert len(trained) == 4 and len({tuple(t.config.items()) for t in trained}) == 4
    assert repeats and all(t.state == "repeated" and not t.reports for t in repeats)
    assert all(state.trials[t.of].config == t.config for t in repeats)
    assert state.state == "completed" and state.effort == 8, "nothing new: the search is over"


def test_repeats_are_told_to_the_sampler_as_what_they_repeat(tmp_path):
    engine = run(tmp_path, [few(effort_epochs=30)], space=FEW)
    search = engine.searches["task-a"]
    told = search._sampler._mirror.trials
    for trial in search.state.trials.values():
        if trial.origin == "repeat":
            assert told[trial.number].value == pytest.approx(told[trial.of].value)


def test_with_repeats_a_killed_run_is_the_unbroken_one(tmp_path):
    studies = [few(effort_epochs=12, seeds=1)]
    run(tmp_path / "whole", studies, space=FEW)
    whole = comparable(tmp_path / "whole")
    lines = (tmp_path / "whole" / "ledger.jsonl").read_bytes().splitlines(keepends=True)
    for cut in range(1, len(lines), 3):
        broken = tmp_path / f"cut-{cut}"
        broken.mkdir()
        (broken / "ledger.jsonl").write_bytes(b"".join(lines[:cut]))
        run(broken, studies, space=FEW)
        assert comparable(broken) == whole, f"cut after line {cut}"


# --- Reports that cannot be ruled on --------------------------------------------------------


def test_a_report_without_a_score_fails_its_trial_and_not_the_run(tmp_path, monkeypatch):
    honest = virtual.messages

    def messages(job, of, failing):
        for message in honest(job, of, failing):
            if isinstance(message, Report) and job.kind == "search" and job.number == 1:
                message = replace(message, score=None)
            yield message

    monkeypatch.setattr(virtual, "messages", messages)
    engine = run(tmp_path, [study("a")])
    trial = trials_of(engine)[1]
    assert (trial.state, trial.reason) == ("failed", "no_score")
    assert "without a validation score" in trial.error
    assert engine.searches["task-a"].state.state == "completed"


# --- Pauses ---------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("scheduler", ["asha", "asha_promote"])
def test_when_the_time_is_up_nothing_begins_and_it_is_gone_on_with(tmp_path, workers, scheduler):
    studies = [study("a", scheduler=scheduler, seeds=2), study("b", scheduler=scheduler, seeds=2)]
    run(tmp_path / "whole", studies, workers=workers)
    looks = iter(range(10_000))
    engine = run(tmp_path / "paused", studies, workers=workers, expired=lambda: next(looks) > 60)
    assert "time" in engine.paused and engine.ledger.state.finished is None
    again = run(tmp_path / "paused", studies, workers=workers)
    assert again.paused is None and again.outcome() == "completed"
    if workers == 1:
        assert comparable(tmp_path / "paused") == comparable(tmp_path / "whole")
    assert all(search.state.effort == 30 for search in again.searches.values())


def test_a_full_disk_pauses_the_run_and_blames_no_trial(tmp_path):
    full = [True]

    def failing(job, epoch):
        if job.kind == "search" and epoch == 2 and full[0]:
            return Failure(reason="storage", epoch=epoch, error="/data: no space left on device")
        return None

    studies = [study("a", scheduler="none")]
    engine = run(tmp_path, studies, failing=failing)
    assert engine.paused == "/data: no space left on device"
    assert {trial.state for trial in trials_of(engine).values()} == {"running"}
    full[0] = False
    engine = run(tmp_path, studies, failing=failing)
    assert engine.paused is None
    assert not any(trial.state == "failed" for trial in trials_of(engine).values())


# --- Effort in seconds ----------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 4])
def test_an_effort_in_charged_seconds_ends_with_the_report_that_reaches_it(tmp_path, workers):
    engine = run(tmp_path, [study("a", effort_seconds=25.0, scheduler="none")], workers=workers)
    spent = engine.searches["task-a"].state.charged_seconds
    assert 25 <= spent <= 25 + workers - 1, "each epoch is one second"
    assert engine.searches["task-a"].state.state == "completed"


def test_an_effort_in_seconds_survives_a_kill(tmp_path):
    studies = [study("a", effort_seconds=14.0, seeds=1, scheduler="asha_promote")]
    run(tmp_path / "whole", studies)
    for kill in range(1, 20):
        folder = tmp_path / str(kill)
        with pytest.raises(Killed):
            run(folder, studies, steps=kill)
        run(folder, studies)
        assert comparable(folder) == comparable(tmp_path / "whole"), f"killed after {kill}"


@pytest.mark.parametrize("scheduler", ["asha", "asha_promote", "hyperband", "median"])
def test_rungs_in_charged_seconds(tmp_path, scheduler):
    kind = {"scheduler": scheduler, "grace_seconds": 1.5, "effort_epochs": 60}
    engine = run(tmp_path, [study("a", **kind)], workers=3)
    state = engine.searches["task-a"].state
    ruled = {rung for trial in state.trials.values() for rung in trial.rungs}
    if scheduler != "median":
        assert ruled and ruled <= {1.5, 4.5, 13.5}
    assert state.effort == 60
