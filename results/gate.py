"""The regression gate's rule: what bounds of a difference say, and what several of them add up to.

d is candidate - baseline in the metric's own unit, turned so that greater is better; m is the
task's margin of relevance. Of d there are two one-sided bounds at 1 - alpha each.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from results import stats


class Verdict(StrEnum):
    """What is said of one comparison, or of all of them."""

    BETTER = "better"
    NOT_WORSE = "not worse"
    REGRESSED = "regressed"
    INCONCLUSIVE = "inconclusive"
    NOT_MEASURED = "not measured"


EXIT_CODES = {
    Verdict.BETTER: 0,
    Verdict.NOT_WORSE: 0,
    Verdict.REGRESSED: 3,
    Verdict.INCONCLUSIVE: 4,
    Verdict.NOT_MEASURED: 5,
}


def judge(lower: float, upper: float, margin: float) -> Verdict:
    """The verdict on one difference.

    lower, upper: its one-sided bounds, lower <= upper, greater is better; infinite where nothing
    is known, NaN where nothing was measured. margin: at least 0.
    """
    if math.isnan(lower) or math.isnan(upper):
        return Verdict.NOT_MEASURED
    if lower > 0:
        return Verdict.BETTER
    if lower > -margin:
        return Verdict.NOT_WORSE
    return Verdict.REGRESSED if upper < -margin else Verdict.INCONCLUSIVE


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """A verdict, and the p values of the two claims that are corrected for many comparisons."""

    verdict: Verdict
    p_regressed: float = math.nan
    """One-sided, of d >= -m."""
    p_better: float = math.nan
    """One-sided, of d <= 0."""


def combine(parts: Sequence[Evidence], *, alpha: float) -> Verdict:
    """The verdict on all comparisons together, each at level alpha before correction.

    - regressed: one of them is, after Holm over all that were measured, whatever else is unknown;
    - not measured: one of them is not, so that nothing can be said of the whole;
    - better: all are better or not worse, and one is better after Holm;
    - not worse: all are better or not worse. That claims all of them at once, so that each may be
      tested at alpha without correction (intersection-union test; Berger 1982);
    - inconclusive: the rest.
    """
    if not parts:
        return Verdict.NOT_MEASURED
    if _any_after_holm([part.p_regressed for part in parts], alpha):
        return Verdict.REGRESSED
    verdicts = {part.verdict for part in parts}
    if Verdict.NOT_MEASURED in verdicts:
        return Verdict.NOT_MEASURED
    if not verdicts <= {Verdict.BETTER, Verdict.NOT_WORSE}:
        return Verdict.INCONCLUSIVE
    better = _any_after_holm([part.p_better for part in parts], alpha)
    return Verdict.BETTER if better else Verdict.NOT_WORSE


def _any_after_holm(p: Sequence[float], alpha: float) -> bool:
    return bool(np.any(stats.holm(np.array(p, dtype=float)) <= alpha))


def smallest_alpha(holds: Callable[[float], bool], *, floor: float) -> float:
    """The p value that belongs to a bound: the smallest alpha at which the bound proves a claim.

    holds: whether it does at an alpha in (0, 0.5]; once it does, it does at all greater ones.
    floor: in (0, 0.5), the least value that can be told, 1 / (draws + 1) of a bootstrap. Returns a
    value in [floor, 0.5], right to one part in a million; 1 where the claim does not even hold at
    0.5.
    """
    if not holds(0.5):
        return 1.0
    if holds(floor):
        return floor
    low, high = math.log(floor), math.log(0.5)
    while high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (low, middle) if holds(math.exp(middle)) else (middle, high)
    return math.exp(high)
