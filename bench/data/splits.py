"""Who trains, who validates, who tests: split protocols applied to cases.

A split depends on the seed and on what the cases are called and hold, never on the order in which
they were found.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from bench.errors import UserError
from bench.seeds import derive
from bench.spec import SPLITS, Case, GroupSplit, PublishedSplit, Split, Task

Assignment = dict[str, Split]
"""By case id."""

ATTEMPTS = 200


def assign(
    cases: Sequence[Case],
    protocol: GroupSplit | PublishedSplit,
    *,
    seed: int,
    labels: Mapping[str, Iterable[int]] | None = None,
    trained: Mapping[str, Iterable[int]] | None = None,
) -> Assignment:
    """Each case's split.

    `labels`: by case id, the classes that the case holds; `trained`: those that it holds where it
    is trained on, if they are fewer. Groups are never divided. A published training partition is
    divided stratum by stratum, or where cases name none, class by class; a random split by group is
    drawn again, up to 200 times, until no split lacks a class that three or more groups hold.
    Raises UserError for an empty split or a leak.
    """
    held = {id: tuple(found) for id, found in (labels or {}).items()}
    taught = held if trained is None else {id: tuple(found) for id, found in trained.items()}
    rng = np.random.default_rng(derive(seed, "split"))
    if isinstance(protocol, GroupSplit):
        assignment = _by_groups(cases, protocol, held, taught, rng)
    else:
        assignment = _as_published(cases, protocol, held, rng)
    check_leak(cases, assignment)
    counts = Counter(assignment.values())
    if empty := [split for split in SPLITS if not counts[split]]:
        raise UserError(
            f"every split needs a case, {' and '.join(empty)} would have none of {len(cases)}: "
            "add data"
        )
    return assignment


def check_leak(cases: Iterable[Case], assignment: Mapping[str, Split]) -> None:
    """Raises UserError where a group (a patient) lies on two sides of a split."""
    sides: dict[str, set[Split]] = defaultdict(set)
    for case in cases:
        sides[case.group].add(assignment[case.id])
    leaks = sorted(group for group, splits in sides.items() if len(splits) > 1)
    if leaks:
        shown = ", ".join(f"{group} ({' and '.join(sorted(sides[group]))})" for group in leaks[:5])
        more = f" and {len(leaks) - 5} more" if len(leaks) > 5 else ""
        raise UserError(
            f"all cases of a group lie in one split, these do not: {shown}{more}: "
            "correct the groups or the partition"
        )


def check_classes(task: Task, counts: Mapping[Split, Sequence[int]]) -> None:
    """Raises UserError where a split lacks a class. counts: rows or pixels of each, by split."""
    what = "pixel" if task.kind == "image_segmentation" else "case"
    lacking = [
        f"{split} of {task.id} has no {what} of class {task.classes[place]!r}"
        for split, found in counts.items()
        for place, count in enumerate(found)
        if not count
    ]
    if lacking:
        raise UserError(
            f"every split needs each class, {' and '.join(lacking)}: add data, or raise the "
            "split's share"
        )


def _by_groups(
    cases: Sequence[Case],
    protocol: GroupSplit,
    held: Mapping[str, tuple[int, ...]],
    taught: Mapping[str, tuple[int, ...]],
    rng: np.random.Generator,
) -> Assignment:
    groups = sorted({case.group for case in cases})
    if len(groups) < len(SPLITS):
        raise UserError(
            f"a split by group needs 3 or more groups (patients), there are {len(groups)}: add data"
        )
    validation = max(1, round(len(groups) * protocol.validation))
    test = max(1, round(len(groups) * protocol.test))
    while validation + test >= len(groups):
        validation, test = max(1, validation - 1), max(1, test - 1)
    sides = np.repeat([1, 2, 0], [validation, test, len(groups) - validation - test])
    holds = _classes_of(groups, cases, held)
    teaches = _classes_of(groups, cases, taught, classes=holds.shape[1])
    wanted = np.minimum(holds.sum(axis=0), len(SPLITS))
    best, fewest = sides, None
    for _ in range(ATTEMPTS):
        drawn = rng.permutation(sides)
        present = teaches[drawn == 0].any(axis=0).astype(int)
        present += holds[drawn == 1].any(axis=0).astype(int) + holds[drawn == 2].any(axis=0)
        missing = int((wanted - present).sum())
        if fewest is None or missing < fewest:
            best, fewest = drawn, missing
        if missing == 0:
            break
    side_of = dict(zip(groups, best, strict=True))
    return {case.id: SPLITS[side_of[case.group]] for case in cases}


def _classes_of(
    groups: Sequence[str],
    cases: Iterable[Case],
    held: Mapping[str, tuple[int, ...]],
    *,
    classes: int | None = None,
) -> np.ndarray:
    """bool (groups, classes): which group holds which class."""
    if classes is None:
        classes = 1 + max((label for labels in held.values() for label in labels), default=-1)
    row = {group: index for index, group in enumerate(groups)}
    holds = np.zeros((len(groups), classes), bool)
    for case in cases:
        for label in held.get(case.id, ()):
            holds[row[case.group], label] = True
    return holds


def _as_published(
    cases: Sequence[Case],
    protocol: PublishedSplit,
    held: Mapping[str, tuple[int, ...]],
    rng: np.random.Generator,
) -> Assignment:
    assignment: Assignment = {}
    named = any(case.stratum for case in cases)
    strata: dict[str, tuple[str | int, ...]] = {}
    for case in cases:
        if case.partition is None:
            raise UserError(
                f"a published split needs every case's partition, {case.id} has none: "
                "complete the data set's partition"
            )
        assignment[case.id] = case.partition
        if case.partition == "train":
            own: tuple[str | int, ...] = (case.stratum,) if named else held.get(case.id, ())
            strata[case.group] = strata.get(case.group, ()) + own
    check_leak(cases, assignment)
    members: dict[tuple[str | int, ...], list[str]] = defaultdict(list)
    for group, own in strata.items():
        members[own if len(own) < 2 else tuple(sorted(set(own)))].append(group)
    chosen = {
        group
        for stratum in sorted(members)
        for group in _draw(sorted(members[stratum]), protocol.validation, rng)
    }
    if not chosen and len(strata) > 1:
        chosen = {str(rng.choice(sorted(strata)))}
    for case in cases:
        if case.partition == "train" and case.group in chosen:
            assignment[case.id] = "validation"
    return assignment


def _draw(groups: Sequence[str], share: float, rng: np.random.Generator) -> list[str]:
    """That share of the groups, at random, to the nearest whole number."""
    return [groups[index] for index in rng.permutation(len(groups))[: round(len(groups) * share)]]
