"""Order and content of batches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from bench.data import batches
from bench.data.prepared import PreparedTask
from tests.train.synthetic import write_images, write_texts


def test_an_order_is_a_function_of_seed_and_epoch() -> None:
    def order(seed: int, epoch: int) -> list[list[int]]:
        drawn = batches.drawn_order(50, batch_size=8, seed=seed, epoch=epoch)
        return [batch.tolist() for batch in drawn]

    assert order(1, 3) == order(1, 3)
    assert order(1, 3) != order(1, 4)
    assert order(1, 3) != order(2, 3)
    assert sorted(sum(order(1, 3), [])) == list(range(50))


@pytest.mark.parametrize(
    ("cases", "sizes"), [(16, [8, 8]), (17, [8, 9]), (18, [8, 8, 2]), (1, [1]), (5, [5])]
)
def test_no_batch_of_one_but_where_there_is_one_case(cases: int, sizes: list[int]) -> None:
    assert [len(batch) for batch in batches.cut(np.arange(cases), 8)] == sizes


def test_texts_of_similar_length_share_a_batch() -> None:
    lengths = np.random.default_rng(0).integers(1, 100, size=2000)
    same = {"batch_size": 20, "seed": 0, "epoch": 1}

    def padded(order: list[np.ndarray]) -> int:
        return sum(len(batch) * int(lengths[batch].max()) for batch in order)

    mixed = batches.drawn_order(2000, **same)
    sorted_ = batches.drawn_order(2000, **same, lengths=lengths)
    assert sorted(np.concatenate(sorted_)) == list(range(2000))
    assert padded(sorted_) < 1.1 * lengths.sum() < padded(mixed) / 1.6
    longest = [int(lengths[batch].max()) for batch in sorted_]
    assert longest != sorted(longest)  # the batches themselves are shuffled
    assert [b.tolist() for b in batches.drawn_order(2000, **same, lengths=lengths)] == [
        b.tolist() for b in sorted_
    ]


def test_images_are_normalised_rows_of_the_memory_map(images: PreparedTask) -> None:
    source = batches.load(images, ("train",), device="cpu")
    split = images.open("train")
    assert isinstance(source, batches.Images) and source.resident
    assert split.inputs is not None
    chosen = np.array([5, 3, 90])
    ((inputs, labels),) = source.batches([chosen])
    raw = torch.from_numpy(split.inputs[chosen]).float() / 255
    mean, std = images.manifest["mean"][0], images.manifest["std"][0]
    torch.testing.assert_close(inputs, (raw - mean) / std, atol=1e-5, rtol=1e-5)
    assert labels.tolist() == split.labels[chosen].tolist()
    everything = torch.cat([one for one, _ in source.batches(source.sequence(32))])
    assert everything.mean().abs() < 1e-4 and (everything.std() - 1).abs() < 1e-3


def test_gathering_off_the_device_gives_the_same(images: PreparedTask) -> None:
    manifest = images.manifest
    opened = [images.open("train")]
    same = {"mean": manifest["mean"], "std": manifest["std"], "device": "cpu"}
    resident, gathered = (batches.Images(opened, **same) for _ in range(2))
    gathered.resident = False
    order = resident.order(batch_size=16, seed=0, epoch=1)
    for (one, _), (two, _) in zip(resident.batches(order), gathered.batches(order), strict=True):
        assert torch.equal(one, two)


@pytest.mark.gpu
def test_a_gpu_gets_the_same_batches(images: PreparedTask, monkeypatch: pytest.MonkeyPatch) -> None:
    here = batches.load(images, ("train", "validation"), device="cpu")
    manifest = images.manifest
    opened = [images.open("train"), images.open("validation")]
    same = {"mean": manifest["mean"], "std": manifest["std"], "device": "cuda"}
    resident = batches.Images(opened, **same)
    monkeypatch.setattr(batches, "SHARE_OF_FREE_MEMORY", 0.0)
    pinned = batches.Images(opened, **same)
    assert resident.resident and not pinned.resident
    order = here.order(batch_size=16, seed=0, epoch=1)
    for source in (resident, pinned):
        for (one, label), (two, other) in zip(
            here.batches(order), source.batches(order), strict=True
        ):
            torch.testing.assert_close(two.cpu(), one)
            assert torch.equal(other.cpu(), label)


def test_on_a_cpu_the_map_is_shared_and_not_copied(images: PreparedTask) -> None:
    split = images.open("train")
    assert split.inputs is not None
    tensor = batches._mapped(split.inputs)
    assert tensor.data_ptr() == split.inputs.ctypes.data


@pytest.mark.parametrize("write", [write_images, write_texts])
def test_two_splits_follow_one_another(write: object, tmp_path: Path) -> None:
    data: PreparedTask = write(tmp_path / "data")  # type: ignore[operator]
    both = batches.load(data, ("train", "validation"), device="cpu")
    parts = [batches.load(data, (split,), device="cpu") for split in ("train", "validation")]  # type: ignore[arg-type]
    assert len(both) == 97 + 45
    chosen = np.array([100, 4, 96, 97, 141])
    ((inputs, labels),) = both.batches([chosen])
    for row, case in enumerate(chosen):
        part, index = (parts[0], case) if case < 97 else (parts[1], case - 97)
        ((one, label),) = part.batches([np.array([index])])
        assert torch.equal(inputs[row, : one.shape[1]], one[0])
        assert labels[row] == label[0]


def test_texts_are_padded_to_the_longest_of_their_batch(texts: PreparedTask) -> None:
    source = batches.load(texts, ("train",), device="cpu")
    split = texts.open("train")
    assert split.tokens is not None and split.offsets is not None
    lengths = np.diff(split.offsets)
    chosen = np.array([0, 11, int(lengths.argmin()), 96])
    assert lengths.min() == 0, "the case needs an empty text"
    ((tokens, labels),) = source.batches([chosen])
    assert tokens.shape == (4, lengths[chosen].max())
    for row, case in enumerate(chosen):
        start, length = split.offsets[case], lengths[case]
        assert tokens[row, :length].tolist() == split.tokens[start : start + length].tolist()
        assert (tokens[row, length:] == batches.PADDING).all()
    assert labels.tolist() == split.labels[chosen].tolist()


def test_evaluation_sees_each_case_once(images: PreparedTask, texts: PreparedTask) -> None:
    for data in (images, texts):
        source = batches.load(data, ("validation",), device="cpu")
        order = source.sequence(7)
        assert sorted(np.concatenate(order)) == list(range(45))
        assert max(map(len, order)) == 7


def test_a_split_is_mapped_once_for_all_trials(images: PreparedTask) -> None:
    first = batches.load(images, ("train",), device="cpu")
    again = batches.load(PreparedTask(images.root), ("train",), device="cpu")
    assert again is first
