"""Affines along which slices can be cut, number types, and gzips of several members."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from suite.ct.axes import TILT, affine_mistake
from suite.ct.volume import Unreadable, as_hu, as_mask
from tests.suite.lits_files import DATASET, anatomy, check, only_case, save_pair


def rotation(degrees: float, axis: int) -> np.ndarray:
    """A turn about one axis of the body (3, 3)."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.eye(3)
    first, second = (other for other in range(3) if other != axis)
    turn[[first, first, second, second], [first, second, first, second]] = c, -s, s, c
    return turn


def affine(matrix: np.ndarray) -> np.ndarray:
    whole = np.eye(4)
    whole[:3, :3] = matrix
    return whole


@given(
    degrees=st.floats(-90, 90),
    axis=st.integers(0, 2),
    order=st.permutations(range(3)),
    signs=st.tuples(*[st.sampled_from([-1, 1])] * 3),
    sizes=st.tuples(*[st.floats(0.3, 10)] * 3),
)
def test_axes_may_lean_but_not_too_far(degrees, axis, order, signs, sizes) -> None:
    lean = min(abs(degrees), 90 - abs(degrees))
    assume(abs(lean - TILT) > 0.1)
    matrix = rotation(degrees, axis)[:, order] * signs * sizes
    mistake = affine_mistake(affine(matrix))
    assert (mistake is None) == (lean < TILT)


def test_a_tilted_gantry_is_tolerated() -> None:
    shear = np.diag([0.7, 0.7, 5.0])
    shear[1, 2] = 5 * np.tan(np.radians(30))
    assert affine_mistake(affine(shear)) is None


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        (np.diag([1, np.inf, 1]), "not finite"),
        (np.zeros((3, 3)), "singular"),
        (np.array([[1, -0.5, -0.5], [-0.5, 1, -0.5], [-0.5, -0.5, 1]]), "one plane"),
        (np.array([[1, 0.9, 0], [0, 0.05, 0], [0, 0, 1]]), "one plane"),
        (np.array([[1, 1, 0], [0, 0.5, 0], [0, 0, 1]]), "two axes"),
        (np.diag([7e-4, 7e-4, 1e-3]), "in mm"),
        (np.diag([700, 700, 1000]), "in mm"),
    ],
)
def test_a_wrong_affine_is_described(matrix: np.ndarray, words: str) -> None:
    mistake = affine_mistake(affine(matrix))
    assert mistake is not None and words in mistake


def test_spacing_comes_from_the_affine_that_turns_the_volume(tmp_path: Path) -> None:
    save_pair(tmp_path)
    path = tmp_path / "volume-0.nii.gz"
    image = nibabel.load(path)
    data = bytearray(image.to_bytes())
    data[80:92] = np.array([9, 9, 9], "<f4").tobytes()  # pixdim: of no weight beside the sform
    path.write_bytes(gzip.compress(bytes(data)))
    assert DATASET.read(only_case(tmp_path)).spacing == pytest.approx((2.5, 1.5, 1.25))


def test_a_gzip_may_have_members_and_padding(tmp_path: Path) -> None:
    save_pair(tmp_path)
    path = tmp_path / "volume-0.nii.gz"
    data = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(data[:100]) + gzip.compress(data[100:]) + bytes(512))
    assert check(tmp_path) == []
    np.testing.assert_array_equal(DATASET.read(only_case(tmp_path)).hu, anatomy()[0])
    path.write_bytes(gzip.compress(data[:400]) + gzip.compress(data[400:])[:-4])
    (problem,) = check(tmp_path)
    assert "corrupt gzip" in problem


def test_big_endian_files_are_read(tmp_path: Path) -> None:
    save_pair(tmp_path)
    for path in tmp_path.iterdir():
        image = nibabel.load(path)
        header = image.header.as_byteswapped()
        swapped = nibabel.Nifti1Image(np.asarray(image.dataobj), image.affine, header)
        path.write_bytes(gzip.compress(swapped.to_bytes()))
    volume = DATASET.read(only_case(tmp_path))
    np.testing.assert_array_equal(volume.hu, anatomy()[0])
    assert volume.hu.dtype == np.dtype("int16")


@pytest.mark.parametrize(
    ("stored", "kept"),
    [
        ("int8", "int16"),
        ("uint8", "int16"),
        ("int16", "int16"),
        (">i2", "int16"),
        ("uint16", "int32"),
        ("int64", "int32"),
        ("uint64", "int32"),
        ("float64", "float32"),
    ],
)
def test_hu_keep_the_smallest_type_that_holds_them(stored: str, kept: str) -> None:
    values = np.array([[0, 7, 100]], stored)
    found = as_hu(values)
    assert found.dtype == np.dtype(kept)
    np.testing.assert_array_equal(found, values)


def test_hu_of_an_impossible_size_do_not_wrap_around() -> None:
    assert as_hu(np.array([2**40, -(2**40)])).tolist() == [2**31 - 1, -(2**31)]
    with pytest.raises(Unreadable, match="not finite"):
        as_hu(np.array([[1e300]]))


def test_a_mask_may_be_scaled_but_not_hold_fractions() -> None:
    assert as_mask(np.array([[0.99999, 2.00001, 0]], np.float32)).tolist() == [[1, 2, 0]]
    assert as_mask(np.array([[True, False]])).tolist() == [[1, 0]]
    with pytest.raises(Unreadable, match="fractions"):
        as_mask(np.array([[0.99]]))
    with pytest.raises(Unreadable, match="complex128"):
        as_mask(np.array([[1j]]))
