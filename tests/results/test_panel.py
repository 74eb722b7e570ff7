import json

import numpy as np
import pytest

from bench import metrics
from results import stats
from results.analysis import analyse
from results.load import load_run
from results.panel import Panel
from tests.results.synthetic import PAIR
from tests.results.synthetic_cases import MASK_CLASSES

PRIMARIES = ("mean_case_dice", "mean_case_iou", "mean_slice_dice", "mean_dice", "mean_iou", "mcc")


def panel_of(run):
    return Panel(run, run.tasks["lits_cls"], np.random.default_rng(0))


@pytest.mark.parametrize("primary", PRIMARIES)
def test_a_segmenter_s_metric_without_a_patient_is_that_of_the_others(make_run, primary):
    run = load_run(make_run(masks=True, primary=primary, patients=7))
    panel, study = panel_of(run), run.of_task("lits_cls")[0].id
    found = panel.measure(study)(stats.leave_one_out(7))
    assert panel.blocks == 7 and panel.problems == []
    for seed in range(3):
        test = run.predictions(study, seed).test
        for block, patient in enumerate(np.unique(test.groups)):
            rest = test.groups != patient
            expected = metrics.evaluate_counts(
                [primary],
                counts=test.counts[rest],
                cases=test.cases[rest],
                class_names=MASK_CLASSES,
            )[primary]
            assert found[block, seed] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("primary", PRIMARIES)
def test_a_patient_drawn_twice_is_two_patients(make_run, primary):
    run = load_run(make_run(masks=True, primary=primary, patients=6))
    study = run.of_task("lits_cls")[0].id
    weights = next(stats.patient_draws(6, 5, np.random.default_rng(1)))
    found = panel_of(run).measure(study)(weights)
    test = run.predictions(study, 1).test
    _, patient = np.unique(test.groups, return_inverse=True)
    for draw, row in enumerate(weights.astype(int)):
        rows = [(n, copy) for n, p in enumerate(patient) for copy in range(row[p])]
        chosen = [n for n, _ in rows]
        expected = metrics.evaluate_counts(
            [primary],
            counts=test.counts[chosen],
            cases=[f"{test.cases[n]}, copy {copy}" for n, copy in rows],
            class_names=MASK_CLASSES,
        )[primary]
        assert found[draw, 1] == pytest.approx(expected, abs=1e-12)


def test_a_classifier_s_counts_without_a_patient_are_those_of_the_others(make_run):
    run = load_run(make_run(patients=5))
    study = run.of_task("lits_cls")[0].id
    found = panel_of(run).measure(study)(stats.leave_one_out(5))
    test = run.predictions(study, 2).test
    rest = test.groups != "patient-003"
    expected = metrics.get("macro_f1")(
        test.labels[rest], test.scores[rest].argmax(axis=1), classes=3
    )
    assert found[3, 2] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seeds", [3, 10])
def test_segmenters_are_ranked(make_run, seeds):
    run = load_run(make_run(masks=True, primary="mean_case_dice", seeds=seeds))
    analysis = analyse(run, "lits_cls")
    assert [(e.study.label, e.tier) for e in analysis.entries] == [("Strong", 1), ("Weak", 2)]
    strong = analysis.entries[0].estimate
    assert strong.low < strong.value < strong.high and strong.patient_variance > 0
    assert strong.method == ("t" if seeds == 3 else "bootstrap") and analysis.problems == ()


