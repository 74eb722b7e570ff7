"""The test predictions of a task's replicates in one shape, and their metric when resampled."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from bench import metrics
from bench.errors import UserError
from bench.ledger import Replicate
from results import stats
from results.load import Outputs, Run, TaskFacts
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
            if not np.isfinite(outputs.scores).all():
                raise UserError("its predicted scores are not all finite")
            if self._cases is None:
                self._cases = outputs
            elif not _same_cases(self._cases, outputs):
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
        metric = metrics.get(self.task.primary)
        measure = (
            _of_labels(metric.id, outputs, self._block_of, self.blocks)
            if metric.takes == "labels"
            else _of_scores(metric.id, outputs, self._block_of, self.task.classes)
        )
        return measure if self._agrees(study, measure) else None

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


def _same_cases(one: Outputs, other: Outputs) -> bool:
    return (
        np.array_equal(one.ids, other.ids)
        and np.array_equal(one.groups, other.groups)
        and np.array_equal(one.labels, other.labels)
        and one.scores.shape == other.scores.shape
    )


def _of_labels(metric: str, outputs: Sequence[Outputs], block_of: Ints, blocks: int) -> Measure:
    """A metric of counts: confusion matrices add up over blocks."""
    classes = outputs[0].scores.shape[1]
    size = blocks * classes * classes
    counts = np.stack(
        [
            np.bincount(
                (block_of * classes + one.labels) * classes + one.scores.argmax(axis=1),
                minlength=size,
            ).reshape(blocks, classes, classes)
            for one in outputs
        ],
        axis=1,
    ).astype(float)  # (blocks, seeds, classes, classes)

    def measure(weights: Floats) -> Floats:
        matrices = np.tensordot(weights, counts, axes=1)
        return np.asarray(metrics.from_confusion(metric, matrices), dtype=float)

    return measure


def _of_scores(
    metric: str, outputs: Sequence[Outputs], block_of: Ints, classes: Sequence[str]
) -> Measure:
    """A metric of scores: computed anew for each row of weights."""

    def one(outputs: Outputs, chosen: npt.NDArray[np.intp]) -> float:
        try:
            found = metrics.evaluate(
                [metric],
                true=outputs.labels[chosen],
                scores=outputs.scores[chosen],
                class_names=classes,
            )
        except ValueError:
            return math.nan
        return number(found.get(metric))

    def measure(weights: Floats) -> Floats:
        cases = np.arange(len(block_of))
        rows = [np.repeat(cases, row[block_of].astype(int)) for row in weights]
        return np.array([[one(each, chosen) for each in outputs] for chosen in rows])

    return measure


def number(value: float | None) -> float:
    return math.nan if value is None else float(value)
