"""The t difference and the effect sizes of many pairs at once: the same numbers as pair by pair.

Of a thousand entrants there are half a million pairs: arrays over pairs, in portions that the
memory holds, take seconds where a call for each takes minutes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from results.stats.arrays import Bools, Floats, Ints
from results.stats.estimates import MIN_SEEDS, Estimate, no_mean
from results.stats.planning import SeedsNeeded, seeds_needed
from results.stats.samples import cliffs_delta, hedges_g, probability_of_improvement

CONFIDENCE = 0.95
PORTION = 2_000_000
"""Values of an array at a time."""
SEED_STEPS = (32, 200)
"""So many more seeds are tried before all others: they decide most pairs."""
MOST_SEEDS = 1000


def t_differences(
    scores: Sequence[Floats],
    left_out: Sequence[Floats],
    first: Ints,
    second: Ints,
    *,
    confidence: float = 0.95,
) -> list[Estimate | None]:
    """`t_difference` of each pair; None where that has to say itself why there is no interval.

    scores: of each entrant, (seeds,). left_out: of each, (blocks,), its mean without each block.
    first, second: (pairs,), the entrants' places.
    """
    blocks = max(map(len, left_out), default=0)
    whole = np.array(
        [
            not no_mean(one) and len(left) == blocks > 1 and bool(np.isfinite(left).all())
            for one, left in zip(scores, left_out, strict=True)
        ],
        dtype=bool,
    )
    known = np.flatnonzero(whole[first] & whole[second]) if len(first) else np.zeros(0, int)
    moments = _Moments.of(scores, left_out, whole, blocks)
    found: list[Estimate | None] = [None] * len(first)
    step = max(1, PORTION // max(1, blocks))
    for begin in range(0, len(known), step):
        places = known[begin : begin + step]
        rows = moments.differences(first[places], second[places], confidence)
        for place, estimate in zip(places.tolist(), rows, strict=True):
            found[place] = estimate
    return found


@dataclass(frozen=True, kw_only=True)
class _Moments:
    """(entrants,) each; zero where an entrant has none."""

    mean: Floats
    by_seed: Floats
    """Variance of the mean by seeds."""
    freedom: Floats
    left_out: Floats
    """(entrants, blocks)."""

    @classmethod
    def of(
        cls, scores: Sequence[Floats], left_out: Sequence[Floats], whole: Bools, blocks: int
    ) -> _Moments:
        mean, by_seed, freedom = (np.zeros(len(scores)) for _ in range(3))
        left = np.zeros((len(scores), blocks))
        for place in np.flatnonzero(whole).tolist():
            one = scores[place]
            mean[place] = one.mean()
            by_seed[place] = one.var(ddof=1) / len(one)
            freedom[place] = len(one) - 1
            left[place] = left_out[place]
        return cls(mean=mean, by_seed=by_seed, freedom=freedom, left_out=left)

    def differences(self, first: Ints, second: Ints, confidence: float) -> list[Estimate | None]:
        """As `estimates.welch` of two samples; None where nothing varies."""
        from scipy import special

        value = self.mean[first] - self.mean[second]
        by_seed = self.by_seed[first] + self.by_seed[second]
        left = self.left_out[first] - self.left_out[second]
        blocks = left.shape[1]
        by_patient = (blocks - 1) / blocks * np.sum((left - left.mean(axis=1)[:, None]) ** 2, 1)
        square = by_seed + by_patient
        still = square <= (1e-12 * np.maximum(1.0, np.abs(value))) ** 2
        parts = self.by_seed[first] ** 2 / self.freedom[first]
        parts = parts + self.by_seed[second] ** 2 / self.freedom[second]
        with np.errstate(divide="ignore", invalid="ignore"):
            degrees = square**2 / (parts + by_patient**2 / (blocks - 1))
            error = np.sqrt(square)
            reach = special.stdtrit(degrees, (1 + confidence) / 2) * error
            p = 2 * special.stdtr(degrees, -np.abs(value) / error)
        columns = (value, value - reach, value + reach, p, by_seed, by_patient, square, degrees)
        rows = zip(*(column.tolist() for column in columns), still.tolist(), strict=True)
        return [
            None
            if flat
            else Estimate(
                value=at,
                low=low,
                high=high,
                p=chance,
                seed_variance=seeds,
                patient_variance=patients,
                variance=whole,
                degrees=freedom,
                blocks=blocks,
                method="t",
            )
            for at, low, high, chance, seeds, patients, whole, freedom, flat in rows
        ]


# --- Effect sizes ---------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Effects:
    """(pairs,) each: the fields of `samples.Effect`."""

    value: Floats
    low: Floats
    high: Floats
    why: list[str]

    @classmethod
    def empty(cls, pairs: int) -> Effects:
        value, low, high = (np.full(pairs, math.nan) for _ in range(3))
        return cls(value=value, low=low, high=high, why=[""] * pairs)


def effects(scores: Sequence[Floats], first: Ints, second: Ints) -> dict[str, Effects]:
    """`probability`, `cliffs_delta` and `hedges_g` of each pair, by those functions' rules.

    scores: of each entrant, (units,), turned so that more is better.
    """
    found = {name: Effects.empty(len(first)) for name in _EFFECTS}
    sizes = np.array([len(one) for one in scores], dtype=np.int64)
    sound = np.array(
        [len(one) >= MIN_SEEDS and bool(np.isfinite(one).all()) for one in scores], dtype=bool
    )
    usable = sound[first] & sound[second] if len(first) else np.zeros(0, dtype=bool)
    of_sizes: dict[tuple[int, int], list[int]] = {}
    for place in np.flatnonzero(usable).tolist():
        key = int(sizes[first[place]]), int(sizes[second[place]])
        of_sizes.setdefault(key, []).append(place)
    for (one, other), places in of_sizes.items():
        step = max(1, PORTION // (one * other))
        for begin in range(0, len(places), step):
            some = np.array(places[begin : begin + step])
            a = np.stack([scores[place] for place in first[some].tolist()])
            b = np.stack([scores[place] for place in second[some].tolist()])
            _shares(a, b, some, found)
            _standardised(a, b, some, found["hedges_g"])
    for place in np.flatnonzero(~usable).tolist():
        for name, size in _EFFECTS.items():
            _alone(size(scores[first[place]], scores[second[place]]), place, found[name])
    return found


_EFFECTS = {
    "probability": probability_of_improvement,
    "cliffs_delta": cliffs_delta,
    "hedges_g": hedges_g,
}


def _alone(effect: object, place: int, into: Effects) -> None:
    into.value[place] = effect.value  # type: ignore[attr-defined]
    into.low[place], into.high[place] = effect.low, effect.high  # type: ignore[attr-defined]
    into.why[place] = effect.why  # type: ignore[attr-defined]


def _shares(a: Floats, b: Floats, places: Ints, found: dict[str, Effects]) -> None:
    """Of each count of wins the interval once: few counts are possible."""
    above = np.sign(a[:, :, None] - b[:, None, :]).sum(axis=(1, 2))
    counts, where = np.unique(above, return_inverse=True)
    kept = [int(np.flatnonzero(where == number)[0]) for number in range(len(counts))]
    for name in ("probability", "cliffs_delta"):
        of_counts = [_EFFECTS[name](a[place], b[place]) for place in kept]
        into = found[name]
        for field in ("value", "low", "high"):
            values = np.array([getattr(effect, field) for effect in of_counts])
            getattr(into, field)[places] = values[where]


def _standardised(a: Floats, b: Floats, places: Ints, into: Effects) -> None:
    """Hedges' g, by `samples.hedges_g`; a pair that is special there is left to it."""
    from scipy import special

    freedom = a.shape[1] + b.shape[1] - 2
    means = a.mean(axis=1), b.mean(axis=1)
    squares = ((a - means[0][:, None]) ** 2).sum(axis=1) + ((b - means[1][:, None]) ** 2).sum(1)
    deviation = np.sqrt(squares / freedom)
    size = np.maximum(np.abs(means[0]), np.abs(means[1]))
    fine = deviation > 1e-12 * np.maximum(1.0, size)
    ratio = np.divide(means[0] - means[1], deviation, out=np.zeros(len(a)), where=fine)
    correction = math.exp(
        special.gammaln(freedom / 2) - special.gammaln((freedom - 1) / 2)
    ) / math.sqrt(freedom / 2)
    scale = math.sqrt(1 / a.shape[1] + 1 / b.shape[1])
    tail = (1 - CONFIDENCE) / 2
    tails = np.array([1 - tail, tail])
    apart = (ratio / scale)[:, None]
    ends = special.nctdtrinc(freedom, tails, apart)
    back = special.nctdtr(freedom, ends, apart)
    fine &= np.isclose(back, tails, atol=1e-3).all(axis=1)
    into.value[places] = ratio * correction
    into.low[places], into.high[places] = ends[:, 0] * scale, ends[:, 1] * scale
    for row in np.flatnonzero(~fine).tolist():
        _alone(hedges_g(a[row], b[row]), int(places[row]), into)


# --- Planning -------------------------------------------------------------------------------


def seeds_to_decide(
    differences: Sequence[Estimate], seeds: Ints, *, alpha: float
) -> list[SeedsNeeded]:
    """`seeds_needed` of each difference, few seeds first, which decide most of them."""
    return [
        _to_decide(difference, number, alpha)
        for difference, number in zip(differences, seeds.tolist(), strict=True)
    ]


def _to_decide(difference: Estimate, seeds: int, alpha: float) -> SeedsNeeded:
    for more in (*SEED_STEPS, MOST_SEEDS):
        cap = min(seeds + more, MOST_SEEDS)
        needed = seeds_needed(difference, seeds=seeds, alpha=alpha, cap=cap)
        if needed.seeds is not None or needed.why != f"more than {cap} seeds":
            break
    return needed
