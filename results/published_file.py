"""Reads `suite/reference/published.toml` and finds its mistakes: each with line, row and remedy."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from itertools import zip_longest
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import TypeAdapter, ValidationError

from bench import metrics
from bench.errors import UserError
from bench.spec import unknown

SUITE = Path(__file__).resolve().parent.parent / "suite"
PATH = SUITE / "reference" / "published.toml"

Unit = Literal["fraction", "percent", "count", "millions", "seconds", "minutes", "hours"]
SCALES: Mapping[str, tuple[str, Decimal, str]] = {
    "fraction": ("fraction", Decimal(1), ""),
    "percent": ("fraction", Decimal("0.01"), " %"),
    "count": ("count", Decimal(1), ""),
    "millions": ("count", Decimal(1_000_000), " M"),
    "seconds": ("seconds", Decimal(1), " s"),
    "minutes": ("seconds", Decimal(60), " min"),
    "hours": ("seconds", Decimal(3600), " h"),
}
"""By printed unit: ours, the factor to it, and how the printed one is written."""
_FORBID = {"extra": "forbid"}


@dataclass(frozen=True, kw_only=True)
class Document:
    """Where numbers were published."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _FORBID

    title: str
    authors: str = ""
    year: int | None = None


@dataclass(frozen=True, kw_only=True)
class Row:
    """One number as the file has it, what its table says included; numbers are as printed."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _FORBID

    key: str
    document: str
    place: str
    task: str
    system: str
    metric: str
    unit: Unit
    value: Decimal
    spread: Decimal | None = None
    median: Decimal | None = None
    n: int | None = None
    split: Literal["train", "validation", "test"] | None = None
    ours: bool = True
    note: str = ""

    def mistakes(self) -> Iterator[str]:
        """What is wrong with the numbers and with the metric."""
        unit, factor, _ = SCALES[self.unit]
        if (_metric(self.metric) is None) is self.ours:
            if self.ours:
                rule = unknown("metric", self.metric, _names())
                yield f"{rule} (a quantity of the document's own needs ours = false)"
            else:
                yield f"{self.metric!r} is a metric of ours: give another quantity another name"
        low, high = _range(self.metric) if unit == "fraction" else (0.0, float("inf"))
        for name, number, least in (
            ("value", self.value, low),
            ("median", self.median, low),
            ("spread", self.spread, 0.0),
        ):
            if number is not None and not least <= float(number * factor) <= high:
                span = " to ".join(f"{bound / float(factor):g}" for bound in (least, high))
                what = f"{name} of {self.metric} in {self.unit}"
                yield f"{what} lies in {span}, got {number}: mend it or its unit"
        if (self.split is None) is (unit == "fraction"):
            what = "a score needs a split" if self.split is None else "a cost has no split"
            yield f"{what}, got split = {self.split!r} for {self.metric} in {self.unit}"
        if self.n is not None and self.n < 1:
            yield f"n counts runs, from 1, got {self.n}: leave it out where it is not recorded"


@dataclass(frozen=True, kw_only=True)
class TimedRow(Row):
    """One number of a fixed-time comparison."""

    learning_rate: Decimal
    minutes: Decimal
    hardware: str

    def mistakes(self) -> Iterator[str]:
        """What is wrong with the numbers, the metric and the time."""
        yield from Row.mistakes(self)
        if not (self.minutes > 0 and self.learning_rate > 0):
            found = f"{self.minutes} and {self.learning_rate}"
            yield f"minutes and learning_rate are more than 0, got {found}"


@dataclass(frozen=True, kw_only=True)
class SampleSizeRow:
    """How many cases a document trained or tested on."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _FORBID

    key: str
    document: str
    task: str
    split: Literal["train", "validation", "test", "train + validation", "all"]
    counted: str
    cases: int | None = None
    by_class: tuple[int, ...] = ()
    percent: tuple[Decimal, ...] = ()
    note: str = ""

    def mistakes(self) -> Iterator[str]:
        """What is wrong with the numbers."""
        if self.cases is None and not self.percent:
            yield "cases or the classes' percent is needed"
        if self.percent and sum(self.percent) != 100:
            yield f"percent of all classes sums to 100, got {sum(self.percent)}"
        if any(cases is not None and cases < 1 for cases in (self.cases, *self.by_class)):
            yield f"cases are counted from 1, got {self.cases} and {list(self.by_class)}"


@dataclass(frozen=True, kw_only=True)
class PublishedFile:
    """The file's content, checked."""

    documents: Mapping[str, Document]
    results: tuple[Row, ...]
    fixed_time: tuple[TimedRow, ...]
    sample_sizes: tuple[SampleSizeRow, ...]


_SECTIONS: Mapping[str, type[Row] | type[SampleSizeRow]] = {
    "results": Row,
    "fixed_time": TimedRow,
    "sample_sizes": SampleSizeRow,
}


def read(path: Path = PATH) -> PublishedFile:
    """The file's content. UserError with every mistake: its line, the row's key, what to do."""
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text, parse_float=Decimal)
    except FileNotFoundError:
        raise UserError(f"no file of published numbers at {path}: install tunebench anew") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path.name} is not valid TOML: {error}") from None
    reader = _Reader(text)
    found = reader.file(table)
    if reader.mistakes:
        raise UserError.of(reader.mistakes, heading=f"published numbers ({path.name})")
    return found


