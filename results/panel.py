"""The predictions of a task's replicates in one shape, and their metric when resampled."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np

from bench import metrics
from bench.errors import UserError
from bench.ledger import Replicate
from bench.metrics import units
from bench.metrics.scores import checked
from results import stats
from results.load import Run, StudyFacts, TaskFacts
from results.predictions import Counts, Outputs, Scores
from results.stats import Floats, Ints

BLOCKS = 200
"""Most blocks that patients are dealt into."""
TOLERANCE = 1e-4
"""By how much a metric computed from the predictions may differ from the recorded one."""
PORTION = 250_000
"""Weights of cases at a time for metrics of scores: what the processor's cache holds."""

Measure = Callable[[Floats], Floats]
"""The metric under weights of the blocks: (draws, blocks) to (draws, seeds)."""


Split = Literal["validation", "test"]
Member = tuple[Run, StudyFacts]
"""A study, and the run that it is of."""


class JointPanel:
    """The predictions of several studies' replicates, over the same cases, in blocks of patients.

    The studies may be of several runs, so that each goes by a key of its own.
    """

    def __init__(
        self,
        members: Mapping[str, Member],
        task: TaskFacts,
        rng: np.random.Generator,
        *,
        split: Split,
    ) -> None:
        self.problems: list[tuple[str, int, str]] = []
        """Key of the study, number of the replicate, what is wrong with its predictions."""
        self.task = task
        self.split = split
        self._cases: Outputs | None = None
        self.scored: dict[str, list[Replicate]] = {}
        """By key, the replicates that were scored on this split."""
        self._outputs: dict[str, list[Outputs | None]] = {}
        for key, (run, study) in members.items():
            replicates = run.progress(study.id).replicates
            done = [replicates[n] for n in sorted(replicates) if self._recorded(replicates[n])]
            self.scored[key] = done
            self._outputs[key] = [self._read(run, study.id, key, one) for one in done]
        self.patients, self.blocks = 0, 0
        self._block_of: Ints = np.zeros(0, dtype=np.int64)
        if self._cases is not None:
            _, group = np.unique(self._cases.groups, return_inverse=True)
            self.patients = int(group.max(initial=-1)) + 1
            dealt = stats.blocks_of(self.patients, limit=BLOCKS, rng=rng)
            self.blocks = int(dealt.max(initial=-1)) + 1
            self._block_of = dealt[group]

    def _recorded(self, replicate: Replicate) -> Mapping[str, float]:
        """The metrics of this split as the ledger has them; empty where it was not scored."""
        if self.split == "test":
            return replicate.test_metrics
        return replicate.validation_metrics

    def scores(self, key: str) -> Floats:
        """(seeds,): the recorded primary metric of a study's replicates; NaN where undefined."""
        recorded = (self._recorded(one).get(self.task.primary) for one in self.scored[key])
        return np.array([number(value) for value in recorded])

    def _read(self, run: Run, study: str, key: str, replicate: Replicate) -> Outputs | None:
        try:
            predictions = run.predictions(study, replicate.number)
            outputs = predictions.test if self.split == "test" else predictions.validation
            if outputs is None:
                raise UserError(f"its file of predictions holds none for the {self.split} split")
            if outputs.classes != len(self.task.classes):
                raise UserError(
                    f"its predictions are of {outputs.classes} classes, the task has "
                    f"{len(self.task.classes)}"
                )
            if fault := outputs.fault():
                raise UserError(fault)
            if self._cases is None:
                self._cases = outputs
            elif not self._cases.same_cases(outputs):
                raise UserError(
                    f"its predictions are for other {self.split} cases than its neighbours'"
                )
        except UserError as error:
            self.problems.append((key, replicate.number, str(error)))
            return None
        return outputs

    def measure(self, key: str) -> Measure | None:
        """The primary metric of a study's replicates under weights of the blocks.

        None where patients cannot be resampled; `problems` says why, but for fewer than two.
        """
        outputs = [one for one in self._outputs[key] if one is not None]
        if not outputs or len(outputs) < len(self._outputs[key]) or self.blocks < 2:
            return None
        try:
            measure = self._measure(outputs)
        except ValueError as error:
            self.problems += [(key, one.number, str(error)) for one in self.scored[key]]
            return None
        return measure if self._agrees(key, measure) else None

    def _measure(self, outputs: Sequence[Outputs]) -> Measure:
        """Raises ValueError where such predictions cannot give the metric."""
        metric = metrics.get(self.task.primary)
        counted = [one for one in outputs if isinstance(one, Counts)]
        scored = [one for one in outputs if isinstance(one, Scores)]
        if metric.takes == "labels":
            return _of_labels(metric, outputs, self._block_of, self.blocks)
        if counted:
            metric.must_take("labels", "slices", "cases")
            return _of_units(metric, counted, self._block_of, self.blocks)
        metric.must_take("labels", "scores")
        return _of_scores(metric, scored, self._block_of, self.task.classes)

    def _agrees(self, key: str, measure: Measure) -> bool:
        """Whether the predictions give the recorded metric; notes a problem where not."""
        found = measure(np.ones((1, self.blocks)))[0]
        agrees = True
        rows = zip(self.scored[key], self.scores(key).tolist(), found.tolist(), strict=True)
        for replicate, recorded, value in rows:
            if not np.isclose(value, recorded, rtol=0, atol=TOLERANCE, equal_nan=True):
                why = f"its predictions give {value:.6g}, the ledger recorded {recorded:.6g}"
                self.problems.append((key, replicate.number, why))
                agrees = False
        return agrees


