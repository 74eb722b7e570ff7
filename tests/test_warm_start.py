"""The best configurations of another run, tried first, with where they come from."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from bench import launch, plan, runs
from bench.errors import UserError
from bench.launch import Request
from bench.ledger import Ledger
from bench.runs import RunFolder
from bench.warm_start import MOST, WarmStart

REQUEST = Request(suite="smoke", scale="demo", tasks=["lits_cls"], entrants=["FCNN"])


def finished(folder, scores, *, winner=None, request=REQUEST, changes=None):
    """A run whose trials have these scores, each with a learning rate of its own: its folder."""
    found = launch.resolve(request)
    launch.create(
        found, launch.prepare(found), folder=RunFolder(folder), weights={}, command=["bench"]
    )
    (study, *_) = found.studies
    with Ledger(folder / "ledger.jsonl") as ledger:
        names = [one.id for one in found.studies]
        ledger.append(
            "run_started", suite="smoke", scale="demo", seed=0, phantom=True, studies=names
        )
        for number, score in enumerate(scores):
            config = study.enqueued[0] | {"learning_rate": 10 ** -(2 + number / 10)}
            config |= (changes or {}).get(number, {})
            _trial(ledger, study.id, number, config, score)
        if winner is not None:
            ledger.append(
                "study_finished", study=study.id, state="completed", winner=winner, why="best"
            )
    return folder


def _trial(ledger, study, number, config, score):
    ledger.append(
        "trial_started",
        study=study,
        trial=number,
        config=config,
        seed=number,
        origin="sampler",
        sampler={},
    )
    if score is not None:
        ledger.append(
            "trial_reported",
            study=study,
            trial=number,
            epoch=1,
            charged_seconds=1.0,
            free_seconds=0.1,
            score=score,
            metrics={},
            notes=[],
            last=True,
        )
    ledger.append(
        "trial_finished",
        study=study,
        trial=number,
        state="failed" if score is None else "completed",
        reason="",
        epochs=1,
        error=None,
    )


@pytest.fixture(autouse=True)
def _no_data(tmp_path, monkeypatch):
    monkeypatch.setenv("TUNEBENCH_DATA", str(tmp_path / "nothing"))


def test_the_winner_and_the_best_trials_come_after_the_suite_s_own(tmp_path):
    other = finished(tmp_path / "other", [0.2, 0.9, None, 0.8, 0.7, 0.5], winner=3)
    found = launch.resolve(replace(REQUEST, warm_start=other))
    (study,) = found.studies
    (cold,) = launch.resolve(REQUEST).studies
    rates = [config["learning_rate"] for config in study.enqueued]
    assert study.enqueued[0] == cold.enqueued[0]
    assert rates[1:] == pytest.approx([10**-2.3, 10**-2.1, 10**-2.4])
    assert study.id != cold.id and study.seed == cold.seed


def test_run_json_and_the_report_say_where_they_come_from(tmp_path):
    other = finished(tmp_path / "other", [0.2, 0.9], winner=1)
    found = launch.resolve(replace(REQUEST, warm_start=other))
    folder, _ = launch.create(
        found,
        launch.prepare(found),
        folder=RunFolder(tmp_path / "mine"),
        weights={},
        command=["bench"],
    )
    content = json.loads(folder.run_file.read_text())
    said = content["warm_start"]
    assert said["run"] == "other" and said["phantom"] is True
    (origins,) = said["studies"].values()
    assert [(one["trial"], one["score"]) for one in origins] == [(1, 0.9), (0, 0.2)]
    assert [one["config"] for one in origins] == content["studies"][0]["enqueued"][1:]
    (note,) = [note for note in content["notes"] if note.startswith("warm start")]
    assert "best configurations of run other" in note and "is not counted here" in note


def test_what_does_not_fit_is_left_out_and_said(tmp_path):
    changes = {0: {"learning_rate": 1e9}, 1: {"no_such_thing": 3}}
    other = finished(tmp_path / "other", [0.9, 0.8, 0.7], changes=changes)
    warm = WarmStart.of(other)
    studies = plan.plan(launch.resolve(REQUEST).suite, first=warm.first)
    assert len(studies[0].enqueued) == 2
    (first, second) = warm.left_out
    assert "trial 0 of" in first and "learning_rate" in first and "no_such_thing" in second
    data = {"lits_cls": {"test_fingerprint": "another"}}
    notes = warm.notes(data)
    assert "had another test set on lits_cls" in notes[1] and first in notes[2]


def test_same_label_first_then_others_of_its_family(tmp_path):
    """An entrant keeps its own pins: of another label, it takes what it searches itself."""
    both = replace(REQUEST, entrants=["ConvMixer, tiny"])
    other = finished(tmp_path / "other", [0.9, 0.8], request=both, winner=0)
    warm = WarmStart.of(other)
    suite = launch.resolve(both).suite
    (entrant,) = suite.entrants
    wide = replace(entrant, label="ConvMixer, wide", pin={"width": 64, "depth": 2})
    studies = plan.plan(replace(suite, entrants=(wide,)), first=warm.first)
    taken = studies[0].enqueued[1:]
    assert [config["learning_rate"] for config in taken] == pytest.approx([10**-2.0, 10**-2.1])
    assert {config["width"] for config in taken} == {64}


def test_no_more_than_so_many_and_none_twice(tmp_path):
    same = {number: {"learning_rate": 0.003} for number in range(4)}
    other = finished(tmp_path / "other", [0.9, 0.89, 0.88, 0.87, 0.5, 0.4, 0.3], changes=same)
    (study,) = launch.resolve(replace(REQUEST, warm_start=other)).studies
    assert len(study.enqueued) == 1 + MOST
    assert study.enqueued[1]["learning_rate"] == 0.003


def test_a_run_with_nothing_to_offer_is_refused(tmp_path):
    other = finished(tmp_path / "other", [None])
    with pytest.raises(UserError, match="nothing of .*other can be tried first.*leave out"):
        launch.resolve(replace(REQUEST, warm_start=other))
    with pytest.raises(UserError, match="is no run"):
        launch.resolve(replace(REQUEST, warm_start=tmp_path / "nowhere"))


def test_a_run_against_another_takes_no_warm_start(tmp_path):
    other = finished(tmp_path / "other", [0.5], winner=0)
    with pytest.raises(UserError, match="to the letter, got --warm-start"):
        launch.resolve(Request(suite="smoke", against=other, warm_start=other))


def test_a_study_on_another_split_takes_nothing(tmp_path):
    """Patients of its test set may have been in the validation set of the other run."""
    other = finished(tmp_path / "other", [0.5], winner=0)
    assert runs.load(other)[1].studies[0].fold is None
    with pytest.raises(UserError, match="nothing to begin with"):
        launch.resolve(replace(REQUEST, warm_start=other, settings={"splits": 3}))


def test_scores_of_a_time_budget_say_nothing_of_another(tmp_path):
    other = finished(tmp_path / "other", [0.5, 0.6], winner=1)
    warm = WarmStart.of(other)
    (study, *_) = runs.load(other)[1].studies
    space = runs.spaces_of([study])[study.id]
    assert warm.first(study, space)
    assert not warm.first(replace(study, time_budget_s=600.0), space)
