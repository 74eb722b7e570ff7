"""CSV text: that of the standard library's writer, with a stamp, and with cells that do nothing."""

import csv
import io
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from results.files import csv_text

TEXTS = st.text(alphabet='ab,"\n\r\t=+-@ é\u2028', max_size=6)
NUMBERS = st.floats(width=64) | st.none()


def _plain(value):
    """What the library is given for a cell."""
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return ""
    formula = isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{value}" if formula else value


def _line(row):
    """As the library writes it, which quotes either end of a line, but for the line's own end."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(row)
    return out.getvalue()[:-2] + "\n"


@settings(deadline=None, max_examples=60)
@given(
    rows=st.lists(
        st.tuples(TEXTS | st.none(), NUMBERS, st.integers(-9, 9), st.booleans(), TEXTS | NUMBERS),
        max_size=6,
    )
)
def test_it_is_what_the_standard_library_writes(rows):
    names = ["text", "number", "whole", "truth", 'of, "both"']
    table = pd.DataFrame(rows, columns=names)
    table["perhaps"] = pd.array([None if row[2] < 0 else row[2] for row in rows], dtype="Int64")
    cells = zip(*(table[name].tolist() for name in table.columns), strict=True)
    written = [["data", *table.columns], *(["real", *map(_plain, row)] for row in cells)]
    assert csv_text(table, phantom=False) == "".join(map(_line, written))


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"])
def test_neither_a_text_nor_a_columns_name_starts_a_formula(text):
    table = pd.DataFrame({text: [text, "harmless"], "mixed": pd.Series([text, 1], dtype=object)})
    head, first, _ = csv.reader(io.StringIO(csv_text(table, phantom=True), newline=""))
    assert head == ["data", f"'{text}", "mixed"] and first == ["phantom", f"'{text}", f"'{text}"]


def test_what_follows_an_end_of_line_starts_no_cell():
    """Python 3.11's writer leaves a bare carriage return unquoted where lines end otherwise."""
    table = pd.DataFrame({"name": ["x\r=1", "y\n=1"]})
    assert csv_text(table, phantom=False) == 'data,name\nreal,"x\r=1"\nreal,"y\n=1"\n'


def test_numbers_are_written_in_full_and_missing_ones_are_empty():
    table = pd.DataFrame({"value": [0.1 + 0.2, np.nan, -1e-300], "count": [1, 2, 3]})
    assert csv_text(table, phantom=False).splitlines() == [
        "data,value,count",
        "real,0.30000000000000004,1",
        "real,,2",
        "real,-1e-300,3",
    ]
