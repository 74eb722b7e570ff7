"""The generated CT: what an abdomen is, any size of it, and how little its place alone tells."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from bench import registry
from suite.ct import painting
from suite.phantoms.lits import ORIENTATIONS, write

DATASET = registry.datasets().get("lits")


def read_all(folder: Path) -> list[Any]:
    return [DATASET.read(case) for case in DATASET.cases(folder)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lits")
    write(folder, cases=24, seed=3)
    return folder


@pytest.fixture(scope="module")
def volumes(folder: Path) -> list[Any]:
    return read_all(folder)


def test_each_holds_an_abdomen_in_hu(volumes: list[Any]) -> None:
    sizes, middles = set(), []
    for volume in volumes:
        liver = volume.hu[volume.mask == 1]
        assert 40 < np.median(liver) < 150
        assert volume.hu[:, 0, 0].mean() < -900, "air around the body"
        assert (volume.hu > 200).mean() > 0.002, "bone"
        top, bottom = volume.hu[-1], volume.hu[0]
        inside = slice(volume.hu.shape[1] // 3, -volume.hu.shape[1] // 3)
        assert (top[inside, inside] < -500).mean() > (bottom[inside, inside] < -500).mean(), "lungs"
        columns = np.nonzero(volume.mask)[2]
        body = np.nonzero((volume.hu > -200).any(axis=(0, 1)))[0]
        assert columns.mean() < body.mean(), "the liver lies on the image's left of the body"
        sizes.add(int((volume.mask > 0).sum()))
        middles.append(columns.mean() / volume.mask.shape[2])
    assert len(sizes) == len(volumes) and np.std(middles) > 0.005, "no liver like the other"


def test_tumours_lie_in_the_liver_and_differ_from_it(volumes: list[Any]) -> None:
    with_tumour = [volume for volume in volumes if (volume.mask == 2).any()]
    assert len(volumes) / 2 < len(with_tumour) < len(volumes), "some patients have none"
    for volume in with_tumour:
        tumour, liver = (volume.hu[volume.mask == value] for value in (2, 1))
        assert abs(tumour.mean() - liver.mean()) > 30
        assert len(tumour) < len(liver)


def test_axes_point_to_several_sides_and_files_are_read_alike(folder: Path) -> None:
    codes = {
        "".join(nibabel.aff2axcodes(nibabel.load(path).affine)) for path in folder.glob("vol*")
    }
    assert codes == set(ORIENTATIONS)
    for path in folder.glob("volume-*"):
        volume = nibabel.load(path)
        mask = nibabel.load(path.with_name(path.name.replace("volume", "segmentation")))
        np.testing.assert_array_equal(volume.affine, mask.affine)
        assert (volume.get_data_dtype(), mask.get_data_dtype()) == (np.int16, np.uint8)


def test_the_bytes_are_those_that_nibabel_writes(folder: Path) -> None:
    for name in ("volume-1.nii.gz", "segmentation-1.nii.gz"):
        image = nibabel.load(folder / name)
        again = nibabel.Nifti1Image(np.asarray(image.dataobj), image.affine)
        again.header.set_xyzt_units("mm")
        theirs, ours = again.to_bytes(), gzip.decompress((folder / name).read_bytes())
        scale = slice(112, 120)  # That of ours says 1 and 0; nibabel leaves it open.
        assert ours[scale] == np.array([1, 0], "<f4").tobytes()
        assert ours[:112] + ours[120:] == theirs[:112] + theirs[120:]


class TestShape:
    def test_files_have_the_shape_that_is_asked_for(self, tmp_path: Path) -> None:
        write(tmp_path, cases=2, seed=0, shape=(48, 40, 30))
        for path in (*tmp_path.glob("volume*"), *tmp_path.glob("segmentation*")):
            assert nibabel.load(path).shape == (48, 40, 30)
        for volume in read_all(tmp_path):
            assert volume.hu.shape == (30, 40, 48)
            assert set(np.unique(volume.mask)) >= {0, 1}

    def test_anatomy_has_its_size_in_millimetres(self, tmp_path: Path) -> None:
        litres = []
        for shape in ((48, 48, 24), (96, 96, 60)):
            write(tmp_path / str(shape), cases=4, seed=1, shape=shape)
            litres.append(
                [
                    (volume.mask > 0).sum() * np.prod(volume.spacing) / 1e6
                    for volume in read_all(tmp_path / str(shape))
                ]
            )
        assert litres[0] == pytest.approx(litres[1], rel=0.06)
        assert all(0.3 < volume < 4 for volume in litres[0])

    @pytest.mark.parametrize("shape", [(1, 1, 1), (33, 17, 2), (16, 64, 1)])
    def test_odd_shapes_are_written_too(self, tmp_path: Path, shape: tuple[int, int, int]) -> None:
        write(tmp_path, cases=1, seed=0, shape=shape)
        assert nibabel.load(tmp_path / "volume-0.nii.gz").shape == shape

    def test_bytes_do_not_depend_on_how_many_slices_are_painted_at_once(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(tmp_path / "whole", cases=2, seed=5, shape=(64, 56, 33))
        for voxels in (1, 64 * 56 * 5):
            monkeypatch.setattr(painting, "SLAB", voxels)
            write(tmp_path / str(voxels), cases=2, seed=5, shape=(64, 56, 33))
            for path in (tmp_path / "whole").iterdir():
                inflated = [
                    gzip.decompress((place / path.name).read_bytes())
                    for place in (tmp_path / "whole", tmp_path / str(voxels))
                    if path.suffix == ".gz"
                ]
                assert len(set(inflated)) <= 1, path.name

    def test_memory_does_not_grow_with_the_slices(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(painting, "SLAB", 64 * 64 * 8)
        write(tmp_path, cases=1, seed=0, shape=(64, 64, 8))  # Imports take memory of their own.
        peaks = []
        for slices in (100, 400):
            tracemalloc.start()
            write(tmp_path, cases=1, seed=0, shape=(64, 64, slices))
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        assert peaks[1] < peaks[0] + 64 * 64 * 300, "less than a byte for each voxel more"


class TestPlaceAloneTellsLittle:
    """Of patients that were not looked at, by what is commonest at the same place of others."""

    def test_a_slices_height_does_not_give_its_class(self, volumes: list[Any]) -> None:
        heights = 20
        labels = np.array(
            [
                volume.mask.reshape(len(volume.mask), -1).max(axis=1)[
                    ((np.arange(heights) + 0.5) * len(volume.mask) / heights).astype(int)
                ]
                for volume in volumes
            ]
        )
        hits = [
            np.bincount(np.delete(labels[:, height], patient), minlength=3).argmax()
            == labels[patient, height]
            for patient in range(len(labels))
            for height in range(heights)
        ]
        assert np.mean(hits) < 0.72

    def test_a_voxels_place_does_not_give_the_liver(self, volumes: list[Any]) -> None:
        livers = []
        for volume in volumes:
            places = [
                ((np.arange(count) + 0.5) * size / count).astype(int)
                for count, size in zip((20, 32, 32), volume.mask.shape, strict=True)
            ]
            livers.append(volume.mask[np.ix_(*places)] > 0)
        livers = np.array(livers)
        dice = []
        for patient, liver in enumerate(livers):
            guess = np.delete(livers, patient, axis=0).mean(axis=0) > 0.5
            dice.append(2 * (guess & liver).sum() / (guess.sum() + liver.sum()))
        assert np.mean(dice) < 0.6
