"""Which trainings predict, and what the table of their predictions holds."""

from __future__ import annotations

import csv
from pathlib import Path
from types import SimpleNamespace as Facts
from typing import Any

import numpy as np
import pytest

from bench import registry
from bench.errors import UserError
from bench.ledger import Replicate
from bench.predict.folder import write_table
from bench.predict.replicates import choose
from bench.predict.rows import Row
from bench.spec import Sample


@pytest.fixture(autouse=True)
def primary(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The primary metric of the one task."""
    of = {"primary": "accuracy"}
    shelf = Facts(get=lambda task: Facts(**of))
    monkeypatch.setattr(registry, "tasks", lambda: shelf)
    return of


def chosen(*scores: float | None, wanted: str | None = None, metric: str = "accuracy") -> Any:
    study: Any = Facts(id="s", task="t", entrant=Facts(label="A"))
    replicates = {
        number: Replicate(
            seed=number, config={}, number=number, state="completed",
            validation_metrics={metric: score},  # type: ignore[dict-item]
        )
        for number, score in enumerate(scores)
    }  # fmt: skip
    state: Any = Facts(studies={"s": Facts(replicates=replicates)}, finished=True)
    found = choose([study], state, wanted, run=Path("run"))
    return [replicate.number for _, replicate in found.replicates], found.how


@pytest.mark.parametrize(
    ("scores", "number"),
    [
        ((0.9, 0.1, 0.5), 2),
        ((0.9, 0.1, 0.5, 0.6), 2),  # of an even number the lower of the two
        ((0.2, 0.1), 1),
        ((0.0, 0.5), 0),  # zero is a score
        ((0.9, None, 0.5, 0.7), 3),  # undefined: left out
        ((None, 0.4, None), 1),
        ((None, None), 0),
    ],
)
def test_the_one_in_the_middle_predicts(scores: tuple[float | None, ...], number: int) -> None:
    assert chosen(*scores)[0] == [number]


def test_the_lower_of_the_two_is_the_worse_one_of_a_loss(primary: dict[str, str]) -> None:
    primary["primary"] = "log_loss"
    assert chosen(0.9, 0.1, 0.5, 0.6, metric="log_loss")[0] == [3]


def test_why_it_was_chosen_counts_those_that_could_be() -> None:
    assert "median accuracy on validation of 3" in chosen(0.9, None, 0.5, 0.7)[1]
    assert chosen(None, None)[1].startswith("the first of 2 trainings")
    assert chosen(0.3)[1] == chosen(0.3, wanted="all")[1] == "the only training that has ended"


def test_all_and_one_are_those_that_were_named() -> None:
    assert chosen(0.1, None, 0.3, wanted="all")[0] == [0, 1, 2]
    assert chosen(0.1, None, 0.3, wanted="1")[0] == [1]
    with pytest.raises(UserError, match=r"number of one that has ended, 0, 1, got '7'"):
        chosen(0.1, 0.2, wanted="7")


# --- The table ------------------------------------------------------------------------------


def written(folder: Path, rows: list[Row], classes: list[str], **more: Any) -> list[list[str]]:
    assert write_table(folder, rows, classes=classes, **{"phantom": False} | more) == len(rows)
    with (folder / "predictions.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.reader(stream))


def row(id: str, *probabilities: float, file: str = "f.txt", **facts: float) -> Row:
    sample = Sample(id=id, input="text", label=0, facts=facts)
    return Row(file=Path(file), sample=sample, probabilities=np.array(probabilities, np.float32))


def test_the_likeliest_class_is_given_with_all_probabilities(tmp_path: Path) -> None:
    rows = [row("a", 0.25, 0.75, 0), row("b, c", 0.5, 0.125, 0.375)]
    assert written(tmp_path, rows, ["x", "y", "z"]) == [
        ["data", "file", "id", "class", "x", "y", "z"],
        ["real", "f.txt", "a", "y", "0.25", "0.75", "0"],
        ["real", "f.txt", "b, c", "x", "0.5", "0.125", "0.375"],
    ]


def test_slices_have_their_number_and_phantoms_their_mark(tmp_path: Path) -> None:
    found = written(tmp_path, [row("a/3", 1, 0, slice=3.0)], ["x", "y"], phantom=True)
    assert found[0][:5] == ["data", "file", "id", "slice", "class"]
    assert found[1][:5] == ["phantom", "f.txt", "a/3", "3", "x"]


def test_neither_names_of_classes_nor_ids_start_a_formula(tmp_path: Path) -> None:
    found = written(tmp_path, [row("@id", 0.25, 0.75, file="-f"), row("\tt", 1, 0)], ["+", "=1+1"])
    assert found[0][-2:] == ["'+", "'=1+1"]
    assert [line[1:4] for line in found[1:]] == [
        ["'-f", "'@id", "'=1+1"],
        ["f.txt", "'\tt", "'+"],
    ]


def test_of_no_rows_nothing_is_written(tmp_path: Path) -> None:
    assert write_table(tmp_path, [], classes=["x"], phantom=False) == 0
    assert list(tmp_path.iterdir()) == []
