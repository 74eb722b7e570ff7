"""The contract of every phantom that is found, and what the two first ones look like."""

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
        assert dataset.check(written[id]) == []
        cases = dataset.cases(written[id])
        assert len({case.id for case in cases}) == len(cases) >= SMALL.get(id, 12)
        dataset.read(cases[-1])

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
                int(sample.label)
                for case in dataset.cases(written[id])
                for sample in task.samples(case, dataset.read(case), dict(task.options))
            }
            assert labels == set(range(len(task.classes)))


def test_lits_holds_an_abdomen_in_hu(written: dict[str, Path]) -> None:
    dataset = registry.datasets().get("lits")
    sizes, middles = set(), []
    for case in dataset.cases(written["lits"]):
        volume = dataset.read(case)
        liver = volume.hu[volume.mask == 1]
        assert 60 < liver.mean() < 150
        assert volume.hu[:, 0, 0].mean() < -900, "air around the body"
        assert (volume.hu > 200).mean() > 0.002, "bone"
        top, bottom = volume.hu[-1], volume.hu[0]
        inside = slice(volume.hu.shape[1] // 3, -volume.hu.shape[1] // 3)
        assert (top[inside, inside] < -500).mean() > (bottom[inside, inside] < -500).mean(), "lungs"
        columns = np.nonzero(volume.mask)[2]
        body = np.nonzero((volume.hu > -200).any(axis=(0, 1)))[0]
        assert columns.mean() < body.mean(), "the liver lies on the image's left of the body"
        sizes.add(int((volume.mask > 0).sum()))
        middles.append(columns.mean() / volume.mask.shape[2])
    assert len(sizes) == 6 and np.std(middles) > 0.005, "no liver like the other"


def test_lits_volumes_do_not_depend_on_their_number(
    tmp_path: Path, written: dict[str, Path]
) -> None:
    PHANTOMS["lits"].write(tmp_path, cases=2, seed=3)
    few, many = content(tmp_path), content(written["lits"])
    assert few["volume-1.nii.gz"] == many["volume-1.nii.gz"]


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
