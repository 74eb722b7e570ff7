"""What of the training split a configuration trains on, epoch by epoch.

First what the task leaves out, then at most `per_class` rows a class, then balance: extra samples
of the smaller classes, made by augmentation of their rows, up to the largest class's count. None is
interpolated between rows. Of validation and test rows none of this leaves out or adds any.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.data.batches import Draw
from bench.data.prepared import SplitData
from bench.errors import UserError
from bench.seeds import derive
from bench.spec import Config, Task, unknown

BALANCES = ("none", "oversample", "smote", "adasyn")
"""How often each row of a smaller class is made anew in an epoch: `oversample`, as chance has it;
`smote`, each equally often, as SMOTE's new samples start from each row equally often (Chawla et al.
2002); `adasyn`, in proportion to its difficulty (He et al. 2008)."""


class TrainingSet:
    """The rows of these splits that are trained on; a function of task, configuration and seed."""

    def __init__(
        self, splits: Sequence[SplitData], *, task: Task, config: Config, seed: int
    ) -> None:
        """Raises UserError where a class ends up empty, and for a balance that cannot be had."""
        self._task, self._config, self._seed = task, config, seed
        self._balance = str(config.get("balance", "none"))
        if self._balance not in BALANCES:
            raise UserError(unknown("balance", self._balance, BALANCES))
        self._labels = np.concatenate([split.labels for split in splits])
        facts = {
            name: np.concatenate([split.facts[name] for split in splits])
            for name in splits[0].facts
        }
        kept = np.concatenate(
            [np.ones(len(s), bool) if s.training is None else s.training for s in splits]
        )
        if task.keep is not None:
            wanted = np.asarray(task.keep(config, facts), bool)
            assert wanted.shape == self._labels.shape, "keep gives one value a row"
            kept &= wanted
        self._check(kept)
        self.rows = self._subset(np.flatnonzero(kept))
        """int64 (n,), ascending: what remains after leaving out."""
        self._difficulty = self._difficulties(facts) if self._balance == "adasyn" else None

    def epoch(self, epoch: int) -> Draw:
        """What one epoch trains on: the rows, then the extra samples."""
        rng = np.random.default_rng(derive(self._seed, "balance", epoch))
        labels = self._labels[self.rows]
        counts = np.bincount(labels)
        made = [
            self._extra(self.rows[labels == label], int(counts.max() - count), rng)
            for label, count in enumerate(counts)
            if count and self._balance != "none"
        ]
        rows = np.concatenate([self.rows, *made])
        return Draw(rows, np.arange(len(rows)) >= len(self.rows))

    def _extra(self, rows: np.ndarray, missing: int, rng: np.random.Generator) -> np.ndarray:
        """`missing` of a class's rows, int64."""
        if self._balance == "oversample":
            return rng.choice(rows, missing)
        weights = np.ones(len(rows))
        if self._difficulty is not None and self._difficulty[rows].any():
            weights = self._difficulty[rows]
        return np.repeat(rows, _shares(weights, missing, rng))

    def _subset(self, rows: np.ndarray) -> np.ndarray:
        most = int(self._config.get("per_class", 0))
        if not most:
            return rows
        rng = np.random.default_rng(derive(self._seed, "subset"))
        shuffled = rng.permutation(rows)
        labels = self._labels[shuffled]
        chosen = [shuffled[labels == label][:most] for label in np.unique(labels)]
        return np.sort(np.concatenate(chosen))

    def _check(self, kept: np.ndarray) -> None:
        """Raises UserError for a class whose rows are all left out."""
        left = set(np.unique(self._labels[kept]).tolist())
        gone = [int(label) for label in np.unique(self._labels) if label not in left]
        if gone:
            names = ", ".join(self._task.classes[label] for label in gone)
            settings = ", ".join(
                f"{name} = {self._config[name]!r}"
                for name in self._task.training
                if name in self._config
            )
            raise UserError(
                f"each class needs a training row, {self._task.id} with {settings} keeps none of "
                f"{names}: leave out less"
            )

    def _difficulties(self, facts: dict[str, np.ndarray]) -> np.ndarray:
        """float64 (rows,) >= 0."""
        if self._task.difficulty is None:
            raise UserError(
                "balance = 'adasyn' needs a task that says how difficult its rows are, "
                f"{self._task.id} does not: set balance to 'smote' or 'oversample'"
            )
        found = np.asarray(self._task.difficulty(facts), float)
        assert found.shape == self._labels.shape, "difficulty gives one value a row"
        assert np.isfinite(found).all() and found.min() >= 0, "difficulties are finite and >= 0"
        return found


def _shares(weights: np.ndarray, total: int, rng: np.random.Generator) -> np.ndarray:
    """Whole numbers in proportion to the weights that sum to the total; chance rounds them."""
    exact = total * weights / weights.sum()
    shares = np.floor(exact).astype(np.int64)
    rest = exact - shares
    missing = total - int(shares.sum())
    if missing:
        up = rng.choice(len(weights), missing, replace=False, p=rest / rest.sum())
        shares[up] += 1
    return shares
