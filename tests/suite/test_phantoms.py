"""The contract of every phantom that is found, and what tells AG News' topics."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from bench import registry

PHANTOMS = registry.phantoms().items
SMALL = {"lits": 6, "ag_news": 200}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every phantom, written small."""
    folders = {}
    for id, phantom in PHANTOMS.items():
        folders[id] = tmp_path_factory.mktemp(id)
        phantom.write(folders[id], cases=SMALL.get(id, 12), seed=3)
    return folders


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_none_is_broken_and_every_data_set_has_one() -> None:
    assert registry.phantoms().broken == {}
    assert set(PHANTOMS) == set(registry.datasets().items)


@pytest.mark.parametrize("id", PHANTOMS)
class TestContract:
    def test_the_data_sets_reader_finds_it_sound(self, id: str, written: dict[str, Path]) -> None:
        dataset = registry.datasets().get(id)
        assert dataset.problems(written[id]) == []
        cases = dataset.cases(written[id])
        assert len({case.id for case in cases}) == len(cases) >= SMALL.get(id, 12)
        for case in cases:
            dataset.read(case)

    def test_it_says_what_it_is(self, id: str, written: dict[str, Path]) -> None:
        marker = json.loads((written[id] / "PHANTOM.json").read_text())
        assert marker == {
            "dataset": id,
            "version": PHANTOMS[id].version,
            "cases": SMALL.get(id, 12),
            "seed": 3,
        }

    def test_the_same_arguments_give_the_same_bytes(
        self, id: str, written: dict[str, Path], tmp_path: Path
    ) -> None:
        PHANTOMS[id].write(tmp_path / "a", cases=SMALL.get(id, 12), seed=3)
        PHANTOMS[id].write(tmp_path / "b", cases=SMALL.get(id, 12), seed=4)
        assert content(tmp_path / "a") == content(written[id])
        assert content(tmp_path / "b") != content(written[id])

    def test_every_class_is_there(self, id: str, written: dict[str, Path]) -> None:
        dataset = registry.datasets().get(id)
        for task in registry.tasks().items.values():
            if task.dataset != id:
                continue
            labels = {
                int(label)
                for case in dataset.cases(written[id])
                for sample in task.samples(case, dataset.read(case), task.options.defaults())
                for label in np.unique(sample.label)
            }
            assert labels == set(range(len(task.classes)))

    def test_progress_comes_to_its_end(self, id: str, tmp_path: Path) -> None:
        told: list[tuple[str, int, int]] = []
        PHANTOMS[id].write(
            tmp_path, cases=3, seed=0, progress=lambda what, done, of: told.append((what, done, of))
        )
        assert told, "progress is told at least once"
        assert {what for what, _, _ in told} == {"phantom"}
        steps = [done for _, done, _ in told]
        assert steps == sorted(steps) and steps[-1] == told[-1][2]

    def test_a_case_does_not_depend_on_their_number(
        self, id: str, written: dict[str, Path], tmp_path: Path
    ) -> None:
        PHANTOMS[id].write(tmp_path, cases=2, seed=3)
        few, many = content(tmp_path), content(written[id])
        for path in few.keys() - {"PHANTOM.json"}:
            if path.endswith(".csv"):
                assert many[path].startswith(few[path])
            else:
                assert many[path] == few[path]


def test_ag_news_words_of_a_compound_do_not_tell_its_topic(tmp_path: Path) -> None:
    from suite.phantoms.ag_news import FIRST, SECOND

    PHANTOMS["ag_news"].write(tmp_path, cases=4000, seed=0)
    with (tmp_path / "train.csv").open(newline="") as stream:
        rows = [
            (int(label) - 1, f"{title} {text}".lower()) for label, title, text in csv.reader(stream)
        ]
    labels = np.array([label for label, _ in rows])
    pair = np.array([f"{FIRST[0]} {SECOND[1]}" in text for _, text in rows])
    single = np.array([FIRST[0] in text.split() for _, text in rows])
    assert (labels[pair] == 1).mean() > 0.6
    assert (labels[single] == 1).mean() < 0.4
