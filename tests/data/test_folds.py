"""Patient k-fold: who tests where, and folders that are made from one reading."""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.data import prepare as preparation
from bench.data import sharing, upkeep
from bench.data.prepare import prepare, prepare_folds, verify
from bench.data.prepared import PreparedTask
from bench.data.splits import assign
from bench.errors import UserError
from bench.spec import SPLITS, Case, Fold, GroupSplit, PublishedSplit, Scalar, Task
from tests.data import plates
from tests.data.plates import PLATES_CLS, PLATES_SEG, PLATES_TEXT

BY_GROUP = GroupSplit(train=0.6, validation=0.2, test=0.2)


def patients(count: int, *, scans: int = 1) -> list[Case]:
    return [
        Case(id=f"scan-{number}-{scan}", group=f"patient-{number}")
        for number in range(count)
        for scan in range(scans)
    ]


def folds(of: int) -> list[Fold]:
    return [Fold(number=number, of=of) for number in range(of)]


# --- Dealing --------------------------------------------------------------------------------


@st.composite
def dealt(draw: st.DrawFn) -> tuple[list[Case], int, int, GroupSplit]:
    """Cases of some groups, how many folds, a seed and shares."""
    of = draw(st.integers(3, 12))
    groups = draw(st.integers(of, 60))
    scans = draw(st.lists(st.integers(1, 3), min_size=groups, max_size=groups))
    cases = [Case(id=f"{n}-{s}", group=f"p{n}") for n in range(groups) for s in range(scans[n])]
    validation = draw(st.floats(0.01, 0.98))
    share = (1 - validation) / 2
    protocol = GroupSplit(train=share, validation=validation, test=1 - validation - share)
    return cases, of, draw(st.integers(0, 2**32 - 1)), protocol


@given(dealt(), st.integers(0, 9))
@settings(max_examples=150, deadline=None)
def test_the_test_sets_of_all_folds_partition_the_groups(
    drawn: tuple[list[Case], int, int, GroupSplit], shuffle: int
) -> None:
    cases, of, seed, protocol = drawn
    groups = {case.group for case in cases}
    tested: list[str] = []
    sizes = []
    for fold in folds(of):
        assignment = assign(cases, protocol, seed=seed, fold=fold)
        sides = {
            split: {case.group for case in cases if assignment[case.id] == split}
            for split in SPLITS
        }
        assert set(assignment) == {case.id for case in cases}
        assert sum(map(len, sides.values())) == len(groups), "a group lies on two sides"
        wanted = max(1, round(len(groups) * protocol.validation))
        rest = len(groups) - len(sides["test"])
        assert len(sides["validation"]) == min(wanted, rest - 1)
        assert len(sides["train"]) >= 1
        tested += sides["test"]
        sizes.append(len(sides["test"]))
        mixed = random.Random(shuffle).sample(cases, len(cases))
        assert assign(mixed, protocol, seed=seed, fold=fold) == assignment
    assert sorted(tested) == sorted(groups)
    assert max(sizes) - min(sizes) <= 1


def test_the_dealing_depends_on_the_seed_and_on_how_many_folds_alone() -> None:
    def tested(validation: float, **given: Any) -> set[str]:
        protocol = GroupSplit(train=0.8 - validation, validation=validation, test=0.2)
        assignment = assign(patients(40), protocol, **given)
        return {id for id, split in assignment.items() if split == "test"}

    first = tested(0.2, seed=1, fold=Fold(number=0, of=5))
    assert tested(0.4, seed=1, fold=Fold(number=0, of=5)) == first
    assert tested(0.2, seed=2, fold=Fold(number=0, of=5)) != first
    assert not tested(0.2, seed=1, fold=Fold(number=0, of=4)) >= first


def test_each_fold_draws_its_validation_from_a_stream_of_its_own() -> None:
    cases = patients(60)
    drawn = [assign(cases, BY_GROUP, seed=1, fold=fold) for fold in folds(3)]
    pools = [sorted(id for id, split in found.items() if split != "test") for found in drawn]
    places = [
        tuple(place for place, id in enumerate(pool) if found[id] == "validation")
        for pool, found in zip(pools, drawn, strict=True)
    ]
    assert [len(found) for found in places] == [12, 12, 12]
    assert len(set(places)) == 3, "the same places of what each fold has left"


