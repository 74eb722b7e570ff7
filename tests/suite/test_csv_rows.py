"""CSV rows as data sets get them: encodings, line ends, quotes, and what cannot be read."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.errors import BadData
from suite.csv_rows import rows

CELL = st.text(st.sampled_from('a",;\r\n é\u2028') | st.characters(codec="utf-8"), max_size=8)


def write(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "table.csv"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    "data",
    [
        b'a,"b, c"\nd,"e\nf"\n',
        b'\xef\xbb\xbfa,"b, c"\nd,"e\nf"',
        b'a,"b, c"\r\nd,"e\nf"\r\n',
        b'"a","b, c"\r"d","e\nf"\r',
        b'\na,"b, c"\n\n\nd,"e\nf"\n\n',
    ],
    ids=["plain", "BOM", "CRLF", "CR", "blank rows"],
)
def test_a_table_reads_the_same_however_it_was_saved(tmp_path: Path, data: bytes) -> None:
    found = list(rows(write(tmp_path, data)))
    assert [row.cells for row in found] == [["a", "b, c"], ["d", "e\nf"]]
    assert [row.mistake for row in found] == [None, None]


@settings(max_examples=40)
@given(
    table=st.lists(st.lists(CELL, min_size=1, max_size=4), min_size=1, max_size=5),
    end=st.sampled_from(["\n", "\r\n"]),
    mark=st.booleans(),
)
def test_what_a_writer_wrote_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, table: list[list[str]], end: str, mark: bool
) -> None:
    stream = io.StringIO(newline="")
    csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator=end).writerows(table)
    data = stream.getvalue().encode("utf-8-sig" if mark else "utf-8")
    found = list(rows(write(tmp_path_factory.mktemp("csv"), data)))
    assert [row.cells for row in found] == table
    assert [row.number for row in found] == list(range(1, len(table) + 1))


def test_line_breaks_within_quotes_stay_as_they_are(tmp_path: Path) -> None:
    (row,) = rows(write(tmp_path, b'"a\r\nb\rc\nd"\r\n'))
    assert row.cells == ["a\r\nb\rc\nd"]


def test_a_row_tells_its_place(tmp_path: Path) -> None:
    found = list(rows(write(tmp_path, b'a\n\n"b\nb\nb"\nc\n')))
    assert [row.where for row in found] == ["row 1", "row 3", "row 4 (line 6)"]


def test_a_bad_row_does_not_hide_the_others(tmp_path: Path) -> None:
    first, second, third, fourth = rows(write(tmp_path, b'a\n"b"b\ncaf\xe9,d\ne\n'))
    assert first.mistake is None
    assert second.where == "row 2" and second.mistake == "is unreadable (',' expected after '\"')"
    assert third.where == "row 3" and third.mistake == "is not UTF-8 (byte 0xe9 in column 1)"
    assert fourth.cells == ["e"] and fourth.mistake is None


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf\n\n", "is empty"),
        ("a,b\n".encode("utf-16"), "is UTF-16: save it as UTF-8"),
    ],
)
def test_a_file_without_rows_is_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    path = write(tmp_path, data)
    with pytest.raises(BadData) as caught:
        list(rows(path))
    assert caught.value.problems == (f"{path}: {reason}",)


def test_a_file_that_may_not_be_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, b"a\n")

    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(BadData, match=r"table\.csv: cannot be read \(Permission denied\)"):
        list(rows(path))
