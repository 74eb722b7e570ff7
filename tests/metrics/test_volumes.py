"""Metrics of volumes against a brute-force computation, MONAI and volumes made by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from bench import metrics
from bench.metrics import lesions
from bench.metrics.volumes import measure, summarise

NAMES = ("background", "liver", "tumour")
SURFACES = ("per_class_voe", "per_class_rvd", "per_class_assd_mm", "per_class_hd95_mm") + (
    "per_class_surface_share",
)
LESIONS = ("lesion_precision", "lesion_recall", "lesion_f1")


def blobs(seed: int, shape: tuple[int, int, int] = (5, 7, 6)) -> tuple[np.ndarray, np.ndarray]:
    """Two uint8 volumes that resemble each other and touch the border."""
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.normal(size=shape), 1.0)
    noise = 0.5 * ndimage.gaussian_filter(rng.normal(size=(2, *shape)), (0, 1, 1, 1))
    levels = np.quantile(smooth, [0.5, 0.85])
    true, predicted = (np.digitize(smooth + one, levels).astype(np.uint8) for one in noise)
    return true, predicted


def surface(mask: np.ndarray) -> np.ndarray:
    """Indices of voxels with a face neighbour that is not in the mask."""
    padded = np.pad(mask, 1)
    inside = np.ones_like(mask)
    for axis in range(3):
        for step in (-1, 1):
            inside &= np.roll(padded, step, axis)[1:-1, 1:-1, 1:-1]
    return np.argwhere(mask & ~inside)


def brute_force(
    true: np.ndarray, predicted: np.ndarray, spacing: tuple[float, ...]
) -> tuple[float, float]:
    """Average symmetric surface distance and 95 % Hausdorff distance from all pairs of voxels."""
    one, other = surface(true) * np.array(spacing), surface(predicted) * np.array(spacing)
    distances = np.linalg.norm(one[:, None] - other[None], axis=-1)
    ways = distances.min(axis=1), distances.min(axis=0)
    both = np.concatenate(ways)
    return float(both.mean()), max(float(np.percentile(way, 95)) for way in ways)


SPACING = st.tuples(*[st.sampled_from([0.7, 1.0, 2.5, 5.0])] * 3)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), SPACING)
def test_distances_are_those_of_all_pairs_of_surface_voxels(
    seed: int, spacing: tuple[float, float, float]
) -> None:
    true, predicted = blobs(seed)
    found = measure(SURFACES, true, predicted, spacing=spacing, class_names=NAMES)
    for label, name in enumerate(NAMES[1:], 1):
        known, called = true == label, predicted == label
        if not known.any() or not called.any():
            assert math.isnan(found[f"assd_mm_{name}"]) and math.isnan(found[f"hd95_mm_{name}"])
            continue
        assd, hd95 = brute_force(known, called, spacing)
        assert found[f"assd_mm_{name}"] == pytest.approx(assd, rel=1e-6)
        assert found[f"hd95_mm_{name}"] == pytest.approx(hd95, rel=1e-6)
        overlap = (known & called).sum() / (known | called).sum()
        assert found[f"voe_{name}"] == pytest.approx(1 - overlap, abs=1e-6)
        assert found[f"rvd_{name}"] == pytest.approx(called.sum() / known.sum() - 1, abs=1e-6)
        assert found[f"surface_share_{name}"] == 1


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), SPACING)
def test_distances_and_overlap_are_monai_s(seed: int, spacing: tuple[float, float, float]) -> None:
    import torch
    from monai.metrics import (
        compute_average_surface_distance,
        compute_hausdorff_distance,
        compute_iou,
    )

    true, predicted = blobs(seed, (6, 9, 8))
    if len(np.unique(true)) < 3 or len(np.unique(predicted)) < 3:
        return
    y, y_pred = (
        torch.from_numpy(np.stack([mask == label for label in range(3)])[None].astype(np.float32))
        for mask in (true, predicted)
    )
    assd = compute_average_surface_distance(y_pred, y, symmetric=True, spacing=spacing)[0]
    hd95 = compute_hausdorff_distance(y_pred, y, percentile=95, spacing=spacing)[0]
    iou = compute_iou(y_pred, y, include_background=False)[0]
    found = measure(SURFACES, true, predicted, spacing=spacing, class_names=NAMES)
    for index, name in enumerate(NAMES[1:]):
        assert found[f"assd_mm_{name}"] == pytest.approx(float(assd[index]), rel=1e-6)
        assert found[f"hd95_mm_{name}"] == pytest.approx(float(hd95[index]), rel=1e-6)
        assert found[f"voe_{name}"] == pytest.approx(1 - float(iou[index]), abs=1e-6)


def test_a_shift_by_one_slice_is_as_far_as_the_slices_lie_apart() -> None:
    true, predicted = np.zeros((2, 8, 6, 6), np.uint8)
    true[2, 1:5, 1:5] = predicted[3, 1:5, 1:5] = 1
    found = measure(SURFACES, true, predicted, spacing=(5, 1, 1), class_names=NAMES[:2])
    assert found["assd_mm_liver"] == 5 and found["hd95_mm_liver"] == 5
    found = measure(SURFACES, true, predicted, spacing=(0.5, 9, 9), class_names=NAMES[:2])
    assert found["assd_mm_liver"] == 0.5


def test_what_lies_around_a_class_does_not_matter() -> None:
    true, predicted = blobs(5)
    margin = ((3, 0), (0, 4), (2, 2))
    ids = (*SURFACES, *LESIONS)
    inner = measure(ids, true, predicted, spacing=(2, 1, 1), class_names=NAMES)
    wide = [np.pad(mask, margin) for mask in (true, predicted)]
    assert measure(ids, *wide, spacing=(2, 1, 1), class_names=NAMES) == pytest.approx(inner)


def test_empty_classes_are_left_out_and_counted() -> None:
    empty, full = np.zeros((2, 3, 4, 4), np.uint8)
    full[1, 1:3, 1:3] = 1
    names = NAMES[:2]
    volumes = [(full, full), (full, empty), (empty, full), (empty, empty)]
    measured = [
        measure(SURFACES, true, predicted, spacing=(1, 1, 1), class_names=names)
        for true, predicted in volumes
    ]
    for column, expected in {
        "voe_liver": [0, 1, 1, np.nan],
        "rvd_liver": [0, -1, np.nan, np.nan],
        "assd_mm_liver": [0, np.nan, np.nan, np.nan],
        "hd95_mm_liver": [0, np.nan, np.nan, np.nan],
        "surface_share_liver": [1, 0, 0, np.nan],
    }.items():
        np.testing.assert_array_equal([one[column] for one in measured], expected)
    found = summarise(SURFACES, measured, names)
    assert found == pytest.approx(
        {"voe_liver": 2 / 3, "rvd_liver": -0.5, "assd_mm_liver": 0, "hd95_mm_liver": 0}
        | {"surface_share_liver": 1 / 3}
    )


def test_without_volumes_nothing_is_said() -> None:
    found = summarise((*SURFACES, *LESIONS), [], NAMES)
    assert set(found) == {
        column for id in (*SURFACES, *LESIONS) for column in metrics.columns(id, NAMES)
    }
    assert all(map(math.isnan, found.values()))


# --- Lesions --------------------------------------------------------------------------------


def line(text: str) -> np.ndarray:
    """`.##.#` as a mask (1, 1, 5)."""
    return np.array([[[sign == "#" for sign in text]]])


@pytest.mark.parametrize(
    ("true", "predicted", "expected"),
    [
        ("..##..##..", "..##..##..", (2, 0, 0)),
        ("..##..##..", "..##......", (1, 0, 1)),
        ("..##......", "..##..##..", (1, 1, 0)),
        ("..........", "..........", (0, 0, 0)),
        ("..........", "#.#.#.....", (0, 3, 0)),
        ("####......", "..##......", (0, 1, 1)),  # half is not more than half
        ("###.......", ".##.......", (1, 0, 0)),
        ("##.#######", "##########", (1, 0, 1)),  # one over two finds the one that it covers
        ("#########.", "##.#####..", (1, 1, 0)),
    ],
)
def test_lesions_found_false_and_missed(
    true: str, predicted: str, expected: tuple[int, int, int]
) -> None:
    assert lesions.count(line(true), line(predicted)) == expected


def test_lesions_that_touch_at_an_edge_are_two() -> None:
    corner = np.zeros((2, 2, 2), bool)
    corner[0, 0, 0] = corner[0, 1, 1] = corner[1, 1, 0] = True
    assert lesions.count(corner, corner) == (3, 0, 0)
    corner[0, 0, 1] = True
    assert lesions.count(corner, corner) == (2, 0, 0)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_lesions_are_matched_as_monai_matches_instances(seed: int) -> None:
    import torch
    from monai.metrics import compute_panoptic_quality

    true, predicted = blobs(seed, (5, 9, 8))
    known, called = (ndimage.label(mask == 2)[0] for mask in (true, predicted))
    if not known.any() or not called.any():
        return
    counts = compute_panoptic_quality(
        torch.from_numpy(called),
        torch.from_numpy(known),
        match_iou_threshold=math.nextafter(0.5, 1),
        output_confusion_matrix=True,
    )
    assert lesions.count(true == 2, predicted == 2) == tuple(counts[:3].int().tolist())


def test_lesions_are_those_of_the_last_class_and_pooled_over_volumes() -> None:
    true, predicted = np.zeros((2, 1, 1, 10), np.uint8)
    true[..., :9], predicted[..., :9] = 1, 1
    true[..., 2:4], true[..., 6:8], predicted[..., 2:4] = 2, 2, 2
    first = measure(LESIONS, true, predicted, spacing=(1, 1, 1), class_names=NAMES)
    assert first == {"lesion_tp": 1, "lesion_fp": 0, "lesion_fn": 1}
    second = measure(LESIONS, predicted, true, spacing=(1, 1, 1), class_names=NAMES)
    third = measure(LESIONS, true, true, spacing=(1, 1, 1), class_names=NAMES)
    found = summarise(LESIONS, [first, second, third], NAMES)
    assert found == pytest.approx(
        {"lesion_precision": 4 / 5, "lesion_recall": 4 / 5, "lesion_f1": 4 / 5}
    )
    missed = {"lesion_tp": 0, "lesion_fp": 0, "lesion_fn": 3}
    assert summarise(LESIONS, [missed], NAMES) == dict.fromkeys(LESIONS, 0)
    nothing = summarise(LESIONS, [dict.fromkeys(missed, 0)], NAMES)
    assert all(map(math.isnan, nothing.values()))


def test_other_input_is_refused() -> None:
    mask = np.zeros((2, 3, 4), np.uint8)
    good = {"true": mask, "predicted": mask, "spacing": (1, 1, 1), "class_names": NAMES}
    for wrong, says in (
        ({"predicted": mask[1:]}, "must have one shape"),
        ({"true": mask[:0], "predicted": mask[:0]}, "none of them 0"),
        ({"spacing": (1, 1)}, "three lengths"),
        ({"spacing": (1, 1, math.nan)}, "three lengths above 0"),
        ({"true": mask + 3}, r"true mask must hold integers in \[0, 3\)"),
        ({"predicted": mask.astype(float)}, "predicted mask must hold integers"),
    ):
        with pytest.raises(ValueError, match=says):
            measure(SURFACES, **{**good, **wrong})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="mean_dice takes labels"):
        measure(["mean_dice"], **good)  # type: ignore[arg-type]
