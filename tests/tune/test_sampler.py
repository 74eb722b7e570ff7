"""Optuna hears the truth: what rests, repeats, was stopped or broke."""

import json
import pickle
import warnings
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from bench.errors import UserError
from bench.ledger import Trial
from bench.sampler_options import OPTIONS
from bench.spec import Choice, Float, Int, Space
from bench.tune.sampler import Sampler
from tests.tune.virtual import SPACE, run, study

PLAIN = Space(rate=Float(0, 1), width=Float(0, 1))


def sampler_of(space=SPACE, **search):
    one = study("a", **{"enqueued": (), "effort_epochs": 500} | search)
    return Sampler(replace(one, pinned=space.held(), space=space.canonical()), space)


def trial_of(suggestion, scores=(), *, state="running", reason="", sampler=None):
    """A trial with these scores, one an epoch."""
    reports = {
        epoch: {"score": score, "charged_seconds": 1.0} for epoch, score in enumerate(scores, 1)
    }
    attributes = suggestion.attributes if sampler is None else sampler
    return Trial(
        number=suggestion.number,
        seed=0,
        config=suggestion.config,
        sampler=json.loads(json.dumps(attributes)),
        reports=reports,
        state=state,
        reason=reason,
    )


def taught(sampler, count, score, *, state="completed"):
    """Asks for so many trials and tells how they ended."""
    trials = []
    for number in range(count):
        suggestion = sampler.ask(number)
        value = score(suggestion.config)
        trials.append(trial_of(suggestion, [value / 2, value], state=state))
        sampler.tell(trials[-1])
    return trials


def states(sampler):
    return [trial.state.name for trial in sampler._mirror.trials]


def test_no_sampler_is_told_that_an_early_stopped_trial_is_complete(tmp_path):
    for name in OPTIONS:
        for scheduler in ("asha", "asha_promote", "median"):
            options = {"points": 4} if name == "grid" else {}
            options |= {"n_startup_trials": 100} if name == "gp" else {}
            one = study(
                "a", sampler=name, sampler_options=options, scheduler=scheduler, effort_epochs=60
            )
            engine = run(tmp_path / f"{name}-{scheduler}", [one], workers=3)
            search = engine.searches[one.id]
            ended = {n: trial.state for n, trial in search.state.trials.items()}
            assert "stopped" in ended.values(), (name, scheduler)
            for number, shown in enumerate(states(search._sampler)):
                trial = search.state.trials[number]
                like = trial if trial.of is None else search.state.trials[trial.of]
                assert (shown == "COMPLETE") == (like.state == "completed"), (name, number)


def resting(shown, *, count=12):
    """TPE after as many trials that rest at epoch 2, the better the nearer the rate is to 0.9."""
    sampler = sampler_of(PLAIN, sampler="tpe")
    trials = []
    for number in range(count):
        suggestion = sampler.ask(number)
        value = 1 - abs(suggestion.config["rate"] - 0.9)
        trials.append(trial_of(suggestion, [value / 2, value]))
        if shown:
            sampler.rest(trials[-1])
    return sampler, trials


def test_tpe_learns_from_trials_that_rest():
    """Told nothing, it draws at random still; told, it goes to where they were good."""
    seen, _ = resting(True)
    unseen, _ = resting(False)
    learnt = [seen.ask(12 + n).config["rate"] for n in range(8)]
    random = [unseen.ask(12 + n).config["rate"] for n in range(8)]
    assert learnt != random
    distance = lambda rates: sum(abs(rate - 0.9) for rate in rates)  # noqa: E731
    assert distance(learnt) < 0.5 * distance(random)


