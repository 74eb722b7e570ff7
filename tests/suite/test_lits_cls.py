"""Classes of the task lits_cls, and the options that it has."""

from __future__ import annotations

import numpy as np
import pytest

from bench import registry
from bench.errors import UserError
from bench.spec import Case, Sample
from suite.ct.volume import Volume

TASK = registry.tasks().get("lits_cls")
CASE = Case(id="volume-7", group="volume-7")


def volume(labels: list[int], size: int = 16) -> Volume:
    """One slice a label; a single voxel tells liver, another one tumour."""
    mask = np.zeros((len(labels), size, size), np.uint8)
    mask[np.array(labels) >= 1, 3, 4] = 1
    mask[np.array(labels) == 2, 9, 2] = 2
    hu = np.full(mask.shape, 40, np.int16)
    return Volume(hu=hu, mask=mask, spacing=(5, 1, 1))


def samples(labels: list[int], size: int = 16, **settings: int) -> list[Sample]:
    chosen = TASK.options.settled({"image_size": 16, **settings}, heading="lits_cls")
    return list(TASK.samples(CASE, volume(labels, size), chosen))


def test_a_slices_class_is_the_worst_that_it_holds() -> None:
    assert [sample.label for sample in samples([0, 1, 2, 2, 1, 0])] == [0, 1, 2, 2, 1, 0]


def test_one_voxel_counts_at_any_image_size() -> None:
    assert [sample.label for sample in samples([2], size=64, image_size=8)] == [2]


def test_every_slice_is_taken_unless_told() -> None:
    assert len(samples([0] * 30 + [1] * 30)) == 60
    assert len(samples([0] * 30 + [1] * 30, with_liver=4, without_liver=3)) == 7


@pytest.mark.parametrize(
    "settings", [{"image_size": 4}, {"window_low": 300}, {"with_liver": -1}, {"window": 3}]
)
def test_impossible_options_are_refused(settings: dict[str, int]) -> None:
    with pytest.raises(UserError, match="image_size|window|with_liver"):
        samples([0, 1], **settings)


def test_the_split_can_be_set() -> None:
    chosen = TASK.options.settled({"test_share": 0.3}, heading="lits_cls")
    split = TASK.protocol(chosen)
    assert (split.validation, split.test) == (0.2, 0.3)
