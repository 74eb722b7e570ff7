"""Writes a run's result files: CSV that no spreadsheet executes, and files whole or not at all."""

from __future__ import annotations

import csv
import io
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def csv_text(table: pd.DataFrame, *, phantom: bool) -> str:
    """A table as CSV whose first column says whether its data are real.

    A text that a spreadsheet would take for a formula gets a leading apostrophe; numbers are
    written in full.
    """
    stamp = "phantom" if phantom else "real"
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["data", *map(_harmless, table.columns)])
    columns = [_cells(table.iloc[:, place]) for place in range(table.shape[1])]
    writer.writerows(zip([stamp] * len(table), *columns, strict=True))
    return out.getvalue()


def _cells(column: pd.Series) -> list[Any]:
    """A column's values as they are written."""
    values = column.tolist()
    for place in column.isna().to_numpy().nonzero()[0]:
        values[place] = ""
    if column.dtype.kind in "biuf":
        return values
    return [_harmless(value) for value in values]


def _harmless(value: Any) -> Any:
    """A text that starts no formula."""
    formula = isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{value}" if formula else value


def replace_file(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
