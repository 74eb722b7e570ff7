"""LiTS's reader on NIfTI files of known content, each kind of bad file, and one real CT."""

from __future__ import annotations

import gzip
import os
from collections import Counter
from pathlib import Path

import nibabel
import numpy as np
import pytest

from tests.suite.lits_files import (
    DATASET,
    SHAPE,
    SPACING,
    anatomy,
    check,
    only_case,
    save,
    save_pair,
)


@pytest.mark.parametrize("codes", ["LPS", "RAS", "LAS", "RPI", "SPL", "ASR", "PIR"])
def test_any_orientation_is_read_the_same(tmp_path: Path, codes: str) -> None:
    save_pair(tmp_path, codes=codes)
    volume = DATASET.read(only_case(tmp_path))
    hu, mask = anatomy()
    np.testing.assert_array_equal(volume.hu, hu)
    np.testing.assert_array_equal(volume.mask, mask)
    assert volume.spacing == pytest.approx(SPACING)
    assert volume.hu.dtype == np.int16
    assert volume.mask.dtype == np.uint8
    assert check(tmp_path) == []


def test_the_volumes_affine_turns_the_mask_too(tmp_path: Path) -> None:
    save_pair(tmp_path, codes="RAS")
    path = tmp_path / "segmentation-0.nii.gz"
    voxels = np.asarray(nibabel.load(path).dataobj)
    nibabel.save(nibabel.Nifti1Image(voxels, np.diag([1, -1, -1, 1])), path)
    np.testing.assert_array_equal(DATASET.read(only_case(tmp_path)).mask, anatomy()[1])


def test_scaled_files_are_read_in_hu(tmp_path: Path) -> None:
    save_pair(tmp_path)
    path = tmp_path / "volume-0.nii.gz"
    image = nibabel.load(path)
    stored = ((np.asarray(image.dataobj) + 1024) * 2).astype(np.int16)
    scaled = nibabel.Nifti1Image(stored, image.affine)
    scaled.header.set_slope_inter(0.5, -1024)
    data = bytearray(scaled.to_bytes())
    path.write_bytes(gzip.compress(bytes(data)))
    raw = nibabel.load(path)
    if raw.dataobj.slope != 0.5:  # nibabel sets the scale when it writes: put it back by hand.
        data[112:120] = np.array([0.5, -1024], "<f4").tobytes()
        path.write_bytes(gzip.compress(bytes(data)))
    volume = DATASET.read(only_case(tmp_path))
    np.testing.assert_array_equal(volume.hu, anatomy()[0])


def test_volumes_are_found_below_the_folder_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for folder, number in (("Batch 2", 2), ("Batch 1", 10), ("Batch 1", 1)):
        save_pair(tmp_path / folder, number)
    (tmp_path / "test-volume-3.nii").write_bytes(b"not ours")
    assert [case.id for case in DATASET.cases(tmp_path)] == ["volume-1", "volume-2", "volume-10"]
    assert [case.group for case in DATASET.cases(tmp_path)] == ["volume-1", "volume-2", "volume-10"]
    assert len(DATASET.files(tmp_path)) == 6


def test_uncompressed_files_are_read(tmp_path: Path) -> None:
    hu, mask = anatomy()
    save(tmp_path / "volume-3.nii", hu)
    save(tmp_path / "segmentation-3.nii", mask)
    assert check(tmp_path) == []
    np.testing.assert_array_equal(DATASET.read(only_case(tmp_path)).hu, hu)


def test_an_empty_folder_says_what_is_expected(tmp_path: Path) -> None:
    (problem,) = check(tmp_path)
    assert "volume-N.nii" in problem and str(tmp_path) in problem


def spoil_shape(folder: Path) -> None:
    save(folder / "segmentation-0.nii.gz", anatomy()[1][:-1])


def spoil_value(folder: Path) -> None:
    mask = anatomy()[1]
    mask[0, 0, 0] = 3
    save(folder / "segmentation-0.nii.gz", mask)


def spoil_negative(folder: Path) -> None:
    save(folder / "segmentation-0.nii.gz", anatomy()[1].astype(np.int16) - 1)


def spoil_fraction(folder: Path) -> None:
    save(folder / "segmentation-0.nii.gz", anatomy()[1].astype(np.float32) + np.float32(0.25))


def spoil_nan(folder: Path) -> None:
    hu = anatomy()[0].astype(np.float32)
    hu[2, 3, 4] = np.nan
    save(folder / "volume-0.nii.gz", hu)


def spoil_end(folder: Path) -> None:
    path = folder / "volume-0.nii.gz"
    path.write_bytes(path.read_bytes()[:-30])