class Panel(JointPanel):
    """The test predictions of a task's replicates in one run, by the ids of its studies."""

    def __init__(self, run: Run, task: TaskFacts, rng: np.random.Generator) -> None:
        members = {study.id: (run, study) for study in run.of_task(task.id)}
        super().__init__(members, task, rng, split="test")


def _of_labels(
    metric: metrics.Metric, outputs: Sequence[Outputs], block_of: Ints, blocks: int
) -> Measure:
    """A metric of counts: confusion matrices add up over blocks, and over pixels."""
    counts = np.stack([_by_block(_matrices(one), block_of, blocks) for one in outputs], axis=1)

    def measure(weights: Floats) -> Floats:
        matrices = np.tensordot(weights, counts, axes=1)  # (draws, seeds, classes, classes)
        return np.asarray(metric.of_confusion(matrices), dtype=float)

    return measure


def _matrices(outputs: Outputs) -> Floats:
    """Confusion counts of each case or slice, (cases, classes, classes)."""
    if isinstance(outputs, Counts):
        return outputs.counts.astype(float)
    one_hot = np.eye(outputs.classes)
    predicted = outputs.scores.argmax(axis=1)
    return np.asarray(one_hot[outputs.labels][:, :, None] * one_hot[predicted][:, None, :])


def _of_units(
    metric: metrics.Metric, outputs: Sequence[Counts], block_of: Ints, blocks: int
) -> Measure:
    """A mean over slices or cases: their values, and how many are defined, add up over blocks.

    All slices of a case are of one patient, so that no case is on two blocks.
    """
    totals, defined = [], []
    for one in outputs:
        matrices, block = one.counts.astype(float), block_of
        if metric.takes == "cases":
            _, first, matrices = units.by_case(one.counts, one.cases)
            block = block_of[first]
        total, known = units.sums(units.of_units(metric, matrices))
        totals.append(_by_block(total, block, blocks))
        defined.append(_by_block(known, block, blocks))
    sums, numbers = np.stack(totals, axis=1), np.stack(defined, axis=1)

    def measure(weights: Floats) -> Floats:
        drawn = (np.tensordot(weights, part, axes=1) for part in (sums, numbers))
        return np.asarray(units.from_sums(metric, *drawn), dtype=float)

    return measure


def _by_block(values: Floats, block_of: Ints, blocks: int) -> Floats:
    """Values of cases added up by block: (cases, ...) to (blocks, ...)."""
    summed = np.zeros((blocks, *values.shape[1:]))
    np.add.at(summed, block_of, values)
    return summed


def _of_scores(
    metric: metrics.Metric, outputs: Sequence[Scores], block_of: Ints, classes: Sequence[str]
) -> Measure:
    """A metric of scores under weights of the cases; NaN for outputs that are no probabilities."""
    if metric.weighted is None:
        raise ValueError(f"{metric.id} is one value a class: it cannot be resampled as one")
    sound = [_probabilities(one, len(classes)) for one in outputs]
    draws = max(1, PORTION // max(1, len(block_of)))

    def measure(weights: Floats) -> Floats:
        found = np.full((len(weights), len(outputs)), math.nan)
        for begin in range(0, len(weights), draws):
            rows = slice(begin, begin + draws)
            of_cases = weights[rows].T[block_of].T
            for column, one in enumerate(sound):
                if one is not None:
                    found[rows, column] = metric.of_weighted(*one, of_cases)
        return found

    return measure


def _probabilities(outputs: Scores, classes: int) -> tuple[Ints, Floats] | None:
    try:
        return checked("a model's output", outputs.labels, outputs.scores, classes)
    except ValueError:
        return None


def number(value: float | None) -> float:
    return math.nan if value is None else float(value)
