"""Simulated experiments of several searches, and of patient k-fold, whose truth is known.

Searches: the score of search h and its seed s on patient p is

    truth + a_h + e_hs + b_p + c_hsp,

all of mean zero; the truth is the mean over all searches, seeds and patients. Splits: real ridge
regressions are trained and tested on real folds of drawn patients; the truth is their expected
score over training sets of that size and over patients.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from results import stats
from results.stats import Estimate, Floats
from tests.results.simulate import SIZES, Measure, bootstrap_weights, mean_over

# --- Searches -------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Searches:
    """What an experiment is drawn from; all variances are of single scores."""

    searches: int
    seeds: int
    """Of each search."""
    patients: int
    search_variance: float
    seed_variance: float
    patient_variance: float = 1.0
    interaction_variance: float = 0.5


def alike(searches: int, patients: int, *, parts: float) -> Searches:
    """A world in which searches differ as much as the three seeds of each do.

    parts: what searches contribute to the variance of the mean, as a multiple of what patients do.
    """
    variance = parts * searches / patients
    return Searches(
        searches=searches,
        seeds=3,
        patients=patients,
        search_variance=variance,
        seed_variance=variance,
    )


def searched(where: Searches, rng: np.random.Generator) -> Floats:
    """(patients, searches, seeds) scores of an entrant whose truth is 0."""
    by_search = math.sqrt(where.search_variance) * rng.normal(size=(where.searches, 1))
    by_seed = math.sqrt(where.seed_variance) * rng.normal(size=(where.searches, where.seeds))
    hard = math.sqrt(where.patient_variance) * rng.normal(size=(where.patients, 1, 1))
    own = rng.normal(size=(where.patients, where.searches, where.seeds))
    return np.asarray(by_search + by_seed + hard + math.sqrt(where.interaction_variance) * own)


def of_searches(scores: Floats, rng: np.random.Generator) -> Estimate:
    """The searches as units; from ten on by the bootstrap."""
    patients, searches, seeds = scores.shape
    measure, table, left_out = _measured(scores)
    found = stats.nested_estimate([table], [left_out], splits=1, searches=searches)
    if searches < stats.BOOTSTRAP_SEEDS:
        return found
    belongs = np.repeat(np.arange(searches), seeds)
    drawn = measure(bootstrap_weights(patients, rng))
    return stats.bootstrap_estimate(
        found.value,
        stats.seed_means(stats.unit_means(drawn, belongs), rng),
        blocks=patients,
        seed_variance=found.seed_variance,
        search_variance=found.search_variance,
        patient_variance=found.patient_variance,
        degrees=found.degrees,
    )


def of_trainings(scores: Floats, rng: np.random.Generator) -> Estimate:
    """All trainings taken as seeds of one search: wrong."""
    _, table, left_out = _measured(scores)
    return stats.t_estimate(np.concatenate(table), left_out)


def _measured(scores: Floats) -> tuple[Measure, list[Floats], Floats]:
    """The metric of the trainings; their scores, by search; the mean without each patient."""
    patients, searches, _ = scores.shape
    measure = mean_over(scores.reshape(patients, -1))
    table = np.split(measure(np.ones((1, patients)))[0], searches)
    return measure, table, measure(stats.leave_one_out(patients)).mean(axis=1)


def search_coverage(
    where: Searches,
    *,
    experiments: int,
    seed: int,
    method: Callable[[Floats, np.random.Generator], Estimate] = of_searches,
) -> float:
    """The share of experiments whose 95 % interval holds the truth."""
    rng = np.random.default_rng(seed)
    inside = 0
    for _ in range(experiments):
        found = method(searched(where, rng), rng)
        inside += found.low <= 0 <= found.high
    return inside / experiments


# --- Splits ---------------------------------------------------------------------------------

SHIFT = 0.35
"""In each feature the two classes' means are so far from zero, on either side."""
FEATURES = 10, 7
"""That the two entrants see."""
PENALTY = 1.0
Score = Callable[[Floats, Floats], Floats]
"""Of true labels -1 or 1 and predictions: a value of each."""


