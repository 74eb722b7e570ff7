"""Cases for the metrics' tests: from a confusion matrix, and at random."""

from __future__ import annotations

import numpy as np

from bench import metrics


def cases(matrix: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    """True and predicted labels with that confusion matrix."""
    rows, columns = np.indices(np.shape(matrix)).reshape(2, -1)
    counts = np.ravel(matrix)
    return np.repeat(rows, counts), np.repeat(columns, counts)


def drawn(classes: int, seed: int = 0, n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities that know something of them."""
    rng = np.random.default_rng(seed)
    true = rng.integers(classes, size=n)
    logits = rng.normal(size=(n, classes)) + 1.5 * np.eye(classes)[true]
    return true, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def value(id: str, true: np.ndarray, predicted: np.ndarray, classes: int) -> float:
    return metrics.get(id)(true, predicted, classes=classes)  # type: ignore[return-value]
