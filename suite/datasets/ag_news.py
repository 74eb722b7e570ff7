"""AG News: headlines with the first lines of their articles, in four topics.

Source: Zhang, Zhao & LeCun 2015, Character-level Convolutional Networks for Text Classification.
"""

from __future__ import annotations

import html
import json
import re
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.errors import BadData
from bench.spec import Case, Dataset, Split
from suite.csv_rows import rows

if TYPE_CHECKING:
    import pyarrow

FILES: dict[Split, str] = {"train": "train.csv", "test": "test.csv"}
COLUMNS = 3
LABELS = ("World", "Sports", "Business", "Sci/Tech")
"""Classes 1 to 4 of the official files, 0 to 3 of the hub's."""
SHARD = re.compile(r"(train|test)(?:-(\d+)-of-(\d+)(?:-[0-9a-f]+)?)?\.parquet")
LAYOUT = (
    'train.csv and test.csv without a header, rows of "class 1-4","title","description", or the '
    "hub's train-*.parquet and test-*.parquet with columns text and label 0-3, in the folder or "
    "in data/"
)


class Row(NamedTuple):
    """One text."""

    label: int
    """An index into LABELS."""
    text: str
    """Title and description, cleaned."""


class _Entry(NamedTuple):
    label: int
    text: str
    """Title and description as they stand in the file."""
    path: Path
    where: str
    """Its row."""


def files(folder: Path) -> list[Path]:
    """The official CSVs and the hub's shards, as far as they are there."""
    return _tables(folder) + _shards(folder)


def problems(folder: Path) -> list[str]:
    """Every missing or unreadable file, every row of a wrong form, without text or class."""
    return [found for found in _found(folder) if isinstance(found, str)]


def cases(folder: Path) -> list[Case]:
    """One case a sound row, named after its partition and the row's number in it, from 1.

    Each is a group of its own; its stratum is its class. Both layouts give the same cases.
    """
    return [found for found in _found(folder) if isinstance(found, Case)]


def read(case: Case) -> Row:
    """The class and the cleaned text. Raises BadData where nothing is left of it."""
    assert isinstance(case.source, _Entry)
    entry = case.source
    if not (text := clean(entry.text)):
        raise BadData(f"{entry.path}: {entry.where} has no text but markup, {entry.text.strip()!r}")
    return Row(entry.label, text)


def _tables(folder: Path) -> list[Path]:
    return [folder / name for name in FILES.values() if (folder / name).is_file()]


def _shards(folder: Path) -> list[Path]:
    places = sorted([*folder.glob("*.parquet"), *folder.glob("data/*.parquet")])
    return [path for path in places if SHARD.fullmatch(path.name) and path.is_file()]


def _found(folder: Path) -> Iterator[Case | str]:
    """The cases of the folder's one layout, and a line for each problem."""
    tables, shards = _tables(folder), _shards(folder)
    if tables and shards:
        yield (
            f"{folder} holds AG News twice, as {tables[0].name} and as {shards[0].name}: take one "
            "of the two away"
        )
    elif tables:
        for partition, name in FILES.items():
            if (folder / name) in tables:
                yield from _of_csv(folder / name, partition)
            else:
                yield f"{folder / name} is missing: expected {LAYOUT}"
    elif shards:
        for partition in FILES:
            yield from _of_shards(shards, partition)
    else:
        yield f"{folder} holds no AG News files: expected {LAYOUT}"


def _of_csv(path: Path, partition: Split) -> Iterator[Case | str]:
    try:
        for row in rows(path):
            if row.mistake:
                yield f"{path}: {row.where} {row.mistake}"
            elif len(row.cells) != COLUMNS:
                yield (
                    f"{path}: {row.where} has {len(row.cells)} columns instead of "
                    '"class","title","description"'
                )
            elif row.cells[0].strip() not in ("1", "2", "3", "4"):
                header = " (the official file has no header)" if row.number == 1 else ""
                yield f"{path}: {row.where} has class {row.cells[0]!r}, classes are 1 to 4{header}"
            else:
                label, title, text = row.cells
                # The hub's copy was joined with one space, too.
                entry = _Entry(int(label) - 1, f"{title} {text}", path, row.where)
                yield _case(entry, partition, row.number)
    except BadData as error:
        yield from error.problems


