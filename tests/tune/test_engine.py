"""The engine's promises, on virtual workers: equal effort, nothing lost, nothing twice."""

from collections import Counter
from dataclasses import replace

import pytest

from bench.ledger import read, timeless
from bench.tune.engine import STALL_FIRST_S, STALL_FLOOR_S
from bench.tune.jobs import Failure
from tests.tune import virtual
from tests.tune.virtual import SPACE, Killed, messages, run, study


def comparable(folder):
    events = read(folder / "ledger.jsonl")
    return [timeless(event) for event in events if event["event"] != "run_resumed"]


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("scheduler", ["asha", "asha_promote", "hyperband", "median", "none"])
@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_every_study_spends_exactly_its_effort(tmp_path, workers, scheduler, sampler):
    studies = [study(n, scheduler=scheduler, sampler=sampler) for n in "abc"]
    engine = run(tmp_path, studies, workers=workers)
    for search in engine.searches.values():
        assert search.state.effort == 30
        assert len(search.state.replicates) == 3
        assert all(r.state == "completed" for r in search.state.replicates.values())


@pytest.mark.parametrize("workers", [1, 4])
def test_ledger_holds_nothing_twice_and_leaves_nothing_open(tmp_path, workers):
    run(tmp_path, [study("a"), study("b")], workers=workers)
    events = read(tmp_path / "ledger.jsonl")
    for kind, keys in {
        "trial_started": ("study", "trial"),
        "trial_reported": ("study", "trial", "epoch"),
        "trial_finished": ("study", "trial"),
        "replicate_started": ("study", "replicate"),
        "replicate_finished": ("study", "replicate"),
        "test_unsealed": ("study", "replicate"),
    }.items():
        counted = Counter(tuple(e[k] for k in keys) for e in events if e["event"] == kind)
        assert counted and max(counted.values()) == 1, kind
    started = {(e["study"], e["trial"]) for e in events if e["event"] == "trial_started"}
    ended = {(e["study"], e["trial"]) for e in events if e["event"] == "trial_finished"}
    assert started == ended


def test_same_seed_same_ledger(tmp_path):
    for name in "12":
        run(tmp_path / name, [study("a"), study("b")])
    assert comparable(tmp_path / "1") == comparable(tmp_path / "2")


@pytest.mark.parametrize("scheduler", ["asha", "asha_promote", "hyperband", "median"])
def test_killed_after_any_message_and_resumed_is_the_unbroken_run(tmp_path, scheduler):
    kind = {"seeds": 2, "effort_epochs": 16, "scheduler": scheduler, "max_epochs": 4}
    studies = [study("a", **kind), study("b", **kind)]
    run(tmp_path / "whole", studies)
    whole = comparable(tmp_path / "whole")
    steps = sum(e["event"].endswith(("reported", "trained", "replicate_finished")) for e in whole)
    for kill in range(1, steps):
        broken = tmp_path / f"killed-{kill}"
        with pytest.raises(Killed):
            run(broken, studies, steps=kill)
        run(broken, studies)
        assert comparable(broken) == whole, f"killed after message {kill}"


def test_killed_with_many_workers_spends_no_epoch_more(tmp_path):
    """Trials that were open, and stood at no epoch yet, keep their claim on the effort."""
    studies = [study("a", seeds=1, effort_epochs=14)]
    for kill in range(1, 20):
        folder = tmp_path / str(kill)
        with pytest.raises(Killed):
            run(folder, studies, workers=6, steps=kill)
        engine = run(folder, studies, workers=6)
        assert engine.searches["task-a"].state.effort == 14, f"killed after message {kill}"


def test_an_epoch_that_is_reported_twice_stands_in_the_ledger_once(tmp_path):
    """As by a worker that was cut off, was replaced, and then got through after all."""
    studies = [study("a", scheduler="none")]
    with pytest.raises(Killed):
        run(tmp_path, studies, steps=4)
    stale = lambda job, of, failing: messages(replace(job, known_epoch=0), of, failing)  # noqa: E731
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(virtual, "messages", stale)
        run(tmp_path, studies)
    seen = Counter(
        (e["trial"], e["epoch"])
        for e in read(tmp_path / "ledger.jsonl")
        if e["event"] == "trial_reported"
    )
    assert max(seen.values()) == 1 and (0, 4) in seen


