"""A classifier's predictions as CSV: `id` and one column a class, or `id,label`."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.errors import UserError
from bench.outside.mistakes import mistake, of_ids
from bench.spec import unknown

OFF_ONE = 1e-2
"""How far a row's sum may lie from 1: tables are written with few decimals."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Predictions for each of the wanted ids, in their order."""

    scores: np.ndarray
    """Probabilities float64 (rows, classes), rows sum to 1; of labels, 1 for the class."""
    labels_only: bool


def header(classes: Sequence[str]) -> list[str]:
    """The columns of a table of probabilities."""
    return ["id", *classes]


def read(path: Path, ids: Sequence[str], classes: Sequence[str]) -> tuple[Table | None, list[str]]:
    """A file's predictions, or all that is wrong with them.

    ids: of the rows that must be there, in their order.
    """
    try:
        rows = list(csv.reader(io.StringIO(_text(path), newline=""), strict=True))
    except (UserError, csv.Error) as error:
        return None, [f"cannot be read as CSV: {error}"]
    rows = [row for row in rows if row]
    if not rows:
        return None, ["is an empty file: give a header and a line for each id"]
    columns, *body = rows
    columns = [column.strip() for column in columns]
    labels_only = columns == ["id", "label"]
    wrong = [] if labels_only else _wrong_columns(columns, classes)
    ragged = [number for number, row in enumerate(body, 2) if len(row) != len(columns)]
    if ragged:
        wrong.append(mistake("lines have other columns than the header", ragged, "mend them"))
    if wrong:
        return None, wrong
    column = columns.index("id")
    given = [row[column] for row in body]
    wrong = of_ids(given, ids, noun="ids are", remedy="`--ids FILE` writes all that are needed")
    if labels_only:
        scores, more = _of_labels([row[1] for row in body], given, classes)
    else:
        order = [columns.index(name) for name in classes]
        scores, more = _of_probabilities([[row[n] for n in order] for row in body], given)
    if wrong or more:
        return None, [*wrong, *more]
    place = {id: row for row, id in enumerate(given)}
    return Table(scores=scores[[place[id] for id in ids]], labels_only=labels_only), []


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UserError("it is not UTF-8: save it as CSV in UTF-8") from None
    except OSError as error:
        raise UserError(f"{error.strerror or error}: name a file that is there") from None


def _wrong_columns(columns: Sequence[str], classes: Sequence[str]) -> list[str]:
    """What is wrong with a header of probabilities."""
    expected = header(classes)
    wrong = [unknown("column", one, expected) for one in columns if one not in expected]
    if absent := [name for name in expected if name not in columns]:
        names = ",".join(expected)
        wrong.append(mistake("columns are missing", absent, f"expected {names}, or id,label"))
    if twice := sorted({name for name in columns if columns.count(name) > 1}):
        wrong.append(mistake("columns are there twice", twice, "keep one of each"))
    return wrong


def _of_labels(
    values: Sequence[str], ids: Sequence[str], classes: Sequence[str]
) -> tuple[np.ndarray, list[str]]:
    """Classes by name, or by index where no class has such a name; 1 for the class, else 0."""
    indices = {str(index): index for index in range(len(classes))}
    indices |= {name: index for index, name in enumerate(classes)}
    found = [indices.get(value.strip()) for value in values]
    strange = list(dict.fromkeys(v for v, i in zip(values, found, strict=True) if i is None))
    if strange:
        remedy = f"the classes are {', '.join(classes)}, or 0 to {len(classes) - 1}"
        return np.zeros((len(ids), len(classes))), [mistake("labels are no class", strange, remedy)]
    return np.eye(len(classes))[[index for index in found if index is not None]], []


def _of_probabilities(
    cells: Sequence[Sequence[str]], ids: Sequence[str]
) -> tuple[np.ndarray, list[str]]:
    """Probabilities (rows, classes), brought to a sum of 1 exactly."""
    numbers = np.array([[_number(cell) for cell in row] for row in cells], dtype=float)
    numbers = numbers.reshape(len(cells), -1)
    finite = np.isfinite(numbers).all(axis=1)
    inside = ((numbers >= 0) & (numbers <= 1)).all(axis=1)
    sums = numbers.sum(axis=1)
    wrong = []
    for bad, what, remedy in (
        (~finite, "rows hold what is no finite number", "give every class a probability"),
        (finite & ~inside, "rows hold values outside of 0 to 1", "pass softmax outputs"),
        (
            finite & inside & ~(np.abs(sums - 1) <= OFF_ONE),
            "rows do not sum to 1",
            "pass softmax outputs over all classes",
        ),
    ):
        if bad.any():
            wrong.append(mistake(what, [ids[row] for row in np.flatnonzero(bad).tolist()], remedy))
    if not wrong and len(numbers) and np.isin(numbers, (0, 1)).all():
        wrong.append("holds only zeros and ones, no probabilities: give them as id,label")
    if wrong:
        return numbers, wrong
    return numbers / sums[:, None], []


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return float("nan")
