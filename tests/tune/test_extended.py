"""A run that is given more to do, on virtual workers: what is there stays, nothing comes twice."""

from collections import Counter
from contextlib import suppress

import pytest

from bench.ledger import Ledger, fold, read, timeless
from tests.tune.virtual import Killed, run, study


def extend(folder, studies, *, reopened=()):
    """As a driver does that finds an extension in run.json and none in the ledger."""
    with Ledger(folder / "ledger.jsonl") as ledger:
        if not ledger.state.extensions:
            names = [one.id for one in studies]
            ledger.append("run_extended", number=0, studies=names, reopened=list(reopened))


def comparable(folder):
    return [timeless(event) for event in read(folder / "ledger.jsonl")]


def state_of(folder, name="task-a"):
    return fold(read(folder / "ledger.jsonl")).studies[name]


def twice(folder):
    """What stands in a ledger more than once and should not."""
    keys = {
        "trial_started": ("study", "trial"),
        "trial_reported": ("study", "trial", "epoch"),
        "trial_finished": ("study", "trial"),
        "replicate_started": ("study", "replicate"),
        "replicate_finished": ("study", "replicate"),
        "test_unsealed": ("study", "replicate"),
    }
    counted = Counter(
        (event["event"], *(event[key] for key in keys[event["event"]]))
        for event in read(folder / "ledger.jsonl")
        if event["event"] in keys
    )
    return [what for what, count in counted.items() if count > 1]


def without_gap(state):
    """Whether all that was begun has ended, under numbers without a gap."""
    numbers = sorted({**state.replicates, **state.superseded})
    return (
        sorted(state.trials) == list(range(len(state.trials)))
        and numbers == list(range(len(numbers)))
        and all(trial.state != "running" for trial in state.trials.values())
    )


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("scheduler", ["asha", "asha_promote", "none"])
def test_more_effort_goes_on_where_the_search_ended(tmp_path, scheduler, workers):
    before, after = ([study("a", scheduler=scheduler, effort_epochs=n)] for n in (30, 60))
    run(tmp_path, before, workers=workers)
    first = comparable(tmp_path)
    ended = state_of(tmp_path)
    extend(tmp_path, after, reopened=["task-a"])
    run(tmp_path, after, workers=workers)
    state = state_of(tmp_path)
    assert comparable(tmp_path)[: len(first)] == first
    assert ended.effort == 30 and state.effort == 60
    assert {n: state.trials[n].config for n in ended.trials} == {
        n: trial.config for n, trial in ended.trials.items()
    }
    assert len(state.trials) > len(ended.trials) and len(state.replicates) == 3
    assert twice(tmp_path) == [] and without_gap(state)


def test_the_first_trials_are_those_of_a_run_with_more_effort_from_the_start(tmp_path):
    """Up to the trial that the end of the first effort cut short."""
    before, after = ([study("a", scheduler="none", effort_epochs=n)] for n in (30, 60))
    run(tmp_path / "longer", after)
    run(tmp_path / "extended", before)
    extend(tmp_path / "extended", after, reopened=["task-a"])
    run(tmp_path / "extended", after)
    one, other = state_of(tmp_path / "longer"), state_of(tmp_path / "extended")
    whole = [n for n, trial in other.trials.items() if trial.reason == "max_epochs"]
    assert whole[:3] == [0, 1, 2]
    for number in (0, 1, 2):
        assert one.trials[number].config == other.trials[number].config
        assert one.trials[number].best() == other.trials[number].best()


def better_later(monkeypatch, since):
    """Trials from this number on score higher than those before, so that another one wins."""
    from tests.tune import virtual

    of_virtual = virtual.messages

    def messages(job, of, failing):
        for message in of_virtual(job, of, failing):
            if job.kind == "search" and hasattr(message, "score"):
                object.__setattr__(message, "score", message.score + (job.number >= since))
            yield message

    monkeypatch.setattr(virtual, "messages", messages)


