"""Probabilities and confusion counts of every row, volumes put back together, halved batches."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from bench import metrics
from bench.data import batches
from bench.data.prepared import PreparedTask
from bench.train import predict as module
from bench.train.predict import NotFinite, predict, predict_masks
from bench.train.volumes import whole_volumes
from tests.train.synthetic import write_masks


class Pixelwise(nn.Module):
    """Class 0, 1 or 2 by fixed thresholds of each pixel; keeps the sizes of its batches."""

    def __init__(self, *, most: int = 10**9, poison: float = 0.0) -> None:
        super().__init__()
        self.most, self.poison, self.sizes = most, poison, []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if len(images) > self.most:
            raise torch.OutOfMemoryError("no more memory")
        self.sizes.append(len(images))
        return torch.cat([-images, 0 * images, images], dim=1) + self.poison


def by_hand(data: PreparedTask) -> np.ndarray:
    """The model's confusion counts, row by row."""
    split = data.open("validation")
    assert split.inputs is not None and split.masks is not None
    values = (split.inputs[:, 0] / 255 - data.manifest["mean"][0]) / data.manifest["std"][0]
    predicted = np.where(values > 0, 2, 0)
    return np.stack(
        [
            metrics.confusion(true.ravel(), guess.ravel(), classes=3)
            for true, guess in zip(split.masks, predicted, strict=True)
        ]
    )


def start(data: PreparedTask, model: nn.Module, on_volume: Any = None) -> np.ndarray:
    source: Any = batches.load(data, ("validation",), device="cpu")
    return predict_masks(model, source, data.open("validation"), on_volume)


def test_counts_are_those_of_each_row(masks: PreparedTask) -> None:
    found = start(masks, Pixelwise())
    assert found.dtype == np.int32 and found.shape == (20, 3, 3)
    np.testing.assert_array_equal(found, by_hand(masks))
    np.testing.assert_array_equal(start(masks, Pixelwise(), lambda *_: None), by_hand(masks))


