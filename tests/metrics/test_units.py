"""Segmentation metrics of counts: pooled, per slice and per case, against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sklearn.metrics as oracle
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import metrics
from bench.errors import UserError

NAMES = ("background", "liver", "tumour")
IDS = [id for id, metric in metrics.METRICS.items() if metric.takes in ("slices", "cases")]


def masks(seed: int, slices: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True and predicted masks (slices, 6, 5) in which classes are often absent, and cases."""
    rng = np.random.default_rng(seed)
    highest = rng.integers(1, 4, size=(2, slices, 1, 1))
    true, predicted = rng.integers(0, 3, size=(2, slices, 6, 5)) % highest
    return true, predicted, rng.choice(["volume-2", "volume-10", "volume-7"], size=slices)


def counts_of(true: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """int32 (slices, 3, 3)."""
    pairs = zip(true, predicted, strict=True)
    return np.array(
        [metrics.confusion(t.ravel(), p.ravel(), classes=3) for t, p in pairs], dtype=np.int32
    )


def per_unit(name: str, units: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """scikit-learn's score of each unit and class, NaN for a class in neither: (units, 3)."""
    found = np.full((len(units), 3), np.nan)
    for row, (true, predicted) in enumerate(units):
        for label in range(3):
            known, called = true.ravel() == label, predicted.ravel() == label
            if known.any() or called.any():
                found[row, label] = getattr(oracle, f"{name}_score")(known, called, zero_division=0)
    return found


def mean(values: np.ndarray) -> np.ndarray:
    """Over the first axis, of what is there."""
    return np.array([c[~np.isnan(c)].mean() if (~np.isnan(c)).any() else np.nan for c in values.T])


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 9))
def test_they_agree_with_scikit_learn(seed: int, slices: int) -> None:
    true, predicted, cases = masks(seed, slices)
    of_slices = list(zip(true, predicted, strict=True))
    of_cases = [(true[cases == case], predicted[cases == case]) for case in np.unique(cases)]
    expected: dict[str, float] = {}
    for kind, units in (("slice_", of_slices), ("case_", of_cases), ("", [(true, predicted)])):
        for name, score in (("dice", "f1"), ("iou", "jaccard")):
            values = mean(per_unit(score, units))
            expected |= {
                f"{kind}{name}_{label}": float(value)
                for label, value in zip(NAMES, values, strict=True)
            }
            expected[f"mean_{kind}{name}"] = float(mean(values[1:, None])[0])
    ids = [*IDS, "per_class_dice", "mean_dice", "per_class_iou", "mean_iou"]
    found = metrics.evaluate_counts(
        ids, counts=counts_of(true, predicted), cases=cases, class_names=NAMES
    )
    assert found == pytest.approx(expected, abs=1e-6, nan_ok=True)


def test_pixel_metrics_are_of_all_pixels_together() -> None:
    true, predicted, cases = masks(3, 8)
    found = metrics.evaluate_counts(
        ["accuracy", "mcc", "macro_recall"],
        counts=counts_of(true, predicted),
        cases=cases,
        class_names=NAMES,
    )
    assert found["accuracy"] == pytest.approx((true == predicted).mean())
    assert found["mcc"] == pytest.approx(
        oracle.matthews_corrcoef(true.ravel(), predicted.ravel()), abs=1e-6
    )


def test_a_class_in_one_alone_counts_as_a_miss_and_one_in_neither_not_at_all() -> None:
    found_it = [[90, 0, 0], [0, 10, 0], [0, 0, 0]]
    missed_it = [[90, 0, 0], [10, 0, 0], [0, 0, 0]]
    made_it_up = [[90, 0, 10], [0, 0, 0], [0, 0, 0]]
    found = metrics.evaluate_counts(
        ["per_class_slice_dice", "mean_slice_dice", "per_class_case_dice"],
        counts=np.array([found_it, missed_it, made_it_up]),
        cases=["a", "a", "b"],
        class_names=NAMES,
    )
    assert found["slice_dice_liver"] == 0.5
    assert found["slice_dice_tumour"] == 0
    assert found["mean_slice_dice"] == 0.25
    assert found["case_dice_liver"] == pytest.approx(2 * 10 / (20 + 10))


def test_one_slice_of_background() -> None:
    found = metrics.evaluate_counts(
        ["mean_dice", "mean_case_dice", "mean_slice_iou", "per_class_dice"],
        counts=np.array([[[30, 0, 0], [0, 0, 0], [0, 0, 0]]]),
        cases=["a"],
        class_names=NAMES,
    )
    assert found.pop("dice_background") == 1 and all(map(math.isnan, found.values()))


def test_counts_beyond_32_bits_do_not_run_over() -> None:
    big = np.ones((2, 3, 3), dtype=np.int32)
    big[:, 0, 0] = 2**31 - 1
    found = metrics.evaluate_counts(
        ["accuracy", "mean_case_dice"], counts=big, cases=["a", "a"], class_names=NAMES
    )
    assert found["accuracy"] == pytest.approx(1) and found["mean_case_dice"] == pytest.approx(1 / 3)


def test_other_input_is_refused() -> None:
    counts = np.ones((2, 3, 3), dtype=int)
    good = {"counts": counts, "cases": ["a", "b"], "class_names": NAMES}
    for wrong, says in (
        ({"counts": counts.astype(float)}, "must be integers"),
        ({"counts": counts[0]}, "must be integers of shape"),
        ({"class_names": ("a", "b")}, r"shape \(slices, 2, 2\)"),
        ({"cases": ["a"]}, "2 slices need as many cases"),
        ({"counts": -counts}, "must not be negative"),
    ):
        with pytest.raises(ValueError, match=says):
            metrics.evaluate_counts(["mean_dice"], **{**good, **wrong})  # type: ignore[arg-type]
    for id in ("auroc", "lesion_f1"):
        with pytest.raises(ValueError, match="cannot be computed from labels or slices or cases"):
            metrics.evaluate_counts([id], **good)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="did you mean 'mean_dice'"):
        metrics.evaluate_counts(["mean_dise"], **good)  # type: ignore[arg-type]
