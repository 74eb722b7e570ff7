import math

import pytest

from bench.folders import openings_register
from bench.ledger import register_opening
from results import tables
from results.analysis import analyse
from results.holes import cause, holes
from results.leaderboard import leaderboard
from results.load import load_run
from tests.results.synthetic import CAST, Actor


@pytest.fixture
def cast(make_run):
    run = load_run(make_run(CAST))
    return run, analyse(run, "lits_cls")


def row_of(table, label):
    return table[table["entrant"] == label].iloc[0]


# --- The leaderboard ------------------------------------------------------------------------


def test_every_planned_entrant_has_a_row(cast):
    board = leaderboard(*cast)
    assert set(board["entrant"]) == {actor.label for actor in CAST}
    assert board["tier"].notna().sum() == 4


def test_the_numbers_of_a_row_are_those_of_the_ledger(cast):
    run, analysis = cast
    study = run.of_task("lits_cls")[0]
    row = row_of(leaderboard(run, analysis), study.label)
    replicates = run.progress(study.id).replicates.values()
    values = sorted(replicate.test_metrics["macro_f1"] for replicate in replicates)
    assert row["mean"] == pytest.approx(sum(values) / 3)
    assert row["median"] == values[1]
    assert row["std"] == pytest.approx(
        math.sqrt(sum((value - row["mean"]) ** 2 for value in values) / 2)
    )
    assert row["gap"] == pytest.approx(0.01) and row["parameters"] == 11_176_579
    assert (row["seeds"], row["seeds_planned"], row["free_parameters"]) == (3, 3, 3)
    assert (row["effort_epochs"], row["effort_planned"]) == (3 * 9 + 6 * 3, 54)
    assert (row["trials_completed"], row["trials_stopped"], row["trials_failed"]) == (3, 6, 0)
    assert row["accuracy_mean"] > 0.5 and row["f1_no_liver_mean"] > 0.5


def test_the_gap_is_positive_where_a_loss_is_greater_on_test(make_run):
    run = load_run(make_run(primary="log_loss"))
    row = leaderboard(run, analyse(run, "lits_cls")).iloc[0]
    assert row["validation_mean"] > row["mean"] and row["gap"] == pytest.approx(-0.01)


def test_failed_and_diverged_trials_are_counted_and_paid_for(cast):
    row = row_of(leaderboard(*cast), "ConvMixer")
    assert row["trials_failed"] == 2
    assert row["effort_epochs"] == 3 * 9 + 4 * 3 + 2 * 1


def test_rows_without_a_tier_say_why(cast):
    board = leaderboard(*cast)
    assert row_of(board, "FCNN")["note"] == "no interval: 2 of at least 3 seeds"
    assert row_of(board, "AlexNet")["note"].startswith("failed: RuntimeError: expected 1 channel")
    assert row_of(board, "ConvMixer")["note"] == ""


def test_one_seed_is_no_result(make_run):
    run = load_run(make_run([Actor(label="A", finished=1), Actor(label="B")], finish=False))
    row = row_of(leaderboard(run, analyse(run, "lits_cls")), "A")
    assert row["note"] == "one seed: no result" and math.isnan(row["mean"])


def test_trained_on_both_splits_there_is_no_gap(make_run):
    run = load_run(make_run(refit="train+validation"))
    assert leaderboard(run, analyse(run, "lits_cls"))["gap"].isna().all()


# --- Curves and trajectories ----------------------------------------------------------------


def test_a_mean_curve_is_the_mean_of_the_seeds_at_each_epoch(make_run):
    run = load_run(make_run())
    curves = tables.curves(run, analyse(run, "lits_cls"))
    strong = curves[(curves["entrant"] == "Strong") & (curves["epoch"] == 4)]
    seeds, mean = strong[strong["replicate"] >= 0], strong[strong["replicate"] == -1].iloc[0]
    assert len(seeds) == 3
    assert mean["validation"] == pytest.approx(seeds["validation"].mean())
    assert mean["charged_seconds"] == pytest.approx(seeds["charged_seconds"].mean())


def test_charged_seconds_add_up_along_a_curve(make_run):
    run = load_run(make_run())
    curves = tables.curves(run, analyse(run, "lits_cls"))
    line = curves[(curves["entrant"] == "Strong") & (curves["replicate"] == 0)]
    study = run.of_task("lits_cls")[0].id
    assert line["charged_seconds"].is_monotonic_increasing
    last = run.progress(study).replicates[0].charged_seconds
    assert line["charged_seconds"].iloc[-1] == pytest.approx(last)