def spoil_checksum(folder: Path) -> None:
    path = folder / "volume-0.nii.gz"
    data = bytearray(path.read_bytes())
    data[-6] ^= 0xFF
    path.write_bytes(bytes(data))


def spoil_gzip(folder: Path) -> None:
    (folder / "volume-0.nii.gz").write_bytes(b"this is no gzip, whatever its name says")


def spoil_header(folder: Path) -> None:
    (folder / "volume-0.nii.gz").write_bytes(gzip.compress(b"\0" * 4000))


def spoil_data(folder: Path) -> None:
    path = folder / "volume-0.nii.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-50]))


def spoil_axes(folder: Path) -> None:
    nibabel.save(
        nibabel.Nifti1Image(np.zeros((4, 4), np.int16), np.eye(4)), folder / "volume-0.nii.gz"
    )


def spoil_plain(folder: Path) -> None:
    path = folder / "volume-0.nii.gz"
    path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes())[:-1])
    path.unlink()


def spoil_to_nothing(folder: Path) -> None:
    (folder / "segmentation-0.nii.gz").write_bytes(b"")


def spoil_to_a_few_bytes(folder: Path) -> None:
    (folder / "segmentation-0.nii.gz").write_bytes(gzip.compress(b"\x5c\x01"))


def spoil_sum(folder: Path) -> None:
    hu = anatomy()[0].astype(np.float64)
    hu[0, 0, 0] = -np.inf
    save(folder / "volume-0.nii.gz", hu)


def spoil_type(folder: Path) -> None:
    colours = np.zeros(SHAPE[::-1], [("R", "u1"), ("G", "u1"), ("B", "u1")])
    nibabel.save(nibabel.Nifti1Image(colours, np.eye(4)), folder / "volume-0.nii.gz")


def write_affine(folder: Path, affine: np.ndarray) -> None:
    image = nibabel.Nifti1Image(anatomy()[0].transpose(2, 1, 0), None)
    image.header.set_sform(affine, code=1)
    (folder / "volume-0.nii.gz").write_bytes(gzip.compress(image.to_bytes()))


def spoil_affine(folder: Path) -> None:
    affine = np.eye(4)
    affine[0, 3] = np.nan
    write_affine(folder, affine)


def spoil_axis(folder: Path) -> None:
    write_affine(folder, np.diag([1, 0, 1, 1]))


def spoil_turn(folder: Path) -> None:
    half = np.sqrt(0.5)
    affine = np.array([[1, 0, 0, 0], [0, half, -half, 0], [0, half, half, 0], [0, 0, 0, 1]])
    write_affine(folder, affine)


def spoil_mask_missing(folder: Path) -> None:
    (folder / "segmentation-0.nii.gz").unlink()


def spoil_volume_missing(folder: Path) -> None:
    (folder / "volume-0.nii.gz").unlink()


def spoil_twice(folder: Path) -> None:
    save(folder / "again" / "volume-0.nii", anatomy()[0])


BAD = {
    spoil_shape: ("segmentation-0", "shape"),
    spoil_value: ("segmentation-0", "0 to 3"),
    spoil_negative: ("segmentation-0", "-1 to 1"),
    spoil_fraction: ("segmentation-0", "fractions"),
    spoil_nan: ("volume-0", "not finite"),
    spoil_end: ("volume-0", "corrupt gzip"),
    spoil_checksum: ("volume-0", "corrupt gzip"),
    spoil_gzip: ("volume-0", "corrupt gzip"),
    spoil_header: ("volume-0", "header"),
    spoil_data: ("volume-0", "truncated: 782 of 832 bytes"),
    spoil_axes: ("volume-0", "three axes"),
    spoil_plain: ("volume-0.nii:", "truncated"),
    spoil_to_nothing: ("segmentation-0", "is an empty file"),
    spoil_to_a_few_bytes: ("segmentation-0", "header"),
    spoil_sum: ("volume-0", "not finite"),
    spoil_type: ("volume-0", "a CT holds numbers"),
    spoil_affine: ("volume-0", "affine holds values that are not finite"),
    spoil_axis: ("volume-0", "affine is singular"),
    spoil_turn: ("volume-0", "affine leans by 45 degrees"),
    spoil_mask_missing: ("volume-0", "segmentation-0.nii[.gz] is missing"),
    spoil_volume_missing: ("segmentation-0", "volume-0.nii[.gz] is missing"),
    spoil_twice: ("volume-0", "2 volumes of one number"),
}


