"""Which rows share a batch, and the source that a prepared task is loaded as."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.data import batches
from bench.data.batches import Draw
from bench.data.images import Images
from bench.data.prepared import PreparedTask


def every(count: int) -> Draw:
    return Draw.plain(np.arange(count))


def test_an_order_is_a_function_of_seed_and_epoch() -> None:
    def order(seed: int, epoch: int) -> list[list[int]]:
        drawn = batches.drawn_order(every(50), batch_size=8, seed=seed, epoch=epoch)
        return [batch.rows.tolist() for batch in drawn]

    assert order(1, 3) == order(1, 3)
    assert order(1, 3) != order(1, 4)
    assert order(1, 3) != order(2, 3)
    assert sorted(sum(order(1, 3), [])) == list(range(50))


@pytest.mark.parametrize(
    ("rows", "sizes"), [(16, [8, 8]), (17, [8, 9]), (18, [8, 8, 2]), (1, [1]), (5, [5])]
)
def test_no_batch_of_one_but_where_there_is_one_row(rows: int, sizes: list[int]) -> None:
    assert [len(batch) for batch in batches.cut(np.arange(rows), 8)] == sizes


def test_texts_of_similar_length_share_a_batch() -> None:
    lengths = np.random.default_rng(0).integers(1, 100, size=2000)
    same = {"batch_size": 20, "seed": 0, "epoch": 1}

    def padded(order: list[Draw]) -> int:
        return sum(len(batch) * int(lengths[batch.rows].max()) for batch in order)

    mixed = batches.drawn_order(every(2000), **same)
    sorted_ = batches.drawn_order(every(2000), **same, lengths=lengths)
    assert sorted(np.concatenate([batch.rows for batch in sorted_])) == list(range(2000))
    assert padded(sorted_) < 1.1 * lengths.sum() < padded(mixed) / 1.6
    longest = [int(lengths[batch.rows].max()) for batch in sorted_]
    assert longest != sorted(longest)  # the batches themselves are shuffled
    again = batches.drawn_order(every(2000), **same, lengths=lengths)
    assert [batch.rows.tolist() for batch in again] == [batch.rows.tolist() for batch in sorted_]


@given(
    rows=st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=60),
    batch_size=st.integers(1, 20),
    by_length=st.booleans(),
)
def test_what_is_drawn_comes_once_each_and_keeps_its_mark(
    rows: list[tuple[int, bool]], batch_size: int, by_length: bool
) -> None:
    draw = Draw(np.array([row for row, _ in rows]), np.array([made for _, made in rows]))
    lengths = np.array([3, 1, 4, 1, 5, 9, 2, 6, 5, 3]) if by_length else None
    order = batches.drawn_order(draw, batch_size=batch_size, seed=0, epoch=0, lengths=lengths)
    found = [
        (int(row), bool(made))
        for one in order
        for row, made in zip(one.rows, one.made, strict=True)
    ]
    assert sorted(found) == sorted(rows)


def write(root: Path) -> PreparedTask:
    """Six training and four validation images of 2x3 pixels, each of its row's number."""
    for split, first, count in (("train", 0, 6), ("validation", 6, 4)):
        (root / split).mkdir(parents=True)
        numbers = np.arange(first, first + count)
        images = np.tile(numbers[:, None, None, None], (1, 1, 2, 3)).astype(np.uint8)
        np.save(root / split / "inputs.npy", images)
        np.save(root / split / "labels.npy", numbers % 2)
        names = [str(number) for number in numbers]
        table = {"ids": names, "cases": names, "groups": names, "facts": {}}
        (root / split / "cases.json").write_text(json.dumps(table))
    facts = {"kind": "image_classification", "mean": [0.0], "std": [1 / 255], "fingerprint": "f"}
    (root / "manifest.json").write_text(json.dumps(facts))
    return PreparedTask(root)


def test_two_splits_follow_one_another(tmp_path: Path) -> None:
    source = batches.load(write(tmp_path), ("train", "validation"), device="cpu")
    assert isinstance(source, Images) and len(source) == 10
    rows = np.array([7, 0, 5, 6, 9])
    ((inputs, labels),) = source.batches([Draw.plain(rows)])
    np.testing.assert_allclose(inputs[:, 0, 0, 0].numpy(), rows, atol=1e-4)
    assert labels.tolist() == (rows % 2).tolist()


def test_a_source_may_be_normalised_otherwise_and_is_mapped_once(tmp_path: Path) -> None:
    data = write(tmp_path)
    own = batches.load(data, ("train",), device="cpu")
    theirs = batches.load(data, ("train",), device="cpu", mean=[1 / 255, 0, 0], std=[1 / 255] * 3)
    assert isinstance(own, Images) and isinstance(theirs, Images)
    assert theirs._inputs is own._inputs
    ((inputs, _),) = theirs.batches([Draw.plain(np.array([4, 2]))])
    np.testing.assert_allclose(inputs[:, :, 0, 0].numpy(), [[3, 4, 4], [1, 2, 2]], atol=1e-4)
    # The kept source is as it was.
    assert batches.load(data, ("train",), device="cpu") is own
    ((inputs, _),) = own.batches([Draw.plain(np.array([4, 2]))])
    np.testing.assert_allclose(inputs[:, 0, 0, 0].numpy(), [4, 2], atol=1e-4)


def test_a_split_is_mapped_once_for_all_trials(tmp_path: Path) -> None:
    data = write(tmp_path)
    first = batches.load(data, ("train",), device="cpu")
    assert batches.load(PreparedTask(data.root), ("train",), device="cpu") is first