def accuracy(true: Floats, predicted: Floats) -> Floats:
    return np.asarray((true * predicted > 0).astype(float))


def squared_error(true: Floats, predicted: Floats) -> Floats:
    return np.asarray((true - predicted) ** 2)


@dataclass(frozen=True, kw_only=True, slots=True)
class Folds:
    """A patient k-fold."""

    splits: int
    patients: int
    """In all; a multiple of `splits`."""
    score: Score
    paired: bool = False
    """Whether it is about the difference of the two entrants, not about the first."""


def fold_scores(where: Folds, experiments: int, rng: np.random.Generator) -> Floats:
    """(experiments, splits): the mean test score in each, or the difference of two entrants."""
    size = where.patients // where.splits
    true = rng.choice([-1.0, 1.0], size=(experiments, where.splits, size))
    x = rng.normal(size=(*true.shape, max(FEATURES))) + SHIFT * true[..., None]
    squares = np.einsum("efpi,efpj->efij", x, x)
    moments = np.einsum("efpi,efp->efi", x, true)
    # What is trained on is all but the fold that is tested on.
    squares = squares.sum(axis=1, keepdims=True) - squares
    moments = moments.sum(axis=1, keepdims=True) - moments
    found = []
    for seen in FEATURES if where.paired else FEATURES[:1]:
        penalised = squares[..., :seen, :seen] + PENALTY * np.eye(seen)
        weights = np.linalg.solve(penalised, moments[..., :seen, None])
        found.append(where.score(true, (x[..., :seen] @ weights)[..., 0]).mean(axis=2))
    return np.asarray(found[0] - found[1] if where.paired else found[0])


@cache
def fold_truth(where: Folds) -> float:
    """The expected score: a k-fold's mean has no bias for training sets of its size."""
    rng = np.random.default_rng(0)
    return float(np.mean([fold_scores(where, 500, rng).mean() for _ in range(20)]))


def fold_coverage(where: Folds, *, experiments: int, seed: int) -> tuple[float, float]:
    """The share of 95 % intervals that hold the truth: of `nested_estimate`, of the naive t."""
    truth, none = fold_truth(where), [np.zeros(0)] * where.splits
    inside = np.zeros(2)
    for row in fold_scores(where, experiments, np.random.default_rng(seed)):
        found = stats.nested_estimate([[score] for score in row[:, None]], none, splits=len(row))
        inside[0] += found.low <= truth <= found.high
        # The same without the correction for shared training patients.
        narrow = math.sqrt((1 / len(row)) / (1 / len(row) + 1 / (len(row) - 1)))
        inside[1] += abs(found.value - truth) <= narrow * (found.high - found.value)
    corrected, naive = (inside / experiments).tolist()
    return corrected, naive


# --- The figures of docs/statistics.md ------------------------------------------------------


def tables(experiments: int = 2000, seed: int = 1) -> None:
    """Print them."""
    for searches, patients in SIZES:
        for parts in (1, 5):
            where = alike(searches, patients, parts=parts)
            found = [
                search_coverage(where, experiments=experiments, seed=seed, method=method)
                for method in (of_searches, of_trainings)
            ]
            shares = [f"{100 * share:.1f}" for share in found]
            print("searches", searches, patients, parts, *shares, flush=True)
    for paired in (False, True):
        for score in (accuracy, squared_error):
            for splits in (3, 5, 10):
                for patients in (60, 300):
                    folds = Folds(splits=splits, patients=patients, score=score, paired=paired)
                    both = fold_coverage(folds, experiments=experiments, seed=seed)
                    said = "difference" if paired else "one"
                    shares = [f"{100 * share:.1f}" for share in both]
                    print(said, score.__name__, splits, patients, *shares, flush=True)


if __name__ == "__main__":
    tables()