@pytest.mark.parametrize("spoil", BAD, ids=lambda spoil: spoil.__name__)
def test_a_bad_file_is_named(tmp_path: Path, spoil) -> None:
    save_pair(tmp_path)
    save_pair(tmp_path, 1)
    assert check(tmp_path) == []
    spoil(tmp_path)
    (problem,) = check(tmp_path)
    for part in BAD[spoil]:
        assert part in problem


def test_all_bad_files_are_listed_at_once(tmp_path: Path) -> None:
    spoils = list(BAD)
    for number in range(len(spoils)):
        save_pair(tmp_path / str(number))
        spoils[number](tmp_path / str(number))
    for number in range(len(spoils)):  # One data set of them all: give each its own number.
        for path in sorted((tmp_path / str(number)).rglob("*.nii*")):
            path.rename(path.with_name(path.name.replace("-0.", f"-{number}.")))
    problems = check(tmp_path)
    assert len(problems) == len(spoils)
    for number in range(len(spoils)):
        assert any(f"{tmp_path / str(number)}/" in problem for problem in problems)


def test_what_is_wrong_with_both_files_of_a_case_comes_together(tmp_path: Path) -> None:
    save_pair(tmp_path)
    hu = anatomy()[0].astype(np.float32)
    hu[2, 3, 4] = np.inf
    save(tmp_path / "volume-0.nii.gz", hu)
    save(tmp_path / "segmentation-0.nii.gz", anatomy()[1][:-1] * 2)
    problems = check(tmp_path)
    assert len(problems) == 3
    assert "not finite" in problems[0] and "0 to 4" in problems[1] and "shape" in problems[2]


def test_a_file_that_must_not_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_pair(tmp_path)
    plain = Path.open

    def refuse(path: Path, *arguments, **options):
        if path.name.startswith("segmentation"):
            raise PermissionError(13, "Permission denied", str(path))
        return plain(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", refuse)
    assert check(tmp_path) == [
        f"{tmp_path}/segmentation-0.nii.gz: cannot be read (Permission denied)"
    ]


def test_a_folder_that_must_not_be_listed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_pair(tmp_path)
    save_pair(tmp_path / "Batch 2", 1)
    plain = os.scandir

    def refuse(path):
        if Path(path).name == "Batch 2":
            raise PermissionError(13, "Permission denied", str(path))
        return plain(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert check(tmp_path) == [f"{tmp_path}/Batch 2 cannot be listed (Permission denied)"]


def test_each_file_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_pair(tmp_path)
    opened: Counter[str] = Counter()
    plain = Path.open

    def count(path: Path, *arguments, **options):
        opened[path.name] += 1
        return plain(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", count)
    assert check(tmp_path) == []
    assert opened == {"volume-0.nii.gz": 1, "segmentation-0.nii.gz": 1}


def test_one_real_ct(shared_data: Path) -> None:
    folder = shared_data / "lits_one_real_ct"
    if not folder.is_dir():
        pytest.skip("there is no lits_one_real_ct in ../shared/data")
    assert check(folder) == []
    volume = DATASET.read(only_case(folder))
    assert volume.hu.shape == volume.mask.shape == (30, 101, 122)
    assert volume.spacing == pytest.approx((3, 3, 3))
    assert volume.hu.dtype == np.int16
    assert (volume.hu.min(), volume.hu.max()) == (-1100, 1207)
    assert set(np.unique(volume.mask)) == {0, 1}
    liver = volume.hu[volume.mask == 1]
    assert 30 < np.median(liver) < 130
    _, rows, columns = np.nonzero(volume.mask)
    assert columns.mean() < 122 / 2, "the liver lies on the patient's right: on the image's left"
    bone_rows = np.nonzero(volume.hu[:, :, 45:75] > 250)[1]
    assert bone_rows.mean() > 101 / 2, "the spine lies at the back: at the image's bottom"
    lung = (volume.hu < -600) & (volume.hu > -950)
    assert lung[-5:].sum() > lung[:5].sum(), "the lungs lie at the head's end: last"


def test_headers_tell_what_a_case_takes_in_memory(tmp_path):
    import nibabel

    for name, dtype in (("volume-0", np.int16), ("segmentation-0", np.uint8)):
        image = nibabel.Nifti1Image(np.zeros((6, 7, 8), dtype), np.eye(4))
        image.to_filename(tmp_path / f"{name}.nii.gz")
    (case,) = DATASET.cases(tmp_path)
    assert DATASET.memory(case) == 6 * 7 * 8 * 3
    (tmp_path / "volume-0.nii.gz").write_bytes(b"rubbish")
    assert DATASET.memory(case) == 0