def test_what_rests_is_shown_as_pruned_and_running_again_once_it_wakes():
    sampler, trials = resting(True, count=3)
    assert states(sampler) == ["PRUNED"] * 3
    shown = sampler._mirror.trials[1]
    best = trials[1].best()[0]
    assert shown.intermediate_values == {1: best / 2, 2: best} and shown.value == best
    sampler.wake(trials[1])
    assert states(sampler) == ["PRUNED", "RUNNING", "PRUNED"]
    trials[0].state = "stopped"
    sampler.tell(trials[0])  # straight from its rest
    trials[1].reports[3] = {"score": 2.0, "charged_seconds": 1.0}
    trials[1].state = "completed"
    sampler.tell(trials[1])
    assert states(sampler) == ["PRUNED", "COMPLETE", "PRUNED"]
    told = sampler._mirror.trials[1]
    assert told.value == 2.0 and list(told.intermediate_values) == [1, 2, 3]
    assert sampler.resting == {2}


def test_a_trial_that_rested_and_then_diverged_has_no_values_that_speak_for_it():
    sampler, trials = resting(True, count=1)
    sampler.wake(trials[0])
    trials[0].state, trials[0].reason = "failed", "diverged"
    sampler.tell(trials[0])
    told = sampler._mirror.trials[0]
    assert told.state.name == "PRUNED" and told.intermediate_values == {}


def test_read_back_what_rests_is_shown_as_it_was():
    """Suggestions too; and a rest that is over is shown as it stood at its rung."""
    live, trials = resting(True)
    again = sampler_of(PLAIN, sampler="tpe")
    for trial in trials:
        again.restore(trial)
        trial.reports[3] = {"score": 5.0, "charged_seconds": 1.0}  # after the rest
        again.rest(trial, rung=2.0)
    assert [again.ask(12 + n).config for n in range(4)] == [
        live.ask(12 + n).config for n in range(4)
    ]


def test_a_rung_in_charged_seconds_is_found_again():
    sampler = sampler_of(PLAIN, sampler="tpe", grace_seconds=0.25)
    trial = trial_of(sampler.ask(0), [0.1, 0.2, 0.3, 0.4])
    for report in trial.reports.values():
        report["charged_seconds"] = 0.1
    sampler.rest(trial, rung=0.25)
    assert sampler._mirror.trials[0].intermediate_values == {1: 0.1, 2: 0.2, 3: 0.3}


def test_a_repeat_is_told_what_the_first_was_told():
    sampler = sampler_of(PLAIN, sampler="random")
    first = trial_of(sampler.ask(0), [0.3, 0.4], state="completed")
    repeat = trial_of(sampler.ask(1), state="repeated")
    sampler.tell(first)
    sampler.tell(repeat, like=first)
    one, other = sampler._mirror.trials
    assert one.state == other.state and one.value == other.value == 0.4
    assert one.intermediate_values == other.intermediate_values


def test_a_repeat_of_a_trial_that_still_runs_waits_for_its_end():
    """Read back, the first has its end already: only the order of the events may count."""
    sampler = sampler_of(PLAIN, sampler="random")
    first = trial_of(sampler.ask(0), [0.3], state="completed")
    for number in (1, 2):
        sampler.tell(trial_of(sampler.ask(number), state="repeated"), like=first)
    assert states(sampler) == ["RUNNING"] * 3
    sampler.tell(first)
    assert states(sampler) == ["COMPLETE"] * 3


def test_numbers_may_have_gaps():
    """Trials that confirm are none of the sampler's."""
    sampler = sampler_of(PLAIN, sampler="tpe")
    for number in (0, 1, 5, 9):
        sampler.tell(trial_of(sampler.ask(number), [0.1 * number], state="completed"))
    assert [trial.value for trial in sampler._mirror.trials] == [0.0, 0.1, 0.5, 0.9]
    again = sampler_of(PLAIN, sampler="tpe")
    for trial in (trial_of(again.ask(0)), trial_of(sampler.ask(10))):
        again.restore(trial)
    assert sorted(again._trials) == [0, 10]


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("margin", [False, True])
def test_no_ledger_makes_cmaes_run_what_it_holds(tmp_path, margin):
    search = {"sampler": "cmaes", "sampler_options": {"popsize": 4, "with_margin": margin}}
    live = sampler_of(PLAIN, **search)
    trials = taught(live, 12, lambda config: config["rate"])
    recorded = {name for trial in trials for name in trial.sampler}
    assert any("generation" in name for name in recorded)
    assert not any("optimizer" in name for name in recorded)
    trap = pickle.dumps(Trap(tmp_path / "sprung")).hex()
    prefix = "cmawm" if margin else "cma"
    trials[-1].sampler[f"{prefix}:optimizer:0"] = trap
    again = sampler_of(PLAIN, **search)
    for trial in trials:
        again.restore(trial)
        again.tell(trial)
    assert again.ask(12) == live.ask(12)
    assert not (tmp_path / "sprung").exists()


