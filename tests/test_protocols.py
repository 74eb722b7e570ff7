"""Several searches, several splits and budgets of time, as a user runs them."""

import csv
import re

import numpy as np
import pytest

from bench import runs
from bench.ledger import fold, read
from tests.commands import bench

CHOSEN = ("--suite", "mine.toml", "--tasks", "lits_cls", "--entrants", "FCNN", "--workers", "2")
SHORT = ("--set", "effort_epochs=2", "--set", "max_epochs=1")


def run(folder, project, replicates, *options):
    """A run of the smoke suite with these lines in its `[replicates]`: its studies by id and the
    state of its ledger."""
    suite = (project / "suite" / "smoke.toml").read_text()
    changed = suite.replace("[replicates]\nseeds = 3\n", f"[replicates]\n{replicates}\n")
    assert changed != suite
    (folder / "mine.toml").write_text(changed)
    done = bench("run", *CHOSEN, *options, "--run", "mine", cwd=folder)
    assert done.returncode == 0, done.stderr
    _, file = runs.load(folder / "mine")
    state = fold(read(folder / "mine" / "ledger.jsonl"))
    assert state.finished is not None and set(state.studies) == {one.id for one in file.studies}
    return {study.id: study for study in file.studies}, state


def rows(folder, table):
    with (folder / "mine" / "tables" / f"{table}.csv").open(encoding="utf-8") as file:
        lines = [line for line in file if not line.startswith("#")]
    return list(csv.DictReader(lines))


def page(folder):
    text = (folder / "mine" / "report.html").read_text(encoding="utf-8")
    return re.sub(r"\s+", " ", text)


@pytest.mark.slow
def test_budgets_of_time_are_kept_by_one_training_at_a_time(tmp_path, project):
    lines = "seeds = 3\ntime_budgets_s = [1.0, 2.0]\ntime_trials = 2"
    studies, state = run(tmp_path, project, lines, *SHORT)
    timed = {id: study for id, study in studies.items() if study.time_budget_s is not None}
    assert sorted(study.time_budget_s for study in timed.values()) == [1.0, 2.0]
    for id, study in timed.items():
        found = state.studies[id]
        assert len(found.replicates) == 3
        for one in found.replicates.values():
            spent = [report["charged_seconds"] for report in one.reports.values()]
            # Training ends with the update that spends them; no update is longer than an epoch.
            assert study.time_budget_s <= sum(spent) + 1e-3
            assert sum(spent) <= 1.05 * study.time_budget_s + max(spent)
    assert most_at_a_time(read(tmp_path / "mine" / "ledger.jsonl"), set(timed)) == 1
    assert "Fixed time" in page(tmp_path)
    table = rows(tmp_path, "exploratory_fixed_time")
    assert [(row["entrant"], float(row["budget_s"]), row["seeds"]) for row in table] == [
        ("FCNN", 1.0, "3"),
        ("FCNN", 2.0, "3"),
    ]


def most_at_a_time(events, timed):
    """The most trainings that were under way at once while one of these studies' was."""
    under_way, most = set(), 0
    for event in events:
        kind, is_trial = event["event"], "trial" in event
        owner = (event.get("study"), is_trial, event.get("trial", event.get("replicate")))
        promoted = kind == "trial_rung" and event["decision"] == "promoted"
        if kind in ("trial_started", "replicate_started") or promoted:
            under_way.add(owner)
        elif kind in ("trial_finished", "replicate_finished") or kind == "trial_rung":
            under_way.discard(owner)  # stopped, or at rest
        if any(study in timed for study, *_ in under_way):
            most = max(most, len(under_way))
    return most


@pytest.mark.slow
def test_three_searches_are_three_studies_and_one_row(tmp_path, project):
    studies, state = run(tmp_path, project, "seeds = 1\nsearches = 3", *SHORT)
    assert sorted(study.search_number for study in studies.values()) == [0, 1, 2]
    assert len({study.seed for study in studies.values()}) == 3
    for found in state.studies.values():
        assert found.effort == 2 and len(found.replicates) == 1
    (row,) = rows(tmp_path, "leaderboard")
    assert (row["entrant"], row["searches"], row["splits"]) == ("FCNN", "3", "1")
    assert row["interval"] != "none", row["note"]


@pytest.mark.slow
def test_three_splits_test_each_patient_once(tmp_path, project):
    studies, state = run(tmp_path, project, "seeds = 1\nsplits = 3", *SHORT)
    assert sorted(study.fold.number for study in studies.values()) == [0, 1, 2]
    tested = []
    for found in state.studies.values():
        (one,) = found.replicates.values()
        with np.load(tmp_path / "mine" / one.predictions["file"], allow_pickle=False) as arrays:
            tested += sorted(set(arrays["test_groups"].tolist()))
    assert len(tested) == len(set(tested)) == 8, "each patient is in one split's test set"
    (row,) = rows(tmp_path, "leaderboard")
    assert (row["entrant"], row["searches"], row["splits"]) == ("FCNN", "1", "3")
    assert row["interval"] != "none", row["note"]
