"""AG News: headlines with the first lines of their articles, in four topics.

Source: Zhang, Zhao & LeCun 2015, Character-level Convolutional Networks for Text Classification.
"""

from __future__ import annotations

import csv
import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bench.spec import Case, Dataset, Split

FILES: dict[Split, str] = {"train": "train.csv", "test": "test.csv"}
COLUMNS = 3
CLASSES = ("1", "2", "3", "4")
SHOWN = 10
"""Problems that are listed of one file; of the others, their number."""


class Row(NamedTuple):
    """One text."""

    label: int
    """0 World, 1 Sports, 2 Business, 3 Sci/Tech."""
    text: str
    """Title and description, as they stand in the file from `cases`, cleaned from `read`."""


def files(folder: Path) -> list[Path]:
    """`train.csv` and `test.csv`, as far as they are there."""
    return [folder / name for name in FILES.values() if (folder / name).is_file()]


def cases(folder: Path) -> list[Case]:
    """One case a row, named after its partition and the row's number, from 1."""
    found = []
    for partition, name in FILES.items():
        with (folder / name).open(encoding="utf-8", newline="") as stream:
            for number, (label, title, text) in enumerate(csv.reader(stream, strict=True), 1):
                id = f"{partition}-{number:06d}"
                row = Row(int(label) - 1, f"{title} {text}")
                found.append(Case(id=id, group=id, partition=partition, source=row))
    return found


def read(case: Case) -> Row:
    """The class and the cleaned text."""
    assert isinstance(case.source, Row)
    return case.source._replace(text=clean(case.source.text))


_ENTITY = re.compile(
    r"&?(#\d{2,5}|#x[0-9a-fA-F]{2,4}|(?:quot|amp|lt|gt|nbsp|hellip|[lr][sd]quo|[mn]dash|eacute));"
)
_LOST_APOSTROPHE = re.compile(r" '(?=(?:s|t|d|m|re|ll|ve)\b)", re.IGNORECASE)
_TAG = re.compile(
    r"</?(?:a|b|i|u|p|br|em|strong|font|nobr|cite|img|del|div|span|table|t[rd]|ul|li)"
    r"(?:[\s/][^>]*)?(?:>|$)",
    re.IGNORECASE,
)
_SPACES = re.compile(r"\s+")


def clean(text: str) -> str:
    r"""The text as its readers saw it.

    The published files carry HTML entities, mostly without their ampersand (` #39;s`, ` quot;`),
    escaped tags (`&lt;b&gt;...&lt;/b&gt;`), and backslashes for line breaks and before `$`.
    """
    if "\\" in text:
        text = text.replace("\\$", "$").replace("\\", " ")
    if ";" in text:
        for _ in range(2):  # `&amp;lt;` takes two.
            text = _ENTITY.sub(_character, text)
        text = _LOST_APOSTROPHE.sub("'", text)
    if "<" in text:
        text = _TAG.sub(" ", text)
    return _SPACES.sub(" ", text).strip()


def _character(match: re.Match[str]) -> str:
    return html.unescape(f"&{match[1]};")


def check(folder: Path) -> list[str]:
    """Every missing file and every row that is unreadable, of wrong width or of no known class."""
    problems = []
    for name in FILES.values():
        path = folder / name
        if not path.is_file():
            problems.append(f"{path} is missing: expected {LAYOUT}")
            continue
        found = list(_row_problems(path))
        problems += [f"{path}: {problem}" for problem in found[:SHOWN]]
        if (more := len(found) - SHOWN) and more > 0:
            problems.append(f"{path}: and {more:,} more such rows")
    return problems


def _row_problems(path: Path) -> Iterator[str]:
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except OSError as error:
        yield f"cannot be read ({error.strerror})"
        return
    if not lines:
        yield "is empty"
        return
    text = []
    for number, line in enumerate(lines, 1):
        try:
            text.append(line.decode())
        except UnicodeDecodeError as error:
            yield f"row {number} is not UTF-8 (byte {error.start + 1})"
            text.append(line.decode(errors="replace"))
    rows = csv.reader(text, strict=True)
    while True:
        begin = rows.line_num + 1
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield f"row {begin} is unreadable ({error})"
            continue
        if len(row) != COLUMNS:
            yield f'row {begin} has {len(row)} columns instead of "class","title","description"'
        elif row[0] not in CLASSES:
            header = " (the official file has no header)" if begin == 1 else ""
            yield f"row {begin} has class {row[0]!r}, classes are 1 to 4{header}"


LAYOUT = 'train.csv and test.csv without a header, rows of "class 1-4","title","description"'

DATASET = Dataset(
    title="AG News",
    layout=LAYOUT,
    groups=False,
    files=files,
    check=check,
    cases=cases,
    read=read,
)
