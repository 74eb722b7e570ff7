"""Masks of the tasks lits_seg and lits_liver_seg."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench import registry
from bench.spec import Case, Sample
from suite.ct.volume import Volume
from tests.suite.lits_files import DATASET, only_case

SEG, LIVER = registry.tasks().get("lits_seg"), registry.tasks().get("lits_liver_seg")
CASE = Case(id="volume-7", group="volume-7")


def volume(slices: int = 4) -> Volume:
    """A liver with a tumour in every slice but the first; it is brighter by 100 HU and by 50."""
    mask = np.zeros((slices, 32, 32), np.uint8)
    mask[1:, 8:24, 4:20] = 1
    mask[1:, 12:16, 8:12] = 2
    hu = np.array([0, 100, 50], np.int16)[mask]
    return Volume(hu=hu, mask=mask, spacing=(5, 1, 1))


def samples(task, source: Volume, **settings: object) -> list[Sample]:
    chosen = task.options.settled({"image_size": 16, **settings}, heading=task.id)
    return list(task.samples(CASE, source, chosen))


def test_a_mask_lies_where_its_image_does() -> None:
    first, second, *_ = samples(SEG, volume(), window_low=-50, window_high=150)
    assert first.label.max() == 0
    assert second.label.shape == (16, 16) and second.label.dtype == np.uint8
    assert set(np.unique(second.label)) == {0, 1, 2}
    grey = second.input[0].astype(int)
    inner = np.zeros((16, 16), bool)
    inner[6:8, 4:6] = True
    assert (second.label[inner] == 2).all() and np.ptp(grey[inner]) < 20
    assert (second.label == 1).sum() == 60
    assert grey[second.label == 1].mean() > grey[second.label == 2].mean() > grey[0, 0]


def test_a_tumour_is_part_of_the_liver() -> None:
    both = samples(SEG, volume())
    liver = samples(LIVER, volume())
    assert len(LIVER.classes) == 2
    for one, other in zip(both, liver, strict=True):
        np.testing.assert_array_equal(np.minimum(one.label, 1), other.label)
        np.testing.assert_array_equal(one.input, other.input)
        assert one.facts == other.facts


def test_the_protocols_differ_in_the_slices_drawn() -> None:
    many = volume(60)
    mask = many.mask.copy()
    mask[:30] = 0
    half = Volume(hu=many.hu, mask=mask, spacing=many.spacing)
    assert len(samples(SEG, half)) == 60
    drawn = samples(LIVER, half)
    assert len(drawn) == 20
    assert sum(sample.label.any() for sample in drawn) == 10
    whole = samples(LIVER, half, whole_evaluation=True)
    assert len(whole) == 60 and sum(sample.training for sample in whole) == 20
    split = LIVER.protocol(LIVER.options.defaults())
    assert (split.validation, split.test) == (0.2, 0.2)


def test_the_volume_can_be_put_back_together() -> None:
    found = samples(SEG, volume(9), image_size=32)
    stacked = np.stack([sample.label for sample in sorted(found, key=lambda s: s.facts["slice"])])
    np.testing.assert_array_equal(stacked, volume(9).mask)


@pytest.mark.parametrize("task", [SEG, LIVER], ids=lambda task: task.id)
def test_one_real_ct(task, shared_data: Path) -> None:
    folder = shared_data / "lits_one_real_ct"
    if not folder.is_dir():
        pytest.skip("there is no lits_one_real_ct in ../shared/data")
    source = DATASET.read(only_case(folder))
    found = samples(task, source, image_size=122, with_liver=0, without_liver=0)
    assert len(found) == 30
    assert found[0].facts == {"slice": 0, **dict.fromkeys(("spacing_z", "spacing_y"), 3.0),
                              "spacing_x": 3.0}  # fmt: skip
    masks = np.stack([sample.label for sample in found])
    np.testing.assert_array_equal(masks[:, 10:111], source.mask)
    assert not masks[:, :10].any() and not masks[:, 111:].any()
    greys = np.stack([sample.input[0] for sample in found])
    assert 110 < np.median(greys[masks == 1]) < 185, "the liver is grey in the window"
