"""CSV text: with a stamp, with numbers in full, and with cells that do nothing."""

import csv
import io

import numpy as np
import pandas as pd
import pytest

from results.files import csv_text


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"])
def test_neither_a_text_nor_a_columns_name_starts_a_formula(text):
    table = pd.DataFrame({text: [text, "harmless"], "mixed": pd.Series([text, 1], dtype=object)})
    head, first, _ = csv.reader(io.StringIO(csv_text(table, phantom=True), newline=""))
    assert head == ["data", f"'{text}", "mixed"] and first == ["phantom", f"'{text}", f"'{text}"]


@pytest.mark.parametrize("dtype", ["str", "object"])
def test_what_follows_an_end_of_line_starts_no_cell(dtype):
    """The library's writer leaves a bare carriage return unquoted where lines end otherwise."""
    table = pd.DataFrame({"name": pd.Series(["x\r=1", "y\n=1", "z\r\n=1"], dtype=dtype)})
    _, *found = csv.reader(io.StringIO(csv_text(table, phantom=False), newline=""))
    assert found == [["real", "x\n=1"], ["real", "y\n=1"], ["real", "z\n=1"]]


def test_numbers_are_written_in_full_and_missing_ones_are_empty():
    table = pd.DataFrame({"value": [0.1 + 0.2, np.nan, -1e-300], "count": [1, 2, 3]})
    assert csv_text(table, phantom=False).splitlines() == [
        "data,value,count",
        "real,0.30000000000000004,1",
        "real,,2",
        "real,-1e-300,3",
    ]
