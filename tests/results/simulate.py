"""Simulated experiments whose truth is known, put through the functions that a report uses.

The score of seed s on patient p is

    truth + a_s + b_p + c_sp,

a the effect of the seed, b of the patient, c their interaction, each of mean zero: seeds and
patients are both random, and the truth is the mean over all of either. The variance of an
entrant's mean is var(a) / seeds + var(b) / patients + var(c) / (seeds * patients).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal, get_args

import numpy as np

from results import stats
from results.gate import Verdict, judge
from results.stats import Estimate, Floats

Kind = Literal["normal", "bimodal", "failing"]
Measure = Callable[[Floats], Floats]
SIZES = tuple((seeds, patients) for seeds in (3, 5, 10) for patients in (20, 50))
DRAWS = 1000
"""Bootstrap draws of an experiment; a report takes ten times as many of a mean."""
POOL = 50
"""Sets of draws of patients, of which each experiment takes one."""
FAILURES, DEPTH = 0.2, 3.0
"""Share of failing seeds, and how many of the others' standard deviations they fall."""


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """What an experiment is drawn from; all variances are of single scores."""

    seeds: int
    patients: int
    seed_variance: float
    patient_variance: float = 1.0
    interaction_variance: float = 0.5
    kind: Kind = "normal"
    """Of the seeds' effects: one mode; two equal ones; or a minority of failed trainings."""
    width: float = 0.5
    """Standard deviation within a mode, the two modes being at -1 and 1."""


def world(seeds: int, patients: int, kind: Kind, *, parts: float) -> World:
    """A world in which seeds have `parts` times the patients' part in the variance of the mean."""
    return World(seeds=seeds, patients=patients, kind=kind, seed_variance=parts * seeds / patients)


def seed_effects(where: World, rng: np.random.Generator) -> Floats:
    """(seeds,) of mean 0 and variance 1."""
    noise = rng.normal(size=where.seeds)
    if where.kind == "bimodal":
        mode = rng.choice([-1.0, 1.0], size=where.seeds)
        return np.asarray((mode + where.width * noise) / math.hypot(1, where.width))
    if where.kind == "failing":
        fallen = DEPTH * (FAILURES - (rng.random(where.seeds) < FAILURES))
        return np.asarray((fallen + noise) / math.sqrt(1 + DEPTH**2 * FAILURES * (1 - FAILURES)))
    return noise


def scores_of(where: World, rng: np.random.Generator, hard: Floats | None = None) -> Floats:
    """(patients, seeds) of an entrant whose truth is 0; hard: patients' effects, else drawn."""
    shape = where.patients, where.seeds
    own = math.sqrt(where.interaction_variance) * rng.normal(size=shape)
    by_seed = math.sqrt(where.seed_variance) * seed_effects(where, rng)
    if hard is None:
        hard = math.sqrt(where.patient_variance) * rng.normal(size=where.patients)
    return np.asarray(hard[:, None] + by_seed + own)


def mean_over(table: Floats) -> Measure:
    """The metric "mean over patients" under weights, as a report's panel has it."""
    return lambda weights: np.asarray(weights @ table / weights.sum(axis=1, keepdims=True))


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The metric of some seeds, ready for the analysis."""

    measure: Measure
    blocks: int

    @property
    def scores(self) -> Floats:
        return np.asarray(self.measure(np.ones((1, self.blocks)))[0])

    @property
    def left_out(self) -> Floats:
        return np.asarray(self.measure(stats.leave_one_out(self.blocks)).mean(axis=1))


def estimate_of(sample: Sample, rng: np.random.Generator) -> Estimate:
    """What `results.analysis` says of one entrant."""
    found = stats.t_estimate(sample.scores, sample.left_out)
    if len(sample.scores) < stats.BOOTSTRAP_SEEDS:
        return found
    return stats.bootstrap_estimate(
        found.value,
        _draws([sample], rng)[0],
        blocks=sample.blocks,
        seed_variance=found.seed_variance,
        patient_variance=found.patient_variance,
        degrees=found.degrees,
    )


def bounds_of(
    first: Sample, second: Sample, rng: np.random.Generator, *, alpha: float = 0.05
) -> tuple[float, float]:
    """One-sided bounds of first - second on the same patients, as the gate takes them."""
    found = stats.t_difference(first.scores, second.scores, first.left_out - second.left_out)
    if len(first.scores) < stats.BOOTSTRAP_SEEDS:
        return stats.bounds(found, alpha=alpha)
    one, other = _draws([first, second], rng)
    return stats.bootstrap_bounds(one - other, alpha=alpha, degrees=found.degrees)


def _draws(samples: list[Sample], rng: np.random.Generator) -> list[Floats]:
    """(draws,) of each: patients are drawn for all of them, seeds for each."""
    weights = bootstrap_weights(samples[0].blocks, rng)
    return [stats.seed_means(sample.measure(weights), rng) for sample in samples]


def bootstrap_weights(blocks: int, rng: np.random.Generator) -> Floats:
    """(DRAWS, blocks): how often each block of patients is drawn."""
    return _weights(blocks)[rng.integers(POOL)]


@cache
def _weights(blocks: int) -> list[Floats]:
    """Draws of patients: they are most of the work, and depend on no experiment's data."""
    return list(stats.patient_draws(blocks, POOL * DRAWS, np.random.default_rng(0)))


