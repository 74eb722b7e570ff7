"""TPE with a memory of ended trials suggests what Optuna's own class suggests."""

import json
import random

import pytest
from optuna.samplers import TPESampler

from bench.ledger import Trial
from bench.spec import Choice, Float, Int, Space
from bench.tune.samplers import optuna_samplers
from tests.tune.test_sampler import sampler_of

FLAT = Space(rate=Float(1e-4, 1, log=True), width=Int(1, 9), kind=Choice("a", "b", "c"))
CONDITIONAL = Space(kind=Choice("a", "b"), rate=Float(0, 1), extra=Float(0, 1, when={"kind": "a"}))
HOW = ("completed", "stopped", "diverged", "failed", "rests", "wakes", "silent", "runs")


def told(space, options, seed, *, count):
    """Configurations in a row, with trials that end, rest and wake in every way, up to four at
    once. The scores are coarse, so that some are equal."""
    chance = random.Random(seed)
    sampler = sampler_of(space, sampler="tpe", sampler_options=options)
    found, running, rested = [], [], []
    for number in range(count):
        suggestion = sampler.ask(number)
        found.append(suggestion.config)
        scores = [round(chance.random() + suggestion.config["rate"], 1) for _ in range(3)]
        reports = {
            epoch: {"score": score, "charged_seconds": 1.0}
            for epoch, score in enumerate(scores[: chance.randint(1, 3)], 1)
        }
        attributes = json.loads(json.dumps(suggestion.attributes))
        running.append(
            Trial(
                number=number, seed=0, config=suggestion.config, sampler=attributes, reports=reports
            )
        )
        if len(running) < 4:
            continue
        trial, how = running.pop(chance.randrange(4)), chance.choice(HOW)
        if how == "rests":
            sampler.rest(trial)
            rested.append(trial)
        elif how == "wakes" and rested:
            woken = rested.pop(0)
            sampler.wake(woken)
            woken.reports[4] = {"score": chance.random(), "charged_seconds": 1.0}
            running.append(woken)
        elif how in ("completed", "stopped"):
            trial.state = how
            sampler.tell(trial)
        elif how in ("diverged", "failed", "silent"):
            trial.state, trial.reason = "failed", how
            if how == "silent":
                trial.state, trial.reports = "stopped", {}
            sampler.tell(trial)
    return found


@pytest.mark.parametrize("space", [FLAT, CONDITIONAL], ids=["flat", "conditional"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"group": True},
        {"multivariate": False},
        {"constant_liar": False},
        {"n_startup_trials": 3, "n_ei_candidates": 5, "prior_weight": 0.5},
    ],
    ids=json.dumps,
)
def test_it_suggests_what_optunas_own_class_suggests(space, options, monkeypatch):
    quick = told(space, options, 5, count=80)
    monkeypatch.setattr(optuna_samplers, "QuickTpe", lambda memory, **given: TPESampler(**given))
    plain = told(space, options, 5, count=80)
    assert quick == plain
    assert len({config["rate"] for config in quick}) == 80
