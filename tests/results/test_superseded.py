"""Replicates of an earlier winner are no result, and the report says that the test set was seen."""

import json

import pytest

from results.analysis import analyse
from results.holes import holes
from results.leaderboard import leaderboard
from results.load import load_run


def go_on(folder, *, winner):
    """Extend a run's first study: a new trial, then the trial of that number wins; None: none."""
    events = [json.loads(line) for line in (folder / "ledger.jsonl").read_text().splitlines()]
    study = next(e for e in events if e["event"] == "trial_started")["study"]
    of_study = [e for e in events if e.get("study") == study]
    started = next(e for e in of_study if e["event"] == "trial_started")
    trials = [e["trial"] for e in of_study if e["event"] == "trial_started"]
    new = max(trials) + 1
    ended = next(e for e in of_study if e["event"] == "trial_finished")
    reported = next(e for e in of_study if e["event"] == "trial_reported")
    finished = next(e for e in of_study if e["event"] == "study_finished")
    config = started["config"] | {"learning_rate": 0.0123}
    more = [
        {
            "v": 1,
            "t": "2026-12-24T00:00:00+00:00",
            "event": "run_extended",
            "number": 0,
            "studies": [study],
            "reopened": [study],
        },
        started | {"trial": new, "config": config},
        reported | {"trial": new},
        ended | {"trial": new, "state": "completed"},
    ]
    if winner is not None:
        chosen = new if winner == "new" else finished["winner"]
        more.append(finished | {"winner": chosen, "why": "it is best"})
    lines = [json.dumps(event) for event in [*events, *more]]
    (folder / "ledger.jsonl").write_text("\n".join(lines) + "\n")
    return load_run(folder), study


def told(run):
    found = holes(run, [analyse(run, "lits_cls")])
    return dict(zip(found["what"], found["why"], strict=True))


def test_another_winner_leaves_a_hole_and_no_score(make_run):
    run, study = go_on(make_run(), winner="new")
    said = told(run)
    assert said["seeds 1, 2, 3 superseded"] == (
        "trained for an earlier winner: the search went on and has another winner; the test set "
        "was opened 3 times for it"
    )
    assert {"seed 4 missing", "seed 5 missing", "seed 6 missing"} <= set(said)
    assert not any(name.startswith("seed 1") for name in said)
    board = leaderboard(run, analyse(run, "lits_cls")).set_index("entrant")
    label = run.studies[study].label
    assert board.loc[label, "seeds"] == 0
    assert len(run.state.unsealed) == 6, "what was opened counts still"


def test_the_same_winner_keeps_its_scores(make_run):
    before = leaderboard(load_run(folder := make_run()), analyse(load_run(folder), "lits_cls"))
    run, _ = go_on(folder, winner="old")
    assert told(run) == {}
    after = leaderboard(run, analyse(run, "lits_cls"))
    assert list(after["mean"]) == pytest.approx(list(before["mean"]))


def test_while_the_search_goes_on_nothing_counts(make_run):
    run, _ = go_on(make_run(), winner=None)
    said = told(run)
    assert "search not finished" in said
    assert "they count again if that configuration wins again" in said["seeds 1, 2, 3 superseded"]