def test_a_rare_class_is_tested_in_every_fold() -> None:
    cases = patients(20)
    labels = {case.id: {0, 1} if number < 6 else {0} for number, case in enumerate(cases)}
    for seed in range(10):
        for fold in folds(3):
            found = assign(cases, BY_GROUP, seed=seed, labels=labels, fold=fold)
            assert {found[case.id] for case in cases[:6]} == set(SPLITS)


def test_a_class_that_is_taught_by_few_is_drawn_to_training() -> None:
    cases = patients(20)
    labels = {case.id: {0, 1} for case in cases}
    trained = {case.id: {0, 1} if number < 1 else {0} for number, case in enumerate(cases)}
    for seed in range(10):
        sides = [
            assign(cases, BY_GROUP, seed=seed, labels=labels, trained=trained, fold=fold)[
                "scan-0-0"
            ]
            for fold in folds(4)
        ]
        assert Counter(sides) == {"test": 1, "train": 3}


@pytest.mark.parametrize(("groups", "of"), [(2, 3), (4, 5), (9, 10)])
def test_fewer_groups_than_folds_are_refused(groups: int, of: int) -> None:
    with pytest.raises(UserError) as caught:
        assign(patients(groups, scans=20), BY_GROUP, seed=0, fold=Fold(number=0, of=of))
    assert str(caught.value) == (
        f"splits = {of} needs {of} or more groups (patients), there are {groups}: add data, or ask "
        "for fewer splits"
    )


def test_a_published_test_partition_is_not_dealt() -> None:
    cases = [replace(case, partition="train") for case in patients(9)]
    with pytest.raises(UserError, match="test partition of this data set is published"):
        assign(cases, PublishedSplit(validation=0.2), seed=0, fold=Fold(number=0, of=3))


# --- Folders --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return plates.write(tmp_path_factory.mktemp("raw") / "plates")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the cases that were read, one a reading."""
    found: list[str] = []

    def counting(case: Case) -> plates.Plate:
        found.append(case.id)
        return plates.read(case)

    plates.register(monkeypatch, replace(plates.DATASET, read=counting))
    return found


def made(task: Task, raw: Path, cache: Path, of: int = 3, **options: Scalar) -> list[PreparedTask]:
    return prepare_folds(task, raw, options=options, seed=0, cache=cache, folds=folds(of))


def left(cache: Path) -> list[str]:
    """Folders of prepared data, whole or half-made."""
    return sorted(path.name for path in (cache / "prepared").glob("*/"))


@pytest.mark.parametrize("task", [PLATES_CLS, PLATES_SEG])
def test_folds_are_made_from_one_reading(
    task: Task, raw: Path, tmp_path: Path, reads: list[str]
) -> None:
    own, *found = prepare_folds(
        task, raw, options={}, seed=0, cache=tmp_path, folds=[None, *folds(3)]
    )
    assert Counter(reads) == {str(number): 1 for number in range(10)}
    tested = []
    for number, prepared in enumerate(found):
        assert prepared.root.name.startswith(f"{task.id}-split{number + 1}of3-")
        assert prepared.manifest["fold"] == {"number": number, "of": 3}
        assert sorted(path.name for path in prepared.root.iterdir()) == sorted(
            [*SPLITS, "manifest.json"]
        )
        assert verify(prepared) == []
        rows = [id for split in SPLITS for id in prepared.open(split).ids]
        assert sorted(rows) == sorted(id for split in SPLITS for id in own.open(split).ids)
        train = prepared.open("train").inputs
        assert train is not None
        assert prepared.manifest["mean"] == pytest.approx([np.mean(train) / 255])
        tested += sorted(set(prepared.open("test").groups))
    assert sorted(tested) == sorted(f"p{number}" for number in range(10))
    assert own.manifest["fold"] is None and "split" not in own.root.name
    assert len({json.dumps(copy.manifest["test_fingerprint"]) for copy in (own, *found)}) == 4


