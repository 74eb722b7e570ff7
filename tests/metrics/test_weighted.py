"""Metrics of scores under weights, against scikit-learn and against cases that are repeated."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as oracle
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import metrics
from tests.metrics.drawn import drawn, value

IDS = [
    id
    for id, metric in metrics.METRICS.items()
    if metric.takes == "scores" and not metric.per_class
]


def tied(classes: int, seed: int, cases: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels of every class, probabilities many of which are equal, weights of four draws."""
    true, scores = drawn(classes, seed, cases)
    true[:classes] = range(classes)
    scores = scores.round(1) + 1e-3
    scores /= scores.sum(axis=1, keepdims=True)
    weights = np.random.default_rng(seed).integers(0, 4, size=(4, cases)).astype(float)
    weights[:, :classes] += 1
    return true, scores, weights


def test_every_metric_that_is_one_value_can_be_resampled() -> None:
    assert [id for id in IDS if metrics.get(id).weighted is None] == []


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 4), st.integers(0, 10_000), st.integers(20, 200), st.booleans())
def test_ranking_agrees_with_scikit_learn(classes: int, seed: int, cases: int, real: bool) -> None:
    true, scores, weights = tied(classes, seed, cases)
    if real:
        weights = weights * np.random.default_rng(seed).random(weights.shape)
    one_hot = np.eye(classes)[true]
    for id, name in (
        ("auroc", "roc_auc_score"),
        ("average_precision", "average_precision_score"),
    ):
        found = metrics.get(id).of_weighted(true, scores, weights)
        for draw, row in enumerate(weights):
            each = getattr(oracle, name)(one_hot, scores, average=None, sample_weight=row)
            expected = each[1] if classes == 2 else each.mean()
            assert found[draw] == pytest.approx(expected, abs=1e-10), id


@pytest.mark.parametrize("id", IDS)
@settings(max_examples=15, deadline=None)
@given(st.integers(2, 4), st.integers(0, 10_000), st.integers(20, 120))
def test_a_weight_is_how_often_a_case_is_there(
    id: str, classes: int, seed: int, cases: int
) -> None:
    true, scores, weights = tied(classes, seed, cases)
    found = metrics.get(id).of_weighted(true, scores, weights)
    for draw, row in enumerate(weights.astype(int)):
        expected = value(id, true.repeat(row), scores.repeat(row, axis=0), classes)
        assert found[draw] == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("id", IDS)
def test_the_layout_of_the_weights_in_memory_does_not_matter(id: str) -> None:
    true, scores, weights = tied(3, 1, 80)
    metric = metrics.get(id)
    across = np.ascontiguousarray(weights.T).T
    np.testing.assert_allclose(
        metric.of_weighted(true, scores, weights), metric.of_weighted(true, scores, across)
    )


@pytest.mark.parametrize("absent", [0, 1])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("id", ["auroc", "average_precision"])
def test_a_class_without_weight_has_no_ranking(id: str, classes: int, absent: int) -> None:
    true, scores, weights = tied(classes, 2, 60)
    weights[1:3, true == absent] = 0
    found = metrics.get(id).of_weighted(true, scores, weights)
    assert np.isnan(found).tolist() == [False, True, True, False]


@pytest.mark.parametrize("id", IDS)
def test_without_weight_nothing_is_said_and_nothing_warns(id: str) -> None:
    true, scores, _ = tied(2, 3, 40)
    with np.errstate(all="raise"):
        assert np.isnan(metrics.get(id).of_weighted(true, scores, np.zeros((2, 40)))).all()


def test_a_value_a_class_is_not_resampled_as_one() -> None:
    with pytest.raises(AssertionError, match="per_class_auroc"):
        metrics.get("per_class_auroc").of_weighted(*tied(2, 0, 20))
