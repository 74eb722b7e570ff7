"""Segmenters train, resume and are judged, in two and in three dimensions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from bench import metrics
from bench.data.prepared import PreparedTask
from bench.metrics import volumes
from bench.spec import Budget, Config, Family, Report, Shape, Task
from bench.train.checkpoint import Checkpoint
from bench.train.evaluate import evaluate
from bench.train.fit import Diverged, fit
from bench.train.material import Material
from bench.train.training import Training
from tests.train.synthetic import CLASSES, PIXELWISE, build_pixelwise, make_config, make_task

IN_3D = ("per_class_assd_mm", "per_class_voe", "lesion_f1")


@pytest.fixture
def task() -> Task:
    return make_task("image_segmentation", closing_metrics=IN_3D)


@pytest.fixture
def run(task: Task, masks: PreparedTask) -> Any:
    """`fit` on the segmentation with a small model; keywords change its arguments."""

    def start(**changes: Any) -> Iterator[Report]:
        given: dict[str, Any] = {
            "task": task,
            "family": PIXELWISE,
            "config": make_config(batch_size=8, learning_rate=2e-2),
            "seed": 5,
            "budget": Budget(max_epochs=4),
            "data": masks,
            "device": "cpu",
            "checkpoint_every_s": 0.0,
        }
        return fit(**given | changes)

    return start


def timeless(reports: Any) -> list[Report]:
    return [replace(report, charged_seconds=0.0, free_seconds=0.0) for report in reports]


def test_it_learns(run: Any) -> None:
    reports = list(run())
    assert reports[-1].score == reports[-1].metrics["mean_dice"] > 0.8
    assert {"dice_left", "dice_right", "mean_slice_dice", "mean_case_dice"} <= set(
        reports[0].metrics
    )
    assert not any("assd" in name for name in reports[-1].metrics), "3D is for the end"


@pytest.mark.parametrize("stop", [1, 3])
def test_resumed_is_bit_identical_to_unbroken(run: Any, tmp_path: Any, stop: int) -> None:
    whole, broken = Checkpoint(tmp_path / "whole.pt"), Checkpoint(tmp_path / "broken.pt")
    same = {"config": make_config(batch_size=8, augmentation="flips_rotation"), "replicate": True}
    unbroken = timeless(run(checkpoint=whole, **same))
    killed = run(checkpoint=broken, **same)
    first = [next(killed) for _ in range(stop)]
    killed.close()
    torch.manual_seed(99)
    rest = run(checkpoint=broken, known_epoch=stop, **same)
    assert timeless(first) + timeless(rest) == unbroken
    one, two = whole.load(), broken.load()
    assert one and two
    assert all(torch.equal(one["model"][name], two["model"][name]) for name in one["model"])


def greedy(limit: int) -> Family:
    class Greedy(torch.nn.Module):
        def __init__(self, inner: torch.nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            if self.training and len(images) > limit:
                raise torch.OutOfMemoryError("no more memory")
            return self.inner(images)

    def build(config: Config, shape: Shape) -> torch.nn.Module:
        return Greedy(build_pixelwise(config, shape))

    return replace(PIXELWISE, id="greedy", build=build)


def test_micro_batches_are_the_same_training(run: Any) -> None:
    """With weights that differ by pixel, so that a batch's parts weigh differently."""
    config = make_config(batch_size=8, norm=False, dropout=0.0, class_weights="balanced")
    whole, short = (list(run(config=config, family=greedy(limit))) for limit in (99, 3))
    assert short[0].notes[-1] == "out of memory: micro-batches of at most 2"
    for one, two in zip(whole, short, strict=True):
        assert two.metrics["train_loss"] == pytest.approx(one.metrics["train_loss"], rel=1e-4)
        assert two.score == pytest.approx(one.score, abs=1e-2)