def test_one_fold_is_one_of_all(raw: Path, tmp_path: Path, reads: list[str]) -> None:
    together = made(PLATES_CLS, raw, tmp_path / "together")
    for fold, expected in zip(folds(3), together, strict=True):
        alone = prepare(PLATES_CLS, raw, options={}, seed=0, cache=tmp_path / "alone", fold=fold)
        assert alone.root.name == expected.root.name and alone.manifest == expected.manifest
    own = prepare(PLATES_CLS, raw, options={}, seed=0, cache=tmp_path / "own")
    both = prepare_folds(
        PLATES_CLS, raw, options={}, seed=0, cache=tmp_path / "both", folds=[*folds(3), None]
    )
    assert both[3].root.name == own.root.name and both[3].manifest == own.manifest


def test_the_key_of_a_tasks_own_split_stays(
    raw: Path, tmp_path: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparation, "code_version", lambda *functions: "code")
    monkeypatch.setattr(preparation, "raw_fingerprint", lambda *given, **more: "raw")
    prepared = prepare(PLATES_CLS, raw, options={}, seed=0, cache=tmp_path)
    assert prepared.root.name == "plates_cls-679e6628a843e04b"
    assert prepared.manifest["fingerprint"] == "679e6628a843e04bd643e946e8eb9517"


