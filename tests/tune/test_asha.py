"""ASHA's rule on numbers."""

import pytest

from bench.tune.schedulers.asha import goes_on


@pytest.mark.parametrize(
    ("score", "others", "expected"),
    [
        (0.1, [], True),  # the first at a rung goes on
        (0.5, [0.4], True),  # one place among two, and it is the best
        (0.3, [0.4], False),
        (0.5, [0.1, 0.2, 0.3, 0.4, 0.6], True),  # two places among six: second
        (0.35, [0.1, 0.2, 0.3, 0.4, 0.6], False),  # third
        (0.4, [0.4, 0.4], True),  # of equals all are in
    ],
)
def test_the_best_third_goes_on(score, others, expected):
    assert goes_on(score, others, reduction_factor=3) is expected


def test_a_greater_reduction_factor_lets_fewer_go_on():
    others = [n / 10 for n in range(9)]
    assert goes_on(0.65, others, reduction_factor=3)
    assert not goes_on(0.65, others, reduction_factor=5)
