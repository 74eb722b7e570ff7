"""Which replicate keeps cases to be looked at, and of which split."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bench.spec import Fold, Replicates, Study
from bench.tune.jobs import Job
from bench.tune.work import _shown
from tests.tune import virtual

STUDY = virtual.study("task-0", seeds=3)


def shown(number: int, *, kind: Any = "test", study: Study = STUDY) -> str | None:
    return _shown(Job(kind=kind, study=study.id, number=number, config={}, seed=number), study)


def test_the_first_of_each_winner_s_replicates_keeps_them() -> None:
    # Three to a winner: an earlier winner's have the first numbers, a later one's go on.
    assert [shown(number) for number in range(7)] == ["test", None, None] * 2 + ["test"]


def test_a_replicate_that_may_not_open_the_test_split_keeps_those_of_validation() -> None:
    assert shown(0, kind="validate") == "validation"
    assert shown(1, kind="validate") is None


def test_one_trained_on_both_splits_keeps_those_of_the_test_split() -> None:
    both = replace(STUDY, replicates=Replicates(seeds=3, refit="train+validation"))
    assert shown(0, study=both) == "test"


@pytest.mark.parametrize(
    "changes",
    [
        {"search_number": 1},
        {"fold": Fold(number=1, of=3)},
        {"time_budget_s": 10.0},
        {"fold": Fold(number=0, of=3), "search_number": 2},
    ],
)
def test_further_searches_splits_and_fixed_time_keep_none(changes: dict[str, Any]) -> None:
    assert shown(0, study=replace(STUDY, **changes)) is None


def test_of_several_splits_the_first_keeps_them() -> None:
    assert shown(0, study=replace(STUDY, fold=Fold(number=0, of=3))) == "test"
