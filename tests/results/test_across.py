import math

import pandas as pd
import pytest

from results.across import across


def board(task, metric="accuracy", **means):
    """A leaderboard with what is read of one; the best two are in tier 1."""
    return pd.DataFrame(
        {
            "task": task,
            "entrant": list(means),
            "metric": metric,
            "tier": pd.array([1 if place < 2 else 3 for place in range(len(means))], dtype="Int64"),
            "mean": list(map(float, means.values())),
            "low": [value - 0.1 for value in means.values()],
            "high": [value + 0.1 for value in means.values()],
        }
    )


def test_everyone_on_every_task_has_a_mean_rank():
    table = across([board("one", A=0.9, B=0.8, C=0.7), board("two", C=0.6, A=0.5, B=0.4)])
    assert list(table["entrant"]) == ["A", "A", "B", "B", "C", "C"]
    assert list(table["task"]) == ["one", "two"] * 3
    assert list(table["rank"]) == [1, 2, 2, 3, 3, 1]
    assert list(table["mean_rank"]) == [1.5, 1.5, 2.5, 2.5, 2, 2]


def test_the_least_loss_ranks_first_and_equals_share_their_places():
    table = across([board("one", "log_loss", A=0.9, B=0.2, C=0.9), board("two", A=1, B=1, C=1)])
    assert list(table["rank"]) == [2.5, 2, 1, 2, 2.5, 2]


@pytest.mark.parametrize(
    "other", [{"A": 0.5}, {"A": 0.5, "B": math.nan}, {"A": 0.5, "B": 0.4, "C": 0.3}]
)
def test_without_everyone_on_every_task_there_is_no_mean_rank(other):
    table = across([board("one", A=0.9, B=0.8), board("two", **other)])
    assert table["mean_rank"].isna().all()
    assert list(table["rank"].dropna())[:2] == [1, 1], "ranks within a task stay"
    assert len(table) == 2 + len(other)


def test_one_task_or_none_needs_no_mean_rank():
    assert across([board("one", A=0.9, B=0.8)])["mean_rank"].isna().all()
    assert len(across([])) == 0
    empty = across([board("one"), board("two", A=0.5)])
    assert list(empty["entrant"]) == ["A"] and empty["mean_rank"].isna().all()


def test_a_mean_rank_is_a_mean_and_no_median():
    first, last = board("one", A=0.9, B=0.8, C=0.7), board("three", B=0.9, C=0.8, A=0.7)
    table = across([first, first.assign(task="two"), last])
    ranks = dict(zip(table["entrant"], table["mean_rank"], strict=True))
    assert ranks == pytest.approx({"A": 5 / 3, "B": 5 / 3, "C": 8 / 3})
