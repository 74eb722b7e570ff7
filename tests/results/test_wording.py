import math

import pytest

from results import wording


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: wording.score(0.91249), "0.912"),
        (lambda: wording.score(-0.05), "\u22120.050"),
        (lambda: wording.score(math.nan), "–"),
        (lambda: wording.score(None), "–"),
        (lambda: wording.spread(0.9, 0.01, 0.91), "0.900 ± 0.010 (0.910)"),
        (lambda: wording.spread(0.9, 0.01), "0.900 ± 0.010"),
        (lambda: wording.interval(0.1, 0.2), "0.100 to 0.200"),
        (lambda: wording.interval(math.nan, math.nan), "–"),
        (lambda: wording.count(11_176_579), "11.18 M"),
        (lambda: wording.count(35_484), "35\u202f484"),
        (lambda: wording.duration(45.23), "45.2 s"),
        (lambda: wording.duration(99.97), "1 min 40 s"),
        (lambda: wording.duration(11_220), "3 h 07 min"),
        (lambda: wording.p_value(0.0004), "< 0.001"),
        (lambda: wording.p_value(0.0123), "0.012"),
    ],
)
def test_numbers_as_a_reader_wants_them(call, text):
    assert call() == text


def test_missing_values_of_pandas_are_nothing():
    import pandas as pd

    assert wording.count(pd.NA) == wording.NOTHING == wording.score(pd.NA)
