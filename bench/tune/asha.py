"""ASHA's stopping rule, per study, as a function of the scores recorded at a rung.

Source: Li et al. 2020, A System for Massively Parallel Hyperparameter Tuning, section 3; the
stopping variant decides at once instead of letting a trial rest.
"""

from __future__ import annotations

from collections.abc import Sequence


def goes_on(score: float, others: Sequence[float], *, reduction_factor: int) -> bool:
    """Whether a trial that reaches a rung is in the top 1/reduction_factor of it.

    score: greater is better. others: scores of the trials that reached the rung before. At least
    one place is always open, so the first trial goes on; of equal scores all are in.
    """
    places = max(1, (len(others) + 1) // reduction_factor)
    return sum(other > score for other in others) < places
