"""Who trains, who validates, who tests: split protocols applied to cases.

A split depends on the seed and on what the cases are called and hold, never on the order in which
they were found.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from bench.errors import UserError
from bench.seeds import derive
from bench.spec import SPLITS, Case, Fold, GroupSplit, PublishedSplit, Split, Task

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
    fold: Fold | None = None,
) -> Assignment:
    """Each case's split.

    `labels`: by case id, the classes that the case holds; `trained`: those that it holds where it
    is trained on, if they are fewer. Groups are never divided. A published training partition is
    divided stratum by stratum, or where cases name none, class by class; a random split by group is
    drawn again, up to 200 times, until no split lacks a class that three or more groups hold.

    With a fold, the test sets of all folds of that number partition the groups, and their sizes
    differ by one group at most: the protocol's share of the test set is not asked. Its share of
    validation is one of all groups. Raises UserError for an empty split, a leak, or too few groups;
    and for a fold of a published test partition.
    """
    if fold is not None:
        check_fold(protocol, "this data set")
    held = {id: tuple(found) for id, found in (labels or {}).items()}
    taught = held if trained is None else {id: tuple(found) for id, found in trained.items()}
    rng = np.random.default_rng(derive(seed, "split"))
    if isinstance(protocol, PublishedSplit):
        assignment = _as_published(cases, protocol, held, rng)
    else:
        groups = _groups(cases, held, taught, fold)
        sides = (
            _by_groups(groups, protocol, rng)
            if fold is None
            else _by_fold(groups, protocol, seed, fold)
        )
        side_of = dict(zip(groups.names, sides, strict=True))
        assignment = {case.id: SPLITS[side_of[case.group]] for case in cases}
    check_leak(cases, assignment)
    counts = Counter(assignment.values())
    if empty := [split for split in SPLITS if not counts[split]]:
        raise UserError(
            f"every split needs a case, {' and '.join(empty)} would have none of {len(cases)}: "
            "add data"
        )
    return assignment


def check_fold(protocol: GroupSplit | PublishedSplit, name: str) -> None:
    """Raises UserError where this split of `name`, a task, leaves no choice of the test set."""
    if isinstance(protocol, PublishedSplit):
        raise UserError(
            f"the test partition of {name} is published, every result on it is on the same test "
            "cases: leave splits at 1 for it"
        )


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


def named(task: Task, fold: Fold | None) -> str:
    """A task's own split, or one of a patient k-fold, for messages."""
    return task.id if fold is None else f"{task.id} ({fold})"


def check_classes(
    task: Task, counts: Mapping[Split, Sequence[int]], fold: Fold | None = None
) -> None:
    """Raises UserError where a split lacks a class. counts: rows or pixels of each, by split."""
    what = "pixel" if task.kind == "image_segmentation" else "case"
    lacking = [
        f"{split} of {named(task, fold)} has no {what} of class {task.classes[place]!r}"
        for split, found in counts.items()
        for place, count in enumerate(found)
        if not count
    ]
    if lacking:
        remedy = "raise the split's share" if fold is None else "ask for fewer splits"
        raise UserError(
            f"every split needs each class, {' and '.join(lacking)}: add data, or {remedy}"
        )


class _Groups(NamedTuple):
    """The groups (patients) of some cases."""

    names: list[str]
    """Sorted."""
    holds: np.ndarray
    """bool (groups, classes): which group holds which class."""
    teaches: np.ndarray
    """bool (groups, classes): which of them where it is trained on."""


def _groups(
    cases: Sequence[Case],
    held: Mapping[str, tuple[int, ...]],
    taught: Mapping[str, tuple[int, ...]],
    fold: Fold | None,
) -> _Groups:
    """Raises UserError where they are fewer than the parts that they are to be divided into."""
    names = sorted({case.group for case in cases})
    least = len(SPLITS) if fold is None else max(len(SPLITS), fold.of)
    if len(names) < least:
        what, remedy = "a split by group", "add data"
        if fold is not None:
            what, remedy = f"splits = {fold.of}", "add data, or ask for fewer splits"
        raise UserError(
            f"{what} needs {least} or more groups (patients), there are {len(names)}: {remedy}"
        )
    classes = 1 + max((label for labels in held.values() for label in labels), default=-1)
    row = {name: index for index, name in enumerate(names)}
    holds, teaches = np.zeros((2, len(names), classes), bool)
    for case in cases:
        for found, labels in ((holds, held), (teaches, taught)):
            for label in labels.get(case.id, ()):
                found[row[case.group], label] = True
    return _Groups(names, holds, teaches)


def _by_groups(groups: _Groups, protocol: GroupSplit, rng: np.random.Generator) -> np.ndarray:
    """int (groups,): each one's place in SPLITS."""
    count = len(groups.names)
    validation = max(1, round(count * protocol.validation))
    test = max(1, round(count * protocol.test))
    while validation + test >= count:
        validation, test = max(1, validation - 1), max(1, test - 1)
    sides = np.repeat([1, 2, 0], [validation, test, count - validation - test])
    return _spread(sides, [groups.teaches, groups.holds, groups.holds], rng)


def _by_fold(groups: _Groups, protocol: GroupSplit, seed: int, fold: Fold) -> np.ndarray:
    """int (groups,): each one's place in SPLITS.

    The test sets of all folds are dealt at once from one stream; each fold draws its validation set
    from a stream of its own.
    """
    assert len(SPLITS) <= fold.of and 0 <= fold.number < fold.of, f"there is no {fold}"
    count = len(groups.names)
    rng = np.random.default_rng(derive(seed, "split", "test", fold.of))
    dealt = _spread(np.arange(count) % fold.of, [groups.holds] * fold.of, rng)
    rest = np.flatnonzero(dealt != fold.number)
    validation = min(max(1, round(count * protocol.validation)), len(rest) - 1)
    rng = np.random.default_rng(derive(seed, "split", "validation", fold.of, fold.number))
    sides = np.full(count, SPLITS.index("test"))
    sides[rest] = _spread(
        np.repeat([1, 0], [validation, len(rest) - validation]),
        [groups.teaches[rest], groups.holds[rest]],
        rng,
    )
    return sides


def _spread(sides: np.ndarray, found: Sequence[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """These sides in random order, so that none lacks a class that enough groups hold.

    sides: int (groups,), values in [0, len(found)). found: by side, bool (groups, classes), what a
    group brings to it. Of up to ATTEMPTS orders the first that lacks nothing, else the first that
    lacks least.
    """
    wanted = np.minimum(np.any(found, axis=0).sum(axis=0), len(found))
    best, fewest = sides, None
    for _ in range(ATTEMPTS):
        drawn = rng.permutation(sides)
        present = sum(
            held[drawn == side].any(axis=0).astype(int) for side, held in enumerate(found)
        )
        missing = int((wanted - present).sum())
        if fewest is None or missing < fewest:
            best, fewest = drawn, missing
        if missing == 0:
            break
    return best


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