def test_another_winner_has_replicates_of_its_own_under_new_numbers(tmp_path, monkeypatch):
    before, after = ([study("a", effort_epochs=n)] for n in (30, 60))
    run(tmp_path, before)
    first = state_of(tmp_path)
    better_later(monkeypatch, since=len(first.trials))
    extend(tmp_path, after, reopened=["task-a"])
    reopened = state_of(tmp_path)
    assert reopened.state == "running" and reopened.winner is None and not reopened.replicates
    run(tmp_path, after)
    state = state_of(tmp_path)
    assert state.winner >= len(first.trials)
    assert sorted(state.superseded) == [0, 1, 2] and sorted(state.replicates) == [3, 4, 5]
    winner = state.trials[state.winner]
    assert all(one.config == winner.config for one in state.replicates.values())
    assert all(one.config == first.trials[first.winner].config for one in state.superseded.values())
    seeds = [one.seed for one in {**state.superseded, **state.replicates}.values()]
    assert len(set(seeds)) == 6
    openings = fold(read(tmp_path / "ledger.jsonl")).unsealed
    assert [event["replicate"] for event in openings] == [0, 1, 2, 3, 4, 5]
    assert twice(tmp_path) == [] and without_gap(state)


def test_a_winner_that_stays_keeps_its_replicates(tmp_path, monkeypatch):
    before, after = ([study("a", effort_epochs=n)] for n in (30, 60))
    run(tmp_path, before)
    first = state_of(tmp_path)
    better_later(monkeypatch, since=10**6)
    from tests.tune import virtual

    monkeypatch.setattr(virtual, "curve", lambda config, seed, epoch: -1.0)  # nothing better comes
    extend(tmp_path, after, reopened=["task-a"])
    run(tmp_path, after)
    state = state_of(tmp_path)
    assert state.winner == first.winner and state.replicates == first.replicates
    assert not state.superseded and state.effort == 60


def test_more_seeds_only_add_replicates(tmp_path):
    before, after = ([study("a", seeds=n), study("b", seeds=n)] for n in (2, 5))
    run(tmp_path / "more", before)
    first = comparable(tmp_path / "more")
    extend(tmp_path / "more", after)
    run(tmp_path / "more", after)
    more = comparable(tmp_path / "more")
    assert more[: len(first)] == first
    kinds = {event["event"] for event in more[len(first) :]}
    assert not any(kind.startswith(("trial", "study")) for kind in kinds)
    run(tmp_path / "five", after)
    for name in ("task-a", "task-b"):
        five, state = state_of(tmp_path / "five", name), state_of(tmp_path / "more", name)
        seeds = [{n: r.seed for n, r in one.replicates.items()} for one in (five, state)]
        assert seeds[0] == seeds[1] and len(seeds[0]) == 5


def test_a_new_entrant_is_searched_beside_those_that_are_done(tmp_path):
    one, both = [study("a")], [study("a"), study("b")]
    run(tmp_path / "both", both)
    run(tmp_path / "later", one)
    done = state_of(tmp_path / "later")
    extend(tmp_path / "later", both)
    engine = run(tmp_path / "later", both)
    assert engine.searches["task-a"].state.trials == done.trials
    new, planned = (state_of(tmp_path / where, "task-b") for where in ("later", "both"))
    assert [t.config for t in new.trials.values()] == [t.config for t in planned.trials.values()]
    assert new.winner == planned.winner and len(new.replicates) == 3


