"""The rule of the gate on numbers: verdicts, how they combine, p values out of bounds."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.gate import EXIT_CODES, Evidence, Verdict, combine, judge, smallest_alpha

REGRESSED, BETTER, NOT_WORSE = Verdict.REGRESSED, Verdict.BETTER, Verdict.NOT_WORSE
INCONCLUSIVE, NOT_MEASURED = Verdict.INCONCLUSIVE, Verdict.NOT_MEASURED


@pytest.mark.parametrize(
    ("lower", "upper", "expected"),
    [
        (0.001, 0.02, BETTER),
        (0.0, 0.02, NOT_WORSE),
        (-0.009, 0.02, NOT_WORSE),
        (-0.009, -0.001, NOT_WORSE),
        (-0.01, 0.02, INCONCLUSIVE),
        (-0.03, -0.01, INCONCLUSIVE),
        (-0.03, -0.011, REGRESSED),
        (-math.inf, math.inf, INCONCLUSIVE),
        (math.nan, math.nan, NOT_MEASURED),
    ],
)
def test_a_verdict_follows_from_where_the_bounds_lie(lower, upper, expected):
    assert judge(lower, upper, 0.01) is expected


@given(st.floats(-1, 1), st.floats(0, 1), st.floats(0, 0.5), st.floats(0, 0.1))
def test_the_higher_the_bounds_the_better_the_verdict(lower, width, margin, more):
    order = [REGRESSED, INCONCLUSIVE, NOT_WORSE, BETTER]
    here = order.index(judge(lower, lower + width, margin))
    higher = order.index(judge(lower + more, lower + more + width, margin))
    assert higher >= here


def test_exit_codes_tell_the_verdicts_apart():
    assert [EXIT_CODES[verdict] for verdict in Verdict] == [0, 0, 3, 4, 5]


def evidence(verdict, p_regressed=1.0, p_better=1.0):
    return Evidence(verdict=verdict, p_regressed=p_regressed, p_better=p_better)


UNMEASURED = Evidence(verdict=NOT_MEASURED)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([evidence(NOT_WORSE)], NOT_WORSE),
        ([evidence(BETTER, p_better=0.01), evidence(NOT_WORSE)], BETTER),
        ([evidence(BETTER, p_better=0.03), evidence(NOT_WORSE)], NOT_WORSE),
        ([evidence(BETTER, p_better=0.001), evidence(INCONCLUSIVE)], INCONCLUSIVE),
        ([evidence(REGRESSED, 0.02), evidence(NOT_WORSE)], REGRESSED),
        ([evidence(REGRESSED, 0.03), evidence(NOT_WORSE)], INCONCLUSIVE),
        ([evidence(REGRESSED, 0.03)], REGRESSED),
        ([evidence(REGRESSED, 0.02), evidence(BETTER, p_better=0.001)], REGRESSED),
        ([evidence(NOT_WORSE), UNMEASURED], NOT_MEASURED),
        ([evidence(INCONCLUSIVE), UNMEASURED], NOT_MEASURED),
        ([evidence(REGRESSED, 0.03), UNMEASURED], REGRESSED),
        ([], NOT_MEASURED),
    ],
)
def test_several_verdicts_combine(parts, expected):
    assert combine(parts, alpha=0.05) is expected
    assert combine(parts[::-1], alpha=0.05) is expected


@given(st.floats(1e-9, 0.49))
def test_the_smallest_alpha_is_found(p):
    assert smallest_alpha(lambda alpha: alpha >= p, floor=1e-12) == pytest.approx(p, rel=1e-5)


def test_the_smallest_alpha_has_ends():
    assert smallest_alpha(lambda alpha: False, floor=1e-4) == 1.0
    assert smallest_alpha(lambda alpha: True, floor=1e-4) == 1e-4
