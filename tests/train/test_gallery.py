"""The cases that are kept with a replicate's predictions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bench.data.prepared import PreparedTask
from bench.spec import Budget
from bench.train.checkpoint import Checkpoint
from bench.train.evaluate import evaluate
from bench.train.fit import fit
from bench.train.gallery import CHARACTERS, LONGEST, _dice, _image, _mask, chosen
from tests.train.synthetic import PIXELWISE, SMALL, make_config, make_task, write_images


@pytest.mark.parametrize(
    ("count", "ranks", "rows"),
    [
        (0, [], []),
        (1, ["best"], [0]),
        (2, ["best", "worst"], [1, 0]),
        (3, ["best", "median", "worst"], [2, 1, 0]),
        (5, ["best", "best", "median", "worst", "worst"], [4, 3, 2, 1, 0]),
        (9, ["best", "best", "median", "median", "worst", "worst"], [8, 7, 4, 3, 1, 0]),
    ],
)
def test_two_of_each_and_none_twice(count: int, ranks: list[str], rows: list[int]) -> None:
    found = chosen(np.arange(count, dtype=float), [f"{row:02d}" for row in range(count)])
    assert found[0] == ranks and found[1].tolist() == rows


def test_ties_are_in_the_order_of_their_ids_and_undefined_rows_left_out() -> None:
    quality = np.array([0.5, np.nan, 0.5, 0.5])
    assert chosen(quality, ["c", "x", "a", "b"])[1].tolist() == [0, 3, 2]


def test_dice_is_of_the_classes_that_a_slice_shows() -> None:
    counts = np.zeros((3, 3, 3), int)
    counts[0] = [[10, 0, 0], [0, 4, 0], [0, 0, 0]]  # one class, found
    counts[1] = [[10, 0, 0], [2, 2, 0], [2, 0, 0]]  # both, one missed
    counts[2] = [[10, 3, 0], [0, 0, 0], [0, 0, 0]]  # none
    found = _dice(counts)
    assert found[0] == 1 and found[1] == pytest.approx((2 * 2 / 6 + 0) / 2) and np.isnan(found[2])


def test_large_pictures_shrink_and_masks_keep_their_classes() -> None:
    pixels = np.zeros((3, 320, 200), np.uint8)
    pixels[:, :, 100:] = 200
    image = _image(pixels)
    assert image.shape == (LONGEST, 100, 3) and image[5, 80, 0] == 200 and image[5, 10, 0] == 0
    mask = _mask(pixels[0] // 100)
    assert mask.shape == (LONGEST, 100) and set(np.unique(mask)) == {0, 2}
    assert _image(pixels[:2, :50, :40]).shape == (50, 40, 1)


def _evaluated(
    data: PreparedTask, task: Any, family: Any, folder: Any, **more: Any
) -> dict[str, np.ndarray]:
    checkpoint = Checkpoint(folder / "trial.pt")
    config = make_config(batch_size=8, learning_rate=2e-2)
    list(
        fit(
            task=task, family=family, config=config, seed=5, budget=Budget(max_epochs=1),
            data=data, device="cpu", checkpoint_every_s=0.0, checkpoint=checkpoint, replicate=True,
        )
    )  # fmt: skip
    found = evaluate(
        task=task, family=family, config=config, data=data, checkpoint=checkpoint, device="cpu",
        **more,
    )  # fmt: skip
    assert not any(name.startswith("gallery_") for name in found.splits["validation"].arrays)
    return found.splits["test"].arrays


def test_classified_images_come_with_probabilities_and_facts(tmp_path: Any) -> None:
    data = write_images(tmp_path / "votes", facts={"votes": lambda row: row % 8})
    task = make_task(strata=("votes",))
    arrays = _evaluated(data, task, SMALL, tmp_path, gallery="test")
    places = [arrays["ids"].tolist().index(id) for id in arrays["gallery_ids"]]
    np.testing.assert_array_equal(arrays["gallery_scores"], arrays["scores"][places])
    np.testing.assert_array_equal(arrays["gallery_fact_votes"], arrays["fact_votes"][places])
    inputs = np.load(data.root / "test" / "inputs.npy")
    np.testing.assert_array_equal(arrays["gallery_images"][0, :, :, 0], inputs[places[0], 0])
    of_true = arrays["scores"][np.arange(40), arrays["labels"]]
    assert arrays["gallery_quality"][0] == of_true.max()
    assert arrays["gallery_quality"][-1] == of_true.min()
    assert "gallery_true" not in arrays


def test_segmented_slices_come_with_both_masks(tmp_path: Any, masks: PreparedTask) -> None:
    task = make_task("image_segmentation")
    arrays = _evaluated(masks, task, PIXELWISE, tmp_path, gallery="test")
    true, predicted = arrays["gallery_true"], arrays["gallery_predicted"]
    assert arrays["gallery_images"].shape == (6, 16, 16, 1) and true.shape == (6, 16, 16)
    for id, one, other in zip(arrays["gallery_ids"], true, predicted, strict=True):
        counts = arrays["counts"][arrays["ids"].tolist().index(id)]
        again = np.bincount(3 * one.ravel().astype(int) + other.ravel(), minlength=9)
        np.testing.assert_array_equal(again.reshape(3, 3), counts)


def test_texts_come_with_their_beginnings(tmp_path: Any, texts: PreparedTask) -> None:
    from bench.train.gallery import gallery

    split = texts.open("test")
    scores = np.full((len(split), 3), 1 / 3, np.float32)
    long = replace(
        split, ids=split.ids[:1], labels=split.labels[:1], offsets=np.array([0, 400]),
        texts=np.frombuffer(b"a" * 400, np.uint8),
    )  # fmt: skip
    nothing: Any = None
    arrays = {"scores": scores, "labels": split.labels}
    found = gallery(make_task("text_classification"), nothing, nothing, split, arrays)
    place = split.ids.index(str(found["ids"][0]))
    assert found["texts"][0] == split.text(place)[:CHARACTERS] and "images" not in found
    arrays = {"scores": scores[:1], "labels": split.labels[:1]}
    found = gallery(make_task("text_classification"), nothing, nothing, long, arrays)
    assert found["texts"].tolist() == ["a" * CHARACTERS]


def test_nothing_is_kept_unless_asked_for(tmp_path: Any, images: PreparedTask) -> None:
    arrays = _evaluated(images, make_task(), SMALL, tmp_path)
    assert not any(name.startswith("gallery_") for name in arrays)
