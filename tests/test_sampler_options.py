"""Options of samplers: every mistake is found when the suite is read."""

import subprocess
import sys

import pytest

from bench.sampler_options import OPTIONS, check_options, check_space
from bench.spec import Choice, Float, Search, Space


@pytest.mark.parametrize("sampler", OPTIONS)
def test_every_sampler_takes_its_own_defaults_and_nothing_unknown(sampler):
    assert check_options(sampler, OPTIONS[sampler].defaults()) == []
    (mistake,) = check_options(sampler, {"multivariat": True})
    assert "unknown option" in mistake and sampler in mistake


def test_every_mistake_is_named_with_its_remedy():
    options = {"multivariat": True, "n_startup_trials": 2.5, "n_ei_candidates": 0, "group": "yes"}
    unknown, *wrong = check_options("tpe", options)
    assert unknown.endswith("did you mean 'multivariate'?")
    assert [text.split(" must ")[0].split()[1] for text in wrong] == [
        "n_startup_trials",
        "n_ei_candidates",
        "group",
    ]
    assert "whole number, got 2.5" in wrong[0] and "got 0" in wrong[1] and "'yes'" in wrong[2]


def test_group_without_multivariate_is_refused():
    assert check_options("tpe", {"group": True}) == []
    (mistake,) = check_options("tpe", {"group": True, "multivariate": False})
    assert "leave multivariate out, or group" in mistake


def test_a_grid_refuses_ranges_unless_points_are_given():
    space = Space(rate=Float(0.1, 1), decay=Float(0.1, 1), kind=Choice("a", "b"))
    search = {"effort_epochs": 9, "max_epochs": 9, "sampler": "grid"}
    (mistake,) = check_space(Search(**search), space, {})
    assert "rate, decay" in mistake and "kind" not in mistake and "points" in mistake
    assert check_space(Search(**search), space, {"rate": 0.5, "decay": 0.5}) == []
    assert check_space(Search(**search, sampler_options={"points": 3}), space, {}) == []
    assert check_space(Search(**search | {"sampler": "tpe"}), space, {}) == []


def test_it_loads_neither_optuna_nor_ray():
    code = "import sys, bench.sampler_options; print({'optuna', 'ray', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
