"""Resampled means of entrants: patients jointly for all of them, seeds independently for each."""

from __future__ import annotations

import numpy as np

from results import stats
from results.panel import JointPanel, Measure
from results.stats import Floats

DRAWS = 10_000
"""Of the bootstrap."""


class Draws:
    """Resampled means of each entrant under the same draws of patients, computed when needed."""

    def __init__(self, panel: JointPanel, rng: np.random.Generator) -> None:
        self._weights = (
            list(stats.patient_draws(panel.blocks, DRAWS, rng)) if panel.blocks > 1 else []
        )
        self.blocks = panel.blocks
        self._rng = rng
        self._means: dict[str, Floats] = {}
        self._left_out: dict[str, Floats] = {}

    @property
    def used(self) -> bool:
        return bool(self._means)

    def means(self, key: str, measure: Measure) -> Floats:
        """(draws,): the mean over resampled seeds under each draw of patients."""
        if key not in self._means:
            scores = np.concatenate([measure(weights) for weights in self._weights])
            self._means[key] = stats.seed_means(scores, self._rng)
        return self._means[key]

    def left_out(self, key: str, measure: Measure) -> Floats:
        """(blocks,): the seeds' mean without each block."""
        if key not in self._left_out:
            self._left_out[key] = measure(stats.leave_one_out(self.blocks)).mean(axis=1)
        return self._left_out[key]
