"""Means and differences where there are several searches of an entrant, or several splits.

What is repeated as a whole is the unit: the training where there is one search and one split; the
search (the mean of its seeds) where there are several searches; the split (the mean over its
searches of their seeds' means) where there are several splits. Seeds of one search share its
winner, searches on one split share its patients: taken as independent they promise too much.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from results.stats.arrays import Floats, Ints
from results.stats.estimates import (
    Estimate,
    constant_p,
    is_rounding,
    no_mean,
    t_difference,
    t_estimate,
    welch,
)
from results.stats.resampling import jackknife_variance

Table = Sequence[Sequence[Floats]]
"""Of one entrant: by split, by search, (seeds,) scores. A search without a score as yet may be
left out or be an empty array, a split an empty sequence."""


def nested_estimate(
    table: Table,
    left_out: Sequence[Floats],
    *,
    splits: int,
    searches: int = 1,
    confidence: float = 0.95,
) -> Estimate:
    """Mean and t interval of one entrant.

    left_out: by split, (blocks,), the entrant's mean on that split (over searches of their seeds'
    means) without each block of its patients. splits, searches: how many are planned (one split:
    the task's own); where it is several searches, each is one unit, whatever its seeds.

    - One split, one search: `t_estimate`.
    - One split, S searches: SE^2 = var(units) / S + V of patients, Welch-Satterthwaite degrees;
      from three searches on. The interval is of the model under such a search, on such patients.
    - K splits: SE^2 = (1 / K + 1 / (K - 1)) var(units), K - 1 degrees; from three splits on, and
      for all that are planned. The second term stands for what the splits share, their training
      patients (the ratio of test to training cases is 1 / (K - 1)): Nadeau & Bengio 2003, the
      corrected resampled t. It is an approximation: no unbiased estimator of the variance of a
      k-fold mean exists (Bengio & Grandvalet 2004), and how far it is off depends on how much
      trainings on overlapping patients agree. Test patients' variance, that of seeds and that of
      searches are all inside var(units).

    The parts of the variance, each for the value: seeds from what differs within searches,
    patients from the jackknife, searches and splits what is left, at least 0, so that these two
    are biased upward where they are small. They describe; the interval rests on `variance` alone.
    """
    if splits > 1:
        return _over_splits([table], left_out, splits, confidence)
    found = _only(table)
    if max(searches, len(found)) < 2:
        return t_estimate(_alone(found), _only_blocks(left_out), confidence=confidence)
    return _over_searches([found], left_out, confidence)


def nested_difference(
    first: Table,
    second: Table,
    left_out: Sequence[Floats],
    *,
    splits: int,
    searches: int = 1,
    confidence: float = 0.95,
) -> Estimate:
    """Difference of two entrants' means, first - second, with interval and p.

    left_out: by split, (blocks,), the difference of the two means without each block: patients are
    the same for both. As `nested_estimate`, with searches independent (one split), or split by
    split, on the same training and test patients (K splits). An entrant with one search is no
    match for one with several, which bears on searches: then there is no interval.
    """
    if splits > 1:
        return _over_splits([first, second], left_out, splits, confidence)
    one, other = _only(first), _only(second)
    if max(searches, len(one), len(other)) < 2:
        blocks = _only_blocks(left_out)
        return t_difference(_alone(one), _alone(other), blocks, confidence=confidence)
    return _over_searches([one, other], left_out, confidence)


def unit_means(scores: Floats, searches: Ints) -> Floats:
    """The mean of each search's seeds: (draws, trainings) to (draws, searches).

    searches: (trainings,), the search that each training belongs to, any integers; units come in
    their order. For the bootstrap from ten searches on, `seed_means(unit_means(...), rng)`: whole
    searches are drawn, seeds within them are not drawn again, as their variance is in the units'.
    """
    _, unit, sizes = np.unique(searches, return_inverse=True, return_counts=True)
    belongs = np.eye(len(sizes))[unit] / sizes[unit][:, None]
    return np.asarray(scores @ belongs, dtype=float)


# --- One split ------------------------------------------------------------------------------


def _only(table: Table) -> Sequence[Floats]:
    assert len(table) <= 1, "the task's own split is one split"
    return table[0] if table else []


def _only_blocks(left_out: Sequence[Floats]) -> Floats:
    return left_out[0] if len(left_out) else np.zeros(0)


def _alone(searches: Sequence[Floats]) -> Floats:
    return searches[0] if searches else np.zeros(0)


def _over_searches(
    entrants: Sequence[Sequence[Floats]], left_out: Sequence[Floats], confidence: float
) -> Estimate:
    """Of one entrant, or the difference of two: the units are the searches."""
    units = [_means(searches) for searches in entrants]
    value = _contrast([float(one.mean()) if len(one) else math.nan for one in units])
    if why := _undefined(entrants) or next(
        filter(None, (no_mean(one, unit="searches") for one in units)), ""
    ):
        return Estimate(value=value, why=why)
    found = welch(value, units, _only_blocks(left_out), confidence=confidence, unit="searches")
    seeds, searches = _parts([[one] for one in entrants])
    return replace(found, seed_variance=seeds, search_variance=searches)


# --- Several splits -------------------------------------------------------------------------


def _over_splits(
    tables: Sequence[Table], left_out: Sequence[Floats], splits: int, confidence: float
) -> Estimate:
    """Of one entrant, or the difference of two: the units are the splits, paired."""
    from scipy import special

    rows = [[_means(searches) for searches in table] for table in tables]
    whole = [row for row in zip(*rows, strict=False) if all(len(one) for one in row)]
    units = np.array([_contrast([float(one.mean()) for one in row]) for row in whole])
    value = float(units.mean()) if len(units) else math.nan
    if len(units) < splits:
        return Estimate(value=value, why=f"{len(units)} of {splits} splits")
    assert len(units) == splits, "more splits than are planned"
    if why := _undefined([one for table in tables for one in table]) or no_mean(
        units, unit="splits"
    ):
        return Estimate(value=value, why=why)
    seeds, searches = _parts(tables)
    patients = sum(map(jackknife_variance, left_out)) / splits**2
    blocks = sum(map(len, left_out))
    square = (1 / splits + 1 / (splits - 1)) * float(units.var(ddof=1))
    known = sum(part for part in (seeds, searches) if math.isfinite(part))
    bare = Estimate(
        value=value,
        seed_variance=seeds,
        patient_variance=patients,
        search_variance=searches,
        # NaN where the patients' part is unknown: what is left would be theirs too.
        split_variance=float(np.maximum(0.0, square - patients - known)),
        variance=square,
        blocks=blocks,
    )
    if is_rounding(square, value):
        still = is_rounding(patients, value)
        return replace(
            bare,
            p=constant_p(value, blocks) if still else math.nan,
            why="the splits do not differ: nothing to estimate an interval from",
        )
    reach = float(special.stdtrit(splits - 1, (1 + confidence) / 2)) * math.sqrt(square)
    return replace(
        bare,
        low=value - reach,
        high=value + reach,
        p=float(2 * special.stdtr(splits - 1, -abs(value) / math.sqrt(square))),
        degrees=float(splits - 1),
        method="t",
    )


# --- Units and parts ------------------------------------------------------------------------


def _contrast(values: Sequence[float]) -> float:
    """One entrant's, or first - second."""
    return values[0] if len(values) == 1 else values[0] - values[1]


def _means(searches: Sequence[Floats]) -> Floats:
    """(searches,): each one's mean over its seeds, of those that have any."""
    return np.array([float(scores.mean()) for scores in searches if len(scores)])


def _undefined(rows: Sequence[Sequence[Floats]]) -> str:
    """Whether a training's score is undefined; it is not dropped in silence."""
    scores = np.concatenate([np.zeros(0), *(one for row in rows for one in row)])
    missing = int(np.sum(~np.isfinite(scores)))
    return f"the metric is undefined for {missing} of {len(scores)} trainings" if missing else ""


def _parts(tables: Sequence[Table]) -> tuple[float, float]:
    """Variance of the value by seeds and by searches, added up over entrants.

    NaN where no search has two seeds (their part is then within the searches'), and where no split
    has two searches.
    """
    parts = [_parts_of(table) for table in tables]
    return sum(seeds for seeds, _ in parts), sum(searches for _, searches in parts)


def _parts_of(table: Table) -> tuple[float, float]:
    rows = [[scores for scores in searches if len(scores)] for searches in table]
    every = [scores for row in rows for scores in row]
    freedom = sum(len(scores) - 1 for scores in every)
    seeds = searches = math.nan
    if freedom:
        within = sum(float(((scores - scores.mean()) ** 2).sum()) for scores in every) / freedom
        # With as many seeds in each search it is within / trainings.
        shares = [sum(1 / len(scores) for scores in row) / len(row) ** 2 for row in rows]
        seeds = within * sum(shares) / len(rows) ** 2
    between = [float(_means(row).var(ddof=1)) / len(row) for row in rows if len(row) > 1]
    if between:
        of_units = float(np.mean(between)) / len(rows)
        searches = max(0.0, of_units - (seeds if freedom else 0.0))
    return seeds, searches