@pytest.mark.parametrize(
    "search",
    [
        {"scheduler": "asha"},
        {"scheduler": "asha_promote"},
        {"scheduler": "median"},
        {"scheduler": "asha_promote", "confirm": 2, "confirm_seeds": 1},
    ],
)
def test_torn_at_any_line_and_resumed_is_the_unbroken_run(tmp_path, search):
    """A driver may also die between two lines that belong to one decision, or within a line."""
    studies = [study("a", seeds=2, effort_epochs=20, max_epochs=4, **search)]
    run(tmp_path / "whole", studies)
    whole = comparable(tmp_path / "whole")
    lines = (tmp_path / "whole" / "ledger.jsonl").read_bytes().splitlines(keepends=True)
    for cut in range(1, len(lines)):
        broken = tmp_path / f"cut-{cut}"
        broken.mkdir()
        torn = lines[cut][: len(lines[cut]) // 2]
        (broken / "ledger.jsonl").write_bytes(b"".join(lines[:cut]) + torn)
        run(broken, studies)
        assert comparable(broken) == whole, f"cut after line {cut}"


def test_test_split_is_opened_only_by_replicates_and_after_the_search(tmp_path):
    run(tmp_path, [study("a")], workers=4)
    names = [event["event"] for event in read(tmp_path / "ledger.jsonl")]
    assert names.index("test_unsealed") > names.index("study_finished")
    assert names.index("test_unsealed") > names.index("replicate_trained")
    assert names.count("test_unsealed") == 3


def test_asha_stops_trials_and_optuna_hears_the_truth(tmp_path):
    engine = run(tmp_path, [study("a", effort_epochs=60)])
    search = engine.searches["task-a"]
    states = Counter(trial.state for trial in search.state.trials.values())
    assert states["stopped"] > states["completed"] > 0
    mirrored = Counter(t.state.name for t in search._sampler._mirror.trials)
    assert mirrored == {"PRUNED": states["stopped"], "COMPLETE": states["completed"]}
    pruned = [t for t in search._sampler._mirror.trials if t.state.name == "PRUNED"]
    assert all(trial.intermediate_values for trial in pruned)


def test_diverged_trials_are_charged_and_ranked_last_by_the_sampler(tmp_path):
    def failing(job, epoch):
        if job.kind == "search" and job.number % 2 and epoch == 2:
            return Failure(reason="diverged", epoch=2, error="loss is nan")
        return None

    engine = run(tmp_path, [study("a", scheduler="none")], failing=failing)
    search = engine.searches["task-a"]
    failed = [trial for trial in search.state.trials.values() if trial.state == "failed"]
    assert failed and all(trial.effort == 2 and trial.reason == "diverged" for trial in failed)
    assert search.state.effort == 30
    assert search.state.winner not in {trial.number for trial in failed}
    mirrored = search._sampler._mirror.trials
    for trial in failed:
        assert mirrored[trial.number].state.name == "PRUNED"
        assert not mirrored[trial.number].intermediate_values


def test_a_study_whose_model_raises_ends_and_the_others_go_on(tmp_path):
    def failing(job, epoch):
        if job.study == "task-a":
            return Failure(reason="model_error", epoch=1, error="RuntimeError: shapes differ")
        return None

    engine = run(tmp_path, [study("a"), study("b")], failing=failing)
    assert engine.outcome() == "failed"
    broken, sound = engine.searches["task-a"].state, engine.searches["task-b"].state
    assert broken.state == "failed" and "shapes differ" in broken.why
    assert len(broken.trials) == 3 and not broken.replicates
    assert sound.state == "completed" and len(sound.replicates) == 3


def test_a_dead_worker_costs_a_retry_and_four_end_the_trial(tmp_path):
    engine = run(
        tmp_path, [study("a")], dying=lambda job, order: job.kind == "search" and job.number == 1
    )
    trial = engine.searches["task-a"].state.trials[1]
    assert (trial.retries, trial.state, trial.reason) == (3, "failed", "worker_died")
    assert engine.searches["task-a"].state.state == "completed"


def test_a_training_is_stuck_after_an_hour_without_an_update_or_many_of_its_epochs(tmp_path):
    jobs = []

    def seen(job, epoch):
        jobs.append(job)

    run(tmp_path, [study()], failing=seen)
    assert (jobs[0].stall_seconds, jobs[0].stall_of) == (STALL_FIRST_S, "update")
    later = [job for job in jobs if job.kind != "test" and job.number != jobs[0].number]
    assert later and {(job.stall_seconds, job.stall_of) for job in later} == {
        (STALL_FLOOR_S, "epoch")
    }


def test_the_defaults_are_tried_first_unless_the_suite_says_otherwise(tmp_path):
    engine = run(tmp_path / "1", [study("a")])
    first, second = (engine.searches["task-a"].state.trials[n] for n in (0, 1))
    assert first.config == SPACE.defaults() and first.origin == "enqueued"
    assert second.origin == "sampler"
    engine = run(tmp_path / "2", [study("a", enqueued=())])
    assert engine.searches["task-a"].state.trials[0].origin == "sampler"
    assert engine.searches["task-a"].state.trials[0].config != SPACE.defaults()


def test_settings_that_no_search_would_draw_are_tried_as_they_are(tmp_path):
    """A decay of 0 lies outside of the log range, the clipping is held: neither is lost."""
    published = SPACE.defaults() | {"decay": 0.0, "clip": "norm"}
    studies = [study("a", enqueued=(SPACE.defaults(), published))]
    engine = run(tmp_path, studies)
    trials = engine.searches["task-a"].state.trials
    assert [trials[n].origin for n in range(3)] == ["enqueued", "enqueued", "sampler"]
    assert trials[1].config == published
    assert {trials[n].config["clip"] for n in trials if n != 1} == {"none"}
    again = run(tmp_path, studies)
    assert again.searches["task-a"].state.trials == trials


def test_max_trials_caps_the_search(tmp_path):
    engine = run(tmp_path, [study("a", max_trials=4)])
    assert len(engine.searches["task-a"].state.trials) == 4
    assert engine.searches["task-a"].state.state == "completed"


def test_refit_on_both_splits_stops_where_the_winner_was_best(tmp_path):
    engine = run(tmp_path, [study("a", refit="train+validation")])
    state = engine.searches["task-a"].state
    best = state.trials[state.winner].best()
    assert {r.stop_epoch for r in state.replicates.values()} == {best[1]}
    assert {r.epoch for r in state.replicates.values()} == {best[1]}


def test_checkpoints_of_finished_trials_are_discarded(tmp_path):
    discarded = []
    engine = run(tmp_path, [study("a")], discarded=discarded)
    trials = engine.searches["task-a"].state.trials
    assert sorted(discarded) == sorted(f"task-a/trial-{number}" for number in trials)
