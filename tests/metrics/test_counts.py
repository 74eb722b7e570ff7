"""Metrics of labels against published examples and scikit-learn."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import sklearn.metrics as oracle
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import metrics
from tests.metrics.drawn import cases, value


@pytest.mark.parametrize(
    ("id", "expected"),
    [("accuracy", 0.75), ("sensitivity", 0.75), ("specificity", 0.75), ("precision", 6 / 7)]
    + [("f1", 0.8), ("npv", 3 / 5)],
)
def test_the_lecture_s_binary_example(id: str, expected: float) -> None:
    """TP 6, FN 2, FP 1, TN 3."""
    assert value(id, *cases([[3, 1], [2, 6]]), 2) == pytest.approx(expected)


def test_the_lecture_s_example_of_three_classes() -> None:
    true, predicted = cases([[40, 5, 5], [10, 20, 0], [15, 0, 5]])
    per_class = metrics.get("per_class_f1")(true, predicted, classes=3)
    np.testing.assert_allclose(per_class, [0.696, 0.727, 0.333], atol=5e-4)
    assert value("macro_f1", true, predicted, 3) == pytest.approx(0.585, abs=5e-4)


@pytest.mark.parametrize(
    ("matrix", "expected"), [([[48, 4], [2, 46]], 0.88), ([[94, 5], [1, 0]], -0.02)]
)
def test_equal_accuracy_and_unlike_mcc(matrix: list[list[int]], expected: float) -> None:
    true, predicted = cases(matrix)
    assert value("accuracy", true, predicted, 2) == pytest.approx(0.94)
    assert value("mcc", true, predicted, 2) == pytest.approx(expected, abs=5e-3)


def test_the_lecture_s_screening_two_of_three_alarms_are_false() -> None:
    """99 % sensitivity and specificity at 0.5 %: TP 100, FN 1, FP 200, TN 19,800."""
    matrix = [[990, 10], [1, 99]]
    sick, all_of_them = 101, 20_101
    population = metrics.at_prevalence(matrix, sick / all_of_them) * all_of_them
    assert np.round(population).tolist() == [[19_800, 200], [1, 100]]
    assert metrics.ppv_at(matrix, sick / all_of_them) == pytest.approx(100 / 300, abs=5e-4)
    assert metrics.ppv_at(matrix, 0.005) == pytest.approx(0.3322, abs=5e-5)
    assert metrics.npv_at(matrix, 0.005) == pytest.approx(0.99995, abs=5e-6)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 50), min_size=4, max_size=4))
def test_at_its_own_prevalence_a_test_set_has_its_own_predictive_values(counts: list[int]) -> None:
    matrix = np.reshape(counts, (2, 2))
    prevalence = matrix[1].sum() / matrix.sum()
    np.testing.assert_allclose(metrics.at_prevalence(matrix, prevalence), matrix / matrix.sum())
    true, predicted = cases(matrix.tolist())
    assert metrics.ppv_at(matrix, prevalence) == pytest.approx(
        oracle.precision_score(true, predicted), abs=1e-9
    )
    assert metrics.npv_at(matrix, prevalence) == pytest.approx(
        oracle.precision_score(true, predicted, pos_label=0), abs=1e-9
    )


def test_a_prevalence_needs_two_classes_and_cases_of_both() -> None:
    assert math.isnan(metrics.ppv_at([[3, 1], [0, 0]], 0.1))
    with pytest.raises(ValueError, match=r"got \(3, 3\)"):
        metrics.ppv_at(np.ones((3, 3)), 0.1)
    with pytest.raises(ValueError, match="got 0"):
        metrics.ppv_at(np.ones((2, 2)), 0)


def expected_of(true: np.ndarray, predicted: np.ndarray, classes: int) -> dict[str, object]:
    """What scikit-learn makes of these cases; 0 where it cannot divide."""

    def score(name: str, average: str | None) -> object:
        return getattr(oracle, f"{name}_score")(
            true, predicted, average=average, labels=range(classes), zero_division=0
        )

    means = {
        f"{average}_{name}": score(name, average)
        for name in ("f1", "precision", "recall")
        for average in ("macro", "micro", "weighted")
    }
    dice, iou = score("f1", None), score("jaccard", None)
    expected: dict[str, object] = (
        means
        | {
            "accuracy": oracle.accuracy_score(true, predicted),
            "balanced_accuracy": score("recall", "macro"),
            "mcc": oracle.matthews_corrcoef(true, predicted),
            "per_class_f1": dice,
            "per_class_recall": score("recall", None),
            "per_class_precision": score("precision", None),
            "per_class_specificity": [
                oracle.recall_score(true != c, predicted != c, zero_division=0)
                for c in range(classes)
            ],
            "per_class_npv": [
                oracle.precision_score(true != c, predicted != c, zero_division=0)
                for c in range(classes)
            ],
            "per_class_dice": dice,
            "mean_dice": dice[1:].mean(),  # type: ignore[index]
            "per_class_iou": iou,
            "mean_iou": iou[1:].mean(),  # type: ignore[index]
        }
    )
    if classes == 2:
        two = {"y_true": true, "y_pred": predicted, "zero_division": 0}
        expected |= {
            "sensitivity": oracle.recall_score(**two),
            "specificity": oracle.recall_score(**two, pos_label=0),
            "precision": oracle.precision_score(**two),
            "npv": oracle.precision_score(**two, pos_label=0),
            "f1": oracle.f1_score(**two),
        }
    return expected


@settings(max_examples=20, deadline=None)
@given(st.data(), st.integers(2, 5))
def test_label_metrics_agree_with_scikit_learn(data: st.DataObject, classes: int) -> None:
    rows = st.lists(st.integers(0, 9), min_size=classes, max_size=classes)
    matrix = np.array(data.draw(st.lists(rows, min_size=classes, max_size=classes)))
    matrix += np.eye(classes, dtype=int)  # every class occurs: undefined ones are tested below
    true, predicted = cases(matrix.tolist())
    expected = expected_of(true, predicted, classes)
    labels = {id for id, m in metrics.METRICS.items() if m.takes == "labels"}
    assert {id for id in labels if classes == 2 or not metrics.get(id).binary} == set(expected)
    for id, right in expected.items():
        found = value(id, true, predicted, classes)
        np.testing.assert_allclose(found, right, atol=1e-6, rtol=0, err_msg=id)
    np.testing.assert_array_equal(
        metrics.confusion(true, predicted, classes=classes),
        oracle.confusion_matrix(true, predicted),
    )


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=12))
def test_what_is_defined_agrees_where_classes_are_missing(pairs: list[tuple[int, int]]) -> None:
    true, predicted = np.array(pairs).T
    expected = expected_of(true, predicted, 4)
    here, called = np.bincount(true, minlength=4) > 0, np.bincount(predicted, minlength=4) > 0
    defined = {
        "per_class_f1": here | called,
        "per_class_dice": here | called,
        "per_class_iou": here | called,
        "per_class_precision": here | called,
        "per_class_recall": here,
        "per_class_specificity": np.bincount(true, minlength=4) < len(true),
    }
    for id, where in defined.items():
        right = np.where(where, expected[id], np.nan)  # type: ignore[arg-type]
        np.testing.assert_allclose(value(id, true, predicted, 4), right, atol=1e-6, err_msg=id)
    for id in ("accuracy", "mcc", "weighted_f1", "weighted_precision", "weighted_recall"):
        assert value(id, true, predicted, 4) == pytest.approx(expected[id], abs=1e-6), id
    recalls = np.asarray(expected["per_class_recall"])[here]
    assert value("balanced_accuracy", true, predicted, 4) == pytest.approx(recalls.mean())
    assert value("macro_recall", true, predicted, 4) == pytest.approx(recalls.mean())


def test_counts_of_many_resamples_at_once() -> None:
    matrices = np.random.default_rng(0).integers(0, 20, size=(4, 5, 3, 3))
    for id, metric in metrics.METRICS.items():
        if metric.takes != "labels" or metric.binary:
            continue
        found = metrics.from_confusion(id, matrices)
        assert np.shape(found) == ((4, 5, 3) if metric.per_class else (4, 5))
        np.testing.assert_allclose(
            found[2, 3],  # type: ignore[index]
            metric(*cases(matrices[2, 3].tolist()), classes=3),
            err_msg=id,
        )
    for id in ("auroc", "mean_case_dice", "per_class_voe"):
        with pytest.raises(ValueError, match="cannot be computed from labels"):
            metrics.from_confusion(id, matrices)


def test_undefined_is_said_and_not_guessed() -> None:
    true, predicted = cases([[5, 0, 0], [0, 0, 0], [3, 0, 0]])  # class 1: nowhere; 2: never found
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for id, expected in {
            "per_class_f1": [10 / 13, np.nan, 0],
            "per_class_iou": [5 / 8, np.nan, 0],
            "per_class_recall": [1, np.nan, 0],
            "per_class_precision": [5 / 8, np.nan, 0],
            "per_class_npv": [0, 1, 5 / 8],
        }.items():
            found = metrics.get(id)(true, predicted, classes=3)
            np.testing.assert_allclose(found, expected, err_msg=id)
        assert value("macro_f1", true, predicted, 3) == pytest.approx(5 / 13)
        assert value("mean_dice", true, predicted, 3) == 0
        assert value("balanced_accuracy", true, predicted, 3) == pytest.approx(0.5)
        assert value("mcc", true, predicted, 3) == 0
        assert math.isnan(metrics.from_confusion("accuracy", np.zeros((2, 2))))  # type: ignore[arg-type]
        assert math.isnan(metrics.from_confusion("mean_iou", [[7, 0], [0, 0]]))  # type: ignore[arg-type]


def test_cases_of_one_class_and_a_single_case() -> None:
    one = np.array([1])
    for id in ("accuracy", "macro_f1", "micro_recall", "weighted_precision", "mean_dice"):
        assert value(id, one, one, 3) == 1, id
        assert value(id, np.full(9, 2), np.full(9, 2), 3) == 1, id
    assert value("mcc", one, one, 3) == 0


def test_cases_count_and_not_batches() -> None:
    """The last batch is short: a mean over batches would say 0.5."""
    batches = [([0, 0, 0, 0], [0, 0, 0, 0]), ([1], [0])]
    matrix = sum(metrics.confusion(*batch, classes=2) for batch in batches)
    assert metrics.from_confusion("accuracy", matrix) == 0.8