class _Reader:
    """Reads one file's table and gathers its mistakes."""

    def __init__(self, text: str) -> None:
        self.mistakes: list[str] = []
        self._lines: dict[str, list[int]] = {}
        for number, line in enumerate(text.splitlines(), 1):
            for key in re.findall(r'\bkey = "(.*?)"', line):
                self._lines.setdefault(key, []).append(number)
        self._tasks = sorted(
            file.stem for file in (SUITE / "tasks").glob("*.py") if file.stem != "__init__"
        )
        self._seen: dict[str, int] = {}
        self._adapters: dict[type[Any], TypeAdapter[Any]] = {
            kind: TypeAdapter(kind) for kind in (Document, *_SECTIONS.values())
        }

    def file(self, table: Mapping[str, Any]) -> PublishedFile:
        known = ["documents", *_SECTIONS]
        self.mistakes += [unknown("key", key, known) for key in table if key not in known]
        documents = {
            key: self._checked(Document, f"documents.{key}", raw)
            for key, raw in self._mapping(table, "documents").items()
        }
        rows: dict[str, list[Any]] = {name: [] for name in _SECTIONS}
        for name, kind in _SECTIONS.items():
            for number, raw in enumerate(self._rows(table, name), 1):
                where = self._where(raw, f"{name}, row {number}")
                row = self._checked(kind, where, raw)
                if row is not None:
                    self._known(where, row, documents)
                    self.mistakes += [f"{where}: {mistake}" for mistake in row.mistakes()]
                    rows[name].append(row)
        return PublishedFile(documents=documents, **{key: tuple(rows[key]) for key in rows})

    def _mapping(self, table: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        found = table.get(name, {})
        if not isinstance(found, dict):
            self.mistakes.append(f"{name} must be a table, got {found!r}")
            return {}
        return found

    def _rows(self, table: Mapping[str, Any], name: str) -> Iterator[dict[str, Any]]:
        """The rows of a section's tables, what their tables say included."""
        tables = table.get(name, [])
        for number, one in enumerate(tables if isinstance(tables, list) else [tables], 1):
            rows = one.get("rows") if isinstance(one, dict) else None
            if isinstance(rows, list) and rows and all(isinstance(row, dict) for row in rows):
                yield from _expanded(one)
            else:
                self.mistakes.append(f"[[{name}]] {number}: rows must be a list of tables")

    def _known(self, where: str, row: Row | SampleSizeRow, documents: Collection[str]) -> None:
        """Notes names that nothing has."""
        if row.task not in self._tasks:
            self.mistakes.append(f"{where}: {unknown('task', row.task, self._tasks)}")
        if row.document not in documents:
            self.mistakes.append(f"{where}: {unknown('document', row.document, documents)}")
        if self._seen[row.key] > 1:
            self.mistakes.append(f"{where}: the key is taken: give each row its own")

    def _where(self, raw: Mapping[str, Any], place: str) -> str:
        """Line and key of a row; without a key, its place."""
        key = raw.get("key")
        if not isinstance(key, str):
            return place
        self._seen[key] = self._seen.get(key, 0) + 1
        lines = self._lines.get(key.split("@")[0])
        return f"line {lines[min(self._seen[key], len(lines)) - 1]}, {key}" if lines else key

    def _checked(self, kind: type[Any], where: str, raw: object) -> Any:
        try:
            found = self._adapters[kind].validate_python(raw)
        except ValidationError as error:
            known = [item.name for item in fields(kind)]
            self.mistakes += [_sentence(where, detail, known) for detail in error.errors()]
            return None
        empty = [key for key in ("key", "system", "place", "title") if not getattr(found, key, "-")]
        self.mistakes += [f"{where}: {key} is empty" for key in empty]
        return found


def _expanded(table: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Each row with what its table says; of several `values`, one row a value and its minutes."""
    shared = {key: value for key, value in table.items() if key != "rows"}
    for row in table["rows"]:
        joined = {**shared, **row}
        notes = [str(part["note"]) for part in (shared, row) if part.get("note")]
        if notes:
            joined["note"] = "; ".join(notes)
        if not isinstance(joined.get("values"), list):
            yield joined
            continue
        values, key = joined.pop("values"), joined.pop("key", None)
        minutes = joined.pop("minutes", None)
        for value, after in zip_longest(values, minutes if isinstance(minutes, list) else []):
            name = None if key is None else f"{key}@{after}min"
            timed = {"key": name, "value": value, "minutes": after}
            yield joined | {part: item for part, item in timed.items() if item is not None}


def _sentence(where: str, detail: Any, known: list[str]) -> str:
    """One mistake that pydantic found, in our words."""
    key = ".".join(map(str, detail["loc"]))
    match detail["type"]:
        case "unexpected_keyword_argument":
            return f"{where}: {unknown('key', key, known)}"
        case "missing" | "missing_keyword_only_argument":
            return f"{where}: {key} is needed"
        case _:
            message = detail["msg"].removeprefix("Input ").rstrip(".")
            return f"{where}: {key} {message}, got {detail['input']!r}"


def _names() -> list[str]:
    return [id for id, metric in metrics.METRICS.items() if not metric.per_class]


def _metric(name: str) -> metrics.Metric | None:
    """The metric that is recorded under a name, be it of one class: `mcc`, `recall_tumour`."""
    if name in _names():
        return metrics.get(name)
    for id, metric in metrics.METRICS.items():
        if metric.per_class and name.startswith(id.removeprefix("per_class_") + "_"):
            return metric
    return None


def _range(name: str) -> tuple[float, float]:
    """The values that a quantity may have, as a fraction."""
    metric = _metric(name)
    return (0.0, 1.0) if metric is None else (metric.low, metric.high)
