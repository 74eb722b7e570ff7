"""The difference of two studies on one task: bounds, p values, and the seeds that would decide.

Both may be of different runs; patients are resampled jointly for them, seeds independently.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from results import stats
from results.analysis import orient
from results.contenders import Contenders
from results.gate import Evidence, Verdict, judge, smallest_alpha
from results.stats import Estimate, Floats
from results.stats.estimates import contracted

BASELINE, CANDIDATE = "baseline", "candidate"
"""The keys of the two studies in their panel."""
LEAST_P = 1e-12
"""The least p value that is told apart from others."""

Bounds = Callable[[float], tuple[float, float]]
"""One-sided bounds of a difference at an alpha."""


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """Candidate - baseline in the metric's own unit, turned so that greater is better."""

    value: float
    lower: float = math.nan
    upper: float = math.nan
    """One-sided bounds; NaN where there are none."""
    method: str = "none"
    """`t`, `bootstrap`, or `none`: then `why` says what is the matter."""
    evidence: Evidence = Evidence(verdict=Verdict.NOT_MEASURED)
    seeds_needed: int | None = None
    """Of each, in all: how many would decide what is inconclusive now."""
    why: str = ""
    """Why it was not measured; or why no number of seeds decides."""


def contrast(field: Contenders, *, margin: float, alpha: float) -> Contrast:
    """Compare the contenders `CANDIDATE` and `BASELINE`.

    margin: of the primary metric, at least 0. alpha: in (0, 0.5], of each bound.
    """
    sign = orient(field.task.primary)
    first, second = field.units(CANDIDATE), field.units(BASELINE)
    value = sign * float(first.mean() - second.mean())
    if not (field.measurable(CANDIDATE) and field.measurable(BASELINE)):
        why = "the test needs two or more patients, got 1" if field.alone else ""
        return Contrast(value=value, why=why)
    difference = _turned(field.t_difference(CANDIDATE, BASELINE), sign)
    if not difference.testable:
        return Contrast(value=value, why=difference.why)
    units = max(len(first), len(second))
    if not field.bootstraps(CANDIDATE, BASELINE) or difference.method == "none":
        return _judged(difference, _by_t(difference), difference.method, units, margin, alpha)
    resampled = field.draws(CANDIDATE) - field.draws(BASELINE)
    bounds = _by_bootstrap(difference, sign * resampled)
    floor = contracted(1 / (len(resampled) + 1), difference.degrees)
    return _judged(difference, bounds, "bootstrap", units, margin, alpha, floor=floor)


def _turned(difference: Estimate, sign: int) -> Estimate:
    """The difference turned so that greater is better."""
    ends = sorted((sign * difference.low, sign * difference.high))
    return replace(difference, value=sign * difference.value, low=ends[0], high=ends[1])


def _by_t(difference: Estimate) -> Bounds:
    return lambda alpha: stats.bounds(difference, alpha=alpha)


def _by_bootstrap(difference: Estimate, draws: Floats) -> Bounds:
    return lambda alpha: stats.bootstrap_bounds(draws, alpha=alpha, degrees=difference.degrees)


def _judged(
    difference: Estimate,
    bounds: Bounds,
    method: str,
    seeds: int,
    margin: float,
    alpha: float,
    *,
    floor: float = LEAST_P,
) -> Contrast:
    lower, upper = bounds(alpha)
    verdict = judge(lower, upper, margin)
    if verdict is Verdict.NOT_MEASURED:
        why = "the metric is undefined for too many resamples of the patients"
        return Contrast(value=difference.value, why=why)
    exact = _by_t(difference)
    needed, why = None, ""
    if verdict is Verdict.INCONCLUSIVE:
        forecast = stats.seeds_needed(difference, seeds=seeds, against=-margin, alpha=alpha)
        needed, why = forecast.seeds, forecast.why
    return Contrast(
        value=difference.value,
        lower=lower,
        upper=upper,
        method=method,
        evidence=Evidence(
            verdict=verdict,
            p_regressed=_p(lambda bound: bound[1] < -margin, bounds, exact, floor),
            p_better=_p(lambda bound: bound[0] > 0, bounds, exact, floor),
        ),
        seeds_needed=needed,
        why=why,
    )


def _p(
    proves: Callable[[tuple[float, float]], bool], bounds: Bounds, exact: Bounds, floor: float
) -> float:
    """The p value of a claim about bounds.

    Draws tell no p below their `floor`: of what even that proves, the t method says how little
    more; without it, no bootstrap could stand a correction for many comparisons.
    """
    p = smallest_alpha(lambda alpha: proves(bounds(alpha)), floor=floor)
    if p > floor:
        return p
    return min(p, smallest_alpha(lambda alpha: proves(exact(alpha)), floor=LEAST_P))