def test_a_recorded_metric_that_the_counts_do_not_give_is_a_problem(make_run):
    folder = make_run(masks=True, primary="mean_case_dice")
    lines = [json.loads(line) for line in (folder / "ledger.jsonl").read_text().splitlines()]
    for event in lines:
        if event["event"] == "replicate_finished" and event["replicate"] == 2:
            event["test_metrics"]["mean_case_dice"] += 0.001
    (folder / "ledger.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    analysis = analyse(load_run(folder), "lits_cls")
    assert [problem.number for problem in analysis.problems] == [2, 2]
    assert all("the ledger recorded" in problem.what for problem in analysis.problems)


@pytest.mark.parametrize("primary", ["auroc", "per_class_assd_mm"])
def test_a_primary_that_counts_cannot_give_is_a_problem_not_a_crash(make_run, primary):
    folder = make_run(masks=True, primary="mean_dice")
    record = json.loads((folder / "run.json").read_text())
    record["tasks"]["lits_cls"]["primary"] = primary
    (folder / "run.json").write_text(json.dumps(record))
    analysis = analyse(load_run(folder), "lits_cls")
    assert len(analysis.problems) == 6
    assert all("cannot be computed from" in problem.what for problem in analysis.problems)


def test_other_classes_other_truth_and_negative_counts_are_problems(make_run, monkeypatch):
    from dataclasses import replace

    run = load_run(make_run(PAIR[:1], masks=True, primary="mean_dice"))
    study = run.of_task("lits_cls")[0].id
    whole = run.predictions(study, 0)

    def spoiled(_, number):
        counts = whole.test.counts.copy()
        if number == 1:
            counts = np.flip(counts, axis=1)
        elif number == 2:
            counts[0, 0, 0] -= counts[0].sum() + 1
        else:
            counts = counts[:, :2, :2]
        return replace(whole, test=replace(whole.test, counts=counts))

    monkeypatch.setattr(type(run), "predictions", lambda self, study, n: spoiled(study, n))
    panel = panel_of(run)
    why = [why for _, _, why in panel.problems]
    assert "of 2 classes, the task has 3" in why[0] and "are negative" in why[1]
    assert panel.measure(study) is None

    spoilt = iter([whole, spoiled(study, 1), whole])
    monkeypatch.setattr(type(run), "predictions", lambda self, study, n: next(spoilt))
    assert "other test cases" in panel_of(run).problems[0][2]


SCORED = ("auroc", "average_precision", "log_loss", "brier", "ece")


@pytest.mark.parametrize("primary", SCORED)
def test_a_metric_of_scores_without_a_patient_and_with_one_twice(make_run, primary, monkeypatch):
    monkeypatch.setattr("results.panel.PORTION", 100)  # less than one draw needs: many portions
    run = load_run(make_run(primary=primary, patients=12))
    study = run.of_task("lits_cls")[0].id
    panel = panel_of(run)
    twice = np.ones((1, 12))
    twice[0, 4], twice[0, 7] = 2, 0
    weights = np.concatenate([stats.leave_one_out(12), twice])
    found = panel.measure(study)(weights)
    assert found.shape == (13, 3) and panel.problems == []
    for seed in range(3):
        test = run.predictions(study, seed).test
        _, patient = np.unique(test.groups, return_inverse=True)
        for draw, row in enumerate(weights.astype(int)):
            chosen = np.repeat(np.arange(len(patient)), row[patient])
            expected = metrics.evaluate(
                [primary],
                true=test.labels[chosen],
                scores=test.scores[chosen],
                class_names=("a", "b", "c"),
            )[primary]
            assert found[draw, seed] == pytest.approx(expected, abs=1e-10, nan_ok=True)


def test_outputs_that_are_no_probabilities_are_the_problem_of_their_seed(make_run, monkeypatch):
    from dataclasses import replace

    run = load_run(make_run(PAIR[:1], primary="auroc"))
    study = run.of_task("lits_cls")[0].id
    whole = [run.predictions(study, number) for number in range(3)]
    test = whole[1].test
    whole[1] = replace(whole[1], test=replace(test, scores=3 * test.scores))
    monkeypatch.setattr(type(run), "predictions", lambda self, study, number: whole[number])
    panel = panel_of(run)
    assert panel.measure(study) is None
    assert [(number, why[:25]) for _, number, why in panel.problems] == [
        (1, "its predictions give nan,")
    ]


def test_a_metric_of_each_class_is_a_problem_of_all_seeds(make_run):
    folder = make_run(primary="auroc")
    record = json.loads((folder / "run.json").read_text())
    record["tasks"]["lits_cls"]["primary"] = "per_class_auroc"
    (folder / "run.json").write_text(json.dumps(record))
    panel = panel_of(load_run(folder))
    study = load_run(folder).of_task("lits_cls")[0].id
    assert panel.measure(study) is None
    assert all("one value a class" in why for _, _, why in panel.problems)
    assert len(panel.problems) == 3
