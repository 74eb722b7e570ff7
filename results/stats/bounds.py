"""One-sided bounds: what a difference is at least, and at most."""

from __future__ import annotations

import math

import numpy as np

from results.stats.arrays import Floats
from results.stats.estimates import MAX_UNDEFINED, Estimate, expanded


def bounds(estimate: Estimate, *, alpha: float) -> tuple[float, float]:
    """The one-sided 1 - alpha lower and upper bound of an estimate by the t method, in its unit.

    alpha: in (0, 0.5], of each bound for itself. (NaN, NaN) where the estimate has no interval,
    for the reason that it gives. Where neither seeds nor patients vary, both are the value if so
    many blocks of patients say the same by chance with alpha at most (a sign test), else
    (-inf, inf): nothing is decided. A bootstrap's bounds come from its draws: `bootstrap_bounds`.
    """
    from scipy import special

    assert 0 < alpha <= 0.5, "each bound is on its own side of the value"
    assert estimate.method != "bootstrap", "a bootstrap's bounds are its draws'"
    if estimate.method == "t":
        reach = -float(special.stdtrit(estimate.degrees, alpha)) * math.sqrt(estimate.variance)
        return estimate.value - reach, estimate.value + reach
    if not estimate.testable:
        return math.nan, math.nan
    if 0.5**estimate.blocks <= alpha:
        return estimate.value, estimate.value
    return -math.inf, math.inf


def bootstrap_bounds(
    draws: Floats, *, alpha: float, degrees: float = math.inf
) -> tuple[float, float]:
    """The one-sided 1 - alpha lower and upper percentile bound of a bootstrap, in its unit.

    draws: (draws,), of a mean or a difference. alpha: in (0, 0.5]. degrees: of its variance, as
    the t method has them (`Estimate.degrees`): the bounds are widened for them (`expanded`). Up to
    5 % undefined draws are left out; with more, or with none at all, (NaN, NaN). Source: Efron &
    Tibshirani 1993, ch. 13; Hesterberg 2015.
    """
    assert 0 < alpha <= 0.5, "each bound is on its own side of the value"
    finite = draws[np.isfinite(draws)]
    if not len(finite) or len(finite) < (1 - MAX_UNDEFINED) * len(draws):
        return math.nan, math.nan
    tail = expanded(alpha, degrees)
    low, high = np.quantile(finite, [tail, 1 - tail])
    return float(low), float(high)
