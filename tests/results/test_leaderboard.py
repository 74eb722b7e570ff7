import math

import pytest

from results.analysis import analyse
from results.leaderboard import leaderboard
from results.load import load_run
from tests.results.synthetic import CAST, Actor


@pytest.fixture
def cast(make_run):
    run = load_run(make_run(CAST))
    return run, analyse(run, "lits_cls")


def row_of(table, label):
    return table[table["entrant"] == label].iloc[0]


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
    assert row["enqueued_trials"] == 1
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
