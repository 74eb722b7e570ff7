"""`bench data prepare` and `bench data verify`, below the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bench.data import upkeep
from bench.data.prepare import LAYOUT_VERSION
from bench.errors import UserError
from tests.data import plates


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    plates.register(monkeypatch)
    monkeypatch.setenv("TUNEBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return plates.write(tmp_path / "raw")


def given(raw: Path) -> list[str]:
    return [f"plates={raw}"]


def test_every_task_of_a_data_set_is_prepared(raw: Path, cache: Path) -> None:
    lines = upkeep.prepare("plates", given(raw), {"drawn": 3})
    assert [line.partition(":")[0] for line in lines] == list(plates.TASKS)
    assert lines[0].startswith("plates_cls: train 18, validation 8, test 8 cases in ")
    assert lines[2].startswith("plates_text: train 6, validation 2, test 2 cases in ")
    assert len(list(cache.glob("prepared/*/manifest.json"))) == 3


def test_an_option_that_no_task_has_is_refused(raw: Path) -> None:
    with pytest.raises(UserError, match="unknown parameter 'drawm': did you mean 'drawn'"):
        upkeep.prepare("plates", given(raw), {"drawm": 3})


def test_doubles_are_said(raw: Path) -> None:
    for number in range(10):
        (raw / f"{number}.txt").write_text("same" if number in (5, 9) else str(number))
    line = upkeep.prepare("plates", given(raw), {})[2]
    assert "cases (1 of test and train are identical) in" in line
    line = upkeep.prepare("plates", given(raw), {"drop_duplicates": True})[2]
    assert "are identical, 1 of them left out) in" in line


def test_verify_says_what_is_sound(raw: Path) -> None:
    upkeep.prepare("plates", given(raw), {})
    told: list[tuple[str, int, int]] = []
    found = upkeep.verify("plates", given(raw), lambda *step: told.append(step))
    found.raise_problems()
    assert found.problems == []
    assert found.lines() == [
        f"plates: the raw files in {raw} are sound",
        "plates: 3 prepared copies are whole",
    ]
    assert told[-1] == ("check plates", 10, 10)


def test_verify_lists_everything(raw: Path, cache: Path) -> None:
    upkeep.prepare("plates", given(raw), {})
    changed, older, broken = sorted(cache.glob("prepared/*/"))
    np.save(changed / "train" / "labels.npy", np.load(changed / "train" / "labels.npy")[::-1])
    manifest = json.loads((older / "manifest.json").read_text())
    (older / "manifest.json").write_text(json.dumps({**manifest, "layout": LAYOUT_VERSION - 1}))
    (broken / "manifest.json").write_text("{")
    (cache / "prepared" / "of-others").mkdir()
    (cache / "prepared" / "of-others" / "manifest.json").write_text('{"dataset": "other"}')
    table = [{"id": f"x{number}", "group": "g"} for number in range(25)]
    (raw / "table.json").write_text(json.dumps(table))
    found = upkeep.verify("plates", given(raw))
    assert len(found.problems) == 28
    assert f"{changed / 'train'}: the content has changed since it was prepared" in found.problems
    with pytest.raises(UserError, match="data set plates: 28 mistakes(.*\n)+.*and 8 more$"):
        found.raise_problems()
    told = json.loads(json.dumps(found.as_dict()))
    assert told["dataset"] == "plates" and told["folder"] == str(raw)
    assert len(told["problems"]) == 25 and told["problems"][3] == f"{raw / 'x3'}.npy is missing"
    copies = {entry["folder"]: entry["problems"] for entry in told["prepared"]}
    assert set(copies) == {str(changed), str(older), str(broken)}
    assert "is of layout" in copies[str(older)][0]
    assert "manifest.json cannot be read" in copies[str(broken)][0]


def test_what_is_being_made_is_not_verified(raw: Path, cache: Path) -> None:
    upkeep.prepare("plates", given(raw), {})
    root = next(cache.glob("prepared/*/"))
    root.rename(root.with_name(f"{root.name}.part-host-1-1"))
    assert len(upkeep.verify("plates", given(raw)).copies) == 2