def test_batches_hold_so_many_pixels(masks: PreparedTask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PIXELS", 3 * 16 * 16 + 5)
    model = Pixelwise()
    start(masks, model)
    assert model.sizes == [3] * 6 + [2]


@pytest.mark.parametrize("most", [1, 3, 7])
def test_what_lacks_memory_comes_in_halves_and_no_volume_twice(
    masks: PreparedTask, most: int
) -> None:
    seen: list[str] = []
    model = Pixelwise(most=most)
    found = start(masks, model, lambda case, *_: seen.append(case))
    np.testing.assert_array_equal(found, by_hand(masks))
    assert seen == [f"validation-case-{number}" for number in range(4)]
    assert max(model.sizes) <= most
    with pytest.raises(torch.OutOfMemoryError):
        start(masks, Pixelwise(most=0))


def test_classes_in_halves_are_the_same(images: PreparedTask) -> None:
    source: Any = batches.load(images, ("validation",), device="cpu")
    torch.manual_seed(0)
    inner = nn.Sequential(nn.Flatten(), nn.Linear(256, 3))

    class Greedy(nn.Module):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            if len(inputs) > 10:
                raise torch.OutOfMemoryError("no more memory")
            return inner(inputs)

    labels, scores = predict(inner, source)
    again, halved = predict(Greedy(), source)
    np.testing.assert_array_equal(labels, again)
    np.testing.assert_allclose(scores, halved, atol=1e-6)


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_outputs_that_are_not_finite_are_refused(masks: PreparedTask, poison: float) -> None:
    with pytest.raises(NotFinite):
        start(masks, Pixelwise(poison=poison))


def test_a_volume_comes_whole_in_the_order_of_its_slices(tmp_path: Path) -> None:
    data = write_masks(tmp_path / "data", slices=4)
    # The table's rows in any order: slices count, not rows.
    split = data.open("validation")
    rng = np.random.default_rng(0)
    order = rng.permutation(20)
    shuffled = replace(
        split,
        labels=split.labels[order],
        ids=[split.ids[row] for row in order],
        cases=[split.cases[row] for row in order],
        groups=[split.groups[row] for row in order],
        facts={name: values[order] for name, values in split.facts.items()},
        inputs=split.inputs[order],  # type: ignore[index]
        masks=split.masks[order],  # type: ignore[index]
    )
    from bench.data.images import Images

    manifest = data.manifest
    source = Images([shuffled], mean=manifest["mean"], std=manifest["std"], device="cpu")
    seen: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def on_volume(case: str, true: np.ndarray, predicted: np.ndarray, spacing: Any) -> None:
        assert spacing == (2.0, 1.0, 0.5) and true.dtype == predicted.dtype == np.uint8
        seen[case] = (true, predicted)

    counts = predict_masks(Pixelwise(), source, shuffled, on_volume)
    np.testing.assert_array_equal(counts, by_hand(data)[order])
    assert len(seen) == 5
    for number in range(5):
        rows = slice(4 * number, 4 * number + 4)
        true, predicted = seen[f"validation-case-{number}"]
        np.testing.assert_array_equal(true, split.masks[rows])  # type: ignore[index]
        pairs = zip(true, predicted, strict=True)
        again = [metrics.confusion(t.ravel(), p.ravel(), classes=3) for t, p in pairs]
        np.testing.assert_array_equal(np.stack(again), by_hand(data)[rows])


# --- Which volumes are whole ----------------------------------------------------------------


def with_facts(data: PreparedTask, **facts: Any) -> Any:
    split = data.open("validation")
    return replace(split, facts={**split.facts, **facts})


def test_volumes_with_gaps_or_without_spacing_are_not_whole(masks: PreparedTask) -> None:
    numbers = np.arange(20) % 5 + 7.0
    numbers[2] = 20  # of the first volume: 7 8 20 10 11
    spacing = np.full(20, 2.0)
    spacing[7] = np.nan
    spacing[12] = 3.0
    split = with_facts(masks, slice=numbers, spacing_z=spacing)
    found, reasons = whole_volumes(split)
    assert [volume.case for volume in found] == ["validation-case-3"]
    assert reasons == [
        "1 of 4 volumes have slices left out",
        "2 of 4 volumes have no known spacing",
    ]
    counts_of: list[str] = []
    source: Any = batches.load(masks, ("validation",), device="cpu")
    counts = predict_masks(Pixelwise(), source, split, lambda case, *_: counts_of.append(case))
    assert counts_of == ["validation-case-3"]
    np.testing.assert_array_equal(counts, by_hand(masks))


def test_single_slices_and_unknown_places_are_no_volumes(tmp_path: Path) -> None:
    single = write_masks(tmp_path / "single", slices=1)
    assert whole_volumes(single.open("test")) == ([], ["20 of 20 volumes have slices left out"])
    split = replace(single.open("test"), facts={"slice": np.zeros(20)})
    found, (reason,) = whole_volumes(split)
    assert found == [] and "spacing_z, spacing_y, spacing_x not known" in reason


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=2, max_size=8, unique=True), st.randoms())
def test_whole_is_what_lies_without_a_gap(numbers: list[int], random: Any) -> None:
    from bench.data.prepared import SplitData

    random.shuffle(numbers)
    rows = len(numbers)
    facts = {name: np.ones(rows) for name in ("spacing_z", "spacing_y", "spacing_x")}
    split = SplitData(
        split="test",
        labels=np.zeros(rows, np.int64),
        ids=[str(row) for row in range(rows)],
        groups=["p"] * rows,
        cases=["v"] * rows,
        facts=facts | {"slice": np.array(numbers, float)},
    )
    found, _ = whole_volumes(split)
    assert bool(found) == (max(numbers) - min(numbers) == rows - 1)
    if found:
        assert [numbers[row] for row in found[0].rows] == sorted(numbers)
