"""A run against another: its protocol to the letter, its data, and the verdict at the end."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from bench import launch, plan, registry, runs
from bench.errors import UserError
from bench.launch import Request
from bench.runs import RunFolder
from results.compare import held_against
from tests.results.synthetic import Actor, write_run

NET = """
from bench.spec import Family, Space


def build(config, shape):
    from torch import nn

    return nn.Sequential(nn.Flatten(), nn.LazyLinear(shape.classes))


FAMILY = Family(
    title="Mine", kinds=frozenset({"image_classification"}), space="vision", build=build,
    architectures=("mine",), options=Space(),
)
"""


@pytest.fixture(scope="module")
def baseline(tmp_path_factory) -> Path:
    """A run's folder, planned with settings of its own, and nothing trained."""
    folder = tmp_path_factory.mktemp("runs") / "baseline"
    before = os.environ.get("TUNEBENCH_DATA")
    os.environ["TUNEBENCH_DATA"] = str(folder / "nothing")
    try:
        found = launch.resolve(
            Request(
                suite="smoke",
                scale="demo",
                seed=11,
                tasks=["lits_cls"],
                entrants=["FCNN"],
                settings={"effort_epochs": 5, "seeds": 4},
            )
        )
        launch.create(
            found, launch.prepare(found), folder=RunFolder(folder), weights={}, command=["bench"]
        )
    finally:
        os.environ.pop("TUNEBENCH_DATA")
        if before is not None:
            os.environ["TUNEBENCH_DATA"] = before
    return folder


def asked(baseline: Path, **more: object) -> launch.Launch:
    return launch.resolve(Request(suite="smoke", against=baseline, **more))


def test_everything_but_the_entrants_is_the_baseline_s(baseline):
    theirs = runs.load(baseline)[1].suite
    found = asked(baseline, entrants=["convmixer"])
    assert [entrant.label for entrant in found.suite.entrants] == ["ConvMixer, tiny"]
    assert replace(found.suite, entrants=theirs.entrants) == theirs
    assert found.suite.seed == 11 and found.suite.search.effort_epochs == 5
    assert found.suite.tasks == ("lits_cls",), "what the baseline did not run is not run"


def test_without_entrants_it_is_the_same_run_again(baseline):
    ours, theirs = plan.plan(asked(baseline).suite), runs.load(baseline)[1].studies
    assert [(one.id, one.seed) for one in ours] == [(one.id, one.seed) for one in theirs]


def test_a_family_that_is_no_entrant_becomes_one(baseline, tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "_plugins", {})
    (tmp_path / "mine.py").write_text(NET)
    registry.load_plugin(tmp_path / "mine.py")
    found = asked(baseline, entrants=["mine"])
    assert [entrant.label for entrant in found.suite.entrants] == ["Mine"]


def test_seeds_and_seed_may_differ(baseline):
    found = asked(baseline, settings={"seeds": 10}, seed=3)
    assert found.suite.replicates.seeds == 10 and found.suite.seed == 3


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"settings": {"effort_epochs": 50}}, "got --set effort_epochs"),
        ({"scale": "full"}, "was run at scale demo, got --scale full"),
        ({"tasks": ["ag_news"]}, "unknown task of this suite 'ag_news'"),
        ({"settings": {"seeds": 0}}, "seeds must be at least 1"),
    ],
)
def test_what_would_change_the_protocol_is_refused(baseline, more, said):
    with pytest.raises(UserError, match=said):
        asked(baseline, **more)


def test_another_suite_is_refused(baseline):
    with pytest.raises(UserError, match="is a run of suite smoke, got --suite liver"):
        launch.resolve(Request(suite="liver", against=baseline))


def test_no_run_is_refused(tmp_path):
    with pytest.raises(UserError, match="is no run"):
        asked(tmp_path)


def test_other_data_are_found_before_anything_is_trained(baseline, tmp_path):
    changed = tmp_path / "changed"
    changed.mkdir()
    record = json.loads((baseline / "run.json").read_text())
    record["data"]["lits_cls"]["fingerprint"] = "0" * 32
    (changed / "run.json").write_text(json.dumps(record))
    found = asked(changed)
    with pytest.raises(UserError, match="is not what .*changed was run on: data fingerprint"):
        launch.prepare(found)


def test_the_run_remembers_whom_it_is_held_against(baseline, tmp_path):
    found = asked(baseline)
    prepared = launch.prepare(found)
    _, file = launch.create(
        found, prepared, folder=RunFolder(tmp_path / "mine"), weights={}, command=["bench"]
    )
    assert file.against == baseline.resolve()
    assert runs.load(baseline)[1].against is None


# --- The verdict ----------------------------------------------------------------------------

OLD = (Actor(label="Good", quality=1.6), Actor(label="Poor", quality=0.4))


def pair(tmp_path, actors, **more):
    more = {"validation": True, "seeds": 5} | more
    return (
        write_run(tmp_path / "runs" / "baseline", OLD, **more),
        write_run(tmp_path / "runs" / "mine", actors, salt="other", **more),
    )


def test_a_new_entrant_is_held_against_the_baseline_s_best(tmp_path):
    outcome = held_against(*pair(tmp_path, [Actor(label="Mine", quality=0.5)]))
    assert outcome.exit_code == 3
    assert outcome.findings[0].baseline.label == "Good"
    assert "Mine is new: held against Good, the best on validation" in outcome.notes[0]


def test_one_of_the_same_label_is_held_against_itself(tmp_path):
    outcome = held_against(*pair(tmp_path, [Actor(label="Poor", quality=2.4)]))
    assert outcome.exit_code == 0 and outcome.findings[0].baseline.label == "Poor"
    assert not outcome.notes


def test_where_replicates_trained_on_validation_it_is_the_test_split(tmp_path):
    outcome = held_against(
        *pair(tmp_path, [Actor(label="Poor", quality=2.4)], refit="train+validation")
    )
    assert outcome.settings.on == "test" and len(outcome.openings) == 1
