import math

import numpy as np
import pytest

from results.analysis import analyse
from results.load import load_run
from tests.results.synthetic import CAST, Actor


def analysed(folder):
    return analyse(load_run(folder), "lits_cls")


def by_label(analysis):
    return {entry.study.label: entry for entry in analysis.entries}


def test_a_clearly_better_entrant_is_alone_in_the_first_tier(make_run):
    analysis = analysed(make_run())
    assert [(e.study.label, e.tier) for e in analysis.entries] == [("Strong", 1), ("Weak", 2)]
    pair = analysis.comparisons[0]
    assert pair.p_holm < 0.01 and pair.better == 0
    strong = analysis.entries[0].estimate
    assert strong.method == "t" and strong.low < strong.value < strong.high <= 1
    assert strong.patient_variance > 0 and analysis.patients == 40


def test_equals_share_the_first_tier(make_run):
    twins = [Actor(label=label, quality=1.2) for label in ("A", "B", "C")]
    analysis = analysed(make_run(twins))
    assert [entry.tier for entry in analysis.entries] == [1, 1, 1]
    assert all(pair.better is None for pair in analysis.comparisons)


def test_from_ten_seeds_on_it_is_a_bootstrap(make_run):
    analysis = analysed(make_run(seeds=10))
    assert analysis.bootstrapped
    assert {entry.estimate.method for entry in analysis.entries} == {"bootstrap"}
    assert analysis.comparisons[0].difference.method == "bootstrap"
    assert [entry.tier for entry in analysis.entries] == [1, 2]


def test_with_a_metric_of_which_less_is_better_the_tiers_turn(make_run):
    analysis = analysed(make_run(primary="log_loss"))
    first, second = analysis.entries
    assert (first.study.label, first.tier, second.tier) == ("Strong", 1, 2)
    assert first.estimate.value < second.estimate.value
    assert analysis.comparisons[0].difference.value < 0


def test_a_metric_of_scores_is_computed_anew_for_each_resample(make_run):
    analysis = analysed(make_run(primary="auroc", patients=12))
    assert [entry.tier for entry in analysis.entries] == [1, 2]
    assert analysis.entries[0].estimate.patient_variance > 0


def test_a_permutation_of_the_entrants_changes_nothing(make_run, tmp_path):
    from tests.results.synthetic import write_run

    actors = [Actor(label=label, quality=q) for label, q in (("A", 1.5), ("B", 1.1), ("C", 0.6))]
    one = by_label(analysed(make_run(actors)))
    other = by_label(analysed(write_run(tmp_path / "other", actors[::-1])))
    for label, entry in one.items():
        assert entry.tier == other[label].tier
        assert entry.estimate.low == pytest.approx(other[label].estimate.low)


def test_the_same_run_gives_the_same_bootstrap(make_run):
    folder = make_run(seeds=10)
    one, other = analysed(folder), analysed(folder)
    assert [e.estimate for e in one.entries] == [e.estimate for e in other.entries]


def test_two_seeds_get_a_mean_and_no_tier(make_run):
    entry = by_label(analysed(make_run(CAST)))["FCNN"]
    assert len(entry.scores) == 2 and entry.tier is None
    assert math.isfinite(entry.estimate.value) and math.isnan(entry.estimate.low)


def test_who_has_no_tier_stands_last(make_run):
    tiers = [entry.tier for entry in analysed(make_run(CAST)).entries]
    known = [tier for tier in tiers if tier is not None]
    assert tiers == [*sorted(known), None, None]


def test_predictions_that_contradict_the_ledger_are_a_problem(make_run):
    folder = make_run()
    text = (folder / "ledger.jsonl").read_text().splitlines()
    changed = [
        line.replace('"test_metrics": {"macro_f1": 0.', '"test_metrics": {"macro_f1": 0.0')
        if '"replicate_finished"' in line and '"Strong"' in line and '"replicate": 1' in line
        else line
        for line in text
    ]
    assert changed != text
    (folder / "ledger.jsonl").write_text("\n".join(changed) + "\n")
    analysis = analysed(folder)
    strong = by_label(analysis)["Strong"]
    assert strong.tier is None and math.isnan(strong.estimate.low)
    assert len(analysis.problems) == 1 and "the ledger recorded" in analysis.problems[0].what


def test_missing_predictions_cost_the_interval_not_the_mean(make_run):
    folder = make_run()
    sorted((folder / "predictions").glob("*.npz"))[0].unlink()
    strong = by_label(analysed(folder))["Strong"]
    assert strong.tier is None and np.isfinite(strong.estimate.value)
    assert "predictions" in strong.estimate.why


def test_one_patient_gives_no_tier(make_run):
    analysis = analysed(make_run(patients=1, per_patient=60))
    assert [entry.tier for entry in analysis.entries] == [None, None]
    assert "two or more patients" in analysis.entries[0].estimate.why


def test_a_run_without_any_result_has_entries_and_nothing_else(make_run):
    analysis = analysed(make_run([CAST[-1]]))
    assert len(analysis.entries) == 1 and not analysis.comparisons and analysis.patients == 0


def test_patients_are_the_same_for_both_sides_of_a_comparison(make_run):
    twins = [Actor(label=label, quality=1.0, stream="twins") for label in ("One", "Other")]
    analysis = analysed(make_run(twins))
    alone, pair = analysis.entries[0].estimate, analysis.comparisons[0].difference
    assert alone.patient_variance > 1e-6
    assert pair.value == 0 and pair.patient_variance < 1e-20
