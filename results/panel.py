"""The test predictions of a task's replicates in one shape, and their metric when resampled."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from bench import metrics
from bench.errors import UserError
from bench.ledger import Replicate
from bench.metrics import units
from results import stats
from results.load import Run, TaskFacts
from results.predictions import Counts, Outputs, Scores
from results.stats import Floats, Ints

BLOCKS = 200
"""Most blocks that patients are dealt into."""
TOLERANCE = 1e-4
"""By how much a metric computed from the predictions may differ from the recorded one."""

Measure = Callable[[Floats], Floats]
"""The metric under weights of the blocks: (draws, blocks) to (draws, seeds)."""


class Panel:
    """The test predictions of a task's replicates, over the same cases, in blocks of patients."""

    def __init__(self, run: Run, task: TaskFacts, rng: np.random.Generator) -> None:
        self.problems: list[tuple[str, int, str]] = []
        self.task = task
        self._cases: Outputs | None = None
        self.scored: dict[str, list[Replicate]] = {}
        self._outputs: dict[str, list[Outputs | None]] = {}
        for study in run.of_task(task.id):
            replicates = run.progress(study.id).replicates
            done = [replicates[n] for n in sorted(replicates) if replicates[n].test_metrics]
            self.scored[study.id] = done
            self._outputs[study.id] = [self._read(run, study.id, one) for one in done]
        self.patients, self.blocks = 0, 0
        self._block_of: Ints = np.zeros(0, dtype=np.int64)
        if self._cases is not None:
            _, group = np.unique(self._cases.groups, return_inverse=True)
            self.patients = int(group.max(initial=-1)) + 1
            dealt = stats.blocks_of(self.patients, limit=BLOCKS, rng=rng)
            self.blocks = int(dealt.max(initial=-1)) + 1
            self._block_of = dealt[group]

    def _read(self, run: Run, study: str, replicate: Replicate) -> Outputs | None:
        try:
            outputs = run.predictions(study, replicate.number).test
            if outputs is None:
                raise UserError("its file of predictions holds none for the test split")
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
                raise UserError("its predictions are for other test cases than its neighbours'")
        except UserError as error:
            self.problems.append((study, replicate.number, str(error)))
            return None
        return outputs

    def measure(self, study: str) -> Measure | None:
        """The primary metric of a study's replicates under weights of the blocks."""
        outputs = [one for one in self._outputs[study] if one is not None]
        if not outputs or len(outputs) < len(self._outputs[study]) or self.blocks < 2:
            return None
        try:
            measure = self._measure(outputs)
        except ValueError as error:
            self.problems += [(study, one.number, str(error)) for one in self.scored[study]]
            return None
        return measure if self._agrees(study, measure) else None

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

    def _agrees(self, study: str, measure: Measure) -> bool:
        """Whether the predictions give the recorded metric; notes a problem where not."""
        found = measure(np.ones((1, self.blocks)))[0]
        agrees = True
        for replicate, value in zip(self.scored[study], found.tolist(), strict=True):
            recorded = number(replicate.test_metrics.get(self.task.primary))
            if not np.isclose(value, recorded, rtol=0, atol=TOLERANCE, equal_nan=True):
                why = f"its predictions give {value:.6g}, the ledger recorded {recorded:.6g}"
                self.problems.append((study, replicate.number, why))
                agrees = False
        return agrees


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
    """A metric of scores: computed anew for each row of weights."""

    def one(outputs: Scores, chosen: npt.NDArray[np.intp]) -> float:
        try:
            found = metrics.evaluate(
                [metric.id],
                true=outputs.labels[chosen],
                scores=outputs.scores[chosen],
                class_names=classes,
            )
        except ValueError:
            return math.nan
        return number(found.get(metric.id))

    def measure(weights: Floats) -> Floats:
        cases = np.arange(len(block_of))
        rows = [np.repeat(cases, row[block_of].astype(int)) for row in weights]
        return np.array([[one(each, chosen) for each in outputs] for chosen in rows])

    return measure


def number(value: float | None) -> float:
    return math.nan if value is None else float(value)
