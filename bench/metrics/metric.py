"""What a metric is: its direction, its range, what it is computed of, and what it refuses."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from bench.metrics import scores as of_scores
from bench.metrics.counts import Array, confusion

PER_CLASS = "per_class_"
Takes = Literal["labels", "scores", "slices", "cases", "volumes"]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric as the whole project knows it."""

    id: str
    title: str
    takes: Takes
    """Class indices (cases,), of masks those of all pixels pooled; probabilities (cases, classes);
    confusion counts of each slice; those of each case, a volume; whole masks of a volume."""
    compute: Callable[..., Any]
    """Of confusion matrices (..., classes, classes) for labels; of `true, scores` for scores; of
    one slice's or case's matrix, a value a class, for slices and cases; of a `surfaces.Pair` for a
    volume's class; of lesion counts `(found, false, missed)` where `lesions`."""
    weighted: Callable[..., Any] | None = None
    """For scores: of `true, scores` and weights (draws, cases), (draws,), as the functions of
    `bench.metrics.weighted`. What has none, one value a class, cannot be resampled."""
    greater_is_better: bool = True
    low: float = 0.0
    high: float = 1.0
    per_class: bool = False
    """Whether the outcome is one value a class, float64 (classes,)."""
    binary: bool = False
    """Whether it needs two classes, of which class 1 is the positive one."""
    signed: bool = False
    """Whether 0 is best and both signs are worse."""
    lesions: bool = False
    """Whether it counts the lesions of volumes."""

    def __call__(
        self, true: npt.ArrayLike, predicted: npt.ArrayLike, *, classes: int
    ) -> float | Array:
        """The metric of these cases; one value a class where `per_class`.

        true: class indices (cases,). predicted: class indices (cases,), or, where `takes` is
        "scores", probabilities float (cases, classes) whose rows sum to 1. Raises ValueError for
        the other kind of input: thresholded predictions are no scores.
        """
        if self.takes == "labels":
            predicted = np.asarray(predicted)
            if predicted.ndim != 1 or predicted.dtype.kind not in "iu":
                raise ValueError(
                    f"{self.id} takes class indices, integers of shape (cases,), got "
                    f"{predicted.dtype} {predicted.shape}: pass scores.argmax(axis=1)"
                )
            return self.of_confusion(confusion(true, predicted, classes=classes))
        self.must_take("scores")
        return self.of_scores(*of_scores.checked(self.id, true, predicted, classes))

    def of_confusion(self, matrix: npt.ArrayLike) -> float | Array:
        """Of confusion matrices (..., classes, classes); (...) or, per class, (..., classes)."""
        self.must_take("labels")
        matrix = np.asarray(matrix, dtype=np.float64)
        self._two(matrix.shape[-1])
        with np.errstate(divide="ignore", invalid="ignore"):
            return _plain(self.compute(matrix))

    def of_scores(self, true: npt.NDArray[np.int64], scores: Array) -> float | Array:
        """Of labels and probabilities that `scores.checked` let pass."""
        self.must_take("scores")
        self._two(scores.shape[1])
        return _plain(self.compute(true, scores))

    def of_weighted(self, true: npt.NDArray[np.int64], scores: Array, weights: Array) -> Array:
        """The same under weights of the cases, (draws, cases), not negative: (draws,)."""
        self.must_take("scores")
        self._two(scores.shape[1])
        assert self.weighted is not None, f"{self.id} cannot be resampled"
        return np.asarray(self.weighted(true, scores, weights), dtype=np.float64)

    def must_take(self, *kinds: Takes) -> None:
        """Raises ValueError where the metric is computed of something else."""
        if self.takes not in kinds:
            raise ValueError(
                f"{self.id} takes {self.takes}: it cannot be computed from {' or '.join(kinds)}"
            )

    def _two(self, classes: int) -> None:
        if self.binary and classes != 2:
            raise ValueError(
                f"{self.id} is defined for two classes, got {classes}: take the per-class or the "
                "macro form"
            )

    def turned(self, value: float) -> float:
        """The value turned so that greater is better: what searches and ranks see."""
        if self.signed:
            return -abs(value)
        return value if self.greater_is_better else -value

    def columns(self, class_names: Sequence[str]) -> dict[str, str]:
        """The names under which it is recorded, each with the class that it is of, or "".

        Metrics of volumes have no value for the first class, the background.
        """
        if not self.per_class:
            return {self.id: ""}
        names = class_names[1:] if self.takes == "volumes" else class_names
        return {f"{self.id.removeprefix(PER_CLASS)}_{slug(name)}": name for name in names}


def _plain(value: Any) -> float | Array:
    value = np.asarray(value, dtype=np.float64)
    return float(value) if value.ndim == 0 else value


def slug(class_name: str) -> str:
    """A class's name as part of a metric's: "No liver" gives "no_liver"."""
    return re.sub(r"[^a-z0-9]+", "_", class_name.lower()).strip("_")
