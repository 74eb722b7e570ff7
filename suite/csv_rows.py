"""CSV files as they come: with or without a byte order mark, any line ends, quoted line breaks."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bench.errors import BadData


class Row(NamedTuple):
    """One row of a file that is not blank."""

    number: int
    """Counted as a spreadsheet does: from 1, a header and blank rows included."""
    line: int
    """Where it begins in the file, from 1: beyond `number` once a cell has held a line break."""
    cells: list[str]
    mistake: str | None = None
    """Why its cells cannot be trusted; a sentence without a subject."""

    @property
    def where(self) -> str:
        """Its place in words, for a message."""
        beyond = f" (line {self.line})" if self.line != self.number else ""
        return f"row {self.number}{beyond}"


def rows(path: Path) -> Iterator[Row]:
    """A file's rows in order, those that cannot be read among them.

    Raises BadData for a file that cannot be opened, is UTF-16 or has no row.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadData(f"{path}: cannot be read ({error.strerror})") from None
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise BadData(f"{path}: is UTF-16: save it as UTF-8")
    # Bytes that are not UTF-8 come as lone surrogates, so that their row alone is named.
    text = data.decode("utf-8-sig", errors="surrogateescape")
    # `newline=""` keeps the line breaks within quotes as they are.
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    number = 0
    while True:
        line = reader.line_num + 1
        try:
            cells, mistake = next(reader), None
        except StopIteration:
            break
        except csv.Error as error:
            cells, mistake = [], f"is unreadable ({error})"
        number += 1
        if cells or mistake:
            yield Row(number, line, cells, mistake or _undecoded(cells))
    if not text.strip():
        raise BadData(f"{path}: is empty")


def _undecoded(cells: list[str]) -> str | None:
    for column, cell in enumerate(cells, 1):
        try:
            cell.encode()
        except UnicodeEncodeError as error:
            byte = ord(cell[error.start]) - 0xDC00
            return f"is not UTF-8 (byte 0x{byte:02x} in column {column})"
    return None
