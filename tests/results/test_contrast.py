"""The gate's difference agrees with the report's, and its bounds with their p values."""

from dataclasses import replace

import numpy as np
import pytest

from results import stats
from results.analysis import analyse
from results.contenders import Contenders
from results.contrast import BASELINE, CANDIDATE, contrast
from results.load import load_run
from tests.results.synthetic import PAIR


def of_pair(run, *, margin=0.01, alpha=0.05, seed=0):
    task = run.tasks["lits_cls"]
    strong, weak = run.of_task("lits_cls")
    rng = np.random.default_rng(seed)
    members = {BASELINE: [(run, weak)], CANDIDATE: [(run, strong)]}
    field = Contenders(members, task, rng, split="test")
    return contrast(field, margin=margin, alpha=alpha)


def test_few_seeds_have_the_bounds_of_the_report_s_t_interval(make_run):
    run = load_run(make_run())
    (reported,) = analyse(run, "lits_cls").comparisons
    found = of_pair(run, alpha=0.025)
    assert (found.method, reported.difference.method) == ("t", "t")
    assert found.value == pytest.approx(reported.difference.value)
    assert found.lower == pytest.approx(reported.difference.low)
    assert found.upper == pytest.approx(reported.difference.high)
    assert found.evidence.p_better == pytest.approx(reported.difference.p / 2, rel=1e-4)


def test_ten_seeds_have_those_of_its_bootstrap(make_run):
    run = load_run(make_run(seeds=10))
    (reported,) = analyse(run, "lits_cls").comparisons
    found = of_pair(run, alpha=0.025)
    assert (found.method, reported.difference.method) == ("bootstrap", "bootstrap")
    width = reported.difference.high - reported.difference.low
    assert found.lower == pytest.approx(reported.difference.low, abs=0.05 * width)
    assert found.upper == pytest.approx(reported.difference.high, abs=0.05 * width)


@pytest.mark.parametrize("seeds", [3, 10])
def test_a_p_is_the_alpha_at_which_the_verdict_turns(make_run, seeds):
    run = load_run(make_run(seeds=seeds))
    value = of_pair(run).value
    margin = 0.98 * value  # the baseline would be regressed against the candidate, just
    task = run.tasks["lits_cls"]
    strong, weak = run.of_task("lits_cls")

    def turned(alpha):
        rng = np.random.default_rng(0)
        members = {BASELINE: [(run, strong)], CANDIDATE: [(run, weak)]}
        field = Contenders(members, task, rng, split="test")
        return contrast(field, margin=margin, alpha=alpha)

    p = turned(0.05).evidence.p_regressed
    assert 0.05 < p < 0.5
    assert turned(p * 1.001).evidence.verdict == "regressed"
    assert turned(p * 0.999).evidence.verdict == "inconclusive"


def test_a_bootstrap_tells_less_than_its_draws_can_count(make_run):
    """Of a huge difference: a p that withstands a correction for many comparisons."""
    found = of_pair(load_run(make_run(PAIR, seeds=10)))
    assert found.evidence.p_better < 1 / 10_001


def test_the_forecast_is_of_the_seeds_that_would_exclude_the_margin(make_run):
    actors = [replace(actor, seed_spread=0.4) for actor in PAIR]
    run = load_run(make_run(actors, per_patient=20))
    (reported,) = analyse(run, "lits_cls").comparisons
    margin, alpha = 0.3 * reported.difference.value, 0.0001
    found = of_pair(run, margin=margin, alpha=alpha)
    expected, other = (
        stats.seeds_needed(reported.difference, seeds=3, against=limit, alpha=alpha).seeds
        for limit in (-margin, margin)
    )
    assert found.evidence.verdict == "inconclusive"
    assert found.seeds_needed == expected is not None and expected != other
