"""Which slices a volume gives, their grey levels, their grid, and what is told of them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import UserError
from bench.spec import Case, Sample
from suite.ct.sampling import options, regrid, resize, restored, samples, window
from suite.ct.volume import Volume

CASE = Case(id="volume-7", group="volume-7")
OPTIONS = options()


def volume(labels: list[int], size: int = 16) -> Volume:
    """One slice a label; a single voxel tells it. HU rise by 10 a slice, from 40."""
    mask = np.zeros((len(labels), size, size), np.uint8)
    mask[:, 3, 4] = labels
    hu = np.full(mask.shape, 40, np.int16) + np.arange(len(labels), dtype=np.int16)[:, None, None]
    return Volume(hu=hu, mask=mask, spacing=(5, 0.8, 0.7))


def drawn(source: Volume, **settings: object) -> list[Sample]:
    chosen = {**OPTIONS.defaults(), "image_size": 16, **settings}
    return list(samples(CASE, source, chosen, lambda mask, size: int(mask.max())))


def test_all_slices_are_taken_in_order_unless_told() -> None:
    found = drawn(volume([0, 1, 2, 2, 1, 0]))
    assert [sample.label for sample in found] == [0, 1, 2, 2, 1, 0]
    assert [sample.id for sample in found][:2] == ["volume-7/0000", "volume-7/0001"]
    assert all(sample.training for sample in found)
    assert found[0].input.shape == (1, 16, 16) and found[0].input.dtype == np.uint8


def test_slices_are_chosen_evenly_by_kind() -> None:
    labels = [0] * 10 + [1, 2] * 10 + [0] * 10
    found = drawn(volume(labels), with_liver=4, without_liver=2)
    assert [int(sample.id[-4:]) for sample in found] == [5, 12, 17, 22, 27, 35]
    assert len(drawn(volume([0] * 3 + [1] * 2), with_liver=9, without_liver=9)) == 5


def test_whole_evaluation_keeps_the_others_for_evaluation_alone() -> None:
    labels = [0] * 10 + [1, 2] * 10 + [0] * 10
    found = drawn(volume(labels), with_liver=4, without_liver=2, whole_evaluation=True)
    assert [int(sample.id[-4:]) for sample in found] == list(range(40))
    assert [i for i, sample in enumerate(found) if sample.training] == [5, 12, 17, 22, 27, 35]


def test_facts_tell_place_and_spacing_of_the_prepared_image() -> None:
    shape = (3, 20, 40)
    source = Volume(
        hu=np.zeros(shape, np.int16), mask=np.zeros(shape, np.uint8), spacing=(5, 0.8, 0.7)
    )
    facts = [dict(sample.facts) for sample in drawn(source, image_size=10, without_liver=1)]
    assert facts == [{"slice": 1, "spacing_z": 5, "spacing_y": 3.2, "spacing_x": 2.8}]


def test_the_window_maps_hu_to_grey() -> None:
    for dtype in (np.int16, np.int64, np.float32):
        hu = np.array([[-2000, -160, 40, 240, 3000]], dtype)
        assert window(hu, low=-160, high=240).tolist() == [[0, 0, 128, 255, 255]]


@given(
    low=st.floats(-1024, 3000), width=st.floats(1, 4000), values=st.lists(st.integers(-3100, 3100))
)
def test_the_window_is_right_to_one_level(low: float, width: float, values: list[int]) -> None:
    hu = np.array(values, np.int16)
    exact = np.clip((hu.astype(float) - low) / width, 0, 1) * 255
    assert np.abs(window(hu, low=low, high=low + width) - exact).max(initial=0) <= 0.501


def test_min_max_takes_the_volumes_own_range() -> None:
    source = volume([0, 0, 0])
    found = drawn(source, intensity="minmax")
    assert [sample.input.max() for sample in found] == [0, 128, 255]
    flat = Volume(hu=source.hu[:1], mask=source.mask[:1], spacing=source.spacing)
    assert drawn(flat, intensity="minmax")[0].input.max() == 0


def test_grey_levels_have_no_window() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    source = Volume(hu=levels, mask=np.zeros(levels.shape, np.uint8), spacing=(5, 1, 1), grey=True)
    np.testing.assert_array_equal(drawn(source)[0].input, levels)
    np.testing.assert_array_equal(drawn(source, intensity="minmax")[0].input, levels)
    source = Volume(hu=levels // 2, mask=source.mask, spacing=(5, 1, 1), grey=True)
    assert drawn(source)[0].input.max() == 127
    assert drawn(source, intensity="minmax")[0].input.max() == 255


def test_window_options_count_for_windows_alone() -> None:
    assert "window_low" not in OPTIONS.defaults(pinned={"intensity": "minmax"})
    minmax = OPTIONS.defaults(pinned={"intensity": "minmax", "image_size": 16})
    assert len(list(samples(CASE, volume([1]), minmax, lambda mask, size: 0))) == 1


def test_resizing_keeps_the_proportions_and_the_mean() -> None:
    image = np.full((40, 80), 200, np.uint8)
    small = resize(image, 20)
    assert small.shape == (20, 20)
    assert small[8:12].min() >= 199 and small[:4].max() == 0 and small[-4:].max() == 0
    checks = np.indices((64, 64)).sum(axis=0) % 2 * 255
    assert abs(resize(checks.astype(np.uint8), 8).astype(int) - 128).max() < 8, "antialiased"


@given(
    rows=st.integers(8, 60),
    columns=st.integers(8, 60),
    size=st.integers(8, 60),
    seed=st.integers(0, 9),
)
def test_masks_keep_their_classes_on_the_images_grid(
    rows: int, columns: int, size: int, seed: int
) -> None:
    top, left = np.random.default_rng(seed).integers(0, (rows // 2, columns // 2))
    mask = np.zeros((rows, columns), np.uint8)
    mask[top : top + rows // 2, left : left + columns // 2] = 2
    small = regrid(mask, size)
    assert small.shape == (size, size) and set(np.unique(small)) <= {0, 2}
    image = resize(np.where(mask == 2, 255, 0).astype(np.uint8), size).astype(int)
    # Where the antialiased image is all object or all background, the mask says the same.
    assert (small[image == 255] == 2).all() and (small[image == 0] == 0).all()


@given(side=st.integers(8, 60), size=st.integers(8, 60))
def test_a_masks_pixels_take_the_class_at_their_middle(side: int, size: int) -> None:
    columns = np.tile(np.arange(side, dtype=np.uint8), (side, 1))
    for place, taken in enumerate(regrid(columns, size)[0].tolist()):
        middle = Fraction(2 * place + 1, 2) * side / size
        assert taken <= middle < taken + 1
    np.testing.assert_array_equal(regrid(columns.T, size), regrid(columns, size).T)


@pytest.mark.parametrize("scale", [resize, regrid])
def test_slices_lie_in_the_middle_of_their_square(scale) -> None:
    image = np.full((8, 16), 2, np.uint8)
    for turned, bare in ((image, scale(image, 16)), (image.T, scale(image.T, 16).T)):
        assert turned.sum() == bare.sum()
        assert (bare[4:12] == 2).all()


@given(rows=st.integers(16, 70), columns=st.integers(16, 70), size=st.integers(16, 70))
def test_restored_scores_lie_where_the_slice_lay(rows: int, columns: int, size: int) -> None:
    """Three fields side by side come back, but for what lies within a pixel of a border."""
    true = np.zeros((rows, columns), np.uint8)
    true[rows // 3 :], true[:, columns // 2 :] = 1, 2
    scores = np.eye(3, dtype=np.float32)[regrid(true, size)].transpose(2, 0, 1)
    found = restored(scores, rows, columns)
    assert found.shape == true.shape and found.dtype == np.uint8
    width = int(np.ceil(max(rows, columns) / size)) + 1
    near = np.zeros(true.shape, bool)
    near[max(0, rows // 3 - width) : rows // 3 + width] = True
    near[:, max(0, columns // 2 - width) : columns // 2 + width] = True
    near[:width] = near[-width:] = near[:, :width] = near[:, -width:] = True  # padded with 0
    np.testing.assert_array_equal(found[~near], true[~near])
    if size == max(rows, columns):
        np.testing.assert_array_equal(found, true)


def test_an_empty_window_is_refused() -> None:
    with pytest.raises(UserError, match="window_low < window_high, got 300 and 240"):
        drawn(volume([1]), window_low=300)
