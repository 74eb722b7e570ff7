"""What the live view says is left."""

from dataclasses import replace

import pytest

from bench.spec import Search
from bench.tune import live
from tests.tune.virtual import run, study


def test_a_run_that_is_over_has_nothing_left(tmp_path):
    engine = run(tmp_path, [study("a", scheduler="none")])
    (search,) = engine.searches.values()
    assert live._epochs_done(search) == live._epochs_planned(search) == 30 + 3 * 9


def test_a_time_budget_counts_as_the_epochs_that_it_buys(tmp_path):
    """Its cap on epochs says nothing: a million of them would always be left."""
    limits = Search(max_epochs=1_000_000, max_seconds=3.0, effort_seconds=9.0, scheduler="none")
    of = replace(study("a", seeds=2), search=limits, time_budget_s=3.0)
    capped = replace(of, search=replace(limits, max_epochs=3))
    engine = run(tmp_path, [capped])
    (search,) = engine.searches.values()
    search.study = of
    assert live._epochs_planned(search) == pytest.approx(9 + 2 * 3)
    assert live._epochs_done(search) == pytest.approx(9 + 2 * 3)
