"""What is left out, drawn and made anew of a training split."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.data.prepared import SplitData
from bench.data.selection import TrainingSet, _shares
from bench.errors import UserError
from bench.spec import Choice, Config, Facts, PublishedSplit, Space, Task

VOTES = np.array([0, 1, 3, 4, 7, 6, 2, 3, 0, 1, 5, 2], float)
LABELS = (VOTES > 3).astype(np.int64)
"""Eight of the first class, four of the second."""


def keep(config: Config, facts: Facts) -> Any:
    return (facts["votes"] != 3) if config.get("leave_out") == "3" else facts["votes"] >= 0


def keep_few(config: Config, facts: Facts) -> Any:
    return facts["votes"] < 4


def task(**changes: Any) -> Task:
    return Task(
        **{
            "id": "votes", "title": "Votes", "dataset": "votes", "kind": "image_classification",
            "classes": ("HP", "SSA"), "primary": "auroc", "margin": 0.01, "metrics": ("auroc",),
            "split": PublishedSplit(validation=0.2), "samples": lambda *_: [],
            "training": Space(leave_out=Choice("none", "3")), "keep": keep,
            "difficulty": lambda facts: np.minimum(facts["votes"], 7 - facts["votes"]),
        }
        | changes
    )  # fmt: skip


def split(votes: np.ndarray = VOTES, labels: np.ndarray = LABELS) -> SplitData:
    names = [str(row) for row in range(len(votes))]
    return SplitData(split="train", labels=labels, ids=names, groups=names, facts={"votes": votes})


def training_set(seed: int = 0, of: Task | None = None, **config: Any) -> TrainingSet:
    return TrainingSet([split()], task=of or task(), config=config, seed=seed)


def made(found: TrainingSet, epoch: int = 1) -> Counter[int]:
    draw = found.epoch(epoch)
    assert draw.rows[~draw.made].tolist() == found.rows.tolist()
    return Counter(draw.rows[draw.made].tolist())


def test_without_settings_every_row_comes_once() -> None:
    found = training_set()
    assert found.rows.tolist() == list(range(12)) and not made(found)


def test_rows_are_left_out_by_the_task() -> None:
    assert training_set(leave_out="3").rows.tolist() == [0, 1, 3, 4, 5, 6, 8, 9, 10, 11]


def test_rows_of_two_splits_follow_one_another() -> None:
    found = TrainingSet([split(), split()], task=task(), config={"leave_out": "3"}, seed=0)
    assert len(found.rows) == 20 and found.rows.max() == 23


def test_rows_for_evaluation_alone_are_not_refitted_on() -> None:
    validation = replace(split(), split="validation", training=np.arange(12) % 2 == 0)
    found = TrainingSet([split(), validation], task=task(), config={}, seed=0)
    assert found.rows.tolist() == [*range(12), *range(12, 24, 2)]


def test_a_class_without_rows_is_refused_by_its_name() -> None:
    with pytest.raises(UserError, match="keeps none of SSA: leave out less"):
        training_set(of=task(keep=keep_few), leave_out="3")


def test_a_class_that_was_never_there_is_none_that_was_lost() -> None:
    alone = split(labels=np.full(12, 1))
    found = TrainingSet([alone], task=task(), config={"balance": "smote"}, seed=0)
    assert len(found.epoch(1)) == 12


def test_a_number_per_class_is_drawn_by_the_seed() -> None:
    found = training_set(per_class=3)
    assert np.bincount(LABELS[found.rows]).tolist() == [3, 3]
    assert found.rows.tolist() == sorted(found.rows.tolist())
    assert training_set(per_class=3).rows.tolist() == found.rows.tolist()
    others = {tuple(training_set(seed, per_class=3).rows) for seed in range(5)}
    assert len(others) > 1
    # Fewer than asked for is no error.
    assert np.bincount(LABELS[training_set(per_class=6).rows]).tolist() == [6, 4]


def test_what_is_left_out_is_not_drawn() -> None:
    for seed in range(10):
        found = training_set(seed, per_class=5, leave_out="3")
        assert np.bincount(LABELS[found.rows]).tolist() == [5, 4]
        assert not (VOTES[found.rows] == 3).any()


@pytest.mark.parametrize("balance", ["oversample", "smote", "adasyn"])
def test_every_class_comes_to_the_largest_ones_count(balance: str) -> None:
    for epoch in range(5):
        draw = training_set(balance=balance).epoch(epoch)
        assert np.bincount(LABELS[draw.rows]).tolist() == [8, 8]
        assert set(LABELS[draw.rows[draw.made]]) == {1}
    of_few = training_set(balance=balance, per_class=3)
    assert len(of_few.epoch(0)) == 6


def test_oversampling_draws_anew_each_epoch() -> None:
    found = training_set(balance="oversample")
    draws = {tuple(sorted(made(found, epoch).items())) for epoch in range(20)}
    assert len(draws) > 5
    assert made(found, 3) == made(training_set(balance="oversample"), 3)
    assert any(max(made(found, epoch).values()) > 1 for epoch in range(20))  # with replacement


def test_smote_makes_as_many_of_each_row() -> None:
    assert made(training_set(balance="smote")) == {3: 1, 4: 1, 5: 1, 10: 1}
    uneven = training_set(balance="smote", leave_out="3")  # 6 and 4: two of four rows
    pairs = {tuple(made(uneven, epoch)) for epoch in range(20)}
    assert len(pairs) > 1 and all(len(pair) == 2 for pair in pairs)


def test_adasyn_makes_more_of_what_is_difficult() -> None:
    # The minority's votes 4, 7, 6, 5 are 3, 0, 1, 2 from unanimity: 4 new samples in proportion.
    totals: Counter[int] = Counter()
    found = training_set(balance="adasyn")
    for epoch in range(600):
        drawn = made(found, epoch)
        assert drawn[3] == 2 and drawn[10] >= 1  # the whole parts of 2 and 4/3 are certain
        totals += drawn
    assert totals[3] == 1200 and totals[4] == 0
    assert totals[5] / 600 == pytest.approx(2 / 3, abs=0.08)
    assert totals[10] / 600 == pytest.approx(4 / 3, abs=0.08)


def test_adasyn_of_rows_that_are_all_easy_is_uniform() -> None:
    easy = task(difficulty=lambda facts: 0 * facts["votes"])
    assert made(training_set(of=easy, balance="adasyn")) == {3: 1, 4: 1, 5: 1, 10: 1}


def test_adasyn_without_difficulties_names_the_remedy() -> None:
    with pytest.raises(UserError, match="votes does not: set balance to 'smote'"):
        training_set(of=task(difficulty=None), balance="adasyn")


def test_an_unknown_balance_gets_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'smote'"):
        training_set(balance="smoke")


@given(
    weights=st.lists(st.floats(0, 1e6), min_size=1, max_size=30).filter(lambda some: sum(some) > 0),
    total=st.integers(0, 500),
    seed=st.integers(0, 5),
)
def test_shares_sum_to_the_total_and_lie_next_to_what_is_due(
    weights: list[float], total: int, seed: int
) -> None:
    given_ = np.array(weights)
    shares = _shares(given_, total, np.random.default_rng(seed))
    assert shares.sum() == total
    assert (np.abs(shares - total * given_ / given_.sum()) < 1 + 1e-9).all()
