"""Slices, classes, window and the choice of slices of the task lits_cls."""

from __future__ import annotations

import numpy as np
import pytest

from bench import registry
from bench.errors import UserError
from bench.spec import Case, Sample
from suite.datasets.lits import Volume
from suite.tasks.lits_cls import resize, window

TASK = registry.tasks().get("lits_cls")
CASE = Case(id="volume-7", group="volume-7")


def volume(labels: list[int], size: int = 16) -> Volume:
    """One slice a label; a single voxel tells liver, another one tumour."""
    mask = np.zeros((len(labels), size, size), np.uint8)
    mask[np.array(labels) >= 1, 3, 4] = 1
    mask[np.array(labels) == 2, 9, 2] = 2
    hu = np.full(mask.shape, 40, np.int16)
    return Volume(hu=hu, mask=mask, spacing=(5, 1, 1))


def samples(labels: list[int], **options: int) -> list[Sample]:
    settings = {**TASK.options, "image_size": 16, **options}
    return list(TASK.samples(CASE, volume(labels), settings))


def test_a_slices_class_is_the_worst_that_it_holds() -> None:
    found = samples([0, 1, 2, 2, 1, 0])
    assert [sample.label for sample in found] == [0, 1, 2, 2, 1, 0]
    assert [sample.id for sample in found][:2] == ["volume-7/0000", "volume-7/0001"]
    assert found[0].input.shape == (1, 16, 16)
    assert found[0].input.dtype == np.uint8


def test_one_voxel_counts_at_any_image_size() -> None:
    found = TASK.samples(CASE, volume([2], size=64), {**TASK.options, "image_size": 8})
    assert [sample.label for sample in found] == [2]


def test_slices_are_chosen_evenly_by_kind() -> None:
    found = samples([0] * 10 + [1, 2] * 10 + [0] * 10, with_liver=4, without_liver=2)
    slices = [int(sample.id[-4:]) for sample in found]
    assert slices == [5, 12, 17, 22, 27, 35]
    assert len(samples([0] * 3 + [1] * 2, with_liver=9, without_liver=9)) == 5


def test_the_window_maps_hu_to_grey() -> None:
    hu = np.array([[-2000, -160, 40, 240, 3000]])
    assert window(hu, low=-160, high=240).tolist() == [[0, 0, 128, 255, 255]]


def test_resizing_keeps_the_proportions_and_the_mean() -> None:
    image = np.full((40, 80), 200, np.uint8)
    small = resize(image, 20)
    assert small.shape == (20, 20)
    assert small[8:12].min() >= 199 and small[:4].max() == 0 and small[-4:].max() == 0
    checks = np.indices((64, 64)).sum(axis=0) % 2 * 255
    assert abs(resize(checks.astype(np.uint8), 8).astype(int) - 128).max() < 8, "antialiased"


@pytest.mark.parametrize("options", [{"image_size": 4}, {"window_low": 300}])
def test_impossible_options_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(UserError, match="lits_cls"):
        samples([0, 1], **options)
