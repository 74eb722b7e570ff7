"""The task mhist: its samples, what may be left out of training, how hard an image is."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from bench import narrowing, registry, suites
from bench.spec import Case, PublishedSplit, Sample
from suite.datasets.mhist import Patch

TASK = registry.tasks().get("mhist")
VOTES = {"votes": np.arange(8.0)}
"""One row for each outcome of a vote."""


def sample(pixels: np.ndarray, votes: int, size: int) -> Sample:
    case = Case(id="a.png", group="a.png", partition="train", stratum=str(votes))
    options = {**TASK.options.defaults(), "image_size": size}
    (found,) = TASK.samples(case, Patch(pixels, int(votes > 3), votes), options)
    return found


def test_a_patch_is_one_sample_with_its_votes() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    found = sample(pixels, votes=5, size=224)
    assert (found.id, found.label, found.facts) == ("a.png", 1, {"votes": 5.0})
    assert found.training
    assert found.input.dtype == np.uint8 and found.input.flags.c_contiguous
    assert np.array_equal(found.input, pixels.transpose(2, 0, 1))


def test_resizing_is_antialiased_and_keeps_the_colours() -> None:
    checks = np.indices((224, 224)).sum(axis=0) % 2 * 255
    pixels = np.dstack([checks, np.full_like(checks, 40), np.full_like(checks, 200)])
    found = sample(pixels.astype(np.uint8), votes=0, size=28).input
    assert found.shape == (3, 28, 28)
    assert abs(found[0].astype(int) - 128).max() < 8
    assert set(found[1].flat) == {40} and set(found[2].flat) == {200}


def test_ssa_is_the_positive_class_and_the_partition_the_published_one() -> None:
    assert TASK.classes == ("HP", "SSA")
    assert TASK.primary == "auroc" and TASK.primary in TASK.metrics
    assert TASK.split == PublishedSplit(validation=0.2)
    assert TASK.strata == ("votes",)


@pytest.mark.parametrize(
    ("leave_out", "kept"),
    [
        ("none", [0, 1, 2, 3, 4, 5, 6, 7]),
        ("3", [0, 1, 2, 4, 5, 6, 7]),
        ("4", [0, 1, 2, 3, 5, 6, 7]),
        ("3+4", [0, 1, 2, 5, 6, 7]),
    ],
)
def test_training_leaves_out_what_was_voted_on_closely(leave_out: str, kept: list[int]) -> None:
    assert leave_out in TASK.training["leave_out"].values
    chosen = TASK.keep({"leave_out": leave_out}, VOTES)
    assert chosen.dtype == bool
    assert np.flatnonzero(chosen).tolist() == kept


def test_nothing_is_left_out_unless_told() -> None:
    assert TASK.training.defaults() == {"leave_out": "none", "balance": "none", "per_class": 0}
    assert TASK.keep({}, VOTES).all()


def test_the_closer_the_vote_the_harder_the_image() -> None:
    expected = [0, 1 / 3, 2 / 3, 1, 1, 2 / 3, 1 / 3, 0]
    np.testing.assert_allclose(TASK.difficulty(VOTES), expected, atol=1e-12)


@pytest.mark.parametrize("scale", ["demo", "small", "full"])
def test_its_suite_resolves(scale: str) -> None:
    suite = suites.resolve(suites.read("histology"), scale=scale)
    assert suite.tasks == ("mhist",) and suite.replicates.refit == "train"
    entered = [entrant.label for entrant in narrowing.entrants_for(suite, TASK)]
    scratch = ["ResNet-18", "ConvMixer", "FCNN"]
    assert [label for label in entered if "ImageNet" not in label] == scratch
    assert (entered == scratch) == (scale != "full")
    searched = set(TASK.training) - set(suite.training["mhist"])
    expected = {"demo": {"leave_out"}, "small": set(), "full": {"leave_out", "balance"}}
    assert searched == expected[scale]


def test_samples_of_the_stand_in(shared_data: Path) -> None:
    folder = shared_data / "histology_standin"
    if not folder.is_dir():
        pytest.skip("there is no histology_standin in ../shared/data")
    dataset = registry.datasets().get("mhist")
    options = {**TASK.options.defaults(), "image_size": 32}
    found = [
        sample
        for case in dataset.cases(folder)[:40]
        for sample in TASK.samples(case, dataset.read(case), options)
    ]
    assert {sample.input.shape for sample in found} == {(3, 32, 32)}
    assert Counter(sample.facts["votes"] for sample in found).keys() == {0.0, 7.0}
    assert all(sample.label == (sample.facts["votes"] == 7) for sample in found)
    assert np.mean([sample.input.mean() for sample in found]) > 100, "light, as stained tissue is"