@pytest.mark.parametrize("confirm", [0, 2])
def test_cut_at_any_line_of_the_extension_and_resumed_is_the_unbroken_run(
    tmp_path, confirm, monkeypatch
):
    """The driver may die before the extension stands in the ledger, and anywhere after it."""
    effort = 12 + 9 * confirm
    settings = {
        "scheduler": "asha_promote",
        "sampler": "random",
        "confirm": confirm,
        "confirm_seeds": 1,
        "seeds": 1,
    }
    before = [study("a", effort_epochs=effort, **settings)]
    grown = effort + 9 + 9 * confirm
    after = [
        study("a", effort_epochs=grown, **settings),
        study("b", effort_epochs=grown, **settings),
    ]
    whole = tmp_path / "whole"
    run(whole, before)
    trials = len(state_of(whole).trials)
    better_later(monkeypatch, since=trials)
    begun = len(comparable(whole))
    extend(whole, after, reopened=["task-a"])
    run(whole, after)
    assert twice(whole) == [] and bool(state_of(whole).superseded) == (not confirm)
    expected = comparable(whole)
    lines = (whole / "ledger.jsonl").read_bytes().splitlines(keepends=True)
    for cut in range(begun, len(lines)):
        broken = tmp_path / f"cut-{cut}"
        broken.mkdir()
        torn = lines[cut][: len(lines[cut]) // 2]
        (broken / "ledger.jsonl").write_bytes(b"".join(lines[:cut]) + torn)
        extend(broken, after, reopened=["task-a"])
        run(broken, after)
        assert comparable(broken) == expected, f"cut after line {cut}"


def test_killed_before_its_end_and_then_extended(tmp_path):
    """Trials that were open go on, under the whole effort; replicates wait for the new winner."""
    before, after = ([study("a", seeds=2, effort_epochs=n)] for n in (14, 28))
    for kill in range(1, 30, 2):
        folder = tmp_path / str(kill)
        with suppress(Killed):
            run(folder, before, workers=3, steps=kill)
        extend(folder, after, reopened=["task-a"])
        run(folder, after, workers=3)
        state = state_of(folder)
        assert state.effort == 28 and twice(folder) == [] and without_gap(state), kill
        assert len(state.replicates) == 2
        winner = state.trials[state.winner].config
        assert all(one.config == winner for one in state.replicates.values())
        assert all(one.state == "completed" for one in state.replicates.values())


def test_a_reopened_search_confirms_its_best_again_under_fresh_seeds(tmp_path):
    before, after = ([study("a", confirm=2, confirm_seeds=2, effort_epochs=n)] for n in (72, 144))
    run(tmp_path, before)
    first = state_of(tmp_path)
    extend(tmp_path, after, reopened=["task-a"])
    run(tmp_path, after)
    state = state_of(tmp_path)
    confirmed = [trial for trial in state.trials.values() if trial.origin == "confirm"]
    again = [trial for trial in confirmed if trial.number >= len(first.trials)]
    assert len(again) == 4 and len(confirmed) == 8
    assert len({trial.seed for trial in confirmed}) == 8
    searched = [n for n, t in state.trials.items() if t.origin == "sampler"]
    assert any(n >= len(first.trials) for n in searched), "the sampler goes on first"
    assert state.winner in {trial.of for trial in again}
    assert state.effort == 144


def test_a_sealed_run_stays_sealed(tmp_path):
    before, after = ([study("a", seeds=n)] for n in (2, 3))
    run(tmp_path, before, sealed=True)
    extend(tmp_path, after)
    run(tmp_path, after)
    state = fold(read(tmp_path / "ledger.jsonl"))
    assert state.sealed and not state.unsealed
    assert [one.untested for one in state.studies["task-a"].replicates.values()] == [True] * 3


def test_superseded_replicates_of_a_sealed_run_are_not_tested(tmp_path, monkeypatch):
    before, after = ([study("a", effort_epochs=n)] for n in (30, 60))
    run(tmp_path, before, sealed=True)
    better_later(monkeypatch, since=len(state_of(tmp_path).trials))
    extend(tmp_path, after, reopened=["task-a"])
    run(tmp_path, after)
    run(tmp_path, after, unseal=True)
    state = fold(read(tmp_path / "ledger.jsonl"))
    assert [event["replicate"] for event in state.unsealed] == [3, 4, 5]


def test_an_extension_that_is_known_changes_nothing(tmp_path):
    studies = [study("a")]
    run(tmp_path, studies)
    extend(tmp_path, studies, reopened=["task-a"])
    run(tmp_path, studies)
    events = read(tmp_path / "ledger.jsonl")
    state = fold(events)
    again = next(event for event in events if event["event"] == "run_extended")
    state.apply(again)
    assert state.finished is not None and state.studies["task-a"].state == "completed"
    assert len(state.extensions) == 1
