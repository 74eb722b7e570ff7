"""Each metric against its published example or scikit-learn, and what it refuses."""

from __future__ import annotations

import math
import subprocess
import sys
import warnings

import numpy as np
import pytest
import sklearn.metrics as oracle

from bench import metrics
from bench.errors import UserError


def cases(matrix: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    """True and predicted labels with that confusion matrix."""
    rows, columns = np.indices(np.shape(matrix)).reshape(2, -1)
    counts = np.ravel(matrix)
    return np.repeat(rows, counts), np.repeat(columns, counts)


def drawn(classes: int, seed: int = 0, n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities that know something of them."""
    rng = np.random.default_rng(seed)
    true = rng.integers(classes, size=n)
    logits = rng.normal(size=(n, classes)) + 1.5 * np.eye(classes)[true]
    return true, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def value(id: str, true: np.ndarray, predicted: np.ndarray, classes: int) -> float:
    return metrics.get(id)(true, predicted, classes=classes)  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("id", "expected"),
    [("accuracy", 0.75), ("sensitivity", 0.75), ("specificity", 0.75), ("precision", 6 / 7)]
    + [("f1", 0.8)],
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


@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize("seed", range(3))
def test_label_metrics_agree_with_scikit_learn(classes: int, seed: int) -> None:
    true, scores = drawn(classes, seed)
    predicted = scores.argmax(axis=1)
    expected = {
        "accuracy": oracle.accuracy_score(true, predicted),
        "balanced_accuracy": oracle.balanced_accuracy_score(true, predicted),
        "macro_f1": oracle.f1_score(true, predicted, average="macro"),
        "micro_f1": oracle.f1_score(true, predicted, average="micro"),
        "weighted_f1": oracle.f1_score(true, predicted, average="weighted"),
        "macro_precision": oracle.precision_score(true, predicted, average="macro"),
        "macro_recall": oracle.recall_score(true, predicted, average="macro"),
        "mcc": oracle.matthews_corrcoef(true, predicted),
        "per_class_f1": oracle.f1_score(true, predicted, average=None),
        "per_class_recall": oracle.recall_score(true, predicted, average=None),
        "per_class_precision": oracle.precision_score(true, predicted, average=None),
        "per_class_specificity": [
            oracle.recall_score(true != c, predicted != c) for c in range(classes)
        ],
    }
    if classes == 2:
        expected |= {
            "sensitivity": oracle.recall_score(true, predicted),
            "specificity": oracle.recall_score(true, predicted, pos_label=0),
            "precision": oracle.precision_score(true, predicted),
            "f1": oracle.f1_score(true, predicted),
        }
    labels = {id for id, m in metrics.METRICS.items() if m.takes == "labels"}
    assert {id for id in labels if classes == 2 or not metrics.get(id).binary} == set(expected)
    for id, right in expected.items():
        np.testing.assert_allclose(value(id, true, predicted, classes), right, err_msg=id)
    np.testing.assert_array_equal(
        metrics.confusion(true, predicted, classes=classes),
        oracle.confusion_matrix(true, predicted),
    )


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_score_metrics_agree_with_scikit_learn(classes: int) -> None:
    true, scores = drawn(classes)
    one_hot = np.eye(classes)[true]
    binary = classes == 2
    expected = {
        "auroc": oracle.roc_auc_score(true, scores[:, 1])
        if binary
        else oracle.roc_auc_score(true, scores, multi_class="ovr", average="macro"),
        "average_precision": oracle.average_precision_score(true, scores[:, 1])
        if binary
        else oracle.average_precision_score(one_hot, scores, average="macro"),
        "log_loss": oracle.log_loss(true, scores),
        "brier": oracle.brier_score_loss(true, scores[:, 1])
        if binary
        else oracle.brier_score_loss(true, scores, labels=range(classes)),
    }
    assert set(expected) == {id for id, m in metrics.METRICS.items() if m.takes == "scores"}
    for id, right in expected.items():
        assert value(id, true, scores, classes) == pytest.approx(right), id


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
    with pytest.raises(ValueError, match="takes scores"):
        metrics.from_confusion("auroc", matrices)


def test_thresholded_predictions_are_no_scores() -> None:
    true, scores = drawn(2)
    thresholded = scores.argmax(axis=1)
    for id in ("auroc", "average_precision", "log_loss", "brier"):
        metric = metrics.get(id)
        for wrong in (thresholded, thresholded.astype(float), scores[:, 1], scores[:, :1]):
            with pytest.raises(ValueError, match="takes probabilities"):
                metric(true, wrong, classes=2)
        with pytest.raises(ValueError, match="thresholded"):
            metric(true, np.eye(2)[thresholded], classes=2)
        with pytest.raises(ValueError, match="sum to 1"):
            metric(true, scores * 2, classes=2)
        with pytest.raises(ValueError, match="NaN"):
            metric(true, scores * np.nan, classes=2)


def test_scores_are_no_labels() -> None:
    true, scores = drawn(3)
    for id in ("accuracy", "macro_f1", "mcc", "per_class_recall"):
        with pytest.raises(ValueError, match="takes class indices"):
            metrics.get(id)(true, scores, classes=3)
        with pytest.raises(ValueError, match="takes class indices"):
            metrics.get(id)(true, scores[:, 0], classes=3)
    with pytest.raises(ValueError, match=r"must lie in \[0, 2\)"):
        metrics.get("accuracy")(true, true, classes=2)
    with pytest.raises(ValueError, match="do not match"):
        metrics.confusion(true, true[1:], classes=3)
    with pytest.raises(ValueError, match="two classes"):
        metrics.get("sensitivity")(true, true, classes=3)


def test_undefined_is_said_and_not_guessed() -> None:
    true, predicted = cases([[5, 0, 0], [0, 0, 0], [3, 0, 0]])  # class 1: nowhere; 2: never found
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        f1 = metrics.get("per_class_f1")(true, predicted, classes=3)
        recall = metrics.get("per_class_recall")(true, predicted, classes=3)
        precision = metrics.get("per_class_precision")(true, predicted, classes=3)
        np.testing.assert_allclose(f1, [10 / 13, np.nan, 0])
        np.testing.assert_allclose(recall, [1, np.nan, 0])
        np.testing.assert_allclose(precision, [5 / 8, np.nan, 0])
        assert value("macro_f1", true, predicted, 3) == pytest.approx(5 / 13)
        assert value("balanced_accuracy", true, predicted, 3) == pytest.approx(0.5)
        assert value("mcc", true, predicted, 3) == 0
        assert math.isnan(value("auroc", true, drawn(3, n=8)[1], 3))
        assert math.isnan(metrics.from_confusion("accuracy", np.zeros((2, 2))))  # type: ignore[arg-type]


def test_evaluate_is_flat_and_by_name() -> None:
    true, scores = drawn(3)
    names = ("no liver", "liver", "Sci/Tech")
    found = metrics.evaluate(
        ["accuracy", "per_class_f1", "per_class_recall", "auroc"],
        true=true,
        scores=scores.astype(np.float32),
        class_names=names,
    )
    assert list(found) == [
        "accuracy", "f1_no_liver", "f1_liver", "f1_sci_tech",
        "recall_no_liver", "recall_liver", "recall_sci_tech", "auroc",
    ]  # fmt: skip
    assert found["accuracy"] == (scores.argmax(axis=1) == true).mean()
    assert all(type(number) is float for number in found.values())
    with pytest.raises(UserError, match="did you mean 'accuracy'"):
        metrics.evaluate(["acuracy"], true=true, scores=scores, class_names=names)


def test_directions_and_ranges() -> None:
    assert metrics.get("log_loss").turned(0.3) == -0.3
    assert metrics.get("auroc").turned(0.3) == 0.3
    for id, metric in metrics.METRICS.items():
        true, scores = drawn(2)
        given = scores if metric.takes == "scores" else scores.argmax(axis=1)
        found = np.asarray(metric(true, given, classes=2))
        assert metric.id == id
        assert ((metric.low <= found) & (found <= metric.high)).all(), id


def test_loading_it_loads_no_scikit_learn() -> None:
    code = "import bench.metrics, sys; sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
