"""Split protocols: who lands where, and what is refused."""

from __future__ import annotations

from collections import Counter

import pytest

from bench.data.splits import assign, check_classes, check_leak
from bench.errors import UserError
from bench.spec import SPLITS, Case, GroupSplit, PublishedSplit
from tests.data.plates import PLATES_CLS, PLATES_SEG

BY_GROUP = GroupSplit(train=0.6, validation=0.2, test=0.2)
PUBLISHED = PublishedSplit(validation=0.2)


def patients(count: int, *, scans: int = 1) -> list[Case]:
    return [
        Case(id=f"scan-{number}-{scan}", group=f"patient-{number}")
        for number in range(count)
        for scan in range(scans)
    ]


def published(train: int, test: int) -> list[Case]:
    return [Case(id=f"train-{n}", group=f"train-{n}", partition="train") for n in range(train)] + [
        Case(id=f"test-{n}", group=f"test-{n}", partition="test") for n in range(test)
    ]


@pytest.mark.parametrize(
    ("count", "sizes"), [(131, (79, 26, 26)), (24, (14, 5, 5)), (10, (6, 2, 2)), (3, (1, 1, 1))]
)
def test_groups_are_split_in_their_proportions(count: int, sizes: tuple[int, ...]) -> None:
    counts = Counter(assign(patients(count), BY_GROUP, seed=0).values())
    assert tuple(counts[split] for split in SPLITS) == sizes


def test_groups_stay_together() -> None:
    cases = patients(20, scans=3)
    assignment = assign(cases, BY_GROUP, seed=1)
    sides = {case.group: assignment[case.id] for case in cases}
    assert all(assignment[case.id] == sides[case.group] for case in cases)


@pytest.mark.parametrize("protocol", [BY_GROUP, PUBLISHED])
def test_a_split_depends_on_the_seed_alone(protocol: GroupSplit | PublishedSplit) -> None:
    cases = published(50, 10) if protocol is PUBLISHED else patients(50)
    first = assign(cases, protocol, seed=1)
    assert assign(cases[::-1], protocol, seed=1) == first
    assert assign(cases, protocol, seed=2) != first


def test_too_few_groups_are_refused() -> None:
    with pytest.raises(UserError, match=r"3 or more groups \(patients\), there are 2"):
        assign(patients(2, scans=9), BY_GROUP, seed=0)


def test_a_rare_class_lies_in_every_split() -> None:
    cases = patients(20)
    labels = {case.id: {0, 2} if number < 3 else {0, 1} for number, case in enumerate(cases)}
    for seed in range(20):
        assignment = assign(cases, BY_GROUP, seed=seed, labels=labels)
        assert {assignment[case.id] for case in cases[:3]} == set(SPLITS)


def test_a_class_of_one_patient_does_not_hinder() -> None:
    cases = patients(10)
    labels = {case.id: {0, 1} if number == 0 else {0} for number, case in enumerate(cases)}
    counts = Counter(assign(cases, BY_GROUP, seed=0, labels=labels).values())
    assert counts == {"train": 6, "validation": 2, "test": 2}


def test_the_published_test_partition_stays_as_it_is() -> None:
    cases = published(100, 30)
    assignment = assign(cases, PUBLISHED, seed=5)
    assert {id for id, split in assignment.items() if split == "test"} == {
        case.id for case in cases if case.partition == "test"
    }
    assert Counter(assignment.values()) == {"train": 80, "validation": 20, "test": 30}


def test_validation_is_drawn_class_by_class() -> None:
    cases = published(200, 10)
    labels = {case.id: {number % 10 == 0} for number, case in enumerate(cases)}
    assignment = assign(cases, PUBLISHED, seed=5, labels=labels)
    drawn = Counter(
        next(iter(labels[id])) for id, split in assignment.items() if split == "validation"
    )
    assert drawn == {True: 4, False: 36}


def test_strata_of_the_cases_come_before_their_classes() -> None:
    cases = [
        Case(id=str(n), group=str(n), partition="train", stratum="few" if n % 10 == 0 else "many")
        for n in range(200)
    ] + published(0, 10)
    labels = {case.id: {int(case.id[-1]) % 2} for case in cases}
    for seed in range(3):
        assignment = assign(cases, PUBLISHED, seed=seed, labels=labels)
        drawn = Counter(case.stratum for case in cases if assignment[case.id] == "validation")
        assert drawn == {"few": 4, "many": 36}


def test_a_class_that_is_trained_on_in_few_patients_is_drawn_to_training() -> None:
    cases = patients(20)
    labels = {case.id: {0, 1} for case in cases}
    trained = {case.id: {0, 1} if number < 1 else {0} for number, case in enumerate(cases)}
    for seed in range(20):
        assignment = assign(cases, BY_GROUP, seed=seed, labels=labels, trained=trained)
        assert assignment[cases[0].id] == "train"


def test_every_empty_class_is_named() -> None:
    check_classes(PLATES_CLS, {"train": [1, 2, 3], "validation": [1, 1, 1], "test": [9, 1, 1]})
    with pytest.raises(UserError) as caught:
        check_classes(PLATES_SEG, {"train": [1, 2, 3], "validation": [1, 1, 0], "test": [0, 1, 1]})
    assert str(caught.value) == (
        "every split needs each class, validation of plates_seg has no pixel of class 'spot' and "
        "test of plates_seg has no pixel of class 'none': add data, or raise the split's share"
    )


def test_published_patients_stay_together() -> None:
    cases = [
        Case(id=f"{group}-{n}", group=f"p{group}", partition="train" if group < 8 else "test")
        for group in range(10)
        for n in range(4)
    ]
    assignment = assign(cases, PUBLISHED, seed=0)
    check_leak(cases, assignment)
    assert Counter(assignment.values())["validation"] == 8


def test_a_patient_on_both_sides_is_refused() -> None:
    cases = [
        Case(id="a", group="P7", partition="train"),
        Case(id="b", group="P7", partition="test"),
        Case(id="c", group="P8", partition="train"),
        Case(id="d", group="P9", partition="train"),
    ]
    with pytest.raises(UserError, match=r"P7 \(test and train\)"):
        assign(cases, PUBLISHED, seed=0)
    with pytest.raises(UserError, match="P7"):
        check_leak(cases[:2], {"a": "train", "b": "validation"})


def test_empty_splits_and_missing_partitions_are_refused() -> None:
    with pytest.raises(UserError, match="test would have none"):
        assign(published(10, 0), PUBLISHED, seed=0)
    with pytest.raises(UserError, match="validation would have none"):
        assign(published(1, 4), PUBLISHED, seed=0)
    with pytest.raises(UserError, match="scan-0-0 has none"):
        assign(patients(5), PUBLISHED, seed=0)