def _case(entry: _Entry, partition: Split, number: int) -> Case | str:
    if not entry.text.strip():
        return f"{entry.path}: {entry.where} has no text"
    id = f"{partition}-{number:06d}"
    return Case(id=id, group=id, partition=partition, stratum=LABELS[entry.label], source=entry)


def _of_shards(shards: list[Path], partition: Split) -> Iterator[Case | str]:
    """Of one partition's shards in their order; its rows are counted through all of them."""
    mine = [(path, match) for path in shards if (match := SHARD.fullmatch(path.name))]
    mine = [(path, match) for path, match in mine if match[1] == partition]
    if not mine:
        there = shards[0].parent
        yield f"{there} holds no {partition}-*.parquet: expected {LAYOUT}"
        return
    totals = {int(match[3] or 1) for _, match in mine}
    counts = Counter(int(match[2] or 0) for _, match in mine)
    if len(totals) > 1 or max(counts.values()) > 1 or set(counts) != set(range(max(totals))):
        names = ", ".join(path.name for path, _ in mine)
        yield f"{mine[0][0].parent}: {names} are not each of {partition}'s shards once"
        return
    before = 0
    for path, _ in sorted(mine, key=lambda shard: int(shard[1][2] or 0)):
        before += yield from _of_shard(path, partition, before)


def _of_shard(path: Path, partition: Split, before: int) -> Generator[Case | str, None, int]:
    """before: rows of earlier shards. Returns how many this one has."""
    try:
        texts, labels = _columns(path)
    except BadData as error:
        yield from error.problems
        return 0
    for row, (text, label) in enumerate(zip(texts, labels, strict=True), 1):
        if text is None:
            yield f"{path}: row {row} has no text"
        elif label not in range(len(LABELS)):
            yield f"{path}: row {row} has label {label}, labels are 0 to 3"
        else:
            try:
                entry = _Entry(label, text.decode(), path, f"row {row}")
            except UnicodeDecodeError as error:
                yield f"{path}: row {row} is not UTF-8 (byte 0x{text[error.start]:02x})"
            else:
                yield _case(entry, partition, before + row)
    return len(labels)


def _columns(path: Path) -> tuple[list[Any], list[Any]]:
    """A shard's texts in UTF-8, bytes or None, and its labels, int or None.

    Raises BadData for a file that holds no such columns.
    """
    import pyarrow
    from pyarrow import parquet

    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadData(f"{path}: cannot be read ({error.strerror})") from None
    if not data:
        raise BadData(f"{path}: is empty")
    try:
        with parquet.ParquetFile(pyarrow.BufferReader(data)) as file:
            if mistakes := list(_schema_mistakes(file.schema_arrow)):
                raise BadData(*(f"{path}: {mistake}" for mistake in mistakes))
            table = file.read(columns=["text", "label"])
        # As bytes: nothing has looked yet whether the file's strings are UTF-8.
        texts = table["text"].cast(pyarrow.large_string()).cast(pyarrow.large_binary())
    except (pyarrow.ArrowException, OSError) as error:
        raise BadData(f"{path}: is a corrupt parquet file ({_one_line(error)})") from None
    return texts.to_pylist(), table["label"].to_pylist()


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _schema_mistakes(schema: pyarrow.Schema) -> Iterator[str]:
    """Missing columns, columns of another type, classes in another order."""
    from pyarrow import types

    if any(schema.names.count(name) != 1 for name in ("text", "label")):
        yield f"has columns {', '.join(schema.names)}, expected one text and one label"
        return
    text, label = schema.field("text").type, schema.field("label").type
    if not (types.is_string(text) or types.is_large_string(text) or types.is_string_view(text)):
        yield f"column text holds {text}, expected string"
    if not types.is_integer(label):
        yield f"column label holds {label}, expected whole numbers 0 to 3"
    if (names := _class_names(schema)) and names != list(LABELS):
        yield f"names its labels {', '.join(map(str, names))}, expected {', '.join(LABELS)}"


def _class_names(schema: pyarrow.Schema) -> list[Any] | None:
    """What the `datasets` library wrote of its ClassLabel; None for files written otherwise."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return list(features["label"]["names"])
    except (KeyError, TypeError, ValueError):
        return None


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


def groups(folder: Path) -> bool:
    """Which texts come from one article or agency is not published."""
    return False


DATASET = Dataset(
    title="AG News",
    layout=LAYOUT,
    groups=groups,
    files=files,
    problems=problems,
    cases=cases,
    read=read,
)