def test_the_best_so_far_never_falls_and_ends_at_all_effort(cast):
    run, analysis = cast
    path = tables.trajectory(run, analysis)
    for study in run.of_task("lits_cls")[:-1]:
        best = path[(path["entrant"] == study.label) & (path["kind"] == "best")]
        assert best["validation"].is_monotonic_increasing
        assert best["effort_epochs"].iloc[-1] == run.progress(study.id).effort
    marks = path[path["entrant"] == "ConvMixer"]["kind"].value_counts()
    assert (marks["completed"], marks["stopped"], marks["failed"]) == (3, 4, 2)


def test_for_a_loss_the_best_so_far_falls(make_run):
    run = load_run(make_run(primary="log_loss"))
    path = tables.trajectory(run, analyse(run, "lits_cls"))
    best = path[(path["entrant"] == "Strong") & (path["kind"] == "best")]
    assert best["validation"].is_monotonic_decreasing


# --- The rest -------------------------------------------------------------------------------


def test_every_hole_has_its_reason(cast):
    run, analysis = cast
    found = holes(run, [analysis])
    assert (found["why"] != "").all()
    told = {(row.entrant, row.what): row.why for row in found.itertuples()}
    assert told[("ConvMixer", "trials 1, 2 failed")] == "diverged: the loss is not finite at step 3"
    assert told[("FCNN", "seed 3 of 3 failed")] == "CUDA error: an illegal access"
    alexnet = told[("AlexNet", "the whole study failed")]
    assert alexnet == "RuntimeError: expected 1 channel, <got> 3"
    assert "Traceback" in found[found["entrant"] == "AlexNet"]["details"].iloc[0]


def test_missing_seeds_and_unopened_tests_are_holes(make_run):
    folder = make_run([Actor(label="A", finished=2)], finish=False)
    lines = (folder / "ledger.jsonl").read_text().splitlines()
    last = max(i for i, line in enumerate(lines) if '"test_unsealed"' in line)
    (folder / "ledger.jsonl").write_text("\n".join(lines[:last]) + "\n")
    run = load_run(folder)
    found = holes(run, [analyse(run, "lits_cls")])
    told = dict(zip(found["what"], found["why"], strict=True))
    assert told["seed 2 of 3 not tested"] == "trained, the test set was not opened"
    assert told["seed 3 of 3 missing"] == "not started"


def test_a_sound_run_has_no_hole(make_run):
    run = load_run(make_run())
    assert holes(run, [analyse(run, "lits_cls")]).empty


def test_a_search_cut_short_is_a_hole(make_run):
    folder = make_run()
    lines = (folder / "ledger.jsonl").read_text().splitlines()
    (folder / "ledger.jsonl").write_text("\n".join(lines[:20]) + "\n")
    run = load_run(folder)
    found = holes(run, [analyse(run, "lits_cls")])
    assert list(found["what"]) == ["search not finished"] * 2
    assert found["why"].iloc[1] == "0 of 54 epochs spent"


def test_openings_count_this_run_once_and_others(make_run):
    run = load_run(make_run())
    for name in (run.name, run.name, "other", "other", "third"):
        register_opening(openings_register(), fingerprint="60303ae22b99", run=name)
    register_opening(openings_register(), fingerprint="different", run="fourth")
    row = tables.openings(run).iloc[0]
    assert (row["openings_here"], row["openings"], row["runs"]) == (6, 9, 3)


def test_groups_are_not_counted_where_they_are_unknown(make_run):
    data = tables.data(load_run(make_run(groups_known=False)))
    assert data["groups"].isna().all() and not data["groups_known"].any()
    assert data["class_counts"].iloc[0].startswith("no liver 1")


def test_provenance_tells_what_it_knows(make_run):
    told = tables.provenance(load_run(make_run())).set_index("what")["value"]
    assert told["code"] == "0123456789abcdef, with uncommitted changes"
    assert told["notthere"] == "not installed" and told["accelerators"] == "A GPU"


def test_winners_say_what_was_pinned(cast):
    winners = tables.winners(*cast)
    depth = winners[winners["parameter"] == "depth"].set_index("entrant")
    assert depth.loc["ResNet-34, from scratch", "value"] == 34 and depth["pinned"].all()
    assert not winners[winners["parameter"] == "learning_rate"]["pinned"].any()


def test_the_cause_of_a_traceback_is_its_last_line():
    assert cause("Traceback (most recent call last):\n  File x\nValueError: no") == "ValueError: no"
    assert cause("one\ntwo") == "one two" and cause("") == ""
    assert len(cause("x" * 1000)) == 300
