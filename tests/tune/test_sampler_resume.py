"""Every sampler's suggestions are a function of the ledger: read back, it asks for the same."""

import json
import math

import pytest

from bench.ledger import fold, read, timeless
from bench.tune.search import StudySearch
from tests.tune.virtual import SPACE, Killed, run, study

OPTIONS = {
    "tpe": {"n_startup_trials": 3},
    "tpe, grouped": {"n_startup_trials": 3, "group": True, "constant_liar": False},
    "gp": {"n_startup_trials": 3},
    "cmaes": {"popsize": 4},
    "cmaes, margin": {"popsize": 4, "with_margin": True, "sigma0": 0.3},
    "random": {},
    "qmc": {},
    "qmc, halton": {"qmc_type": "halton", "scramble": False},
    "grid": {"points": 3},
}


def searched(case, **search):
    """GP learns from trials that went to their end alone: its are short."""
    name = case.partition(",")[0]
    settings = {"effort_epochs": 45, "scheduler": "asha"} | search
    if name == "gp":
        settings |= {"scheduler": "none", "max_epochs": 3, "effort_epochs": 24}
    return study("a", seeds=1, sampler=name, sampler_options=OPTIONS[case], **settings)


def events_of(folder):
    return [e for e in read(folder / "ledger.jsonl") if e["event"] != "run_resumed"]


def as_written(value):
    return json.loads(json.dumps(value))


def search_from(one, events):
    """The search as a new driver makes it of these events."""
    state = fold(events)
    search = StudySearch(one, SPACE, state.studies[one.id])
    for event in events:
        if "study" in event:
            search.apply(event)
    return search


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("case", OPTIONS)
def test_read_back_at_any_trial_it_suggests_the_same(tmp_path, case, workers):
    """Also with four workers, when trials end in another order than they began."""
    read_back_everywhere(tmp_path, searched(case), workers, stride=3 if case == "gp" else 1)


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("case", ["tpe", "tpe, grouped", "random", "qmc", "grid"])
def test_read_back_with_trials_at_rest_it_suggests_the_same(tmp_path, case, workers):
    read_back_everywhere(tmp_path, searched(case, scheduler="asha_promote"), workers, stride=1)


def read_back_everywhere(folder, one, workers, *, stride):
    run(folder, [one], workers=workers)
    events = events_of(folder)
    begun = [n for n, event in enumerate(events) if event["event"] == "trial_started"]
    assert len(begun) >= 8
    for number in begun[::stride]:
        start = search_from(one, events[:number]).start()
        event = events[number]
        assert as_written(start.suggestion.config) == event["config"]
        assert as_written(start.suggestion.attributes) == event["sampler"]


@pytest.mark.parametrize("case", [case for case in OPTIONS if case != "gp"])
def test_killed_after_any_message_the_ledger_is_the_unbroken_one(tmp_path, case):
    one = searched(case, effort_epochs=30)
    killed_everywhere(tmp_path, one, stride=1 if case in ("random", "grid", "cmaes") else 3)


@pytest.mark.soak
@pytest.mark.parametrize("scheduler", ["asha", "asha_promote"])
@pytest.mark.parametrize("case", OPTIONS)
def test_killed_after_each_message_of_longer_searches(tmp_path, case, scheduler):
    one = searched(case, effort_epochs=60, scheduler=scheduler)
    killed_everywhere(tmp_path, one, stride=6 if case == "gp" else 1)


def killed_everywhere(folder, one, *, stride):
    run(folder / "whole", [one])
    whole = [timeless(event) for event in events_of(folder / "whole")]
    steps = sum(event["event"].endswith(("reported", "trained")) for event in whole)
    for kill in range(1, steps, stride):
        broken = folder / str(kill)
        with pytest.raises(Killed):
            run(broken, [one], steps=kill)
        run(broken, [one])
        assert [timeless(event) for event in events_of(broken)] == whole, f"after message {kill}"


@pytest.mark.parametrize("case", ["qmc", "qmc, halton", "grid"])
def test_first_trials_that_are_given_cost_no_point(tmp_path, case):
    """The second given one differs, so that no point repeats it."""
    given = (SPACE.defaults(), SPACE.defaults() | {"learning_rate": 0.0123})
    configs = {}
    for name, enqueued in {"with": given, "without": ()}.items():
        run(tmp_path / name, [searched(case, scheduler="none", enqueued=enqueued)])
        started = [e for e in events_of(tmp_path / name) if e["event"] == "trial_started"]
        configs[name] = [event["config"] for event in started]
    points = configs["with"][len(given) :]
    assert points and points == configs["without"][: len(points)]


def test_a_grid_ends_when_all_its_points_were_tried(tmp_path):
    one = searched("grid", effort_epochs=900, scheduler="none")
    engine = run(tmp_path, [one], workers=4)
    trials = engine.searches[one.id].state.trials
    assert len(trials) == 1 + 9 + 27
    assert engine.searches[one.id].state.state == "completed"
    configs = {tuple(sorted(t.config.items())) for n, t in trials.items() if n}
    assert len(configs) == 9 + 27


def test_qmc_covers_conditional_parameters_and_goes_on_in_one_sequence(tmp_path):
    one = searched("qmc", effort_epochs=72, scheduler="none", enqueued=())
    run(tmp_path, [one], workers=4)
    started = [e for e in events_of(tmp_path) if e["event"] == "trial_started"]
    places = [at for e in started for key, at in e["sampler"].items() if key.startswith("qmc:")]
    assert places == list(range(8)) and len({key for e in started for key in e["sampler"]}) == 1
    # of a scrambled Sobol' sequence, eight points lie in eight different eighths
    shares = sorted((math.log10(e["config"]["learning_rate"]) + 4) / 3 for e in started)
    assert [int(share * 8) for share in shares] == list(range(8))