def coverage(where: World, *, experiments: int, seed: int) -> float:
    """The share of experiments whose 95 % interval holds the truth."""
    rng = np.random.default_rng(seed)
    inside = 0
    for _ in range(experiments):
        sample = Sample(measure=mean_over(scores_of(where, rng)), blocks=where.patients)
        found = estimate_of(sample, rng)
        inside += found.low <= 0 <= found.high
    return inside / experiments


# --- A metric of pooled counts --------------------------------------------------------------

CASES = 8
"""Cases of a patient, each of one of two classes."""


MACRO_F1 = World(
    seeds=3, patients=20, seed_variance=0.05, patient_variance=0.5, interaction_variance=0.1
)
"""On the scale of logits."""


def counts_of(where: World, rng: np.random.Generator) -> Floats:
    """Confusion counts (patients, seeds, 2, 2) of a classifier of two classes, 30 % positive.

    A case of class k is read rightly with the probability logistic(1.5 + its patient's and seed's
    effects).
    """
    effects = scores_of(where, rng)
    right = 1 / (1 + np.exp(-1.5 - effects))
    positive = rng.binomial(CASES, 0.3, size=where.patients)[:, None]
    hits = rng.binomial(positive, right)
    rejected = rng.binomial(CASES - positive, right)
    negative = CASES - positive - rejected
    return np.stack(
        [np.stack([rejected, negative], -1), np.stack([positive - hits, hits], -1)], -2
    ).astype(float)


def macro_f1_over(counts: Floats) -> Measure:
    """Macro-F1 of pooled counts under weights, as a report's panel has it."""
    from bench import metrics

    metric = metrics.get("macro_f1")
    return lambda weights: np.asarray(
        metric.of_confusion(np.tensordot(weights, counts, axes=1)), dtype=float
    )


@cache
def true_macro_f1(where: World) -> float:
    """The mean over seeds of macro-F1 on all patients: 1,000 seeds on 50,000 patients in all."""
    rng = np.random.default_rng(0)
    weights = np.ones((1, where.patients))
    return float(np.mean([macro_f1_over(counts_of(where, rng))(weights) for _ in range(25)]))


def macro_f1_coverage(where: World, *, experiments: int, seed: int) -> float:
    """The share of experiments whose 95 % interval holds the true macro-F1."""
    rng = np.random.default_rng(seed)
    truth = true_macro_f1(replace(where, seeds=40, patients=2000))
    inside = 0
    for _ in range(experiments):
        sample = Sample(measure=macro_f1_over(counts_of(where, rng)), blocks=where.patients)
        found = estimate_of(sample, rng)
        inside += found.low <= truth <= found.high
    return inside / experiments


# --- The gate -------------------------------------------------------------------------------


def pairs(*, share: float, sigma: float, seeds: int, patients: int) -> World:
    """A world of two entrants whose difference has a given standard deviation.

    sigma: of the difference between ONE seed of each on one test set. share: the part of sigma^2
    that comes from patients, which more seeds do not make smaller: what remains of patients once
    both entrants are tested on the same ones. The rest is the seeds'.
    """
    return World(
        seeds=seeds,
        patients=patients,
        seed_variance=(1 - share) * sigma**2 / 2,
        patient_variance=share * sigma**2 * patients / 2,
        interaction_variance=0.0,
    )


def verdicts(
    where: World, *, difference: float, margin: float, experiments: int, seed: int
) -> dict[Verdict, float]:
    """The share of each verdict when the candidate is `difference` better than the baseline.

    Patients' common difficulty cancels in a difference and is left out: each entrant has the
    patients' effects of the world for itself.
    """
    rng = np.random.default_rng(seed)
    found: Counter[Verdict] = Counter()
    for _ in range(experiments):
        both = [
            Sample(measure=mean_over(shift + scores_of(where, rng)), blocks=where.patients)
            for shift in (difference, 0.0)
        ]
        found[judge(*bounds_of(both[0], both[1], rng), margin)] += 1
    return {verdict: found[verdict] / experiments for verdict in Verdict}


# --- The figures of docs/statistics.md ------------------------------------------------------


def tables(experiments: int = 2000, seed: int = 1) -> None:
    """Print them."""
    for kind in get_args(Kind):
        for seeds, patients in SIZES:
            worlds = [world(seeds, patients, kind, parts=parts) for parts in (0.2, 1, 5)]
            found = [coverage(each, experiments=experiments, seed=seed) for each in worlds]
            print(kind, seeds, patients, *(f"{100 * share:.1f}" for share in found), flush=True)
    for seeds, patients in SIZES:
        where = replace(MACRO_F1, seeds=seeds, patients=patients)
        share = macro_f1_coverage(where, experiments=experiments, seed=seed)
        print("macro-F1", seeds, patients, f"{100 * share:.1f}", flush=True)
    for share in (0.0, 0.1, 0.2, 0.25, 0.5, 1.0):
        where = pairs(share=share, sigma=0.5, seeds=10, patients=50)
        for difference in (-2.0, -1.0, 0.0):
            found_ = verdicts(
                where, difference=difference, margin=1, experiments=experiments, seed=seed
            )
            said = [f"{verdict} {100 * part:.1f}" for verdict, part in found_.items() if part]
            print("gate", share, difference, *said, flush=True)


if __name__ == "__main__":
    tables()