def test_cmaes_goes_uphill_beside_choices_and_conditions():
    """Its space is fixed: conditional parameters, there in some trials alone, do not stop it."""
    space = Space(
        kind=Choice("a", "b"),
        rate=Float(0, 1),
        width=Int(1, 64, log=True),
        momentum=Float(0, 1, when={"kind": "b"}),
    )
    sampler = sampler_of(space, sampler="cmaes", sampler_options={"popsize": 6})
    trials = taught(sampler, 90, lambda config: 1 - abs(config["rate"] - 0.8))
    generations = Counter(trial.sampler.get("cma:generation") for trial in trials)
    assert max(filter(None, generations)) >= 10
    late = [trial.config["rate"] for trial in trials[-15:]]
    assert sum(abs(rate - 0.8) for rate in late) / 15 < 0.1


def test_every_option_reaches_optuna():
    """With other options than its own defaults, a sampler suggests something else."""
    changed = {
        "tpe": {
            "multivariate": False,
            "group": True,
            "constant_liar": False,
            "n_startup_trials": 2,
            "n_ei_candidates": 3,
        },
        "gp": {"n_startup_trials": 2, "deterministic_objective": True},
        "cmaes": {
            "n_startup_trials": 9,
            "sigma0": 0.9,
            "popsize": 4,
            "with_margin": True,
            "consider_pruned_trials": False,
        },
        "qmc": {"qmc_type": "halton", "scramble": False},
        "grid": {"points": 7},
    }
    assert {name: set(space) for name, space in OPTIONS.items() if len(space)} == {
        name: set(options) for name, options in changed.items()
    }
    space = Space(
        kind=Choice("a", "b"),
        rate=Float(0, 1),
        width=Int(1, 9),
        extra=Float(0, 1, when={"kind": "a"}),
        more=Float(0, 1, when={"kind": "a"}),
    )
    for name, options in changed.items():
        plain = {"points": 2} if name == "grid" else {}
        common = {"n_startup_trials": 4} if name == "gp" else {}
        before = suggested(space, name, common | plain)
        for option, value in options.items():
            after = suggested(space, name, common | plain | {option: value})
            assert after != before, f"{name}: {option} = {value} changes nothing"


def suggested(space, name, options, *, of="rate"):
    """Configurations in a row: some trials run on, the others are stopped or completed."""
    sampler = sampler_of(space, sampler=name, sampler_options=options)
    found = []
    for number in range(13 if name == "gp" else 18):
        suggestion = sampler.ask(number)
        found.append(suggestion.config)
        state = "stopped" if number % 4 == 1 else "completed"
        if number % 9:
            sampler.tell(trial_of(suggestion, [suggestion.config[of]], state=state))
    return found


def test_a_grid_over_ranges_is_refused_with_its_remedy():
    with pytest.raises(UserError, match="rate, width.*set points"):
        sampler_of(PLAIN, sampler="grid")


def test_samplers_warn_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in OPTIONS:
            options = {"points": 5} if name == "grid" else {}
            options |= {"sigma0": 0.2, "with_margin": True} if name == "cmaes" else {}
            options |= {"group": True} if name == "tpe" else {}
            options |= {"deterministic_objective": True} if name == "gp" else {}
            taught(sampler_of(PLAIN, sampler=name, sampler_options=options), 5, lambda c: c["rate"])


def test_each_study_has_a_sequence_of_its_own():
    first, again, other = (
        Sampler(study(name, sampler="qmc", enqueued=()), SPACE).ask(0).config for name in "aab"
    )
    assert first == again != other
