"""LiTS as single slices: `.npy` arrays or PNG pictures in a folder of images and one of masks."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.errors import BadData
from tests.suite.lits_files import DATASET, anatomy, check, only_case, save_pair

NAMES = ("volume-1_slice-0", "volume-1_slice-1", "volume-10_slice-0", "volume-2_slice-5")


def slices(number: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A slice in HU and its mask, of (6, 8)."""
    hu, mask = anatomy()
    return hu[number % 5], mask[number % 5]


def write(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() == ".npy":
        np.save(path, array)
    else:
        Image.fromarray(array).save(path)


def write_set(
    folder: Path,
    names: tuple[str, ...] = NAMES,
    *,
    suffix: str = ".npy",
    images: str = "images",
    masks: str = "labels",
) -> None:
    """A data set of slices: HU in `.npy`, grey levels in PNG."""
    for number, name in enumerate(names):
        hu, mask = slices(number)
        grey = ((hu - hu.min()) % 256).astype(np.uint8)
        write(folder / images / f"{name}{suffix}", hu if suffix == ".npy" else grey)
        write(folder / masks / f"{name}{suffix}", mask)


@pytest.mark.parametrize("suffix", [".npy", ".png", ".PNG"])
@pytest.mark.parametrize("masks", ["labels", "Masks", "segmentations"])
def test_slices_become_volumes_by_their_names(tmp_path: Path, suffix: str, masks: str) -> None:
    write_set(tmp_path, suffix=suffix, masks=masks)
    (tmp_path / "images" / "._volume-1_slice-0.npy").write_bytes(b"an archive's leavings")
    (tmp_path / "preview.png").write_bytes(b"none of ours")
    assert check(tmp_path) == []
    assert DATASET.groups(tmp_path)
    assert len(DATASET.files(tmp_path)) == 8
    cases = DATASET.cases(tmp_path)
    assert [case.id for case in cases] == ["volume-1", "volume-2", "volume-10"]
    assert [case.group for case in cases] == [case.id for case in cases]
    volume = DATASET.read(cases[0])
    assert volume.hu.shape == volume.mask.shape == (2, 6, 8)
    assert volume.grey == (suffix != ".npy")
    assert all(math.isnan(length) for length in volume.spacing)
    np.testing.assert_array_equal(volume.mask, anatomy()[1][:2])
    if suffix == ".npy":
        np.testing.assert_array_equal(volume.hu, anatomy()[0][:2])


def test_the_order_of_slices_is_that_of_their_numbers(tmp_path: Path) -> None:
    write_set(tmp_path, ("liver_12_10", "liver_12_9", "liver_12_100"))
    volume = DATASET.read(only_case(tmp_path))
    assert volume.hu[:, 0, 0].tolist() == [-900, -1000, -800]


@pytest.mark.parametrize(
    ("name", "id"),
    [
        ("volume-12_slice-034", "volume-12"),
        ("liver_12_034", "liver-12"),
        ("12_34", "volume-12"),
        ("ct7-z5", "ct-7"),
        ("slice_034", None),
        ("034", None),
        ("liver_12_034_b", None),
    ],
)
def test_names_tell_volumes_or_not(tmp_path: Path, name: str, id: str | None) -> None:
    write_set(tmp_path, (name,))
    assert DATASET.groups(tmp_path) == (id is not None)
    assert only_case(tmp_path).id == (id or name)


def test_without_numbers_each_slice_is_a_case(tmp_path: Path) -> None:
    write_set(tmp_path / "train", ("a2", "a10"))
    write_set(tmp_path / "test", ("a2",))
    assert check(tmp_path) == []
    assert not DATASET.groups(tmp_path)
    cases = DATASET.cases(tmp_path)
    assert [case.id for case in cases] == ["test/a2", "train/a2", "train/a10"]
    assert [case.group for case in cases] == [case.id for case in cases]


def test_a_volume_stays_one_wherever_its_slices_lie(tmp_path: Path) -> None:
    write_set(tmp_path / "train", ("liver_1_0", "liver_2_0"))
    write_set(tmp_path / "test", ("liver_1_1",))
    assert check(tmp_path) == []
    first, second = DATASET.cases(tmp_path)
    assert len(first.source.images) == 2 and len(second.source.images) == 1


def test_the_folder_of_images_may_have_any_name(tmp_path: Path) -> None:
    write_set(tmp_path, images="scans")
    assert check(tmp_path) == []
    write_set(tmp_path, images="images")
    assert check(tmp_path) == []
    assert len(DATASET.cases(tmp_path)) == 3


def test_grey_levels_may_be_arrays_of_any_type(tmp_path: Path) -> None:
    write_set(tmp_path, ("a",))
    for dtype in ("uint8", "int64", "float64"):
        write(tmp_path / "images" / "a.npy", np.arange(48.0).reshape(6, 8).astype(dtype) * 5)
        volume = DATASET.read(only_case(tmp_path))
        assert volume.grey and volume.hu.dtype == np.uint8
        assert volume.hu[0, 5, 7] == 235


def png(**options: object) -> bytes:
    """A PNG of (6, 8), from an array and a mode that Pillow knows."""
    stream = io.BytesIO()
    Image.new(size=(8, 6), **options).save(stream, "PNG")  # type: ignore[arg-type]
    return stream.getvalue()


def sixteen_bit_colours() -> bytes:
    """A PNG with three channels of 16 bits, which Pillow reads as 8 without a word."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    rows = b"".join(b"\0" + bytes(8 * 6) for _ in range(6))
    header = struct.pack(">IIBBBBB", 8, 6, 16, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def coloured() -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.indices((6, 8, 3))[2].astype(np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def noise() -> bytes:
    stream = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8), dtype=np.uint8)
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (png(mode="I;16"), "16 bits"),
        (sixteen_bit_colours(), "16 bits"),
        (png(mode="RGBA"), "alpha"),
        (png(mode="LA"), "alpha"),
        (png(mode="P"), "palette"),
        (png(mode="1"), "1 bits a pixel"),
        (coloured(), "colours"),
        (noise()[:-30], "cannot be read"),
        (noise()[:50], "cannot be read"),
        (noise()[:20], "cannot be read"),
        (noise()[:-10], "cannot be read"),
        (noise()[:-18] + b"\x07" + noise()[-17:], "cannot be read"),
        (noise()[:35] + b"\x07" + noise()[36:], "cannot be read"),
        (noise()[:60] + b"\xff\x00" + noise()[62:], "cannot be read"),
        (b"GIF89a and so on", "no PNG"),
        (b"", "is an empty file"),
    ],
)
def test_a_bad_png_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    write_set(tmp_path, suffix=".png")
    path = tmp_path / "images" / f"{NAMES[1]}.png"
    path.write_bytes(content)
    (problem,) = check(tmp_path)
    assert problem.startswith(f"{path}: ") and words in problem


def test_grey_in_colour_and_masks_with_a_palette_are_read(tmp_path: Path) -> None:
    write_set(tmp_path, ("a",), suffix=".png")
    grey = np.repeat(np.arange(48, dtype=np.uint8).reshape(6, 8, 1), 3, axis=2)
    write(tmp_path / "images" / "a.png", grey)
    classes = Image.fromarray(slices(1)[1], mode="P")
    classes.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    classes.save(tmp_path / "labels" / "a.png")
    assert check(tmp_path) == []
    volume = DATASET.read(only_case(tmp_path))
    np.testing.assert_array_equal(volume.hu[0], grey[..., 0])
    np.testing.assert_array_equal(volume.mask[0], slices(1)[1])
    Image.fromarray(slices(1)[1] == 1).save(tmp_path / "labels" / "a.png")
    np.testing.assert_array_equal(DATASET.read(only_case(tmp_path)).mask[0], slices(1)[1] == 1)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((6, 8, 3)), "two axes"),
        (np.zeros((0, 8)), "two axes"),
        (np.full((6, 8), 1j), "holds numbers"),
        (np.full((6, 8), np.nan), "not finite"),
        (np.full((6, 8), 256), "neither HU"),
        (np.full((6, 8), 0.5), "from 0.5 to 0.5"),
        (np.full((6, 8), -0.5), "from -0.5 to -0.5"),
        (np.array([[None]]), "cannot be read"),
        (slices()[0][:5] * 1, "shape (6, 8) differs from its image's (5, 8)"),
        (slices()[0] % 200, "holds grey levels, volume-10_slice-0.npy HU"),
    ],
)
def test_a_bad_array_is_named(tmp_path: Path, array: np.ndarray, words: str) -> None:
    write_set(tmp_path)
    np.save(tmp_path / "images" / f"{NAMES[1]}.npy", array, allow_pickle=True)
    (problem,) = check(tmp_path)
    assert NAMES[1] in problem and words in problem


@pytest.mark.parametrize("cut", [0, 5, 100, 140])
def test_a_truncated_array_is_named(tmp_path: Path, cut: int) -> None:
    write_set(tmp_path)
    path = tmp_path / "labels" / f"{NAMES[2]}.npy"
    path.write_bytes(path.read_bytes()[:cut])
    (problem,) = check(tmp_path)
    assert problem.startswith(f"{path}: ")
    assert ("is an empty file" if cut == 0 else "cannot be read") in problem


@pytest.mark.parametrize("suffix", [".npy", ".png"])
def test_masks_hold_three_classes(tmp_path: Path, suffix: str) -> None:
    write_set(tmp_path, suffix=suffix)
    path = tmp_path / "labels" / f"{NAMES[0]}{suffix}"
    write(path, slices(1)[1] * np.uint8(127))
    (problem,) = check(tmp_path)
    assert problem.startswith(f"{path}: ") and "0 to 254" in problem


def test_slices_of_one_volume_have_one_shape(tmp_path: Path) -> None:
    write_set(tmp_path)
    for kind, array in zip(("images", "labels"), slices(1), strict=True):
        write(tmp_path / kind / f"{NAMES[1]}.npy", array[:5])
    (problem,) = check(tmp_path)
    assert NAMES[1] in problem and "(5, 8) differs from (6, 8)" in problem


def test_all_bad_slices_of_a_case_come_together(tmp_path: Path) -> None:
    write_set(tmp_path)
    bad = [tmp_path / kind / f"{name}.npy" for name in NAMES[:2] for kind in ("images", "labels")]
    for path in bad:
        path.write_bytes(b"")
    with pytest.raises(BadData) as caught:
        DATASET.read(DATASET.cases(tmp_path)[0])
    assert caught.value.problems == tuple(f"{path}: is an empty file" for path in bad)


def test_every_image_has_its_mask_and_the_reverse(tmp_path: Path) -> None:
    write_set(tmp_path)
    (tmp_path / "images" / f"{NAMES[0]}.npy").unlink()
    (tmp_path / "labels" / f"{NAMES[3]}.npy").unlink()
    assert check(tmp_path) == [
        f"{tmp_path}/images/{NAMES[3]}.npy: its partner labels/{NAMES[3]}.npy is missing",
        f"{tmp_path}/labels/{NAMES[0]}.npy: its partner images/{NAMES[0]}.npy is missing",
    ]
    assert [case.id for case in DATASET.cases(tmp_path)] == ["volume-1", "volume-10"]


def test_one_slice_comes_once(tmp_path: Path) -> None:
    write_set(tmp_path, ("liver_1_7", "liver_01_007"))
    (problem,) = check(tmp_path)
    assert "liver_1_7" in problem and "liver_01_007" in problem and "one number" in problem


def test_one_name_has_one_file(tmp_path: Path) -> None:
    write_set(tmp_path, ("a", "b"), suffix=".png")
    write(tmp_path / "images" / "a.PNG", slices()[0].astype(np.uint8))
    (problem,) = check(tmp_path)
    assert "2 files of one name" in problem


def test_names_are_all_of_one_kind(tmp_path: Path) -> None:
    write_set(tmp_path, ("liver_1_7", "another"))
    (problem,) = check(tmp_path)
    assert "another.npy: its name tells no volume" in problem


def test_layouts_do_not_mix(tmp_path: Path) -> None:
    write_set(tmp_path / "slices")
    write_set(tmp_path / "pictures", suffix=".png")
    (problem,) = DATASET.problems(tmp_path)
    assert "keep .npy and .png apart" in problem
    save_pair(tmp_path)
    (problem,) = DATASET.problems(tmp_path)
    assert "segmentation-0.nii.gz" in problem and "one layout" in problem


def test_folders_that_do_not_go_together_are_named(tmp_path: Path) -> None:
    write_set(tmp_path, images="one")
    write_set(tmp_path, images="two")
    (problem,) = DATASET.problems(tmp_path)
    assert "labels, one, two" in problem
    assert DATASET.cases(tmp_path) == []
    alone = tmp_path / "alone"
    write(alone / "masks" / "a.npy", slices()[1])
    (problem,) = DATASET.problems(alone)
    assert f"{alone}: " in problem and "masks" in problem


def test_a_folder_of_slices_without_masks_is_none(tmp_path: Path) -> None:
    write(tmp_path / "images" / "a.npy", slices()[0])
    (problem,) = DATASET.problems(tmp_path)
    assert "expected volume-N.nii[.gz]" in problem and "labels/" in problem