def test_what_is_there_is_not_made_again(
    raw: Path, tmp_path: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = made(PLATES_CLS, raw, tmp_path)
    reads.clear()
    with monkeypatch.context() as patch:
        patch.setattr(preparation, "_write", lambda *given: pytest.fail("written again"))
        assert [copy.root for copy in made(PLATES_CLS, raw, tmp_path)] == [
            copy.root for copy in first
        ]
    assert reads == []
    inode = (first[0].root / "manifest.json").stat().st_ino
    shutil.rmtree(first[1].root)
    assert verify(made(PLATES_CLS, raw, tmp_path)[1]) == [] and len(reads) == 10
    assert (first[0].root / "manifest.json").stat().st_ino == inode


def test_the_same_fold_twice_is_made_once(raw: Path, tmp_path: Path, reads: list[str]) -> None:
    fold = Fold(number=1, of=3)
    found = prepare_folds(
        PLATES_CLS, raw, options={}, seed=0, cache=tmp_path, folds=[fold, None, fold]
    )
    assert found[0].root == found[2].root != found[1].root
    assert len(reads) == 10 and len(left(tmp_path)) == 2


def test_locks_are_taken_in_one_order_and_held_together(
    raw: Path, tmp_path: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []
    original = sharing.locked

    @contextmanager
    def recorded(root: Path) -> Iterator[bool]:
        with original(root) as alone:
            taken.append(root.name)
            yield alone
            assert len(left(tmp_path)) == 4, "released before all are made"

    monkeypatch.setattr(sharing, "locked", recorded)
    wanted = [*reversed(folds(3)), None]
    prepare_folds(PLATES_CLS, raw, options={}, seed=0, cache=tmp_path, folds=wanted)
    assert taken == sorted(taken) == left(tmp_path)


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_a_crash_between_folds_leaves_whole_ones(
    failing: int, raw: Path, tmp_path: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Any] = []
    original = preparation._write

    def crashing(*given: Any) -> None:
        if len(written) == failing:
            raise KeyboardInterrupt
        original(*given)
        written.append(given)

    with monkeypatch.context() as patch:
        patch.setattr(preparation, "_write", crashing)
        with pytest.raises(KeyboardInterrupt):
            made(PLATES_SEG, raw, tmp_path)
    names = left(tmp_path)
    assert len(names) == failing
    times = {name: (tmp_path / "prepared" / name).stat().st_mtime_ns for name in names}
    for name in names:
        assert verify(PreparedTask(tmp_path / "prepared" / name)) == []
    reads.clear()
    found = made(PLATES_SEG, raw, tmp_path)
    assert len(reads) == 10, "one reading for all that were missing"
    assert [verify(copy) for copy in found] == [[], [], []]
    for name, time in times.items():
        assert (tmp_path / "prepared" / name).stat().st_mtime_ns == time
    assert left(tmp_path) == sorted(copy.root.name for copy in found)


def test_what_a_killed_process_has_staged_is_cleared(
    raw: Path, tmp_path: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*given: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(preparation, "_write", killed)
        patch.setattr(sharing.shutil, "rmtree", lambda *given, **more: None)
        with pytest.raises(KeyboardInterrupt):
            made(PLATES_CLS, raw, tmp_path)
    assert len(left(tmp_path)) == 2 and all(".part-" in name for name in left(tmp_path))
    found = made(PLATES_CLS, raw, tmp_path)
    assert left(tmp_path) == sorted(copy.root.name for copy in found)


def test_a_fold_of_a_published_split_is_refused_unread(
    raw: Path, tmp_path: Path, reads: list[str]
) -> None:
    with pytest.raises(UserError) as caught:
        made(PLATES_TEXT, raw, tmp_path)
    assert str(caught.value) == (
        "the test partition of plates_text is published, every result on it is on the same test "
        "cases: leave splits at 1 for it"
    )
    assert reads == [] and left(tmp_path) == []


def test_a_share_of_the_test_set_contradicts_a_fold(
    raw: Path, tmp_path: Path, reads: list[str]
) -> None:
    with pytest.raises(UserError, match="splits = 3 makes.* 1/3 of the groups, test_share is 0.3:"):
        made(PLATES_CLS, raw, tmp_path, test_share=0.3)
    assert left(tmp_path) == []
    assert len(made(PLATES_CLS, raw, tmp_path, test_share=0.2, validation_share=0.3)) == 3


def test_too_few_groups_are_said_once(raw: Path, tmp_path: Path, reads: list[str]) -> None:
    with pytest.raises(UserError, match="^splits = 11 needs 11 or more.* there are 10: add data"):
        made(PLATES_CLS, raw, tmp_path, of=11)
    assert left(tmp_path) == []


def test_all_folds_without_a_class_are_named_and_none_is_written(
    raw: Path, tmp_path: Path, reads: list[str]
) -> None:
    rare = Path(shutil.copytree(raw, tmp_path / "rare"))
    for number in range(3, 10):
        mask = np.load(rare / f"{number}-mask.npy")
        np.save(rare / f"{number}-mask.npy", np.minimum(mask, 1))
    with pytest.raises(UserError) as caught:
        made(PLATES_SEG, rare, tmp_path, of=5)
    first, *others = str(caught.value).splitlines()
    assert first == f"task plates_seg: {len(others)} mistakes" and len(others) >= 2
    for line in others:
        assert "of plates_seg (split " in line and "has no pixel of class 'spot'" in line
        assert line.endswith("add data, or ask for fewer splits")
    assert left(tmp_path) == []


def test_doubles_are_found_in_each_fold(raw: Path, tmp_path: Path, reads: list[str]) -> None:
    same = Path(shutil.copytree(raw, tmp_path / "same"))
    np.save(same / "1.npy", np.load(same / "0.npy"))
    found = made(PLATES_CLS, same, tmp_path, of=5, drop_duplicates=True)
    for copy in found:
        sides = {group: split for split in SPLITS for group in copy.open(split).groups}
        apart = len([group for group in ("p0", "p1") if group in sides]) == 1
        assert copy.manifest["dropped"] == (4 if apart else 0)
        assert len(copy.open("test").ids) == 8, "none is left out of a test set"


def test_verify_names_the_folds(
    raw: Path, tmp_path: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNEBENCH_CACHE", str(tmp_path))
    prepare(PLATES_CLS, raw, options={}, seed=0, cache=tmp_path)
    found = made(PLATES_CLS, raw, tmp_path)
    verified = upkeep.verify("plates", [f"plates={raw}"])
    assert verified.problems == []
    assert verified.lines()[1:] == [
        "plates: 4 prepared copies are whole, 3 of them of a patient k-fold",
        *(f"plates_cls, split {n} of 3: {copy.root}" for n, copy in enumerate(found, 1)),
    ]
    told = {entry["folder"]: entry["split"] for entry in verified.as_dict()["prepared"]}
    assert told[str(found[2].root)] == "plates_cls, split 3 of 3"
    assert Counter(told.values())[None] == 1
    (found[1].root / "manifest.json").write_text("{")
    np.save(found[0].root / "test" / "labels.npy", np.zeros(16, np.int64))
    problems = upkeep.verify("plates", [f"plates={raw}"]).problems
    assert len(problems) == 2 and all("split" in problem for problem in problems)
