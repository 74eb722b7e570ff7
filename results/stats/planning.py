"""How many seeds an undecided comparison still needs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from results.stats.estimates import Estimate


@dataclass(frozen=True, kw_only=True, slots=True)
class SeedsNeeded:
    """The seeds of each entrant, in all, that would decide; or why none would."""

    seeds: int | None = None
    why: str = ""
    """Why there is no number; empty where there is one."""


def seeds_needed(
    difference: Estimate, *, seeds: int, against: float = 0.0, alpha: float, cap: int = 1000
) -> SeedsNeeded:
    """The fewest seeds, more than now, whose one-sided 1 - alpha bounds would exclude a value.

    difference: not decided as yet. seeds: of each entrant now, at least 2; of the larger number
    where they differ, which errs to more. against: what the bounds should exclude, in the metric's
    unit: minus the margin for the gate; 0 with half of alpha for a two-sided test. cap: the most
    that are tried.

    There is no forecast with several searches or splits, whose variance no seed makes smaller.
    Means and variances are taken as they are now, and the t method's: seed variance shrinks as
    seeds / N, its degrees of freedom grow with N, patient variance stays. It is a forecast: at
    that number a difference that is as now would just be decided, so chances are about even.
    """
    from scipy import special

    assert seeds >= 2 and 0 < alpha <= 0.5, "a variance between seeds, and one side of the value"
    if not difference.testable or not math.isfinite(difference.patient_variance):
        return SeedsNeeded(why=difference.why or "no variances are known")
    if not math.isnan(difference.search_variance) or not math.isnan(difference.split_variance):
        return SeedsNeeded(why="with several searches or splits, seeds alone do not decide")
    by_patient, freedom = difference.patient_variance, difference.blocks - 1
    distance = abs(difference.value - against)
    if distance == 0:
        return SeedsNeeded(why="the difference lies on the limit itself: no number decides")
    if _reach_of_patients(difference, alpha) >= distance:
        return SeedsNeeded(why="more seeds cannot decide: it takes more patients")
    number = np.arange(seeds + 1, cap + 1, dtype=float)
    by_seed = difference.seed_variance * seeds / number
    square = by_seed + by_patient
    spread = _seed_term(difference, seeds) * (seeds / number) ** 2 / (number - 1)
    spread += by_patient**2 / freedom
    degrees = np.divide(square**2, spread, out=np.full_like(square, math.inf), where=spread > 0)
    enough = np.flatnonzero(-special.stdtrit(degrees, alpha) * np.sqrt(square) < distance)
    if not len(enough):
        return SeedsNeeded(why=f"more than {cap} seeds")
    return SeedsNeeded(seeds=int(number[enough[0]]))


def _reach_of_patients(difference: Estimate, alpha: float) -> float:
    """What is left of the interval's half with seeds without end; inf where a sign test over the
    patients could not decide either."""
    from scipy import special

    if difference.seed_variance == difference.patient_variance == 0:
        return 0.0 if 0.5**difference.blocks <= alpha else math.inf
    quantile = -float(special.stdtrit(difference.blocks - 1, alpha))
    return quantile * math.sqrt(difference.patient_variance)


def _seed_term(difference: Estimate, seeds: int) -> float:
    """Sum of the squared variances of both entrants' means: the seeds' part in Satterthwaite's
    degrees of freedom, recovered from them; the largest it can be where these are not known."""
    most = difference.seed_variance**2
    if not math.isfinite(difference.degrees):
        return most
    square = difference.seed_variance + difference.patient_variance
    by_patient = difference.patient_variance**2 / (difference.blocks - 1)
    known = (square**2 / difference.degrees - by_patient) * (seeds - 1)
    return min(max(known, most / 2), most)
