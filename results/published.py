"""Numbers that others published on the suites' tasks: shown beside ours, never ranked with them.

A rank compares entrants that had the same cases, effort and rules. These had not:
- other splits: some put slices of one patient on both sides, ours go by patient;
- other data: subsets, other sizes, sometimes only the cases that are known to hold the class;
- other effort: one run against ten, settings chosen by hand, now and then on the test set itself,
  and the best epoch of a validation split reported as the result.
So a published number says what a reader may expect to see, not who is better. Each says where it
stands and how it came about; `suite/reference/published.toml` holds them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

from results import published_file
from results.published_file import SCALES, Document, PublishedFile, Row, SampleSizeRow, TimedRow

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "system",
    "value",
    "spread",
    "median",
    "n",
    "metric",
    "split",
    "document",
    "year",
    "place",
    "printed",
    "note",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """One published number. `value`, `spread` and `median` are in our unit."""

    key: str
    """Unique in the file."""
    system: str
    """As the document names it."""
    task: str
    """The task of ours that is nearest to what was measured."""
    metric: str
    """The name under which we record the quantity, or, where not `ours`, one of its own."""
    ours: bool
    """Whether it is the same quantity as our metric of that name."""
    value: float
    spread: float | None
    """Standard deviation over runs; None where not given."""
    median: float | None
    unit: str
    """"fraction" (scores, mostly 0 to 1), "count" or "seconds"."""
    printed: str
    """As published: "84.5 ± 1.1 %", "0.682 ± 0.270 (0.782)" with the median in brackets."""
    n: int | None
    """Runs behind the value; None where not recorded."""
    split: str
    """What it was measured on: "train", "validation", "test"; "" for costs."""
    document: str
    """A key of `documents`."""
    year: int | None
    place: str
    """Where in the document."""
    note: str


@dataclass(frozen=True, kw_only=True, slots=True)
class FixedTime(Published):
    """One published number of what was reached in so many seconds of training."""

    seconds: float
    learning_rate: float
    hardware: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleSize:
    """How many cases a document trained or tested on."""

    key: str
    document: str
    task: str
    split: str
    """"train", "validation", "test", "train + validation" or "all"."""
    counted: str
    """What a case is: "slices", "images", "texts", "volumes"."""
    cases: int | None
    by_class: tuple[int, ...]
    """Empty where not given."""
    shares: tuple[float, ...]
    """Of each class, fractions that sum to 1; empty where not given."""
    note: str


def rows(task: str, metric: str | None = None) -> list[Published]:
    """What was published on a task, of one metric or of all, in the file's order, which is no rank.

    Empty for a task or a metric without any. Fixed-time results are not among them. Raises
    UserError where the file is wrong.
    """
    return [
        _published(row)
        for row in _file().results
        if row.task == task and metric in (None, row.metric)
    ]


def fixed_time(task: str) -> list[FixedTime]:
    """What was published on a task after a fixed time of training, a number each, in the file's
    order. Raises UserError where the file is wrong."""
    return [_timed(row) for row in _file().fixed_time if row.task == task]


def sample_sizes(task: str) -> list[SampleSize]:
    """On how many cases the documents trained and tested. Raises UserError where the file is
    wrong."""
    return [_sample_size(row) for row in _file().sample_sizes if row.task == task]


def documents() -> dict[str, str]:
    """The full citation of each document by its key: authors, title and year as far as known."""
    return {key: _citation(document) for key, document in _file().documents.items()}


def as_table(task: str, metrics: Sequence[str]) -> pd.DataFrame:
    """One row a published number of these metrics: the marked rows of a leaderboard.

    metrics: names as recorded; their order is the table's, within one the file's. Values and
    spreads are in our unit; what is not given is missing. For a task without any: no rows.
    """
    import pandas as pd

    found: list[dict[str, Any]] = [
        {column: getattr(row, column) for column in COLUMNS}
        for metric in dict.fromkeys(metrics)
        for row in rows(task, metric)
    ]
    table = pd.DataFrame(found, columns=list(COLUMNS))
    for column in ("value", "spread", "median"):
        table[column] = table[column].astype("float64")
    for column in ("n", "year"):
        table[column] = table[column].astype("Int64")
    return table


@cache
def _file() -> PublishedFile:
    return published_file.read()


def _citation(document: Document) -> str:
    authors = f"{document.authors}: " if document.authors else ""
    year = f", {document.year}" if document.year else ""
    return f"{authors}{document.title}{year}"


def _published(row: Row) -> Published:
    return Published(**_facts(row))


def _timed(row: TimedRow) -> FixedTime:
    return FixedTime(
        **_facts(row),
        seconds=float(row.minutes * 60),
        learning_rate=float(row.learning_rate),
        hardware=row.hardware,
    )


def _facts(row: Row) -> dict[str, Any]:
    unit, factor, _ = SCALES[row.unit]

    def scaled(number: Decimal | None) -> float | None:
        return None if number is None else float(number * factor)

    same = ("key", "system", "task", "metric", "ours", "n", "document", "place", "note")
    return {name: getattr(row, name) for name in same} | {
        "value": scaled(row.value),
        "spread": scaled(row.spread),
        "median": scaled(row.median),
        "unit": unit,
        "printed": _printed(row),
        "split": row.split or "",
        "year": _file().documents[row.document].year,
    }


def _printed(row: Row) -> str:
    spread = "" if row.spread is None else f" ± {row.spread}"
    median = "" if row.median is None else f" ({row.median})"
    value = f"{row.value:,}" if row.unit == "count" else str(row.value)
    return f"{value}{spread}{SCALES[row.unit][2]}{median}"


def _sample_size(row: SampleSizeRow) -> SampleSize:
    total = sum(row.by_class)
    return SampleSize(
        key=row.key,
        document=row.document,
        task=row.task,
        split=row.split,
        counted=row.counted,
        cases=row.cases,
        by_class=row.by_class,
        shares=tuple(float(share / 100) for share in row.percent)
        or tuple(count / total for count in row.by_class),
        note=row.note,
    )
