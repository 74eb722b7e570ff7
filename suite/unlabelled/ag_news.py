"""News without a topic: tables in CSV, or text files with a text in each line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bench.errors import BadData
from bench.spec import Case, Unlabelled
from suite import csv_rows
from suite.datasets.ag_news import Row, clean

TITLE, DESCRIPTION, TEXT = "title", "description", "text"
COLUMNS = f"a header with {TEXT}, or with {TITLE} and {DESCRIPTION}"
OFFICIAL = 3
"""Columns of the official files, which have no header: class, title, description."""


def cases(path: Path) -> list[Case]:
    """A case a row, named after its number in the file, from 1, a header counted.

    Raises BadData with every row that is wrong.
    """
    found = list(_table(path) if path.suffix.lower() == ".csv" else _lines(path))
    mistakes = [f"{path}: {text}" for _, text, sound in found if not sound]
    if mistakes:
        raise BadData(*mistakes)
    if not found:
        raise BadData(f"{path}: holds no text")
    return [
        Case(id=f"{path.stem}-{number:06d}", group=str(number), source=text)
        for number, text, _ in found
    ]


def read(case: Case) -> Row:
    """The text, cleaned as the data set's are."""
    assert isinstance(case.source, str)
    return Row(label=0, text=clean(case.source))


def _lines(path: Path) -> Iterator[tuple[int, str, bool]]:
    """Number, text and True of each line that is not blank; of one that is markup alone, False."""
    try:
        lines = path.read_bytes().decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise BadData(f"{path}: is not UTF-8: save it as UTF-8") from None
    except OSError as error:
        raise BadData(f"{path}: cannot be read ({error.strerror})") from None
    for number, line in enumerate(lines, 1):
        if line.strip():
            sound = bool(clean(line))
            yield number, line if sound else f"line {number} has no text", sound


def _table(path: Path) -> Iterator[tuple[int, str, bool]]:
    """Number, text and True of each row; of a row that is wrong, number, what is wrong, False."""
    rows = csv_rows.rows(path)
    first = next(rows, None)
    if first is None:
        return
    columns, width = _columns(first.cells), len(first.cells)
    if columns is None:
        columns = _unnamed(path, first)
        yield _text(first, columns, width)
    for row in rows:
        yield _text(row, columns, width)


def _columns(header: list[str]) -> list[int] | None:
    """Where the text stands by a header's names; None where the row is no header."""
    names = [cell.strip().lower() for cell in header]
    if TEXT in names:
        return [names.index(TEXT)]
    if TITLE in names and DESCRIPTION in names:
        return [names.index(TITLE), names.index(DESCRIPTION)]
    return None


def _unnamed(path: Path, first: csv_rows.Row) -> list[int]:
    """Where the text stands in a table without a header."""
    width = len(first.cells)
    if first.mistake:
        raise BadData(f"{path}: {first.where} {first.mistake}")
    if width == OFFICIAL and first.cells[0].strip() in ("1", "2", "3", "4"):
        return [1, 2]  # The class is there, and not looked at.
    if width == 1:
        return [0]
    raise BadData(
        f"{path}: has {width} columns and no header that tells which of them is the text: give "
        f"{COLUMNS}, or one column, or AG News's own three"
    )


def _text(row: csv_rows.Row, columns: list[int], width: int) -> tuple[int, str, bool]:
    if row.mistake:
        return row.number, f"{row.where} {row.mistake}", False
    if len(row.cells) != width:
        return row.number, f"{row.where} has {len(row.cells)} columns, the first {width}", False
    text = " ".join(row.cells[column] for column in columns)
    if not clean(text):
        return row.number, f"{row.where} has no text", False
    return row.number, text, True


UNLABELLED = Unlabelled(
    layout=f"texts as .csv ({COLUMNS}, one column, or AG News's own three), or .txt with a text in "
    "each line",
    takes=lambda path: path.suffix.lower() in (".csv", ".txt"),
    cases=cases,
    read=read,
)
