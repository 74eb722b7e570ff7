"""Metrics of scores against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sklearn.metrics as oracle
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve

from bench import metrics
from bench.metrics.scores import BINS
from tests.metrics.drawn import drawn, value

IDS = {id for id, metric in metrics.METRICS.items() if metric.takes == "scores"}


def ece(true: np.ndarray, scores: np.ndarray) -> float:
    """From scikit-learn's reliability curve and how many cases each of its bins holds."""
    top, right = scores.max(axis=1), scores.argmax(axis=1) == true
    hit, said = calibration_curve(right, top, n_bins=BINS)
    inner = np.linspace(0, 1, BINS + 1)[1:-1]
    held = np.bincount(np.searchsorted(inner, top), minlength=BINS)
    return float((np.abs(hit - said) * held[held > 0]).sum() / len(true))


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 5), st.integers(0, 10_000), st.integers(30, 300))
def test_score_metrics_agree_with_scikit_learn(classes: int, seed: int, cases: int) -> None:
    true, scores = drawn(classes, seed, cases)
    true[:classes] = range(classes)
    scores = scores.round(2) + 1e-6  # equals
    scores /= scores.sum(axis=1, keepdims=True)
    one_hot = np.eye(classes)[true]
    binary = classes == 2
    ap = oracle.average_precision_score(one_hot, scores, average=None)
    aurocs = oracle.roc_auc_score(one_hot, scores, average=None)
    expected = {
        "auroc": oracle.roc_auc_score(true, scores[:, 1])
        if binary
        else oracle.roc_auc_score(true, scores, multi_class="ovr", average="macro"),
        "per_class_auroc": aurocs,
        "average_precision": ap[1] if binary else ap.mean(),
        "per_class_average_precision": ap,
        "log_loss": oracle.log_loss(true, scores),
        "brier": oracle.brier_score_loss(true, scores[:, 1])
        if binary
        else oracle.brier_score_loss(true, scores, labels=range(classes)),
        "ece": ece(true, scores),
    }
    assert set(expected) == IDS
    for id, right in expected.items():
        found = value(id, true, scores, classes)
        np.testing.assert_allclose(found, right, atol=1e-6, rtol=0, err_msg=id)


def test_a_model_that_is_as_sure_as_it_is_right_has_no_calibration_error() -> None:
    scores = np.array([[0.8, 0.2]] * 10)
    right = np.array([0] * 8 + [1] * 2)
    assert value("ece", right, scores, 2) == pytest.approx(0)
    assert value("ece", 1 - right, scores, 2) == pytest.approx(0.6)


def test_a_bin_holds_its_upper_edge() -> None:
    """10/15 closes the tenth bin: with a case just above it, two bins, not one."""
    edge = np.linspace(0, 1, BINS + 1)[10]
    scores = np.array([[edge, 1 - edge], [edge + 0.01, 1 - edge - 0.01]])
    expected = (abs(1 - edge) + abs(0 - edge - 0.01)) / 2
    assert value("ece", np.array([0, 1]), scores, 2) == pytest.approx(expected)


def test_a_class_without_a_case_has_no_ranking() -> None:
    true, scores = drawn(3)
    true = np.where(true == 2, 1, true)
    assert math.isnan(value("auroc", true, scores, 3))
    assert math.isnan(value("average_precision", true, scores, 3))
    for id in ("per_class_auroc", "per_class_average_precision"):
        assert np.isnan(value(id, true, scores, 3)).tolist() == [False, False, True]
        alone = value(id, np.ones(9, int), scores[:9], 3)
        assert np.isnan(alone).all(), "every case is of class 1: nothing to rank it against"


def test_one_case_and_one_class() -> None:
    scores = np.array([[0.3, 0.7]])
    assert value("log_loss", np.array([1]), scores, 2) == pytest.approx(-math.log(0.7))
    assert value("brier", np.array([1]), scores, 2) == pytest.approx(0.09)
    assert value("ece", np.array([1]), scores, 2) == pytest.approx(0.3)
    assert math.isnan(value("auroc", np.array([1]), scores, 2))


@pytest.mark.parametrize("id", sorted(IDS))
def test_of_no_case_nothing_is_said(id: str) -> None:
    assert np.isnan(value(id, np.zeros(0, int), np.zeros((0, 2)), 2)).all()
