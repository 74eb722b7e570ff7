"""Order and content of batches of texts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from bench.data import batches
from bench.data.batches import Draw
from bench.data.prepared import SplitData
from bench.data.texts import PADDING, Texts

SIZES = {"train": 97, "validation": 45}


def split(name: str) -> tuple[SplitData, tuple[np.ndarray, np.ndarray]]:
    """A split of texts of 0 to 19 tokens, and its tokens."""
    rows = SIZES[name]
    rng = np.random.default_rng(rows)
    lengths = rng.integers(0, 20, size=rows)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    tokens = rng.integers(0, 1000, size=offsets[-1]).astype(np.int32)
    data = SplitData(
        split="train",
        labels=np.arange(rows) % 3,
        ids=[str(row) for row in range(rows)],
        groups=[str(row) for row in range(rows)],
    )
    return data, (tokens, offsets)


def source(*names: str) -> Texts:
    given = [split(name) for name in names]
    return Texts([data for data, _ in given], [tokens for _, tokens in given], device="cpu")


def draw(*rows: int) -> Draw:
    return Draw.plain(np.array(rows))


def test_texts_are_padded_to_the_longest_of_their_batch() -> None:
    texts = source("train")
    data, (tokens, offsets) = split("train")
    lengths = np.diff(offsets)
    assert lengths.min() == 0, "the case needs an empty text"
    chosen = [0, 11, int(lengths.argmin()), 96]
    ((found, labels),) = texts.batches([draw(*chosen)])
    assert found.shape == (4, lengths[chosen].max()) and found.dtype == torch.int32
    for place, row in enumerate(chosen):
        assert found[place, : lengths[row]].tolist() == (
            tokens[offsets[row] : offsets[row + 1]].tolist()
        )
        assert (found[place, lengths[row] :] == PADDING).all()
    assert labels.tolist() == data.labels[chosen].tolist()


def test_two_splits_follow_one_another() -> None:
    both, parts = source("train", "validation"), [source("train"), source("validation")]
    assert len(both) == 97 + 45
    chosen = [100, 4, 96, 97, 141]
    ((found, labels),) = both.batches([draw(*chosen)])
    for place, row in enumerate(chosen):
        part, index = (parts[0], row) if row < 97 else (parts[1], row - 97)
        ((one, label),) = part.batches([draw(index)])
        length = int(both.lengths[row])
        assert found[place, :length].tolist() == one[0, :length].tolist()
        assert labels[place] == label[0]


def test_texts_of_similar_length_share_a_batch() -> None:
    texts = source("train", "validation")
    everything = draw(*range(142), 3, 3)  # a row may come several times
    order = texts.order(everything, batch_size=8, seed=0, epoch=1)
    rows = np.concatenate([batch.rows for batch in order])
    assert sorted(rows) == sorted(everything.rows)
    padded = sum(len(batch) * int(texts.lengths[batch.rows].max()) for batch in order)
    assert padded < 1.15 * texts.lengths[everything.rows].sum()
    longest = [int(texts.lengths[batch.rows].max()) for batch in order]
    assert longest != sorted(longest), "the batches themselves are shuffled"


def test_evaluation_sees_each_row_once_by_length() -> None:
    order = source("validation").sequence(7)
    rows = np.concatenate([batch.rows for batch in order])
    assert sorted(rows) == list(range(45))
    assert max(map(len, order)) == 7
    assert (np.diff(source("validation").lengths[rows]) >= 0).all()


def test_a_split_is_read_once_for_all_trials(tmp_path: Path) -> None:
    from bench.data.prepared import PreparedTask
    from tests.train.synthetic import write_texts

    data = write_texts(tmp_path / "texts")
    first = batches.load(data, ("train",), device="cpu")
    assert isinstance(first, Texts)
    again = PreparedTask(data.root)
    assert batches.load(again, ("train",), device="cpu") is first
    assert batches.load(again, ("train",), device="cpu", tokenizer="wordpiece-200") is not first


@pytest.mark.gpu
def test_a_gpu_gets_the_same_batches() -> None:
    here = source("train", "validation")
    given = [split("train"), split("validation")]
    there = Texts([data for data, _ in given], [tokens for _, tokens in given], device="cuda")
    order = here.order(draw(*range(142)), batch_size=8, seed=0, epoch=1)
    for (one, label), (two, other) in zip(here.batches(order), there.batches(order), strict=True):
        assert torch.equal(one, two.cpu()) and torch.equal(label, other.cpu())
