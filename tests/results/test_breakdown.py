import numpy as np
import pytest
from scipy import stats as scipy_stats

from results import breakdown
from results.analysis import analyse
from results.compiled import compile_run
from results.load import load_run
from results.predictions import Scores
from results.stats import wilson
from tests.results.synthetic import CAST, PAIR, Actor


def test_errors_by_stratum_are_those_of_the_predictions(make_run):
    run = load_run(make_run(strata=("votes",)))
    table = breakdown.strata(run, analyse(run, "lits_cls"))
    assert len(table) == 2 * 8 and set(table["seeds"]) == {3}
    study = run.of_task("lits_cls")[1]
    row = table[(table["entrant"] == study.label) & (table["value"] == 5)].iloc[0]
    wrong = []
    for number in range(3):
        test = run.predictions(study.id, number).test
        here = test.facts["votes"] == 5
        wrong.append((test.scores.argmax(axis=1) != test.labels)[here].sum())
    assert row["cases"] == here.sum() == 5 * 8
    assert row["errors"] == pytest.approx(np.mean(wrong))
    assert row["error_rate"] == pytest.approx(np.mean(wrong) / 40)
    assert row["std"] == pytest.approx(np.std(wrong, ddof=1) / 40)
    assert row["low"] < row["error_rate"] < row["high"]
    counts = np.bincount(test.labels[here])
    assert row["class_counts"].startswith(f"no liver {counts[0]}, liver {counts[1]}")


def test_all_strata_together_are_all_errors(make_run):
    run = load_run(make_run(PAIR[:1], strata=("votes",)))
    analysis = analyse(run, "lits_cls")
    table = breakdown.strata(run, analysis)
    accuracy = np.mean(
        [r.test_metrics["accuracy"] for r in run.progress("lits_cls-0").replicates.values()]
    )
    assert table["cases"].sum() == 320
    assert table["errors"].sum() == pytest.approx(320 * (1 - accuracy))


def test_who_has_no_predictions_has_no_strata(make_run):
    folder = make_run([*PAIR, CAST[-1], Actor(label="One", finished=1)], strata=("votes",))
    sorted((folder / "predictions").glob("lits_cls-0-*.npz"))[0].unlink()
    run = load_run(folder)
    table = breakdown.strata(run, analyse(run, "lits_cls"))
    assert dict(table.groupby("entrant")["seeds"].first()) == {"Strong": 2, "Weak": 3, "One": 1}
    assert table[table["entrant"] == "One"]["std"].isna().all()


def test_a_task_without_strata_or_volumes_has_empty_tables(make_run):
    tables = compile_run(load_run(make_run())).files()
    assert len(tables["strata"]) == 0 and "error_rate" in tables["strata"].columns
    assert len(tables["volumes"]) == 0 and "measure" in tables["volumes"].columns


def test_every_volume_s_measures_are_listed(make_run):
    run = load_run(make_run(masks=True, primary="mean_dice", patients=4))
    table = breakdown.volumes(run, analyse(run, "lits_cls"))
    assert len(table) == 2 * 3 * 6 * 7  # entrants, seeds, volumes (every other patient has two)
    assd = table[(table["entrant"] == "Weak") & (table["measure"] == "assd_mm_tumour")]
    recorded = [
        replicate.test_metrics["assd_mm_tumour"]
        for replicate in run.progress("lits_cls-1").replicates.values()
    ]
    assert assd.groupby("replicate")["value"].mean().tolist() == pytest.approx(recorded)
    assert assd["value"].isna().sum() == 3 * 4


@pytest.mark.parametrize(("errors", "cases"), [(0, 7), (3, 10), (10, 10), (250, 977)])
def test_wilson_is_scipy_s(errors, cases):
    expected = scipy_stats.binomtest(errors, cases).proportion_ci(method="wilson")
    assert wilson(errors / cases, cases) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_at_half_a_percent_two_of_three_alarms_of_a_good_test_are_false():
    """99 % sensitivity and specificity: 100 right alarms and 200 false ones of 20,100 people."""
    true = np.repeat([0, 1], 100)
    called = true.copy()
    called[[0, 150]] = 1 - called[[0, 150]]
    outputs = Scores(
        ids=true.astype(str),
        groups=true.astype(str),
        labels=true,
        scores=np.eye(2, dtype=np.float32)[called] * 0.8 + 0.1,
    )
    found = breakdown._at_prevalence([outputs, outputs], 0.005)
    assert found["ppv"] == pytest.approx(0.00495 / (0.00495 + 0.00995))
    assert round(found["ppv"], 2) == 0.33 and found["npv"] > 0.9999
    assert found["ppv_std"] == 0


def test_tasks_of_more_classes_have_no_predictive_values(make_run):
    tables = compile_run(load_run(make_run())).files()
    assert len(tables["predictive_values"]) == 0 and "ppv" in tables["predictive_values"].columns
