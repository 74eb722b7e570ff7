"""CMA-ES learns from the trials that Optuna's own class would show it, and copies none of them."""

import pytest
from optuna.samplers import CmaEsSampler

from bench.ledger import read
from bench.tune.jobs import Failure
from bench.tune.samplers.optuna_samplers import FixedSpaceCmaEs
from tests.tune.virtual import run, study

OPTIONS = {
    "plain": {},
    "margin": {"with_margin": True},
    "completed": {"consider_pruned_trials": False},
}


def failing(job, epoch):
    """Some trials diverge, after an epoch or before any, and some die of the data."""
    if job.kind != "search" or epoch != (1 if job.number % 2 else 2):
        return None
    if job.number % 5 == 3:
        return Failure(reason="diverged", epoch=epoch, error="no longer finite")
    if job.number % 7 == 6:
        return Failure(reason="data_error", epoch=epoch, error=f"case {job.number}")
    return None


def begun(folder, options, scheduler):
    """A search, and what was suggested in it."""
    one = study(
        "a",
        seeds=1,
        sampler="cmaes",
        sampler_options={"popsize": 4} | options,
        scheduler=scheduler,
        effort_epochs=180,
    )
    search = run(folder, [one], workers=3, failing=failing).searches[one.id]
    events = [event for event in read(folder / "ledger.jsonl") if event["event"] == "trial_started"]
    return search, [(event["config"], event["sampler"]) for event in events]


@pytest.mark.parametrize("scheduler", ["asha", "asha_promote"])
@pytest.mark.parametrize("case", OPTIONS)
def test_it_suggests_what_optuna_s_own_would(tmp_path, monkeypatch, case, scheduler):
    search, ours = begun(tmp_path / "ours", OPTIONS[case], scheduler)
    trials = search.state.trials.values()
    assert {"diverged", "data_error"} <= {trial.reason for trial in trials}
    assert {"completed", "stopped"} <= {trial.state for trial in trials}
    assert max(attributes.get(_generation(case), 0) for _, attributes in ours) >= 1
    monkeypatch.setattr(FixedSpaceCmaEs, "_get_trials", CmaEsSampler._get_trials)
    _, theirs = begun(tmp_path / "theirs", OPTIONS[case], scheduler)
    assert ours == theirs


def _generation(case):
    return "cmawm:generation" if case == "margin" else "cma:generation"


@pytest.mark.parametrize("scheduler", ["asha", "asha_promote"])
def test_no_trial_is_copied_for_a_suggestion(tmp_path, scheduler):
    """A copy of each ended trial, for each suggestion: minutes at a thousand trials."""
    search, _ = begun(tmp_path, {}, scheduler)
    mirror = search._sampler._mirror
    there = {id(trial) for trial in mirror.get_trials(deepcopy=False)}
    shown = mirror.sampler._get_trials(mirror)
    assert {trial.state.name for trial in shown} == {"COMPLETE", "PRUNED"}
    assert all(id(trial) in there for trial in shown)
    assert all(
        trial.value == trial.intermediate_values[max(trial.intermediate_values)] for trial in shown
    )
