"""Writes a run's result files: CSV that no spreadsheet executes, and files whole or not at all."""

from __future__ import annotations

import csv
import io
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import UserError
from bench.spec import content_hash

if TYPE_CHECKING:
    import pandas as pd

LONGEST_NAME = 120
"""Characters of a folder's name."""


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
    import pandas as pd

    values = column.tolist()
    for place in column.isna().to_numpy().nonzero()[0]:
        values[place] = ""
    if column.dtype.kind in "biuf":
        return values
    if isinstance(column.dtype, pd.StringDtype):  # long tables have few texts, again and again
        texts = {value: _harmless(value) for value in set(values)}
        return [texts[value] for value in values]
    return [_harmless(value) for value in values]


def _harmless(value: Any) -> Any:
    """A text that starts no formula, in its later lines neither: the writer quotes what holds the
    end of a line, but takes a bare carriage return for none."""
    if not isinstance(value, str):
        return value
    value = value.replace("\r\n", "\n").replace("\r", "\n")
    return f"'{value}" if value.startswith(("=", "+", "-", "@", "\t", "\n")) else value


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


def joint_folder(folders: Sequence[Path]) -> Path:
    """`report-RUN1+RUN2` in the working folder; of many or long names, the first and a hash."""
    names = [folder.resolve().name for folder in folders]
    name = f"report-{'+'.join(names)}"
    if len(name) > LONGEST_NAME:
        more = f"+{len(names) - 1}-more-{content_hash(names, length=6)}"
        name = f"report-{names[0]}"[: LONGEST_NAME - len(more)] + more
    return Path(name)


def check_report_folder(out: Path) -> None:
    """Raise UserError for a place that holds anything but an earlier report."""
    if not out.exists():
        return
    if not out.is_dir():
        raise UserError(f"{out} is a file: name a folder with --out")
    others = [one.name for one in out.iterdir() if one.name not in ("report.html", "tables")]
    if (out / "tables").is_dir():
        others += [
            f"tables/{one.name}" for one in (out / "tables").iterdir() if one.suffix != ".csv"
        ]
    if others:
        raise UserError(
            f"{out} holds more than a report ({sorted(others)[0]}): name another folder with --out"
        )
