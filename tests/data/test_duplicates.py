"""Rows of one content on two sides of a split."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.data.duplicates import EXAMPLES, find, key, normalised
from bench.spec import SPLITS, Split

CONTENTS = st.lists(st.sampled_from("abcdef"), max_size=12)


def named(rows: dict[Split, list[str]]) -> dict[Split, list[str]]:
    return {
        split: [f"{split}{place}" for place in range(len(found))] for split, found in rows.items()
    }


@given(train=CONTENTS, validation=CONTENTS, test=CONTENTS)
def test_every_double_is_found_and_left_out(
    train: list[str], validation: list[str], test: list[str]
) -> None:
    rows: dict[Split, list[str]] = {"train": train, "validation": validation, "test": test}
    ids = named(rows)
    keys = {split: [key(content.encode()) for content in found] for split, found in rows.items()}
    duplicates = find(keys, ids)
    for pair, entry in duplicates.found.items():
        first, second = pair.split("_")
        expected = [content in rows[first] for content in rows[second]]  # type: ignore[index]
        assert entry["count"] == sum(expected)
        assert len(entry["examples"]) == min(EXAMPLES, sum(expected))
        content = {id: c for s in SPLITS for id, c in zip(ids[s], rows[s], strict=True)}
        assert all(content[a] == content[b] for a, b in entry["examples"])
        assert all(a in ids[first] and b in ids[second] for a, b in entry["examples"])  # type: ignore[index]
    assert list(duplicates.kept["train"]) == [c not in validation + test for c in train]
    assert list(duplicates.kept["validation"]) == [c not in test for c in validation]
    assert duplicates.kept["test"].all() and len(duplicates.kept["test"]) == len(test)


def test_ten_examples_are_shown() -> None:
    same = [b"x"] * 30
    rows: dict[Split, list[bytes]] = {"train": [b"x"], "validation": [b"y"], "test": same}
    ids = {"train": ["first"], "validation": ["v"], "test": [str(n) for n in range(30)]}
    found = find(rows, ids).found["train_test"]  # type: ignore[arg-type]
    assert found == {"count": 30, "examples": [["first", str(n)] for n in range(10)]}


@pytest.mark.parametrize("text", ["Straße  frei", " STRASSE\nfrei ", "strasse\tFREI"])
def test_texts_that_read_alike_are_one(text: str) -> None:
    assert normalised(text) == "strasse frei"
    assert normalised(text) != normalised("strassefrei")
