"""What a metric refuses, how it is recorded, its direction and range."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest

from bench import metrics
from bench.errors import UserError
from tests.metrics.drawn import drawn


@pytest.mark.parametrize(
    "id", sorted(id for id, metric in metrics.METRICS.items() if metric.takes == "scores")
)
def test_thresholded_predictions_are_no_scores(id: str) -> None:
    true, scores = drawn(2)
    thresholded = scores.argmax(axis=1)
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
    for id in ("accuracy", "macro_f1", "mcc", "per_class_recall", "mean_dice"):
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


def test_metrics_of_masks_are_none_of_cases() -> None:
    true, scores = drawn(3)
    for id in ("per_class_slice_dice", "mean_case_dice", "lesion_f1", "per_class_assd_mm"):
        with pytest.raises(ValueError, match=f"{id} takes .*: it cannot be computed from"):
            metrics.get(id)(true, true, classes=3)
        with pytest.raises(ValueError, match="cannot be computed from labels or scores"):
            metrics.evaluate([id], true=true, scores=scores, class_names=("a", "b", "c"))


def test_evaluate_is_flat_and_by_name() -> None:
    true, scores = drawn(3)
    names = ("no liver", "liver", "Sci/Tech")
    found = metrics.evaluate(
        ["accuracy", "per_class_f1", "per_class_auroc", "auroc"],
        true=true,
        scores=scores.astype(np.float32),
        class_names=names,
    )
    assert list(found) == [
        "accuracy", "f1_no_liver", "f1_liver", "f1_sci_tech",
        "auroc_no_liver", "auroc_liver", "auroc_sci_tech", "auroc",
    ]  # fmt: skip
    assert found["accuracy"] == (scores.argmax(axis=1) == true).mean()
    assert all(type(number) is float for number in found.values())
    with pytest.raises(UserError, match="did you mean 'accuracy'"):
        metrics.evaluate(["acuracy"], true=true, scores=scores, class_names=names)


def test_the_background_has_no_surface() -> None:
    names = ("background", "liver", "tumour")
    assert metrics.columns("per_class_assd_mm", names) == ["assd_mm_liver", "assd_mm_tumour"]
    assert metrics.columns("per_class_dice", names)[0] == "dice_background"
    assert metrics.columns("lesion_f1", names) == ["lesion_f1"]


def test_no_two_metrics_share_a_name() -> None:
    columns = [column for id in metrics.METRICS for column in metrics.columns(id, ("a", "b", "c"))]
    assert len(columns) == len(set(columns))


def test_directions_and_ranges() -> None:
    assert metrics.get("log_loss").turned(0.3) == -0.3
    assert metrics.get("auroc").turned(0.3) == 0.3
    assert metrics.get("per_class_rvd").turned(-0.3) == -0.3
    assert metrics.get("per_class_rvd").turned(0.3) == -0.3
    for id, metric in metrics.METRICS.items():
        if metric.takes in ("labels", "scores"):
            true, scores = drawn(2)
            given = scores if metric.takes == "scores" else scores.argmax(axis=1)
            found = np.asarray(metric(true, given, classes=2))
            assert ((metric.low <= found) & (found <= metric.high)).all(), id
        assert metric.id == id and metric.low < metric.high
        assert math.isinf(metric.high) == id.endswith(("_mm", "_rvd"))


def test_loading_it_loads_numpy_alone() -> None:
    heavy = ("sklearn", "scipy", "monai", "torch", "pandas")
    code = f"import bench.metrics.volumes, sys; sys.exit(any(m in sys.modules for m in {heavy}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
