"""What is beside the primary analysis: numbers against the functions they come from."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from results import effects, exploratory, stats
from results.analysis import ALPHA, analyse
from results.compiled import compile_run
from results.load import load_run
from tests.results.synthetic import CAST, PAIR, Actor, write_run

THREE = (
    Actor(label="A", quality=1.55),
    Actor(label="B", quality=1.5),
    Actor(label="C", quality=0.3),
)


def analysed(folder):
    run = load_run(folder)
    return run, analyse(run, "lits_cls")


def same(one, other):
    return one == pytest.approx(other, nan_ok=True)


# --- Summaries ------------------------------------------------------------------------------


def test_summaries_are_those_of_the_units(make_run):
    run, analysis = analysed(make_run(THREE, seeds=5))
    table = exploratory.summaries(run, analysis)
    assert list(table["entrant"]) == [entry.study.label for entry in analysis.entries]
    for row, entry in zip(table.to_dict("records"), analysis.entries, strict=True):
        found = stats.summary(entry.scores)
        assert (row["unit"], row["units"], row["why"]) == ("seeds", 5, "")
        assert row["interquartile_mean"] == found.interquartile_mean != found.mean
        assert (row["mean"], row["median"]) == (found.mean, found.median)
        assert row["std"] == entry.scores.std(ddof=1)


def test_an_entrant_without_scores_has_a_row_and_a_reason(make_run):
    run, analysis = analysed(make_run(CAST))
    row = exploratory.summaries(run, analysis).to_dict("records")[-1]
    assert row["entrant"] == "AlexNet" and row["units"] == 0
    assert math.isnan(row["mean"]) and row["why"] == "0 of at least 1 seed"


def test_several_searches_are_summed_up_by_search(make_run):
    run, analysis = analysed(make_run(PAIR, searches=4, seeds=3, trials=3))
    row = exploratory.summaries(run, analysis).to_dict("records")[0]
    means = analysis.entries[0].scores.reshape(4, 3).mean(axis=1)
    assert (row["unit"], row["units"]) == ("searches", 4)
    assert row["std"] == pytest.approx(means.std(ddof=1))


# --- Pairs ----------------------------------------------------------------------------------


def effects_of(folder):
    run, analysis = analysed(folder)
    table = effects.effects(run, analysis)
    rows = {(row["first"], row["second"]): row for row in table.to_dict("records")}
    return analysis, rows


def test_effects_are_those_of_the_scores(make_run):
    analysis, rows = effects_of(make_run(THREE, seeds=5))
    scores = {entry.study.label: entry.scores for entry in analysis.entries}
    assert set(rows) == {("A", "B"), ("A", "C"), ("B", "C")}
    for (first, second), row in rows.items():
        pair = scores[first], scores[second]
        for name, found in (
            ("probability", stats.probability_of_improvement(*pair)),
            ("cliffs_delta", stats.cliffs_delta(*pair)),
            ("hedges_g", stats.hedges_g(*pair)),
        ):
            got = [row[name], row[f"{name}_low"], row[f"{name}_high"]]
            assert same(got, [found.value, found.low, found.high])
        assert (row["first_units"], row["second_units"], row["why"]) == (5, 5, "")


def test_a_decided_pair_needs_nothing(make_run):
    run, analysis = analysed(make_run(THREE, seeds=5))
    table = effects.effects(run, analysis).set_index(["first", "second"])
    row = table.loc["A", "C"]
    assert row["decided"] and row["undecided_why"] == "" and row["probability"] == 1
    assert row[["seeds_needed", "more_seeds"]].isna().all()
    assert not table.loc["A", "B"]["decided"]


def with_difference(analysis, **changes):
    """The same analysis, its first pair undecided, with another estimate of its difference."""
    first = analysis.comparisons[0]
    changed = replace(first, better=None, difference=replace(first.difference, **changes))
    return replace(analysis, comparisons=(changed, *analysis.comparisons[1:]))


def test_seeds_that_would_decide_are_counted_from_the_larger_entrant(make_run):
    run, analysis = analysed(make_run([PAIR[0], replace(PAIR[1], finished=4)], seeds=5))
    found = {"value": 0.05, "p": 0.2, "seed_variance": 1e-3, "patient_variance": 1e-5}
    analysis = with_difference(analysis, degrees=7.0, **found)
    row = effects.effects(run, analysis).to_dict("records")[0]
    needed = stats.seeds_needed(analysis.comparisons[0].difference, seeds=5, alpha=ALPHA / 2)
    assert {row["first_units"], row["second_units"]} == {4, 5}
    assert row["seeds_needed"] == needed.seeds > 5 and row["more_seeds"] == needed.seeds - 5


def test_where_patients_are_too_few_no_seed_decides(make_run):
    run, analysis = analysed(make_run(PAIR))
    analysis = with_difference(analysis, value=0.01, p=0.8, patient_variance=1.0)
    table = effects.effects(run, analysis)
    assert "patients" in table["undecided_why"][0]
    assert table[["seeds_needed", "more_seeds"]].isna().all().all()


def test_a_pair_that_holm_alone_leaves_open_is_not_told_one_more_seed(make_run):
    run, analysis = analysed(make_run(PAIR))
    table = effects.effects(run, with_difference(analysis, p=0.04))
    assert table["undecided_why"][0] == "decided by itself, not after Holm's correction"
    assert table["seeds_needed"].isna().all()


def test_with_a_metric_of_which_less_is_better_the_other_one_is_better(make_run):
    run, analysis = analysed(make_run(PAIR, seeds=4))
    less = replace(analysis, task=replace(analysis.task, primary="brier"))
    (row,) = effects.effects(run, analysis).to_dict("records")
    (turned,) = effects.effects(run, less).to_dict("records")
    assert (row["first"], row["probability"], turned["probability"]) == ("Strong", 1, 0)
    assert turned["cliffs_delta"] == -1
    assert turned["hedges_g"] == pytest.approx(-row["hedges_g"])
    assert turned["hedges_g_low"] == pytest.approx(-row["hedges_g_high"])


def test_splits_have_effects_without_intervals(make_run):
    _, rows = effects_of(make_run(PAIR, splits=3, seeds=2, trials=3, patients=10))
    row = rows["Strong", "Weak"]
    assert row["unit"] == "splits" and row["first_units"] == 3 and row["probability"] == 1
    assert math.isnan(row["probability_low"]) and math.isnan(row["hedges_g_high"])
    assert "not independent" in row["why"]


@pytest.mark.parametrize("cast", [[PAIR[0]], [CAST[-1]], [PAIR[0], CAST[-1]]])
def test_one_entrant_alone_has_no_pairs(make_run, cast):
    run, analysis = analysed(make_run(cast))
    table = effects.effects(run, analysis)
    assert table.empty and "hedges_g" in table.columns
    assert len(exploratory.summaries(run, analysis)) == len(cast)


# --- Searches -------------------------------------------------------------------------------


def test_expected_best_is_that_of_the_trials(make_run):
    run, analysis = analysed(make_run(CAST[2:3], trials=12))
    table = exploratory.expected_best(run, analysis)
    trials = run.progress(analysis.entries[0].study.id).trials.values()
    scores = [math.nan if t.state == "failed" else t.best()[0] for t in trials]
    assert np.isnan(scores).sum() == 2, "two of its trials diverged"
    sizes = np.arange(1, 13)
    found = stats.expected_best(np.array(scores), rng=np.random.default_rng(0), sizes=sizes)
    by_trials = table[table["by"] == "trials"]
    assert list(by_trials["at"]) == list(sizes)
    np.testing.assert_allclose(by_trials["validation"], found.value)
    assert list(by_trials["low"].notna()) == [k <= 6 for k in sizes]
    by_epochs = table[table["by"] == "epochs"]
    epochs = [trial.effort for trial in trials]
    assert (by_epochs["at"].iloc[0], by_epochs["at"].iloc[-1]) == (max(epochs), sum(epochs))
    assert by_epochs["validation"].is_monotonic_increasing and len(by_epochs) <= 20
    for curve in (by_trials, by_epochs):
        assert curve["validation"].iloc[-1] == pytest.approx(np.nanmax(scores))
        known = curve[curve["low"].notna()]
        assert (known["low"] <= known["validation"]).all() and (known["high"] <= 1).all()


def rewritten(folder, change):
    """The folder, each event of its ledger changed."""
    ledger = folder / "ledger.jsonl"
    events = [json.loads(line) for line in ledger.read_text().splitlines()]
    ledger.write_text("".join(json.dumps(change(event)) + "\n" for event in events))
    return folder


def test_the_expected_best_of_a_metric_of_which_less_is_better_falls(make_run):
    def turned(event):
        return event | ({"score": -event["score"]} if event.get("score") is not None else {})

    run, analysis = analysed(rewritten(make_run([PAIR[0]], trials=12), turned))
    less = replace(analysis, task=replace(analysis.task, primary="brier"))
    table = exploratory.expected_best(run, less)
    by_trials = table[table["by"] == "trials"]
    assert by_trials["validation"].is_monotonic_decreasing and (by_trials["validation"] > 0).all()
    known = by_trials[by_trials["low"].notna()]
    assert (known["low"] < known["validation"]).all()
    assert (known["high"] > known["validation"]).all()


def test_a_trial_that_scored_and_then_failed_counts_as_the_worst(make_run):
    folder = make_run([PAIR[0]], trials=8)
    before = analysed(folder)[0].progress("lits_cls-0")
    winner = before.winner

    def failing(event):
        ended = event["event"] == "trial_finished" and event["trial"] == winner
        return event | ({"state": "failed", "reason": "crashed"} if ended else {})

    table = exploratory.expected_best(*analysed(rewritten(folder, failing)))
    others = [t.best()[0] for number, t in before.trials.items() if number != winner]
    last = table[table["by"] == "trials"]["validation"].iloc[-1]
    assert last == pytest.approx(max(others)) and last < before.trials[winner].best()[0]


def test_the_same_run_gives_the_same_intervals(make_run):
    run, analysis = analysed(make_run(PAIR, trials=12))
    one, other = (exploratory.expected_best(run, analysis) for _ in range(2))
    assert one.equals(other) and one["low"].notna().any()


def test_each_search_has_curves_of_its_own(make_run):
    run, analysis = analysed(make_run(PAIR, searches=3, splits=3, seeds=1, trials=3, patients=10))
    table = exploratory.expected_best(run, analysis)
    assert len(table.groupby(["entrant", "split_number", "search", "by"])) == 2 * 3 * 3 * 2


def test_few_trials_say_why_they_have_no_interval_and_none_has_no_row(make_run):
    run, analysis = analysed(make_run([PAIR[0], CAST[-1]], trials=3))
    table = exploratory.expected_best(run, analysis)
    strong = table[table["entrant"] == "Strong"]
    assert strong["low"].isna().all() and set(strong["why"]) == {
        "3 of at least 5 trials for an interval"
    }
    failed = table[table["entrant"] == "AlexNet"]
    assert failed["validation"].isna().all() and set(failed["why"]) == {"no trial has a score"}


def test_trials_that_run_still_or_spent_nothing_are_left_out(make_run):
    folder = make_run([PAIR[0]], trials=6, finish=False)
    ledger = folder / "ledger.jsonl"
    lines = ledger.read_text().splitlines()
    ended = [n for n, line in enumerate(lines) if json.loads(line)["event"] == "trial_finished"]
    lines = lines[: ended[-1]]
    idle = {**json.loads(lines[-1])}
    started = next(json.loads(line) for line in lines if '"trial_started"' in line)
    idle = {"v": started["v"], "t": idle["t"], "study": started["study"], "trial": 6}
    lines += [
        json.dumps({**started, "trial": 6, "t": idle["t"]}),
        json.dumps(
            {**idle, "event": "trial_finished", "state": "failed", "reason": "crashed"}
            | {"epochs": 0, "error": "lost"}
        ),
    ]
    ledger.write_text("\n".join(lines) + "\n")
    run, analysis = analysed(folder)
    assert len(run.progress("lits_cls-0").trials) == 7
    table = exploratory.expected_best(run, analysis)
    assert table[table["by"] == "trials"]["at"].max() == 5


def test_a_thousand_trials_have_no_more_points_than_twenty(tmp_path):
    run, analysis = analysed(write_run(tmp_path / "run", [PAIR[0]], trials=1000))
    table = exploratory.expected_best(run, analysis)
    assert list(table.groupby("by").size()) == [20, 20]
    assert table["at"].max() > 3000
    bounded = table[table["low"].notna()]
    assert set(bounded["by"]) == {"epochs", "trials"} and (bounded["low"] < bounded["high"]).all()


# --- Files ----------------------------------------------------------------------------------


def test_what_is_exploratory_says_so_in_its_first_column_and_the_primary_tables_do_not(make_run):
    files = compile_run(load_run(make_run(CAST))).files()
    named = {name for name, table in files.items() if table.columns[0] == "analysis"}
    assert named == {
        "exploratory_fixed_time",
        "exploratory_summaries",
        "exploratory_effects",
        "exploratory_expected_best",
        "across",
        "exploratory_rungs",
        "exploratory_gains",
        "exploratory_importance",
        "exploratory_confusion",
        "exploratory_operating",
        "exploratory_calibration",
        "exploratory_case_dice",
        "exploratory_case_dice_summary",
        "exploratory_over_time",
        "exploratory_crossovers",
        "exploratory_time_to_target",
        "exploratory_seed_variance",
        "exploratory_seed_histograms",
        "strata",
        "predictive_values",
        "volumes",
    }
    assert set(files["exploratory_effects"]["analysis"]) == {"exploratory"}
    assert list(files["leaderboard"].columns)[:2] == ["task", "tier"]
    assert "analysis" not in files["comparisons"].columns