def test_outputs_that_are_not_finite_are_divergence(run: Any) -> None:
    class Bomb(torch.nn.Module):
        def __init__(self, inner: torch.nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.inner(images) * (1.0 if self.training else math.nan)

    def build(config: Config, shape: Shape) -> torch.nn.Module:
        return Bomb(build_pixelwise(config, shape))

    with pytest.raises(Diverged, match="epoch 1: the outputs on validation"):
        list(run(family=replace(PIXELWISE, id="bomb", build=build)))


# --- Balanced weights -----------------------------------------------------------------------


def weights(task: Task, data: PreparedTask, refit: Any = "train") -> list[float]:
    training = Training(
        task=task, family=PIXELWISE, config=make_config(), seed=0, max_epochs=2, data=data,
        device="cpu", replicate=True, refit=refit,
    )  # fmt: skip
    found = training._stepper._loss.weights
    assert found is not None
    return found.tolist()


def test_weights_are_the_inverse_pixel_frequency(task: Task, masks: PreparedTask) -> None:
    counts = np.bincount(np.load(masks.root / "train" / "masks.npy").ravel())
    expected = counts.sum() / (3 * counts)
    assert weights(task, masks) == pytest.approx(expected.tolist())
    assert expected[2] > 2 * expected[0]
    for facts in masks.manifest["splits"].values():
        del facts["pixel_counts"]
    assert weights(task, masks) == pytest.approx(expected.tolist())


def test_weights_are_of_the_rows_that_are_trained_on(masks: PreparedTask) -> None:
    task = make_task("image_segmentation", keep=lambda config, facts: facts["slice"] > 8)
    kept = np.load(masks.root / "train" / "masks.npy")[np.arange(40) % 5 + 7 > 8]
    counts = np.bincount(kept.ravel())
    assert weights(task, masks) == pytest.approx((counts.sum() / (3 * counts)).tolist())


def test_weights_count_a_row_as_often_as_it_is_drawn(masks: PreparedTask) -> None:
    """Slices whose label is smaller than in others come twice where classes are balanced."""
    labels = np.load(masks.root / "train" / "labels.npy")
    labels[:15] = 1
    np.save(masks.root / "train" / "labels.npy", labels)
    task = make_task("image_segmentation")
    material = Material(
        masks, task=task, family=PIXELWISE, config=make_config(balance="smote"), seed=0,
        device="cpu", refit="train",
    )  # fmt: skip
    drawn = material.order(1)
    rows = np.concatenate([draw.rows for draw in drawn])
    assert len(rows) == 50 > len(set(rows.tolist()))
    pixels = np.load(masks.root / "train" / "masks.npy")[rows]
    assert material.class_counts().tolist() == np.bincount(pixels.ravel()).tolist()


def test_weights_of_a_refit_are_of_both_splits(task: Task, masks: PreparedTask) -> None:
    both = [np.load(masks.root / split / "masks.npy") for split in ("train", "validation")]
    counts = np.bincount(np.concatenate(both).ravel())
    expected = (counts.sum() / (3 * counts)).tolist()
    assert weights(task, masks, "train+validation") == pytest.approx(expected)


# --- A replicate's outcome ------------------------------------------------------------------


def test_a_replicate_is_judged_in_three_dimensions_on_the_test_split(
    run: Any, tmp_path: Any, task: Task, masks: PreparedTask
) -> None:
    checkpoint = Checkpoint(tmp_path / "trial.pt")
    reports = list(run(checkpoint=checkpoint, replicate=True))
    found = evaluate(
        task=task, family=PIXELWISE, config=make_config(batch_size=8, learning_rate=2e-2),
        data=masks, checkpoint=checkpoint, device="cpu",
    )  # fmt: skip
    best = max(reports, key=lambda report: report.score or -math.inf)
    validation, test = found.splits["validation"], found.splits["test"]
    assert validation.metrics["mean_dice"] == best.score
    assert set(validation.arrays) == {"ids", "groups", "cases", "counts"}
    assert test.notes == validation.notes == ()

    arrays = test.arrays
    assert set(arrays) == {"ids", "groups", "cases", "counts", "volumes"} | {
        f"volume_{name}"
        for name in ("assd_mm_left", "assd_mm_right", "voe_left", "voe_right", *volumes.LESIONS)
    }
    assert arrays["counts"].shape == (20, 3, 3) and (arrays["counts"].sum((1, 2)) == 256).all()
    assert arrays["volumes"].tolist() == [f"test-case-{number}" for number in range(4)]
    assert arrays["cases"][7] == "test-case-1" and arrays["ids"][7] == "test-7"
    assert all(arrays[name].shape == (4,) for name in arrays if name.startswith("volume_"))
    again = metrics.evaluate_counts(
        task.metrics, counts=arrays["counts"], cases=arrays["cases"], class_names=CLASSES
    )
    assert again.items() <= test.metrics.items()
    mean = np.nanmean(arrays["volume_voe_left"])
    assert test.metrics["voe_left"] == pytest.approx(mean) and 0 <= mean < 0.5
    assert set(test.metrics) - set(again) == {
        "assd_mm_left", "assd_mm_right", "voe_left", "voe_right", "lesion_f1"
    }  # fmt: skip


def test_without_whole_volumes_metrics_in_3d_are_left_out_with_a_note(
    run: Any, tmp_path: Any, task: Task, masks: PreparedTask
) -> None:
    checkpoint = Checkpoint(tmp_path / "trial.pt")
    list(run(checkpoint=checkpoint, replicate=True, budget=Budget(max_epochs=1)))
    table = masks.root / "test" / "cases.json"
    table.write_text(table.read_text().replace('"spacing_y"', '"spacing_u"'))
    found = evaluate(
        task=task, family=PIXELWISE, config=make_config(), data=masks, checkpoint=checkpoint,
        device="cpu", splits=("test",),
    ).splits["test"]  # fmt: skip
    assert found.notes == ("metrics in 3D: no volume is whole: spacing_y not known",)
    assert set(found.arrays) == {"ids", "groups", "cases", "counts"}
    assert "mean_dice" in found.metrics and "voe_left" not in found.metrics
