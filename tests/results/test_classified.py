"""Confusions, operating curves and calibration against scikit-learn and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from results import classified
from results.predictions import Scores


def outputs(labels, scores):
    ids = np.array([f"case-{n}" for n in range(len(labels))])
    return Scores(
        ids=ids, groups=ids, labels=np.array(labels), scores=np.array(scores, dtype=np.float32)
    )


def binary(labels, positive):
    positive = np.array(positive)
    return outputs(labels, np.stack([1 - positive, positive], axis=1))


@given(seed=st.integers(0, 10_000), levels=st.sampled_from([3, 10, 1000]))
@settings(max_examples=40, deadline=None)
def test_curves_are_scikit_learn_s(seed, levels):
    from sklearn.metrics import precision_recall_curve, roc_curve

    rng = np.random.default_rng(seed)
    labels = np.append(rng.integers(2, size=60), [0, 1])
    scores = (rng.integers(levels + 1, size=62) / levels).astype(np.float32)
    found = classified.curves_of(binary(labels, scores))
    assert found is not None
    recall, precision = found
    alarms, hits, _ = roc_curve(labels, scores, drop_intermediate=False)
    expected = np.interp(classified.FALSE_ALARMS, alarms, hits)
    np.testing.assert_allclose(recall, expected, atol=1e-9)
    precisions, recalls, _ = precision_recall_curve(labels, scores)
    first = [precisions[recalls >= at - 1e-12][-1] for at in classified.RECALLS]
    # The last of scikit-learn's points with such a recall is the first threshold to reach it.
    np.testing.assert_allclose(precision, first, atol=1e-9)


def test_a_perfect_ranking_finds_all_without_a_false_alarm():
    recall, precision = classified.curves_of(binary([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.9]))
    assert (recall == 1).all() and (precision == 1).all()


def test_a_useless_ranking_is_the_diagonal():
    recall, precision = classified.curves_of(binary([0, 1, 0, 1], [0.5] * 4))
    np.testing.assert_allclose(recall, classified.FALSE_ALARMS)
    np.testing.assert_allclose(precision, 0.5)


def test_classes_without_cases_are_left_out_of_the_mean():
    scores = [[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.7, 0.2, 0.1]]
    of_two = classified.curves_of(outputs([0, 1, 0], scores))
    assert of_two is not None and (of_two[0] == 1).all()
    assert classified.curves_of(outputs([0, 0, 0], scores)) is None


def test_the_mean_stands_before_the_first_few_trainings():
    rng = np.random.default_rng(0)
    several = [binary([0, 1] * 20, rng.random(40)) for _ in range(7)]
    rows = [row for row in classified.operating(several) if row["curve"] == "roc"]
    assert list(dict.fromkeys(row["training"] for row in rows)) == [0, 1, 2, 3, 4, 5]
    mean = [row["value"] for row in rows if row["training"] == 0]
    each = [classified.curves_of(one)[0] for one in several]
    np.testing.assert_allclose(mean, np.mean(each, axis=0))
    assert {row["training"] for row in classified.operating(several[:1])} == {0}
    two = classified.operating(several[:2])
    assert {row["training"] for row in two} == {0, 1, 2}
    spread = np.std([classified.curves_of(one)[1] for one in several[:2]], axis=0, ddof=1)
    found = [r["std"] for r in two if r["curve"] == "precision_recall" and r["training"] == 0]
    np.testing.assert_allclose(found, spread)


def test_counts_are_of_the_median_training_and_shares_of_all():
    right = outputs([0, 0, 1], [[0.9, 0.1], [0.9, 0.1], [0.1, 0.9]])
    wrong = outputs([0, 0, 1], [[0.1, 0.9], [0.1, 0.9], [0.9, 0.1]])
    half = outputs([0, 0, 1], [[0.9, 0.1], [0.1, 0.9], [0.1, 0.9]])
    which = [{"replicate": number} for number in (4, 5, 6)]
    rows = classified.confusion([right, wrong, half], ("no", "yes"), [0.9, 0.1, 0.5], which)
    assert [row["count"] for row in rows] == [1, 1, 0, 1]
    assert {row["replicate"] for row in rows} == {6}
    assert [row["share"] for row in rows] == pytest.approx([0.5, 0.5, 1 / 3, 2 / 3])
    undefined = classified.confusion([right, wrong], ("no", "yes"), [np.nan, 0.1], which[:2])
    assert undefined[0]["replicate"] == 5


def test_a_class_without_cases_has_no_shares():
    only = outputs([0, 0], [[0.9, 0.1], [0.1, 0.9]])
    rows = classified.confusion([only], ("no", "yes"), [0.5], [{"replicate": 0}])
    assert [row["count"] for row in rows] == [1, 1, 0, 0]
    assert np.isnan([row["share"] for row in rows[2:]]).all()


def test_bins_hold_as_many_cases_each_and_the_error_is_the_metric_s():
    from bench import metrics

    rng = np.random.default_rng(1)
    several = [binary(rng.integers(2, size=40), rng.random(40)) for _ in range(2)]
    rows = classified.calibration(several)
    assert [row["cases"] for row in rows] == [4] * 10
    confidence = [row["confidence"] for row in rows]
    assert confidence == sorted(confidence) and confidence[0] >= 0.5
    errors = [metrics.get("ece").of_scores(one.labels, one.scores) for one in several]
    assert rows[0]["ece"] == pytest.approx(np.mean(errors))
    right = np.mean([(one.scores.argmax(1) == one.labels).mean() for one in several])
    assert np.mean([row["accuracy"] for row in rows]) == pytest.approx(right)


def test_fewer_cases_than_bins_have_a_bin_each():
    rows = classified.calibration([binary([0, 1, 1], [0.1, 0.8, 0.4])])
    assert [row["cases"] for row in rows] == [1, 1, 1] and np.isnan(rows[0]["accuracy_std"])
