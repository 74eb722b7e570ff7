"""What one training reads: its rows epoch by epoch, as batches, and what it is validated on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from bench.data import batches
from bench.data.augment import Augmentation
from bench.data.batches import Draw
from bench.data.images import Images
from bench.data.prepared import PreparedTask, SplitData
from bench.data.selection import TrainingSet
from bench.data.texts import Texts
from bench.spec import Config, Family, Split, Task
from bench.train.model import inputs_of

Refit = Literal["train", "train+validation"]


class Material:
    """The data of one trial or replicate; a function of task, configuration and seed.

    Raises UserError for a training set or an augmentation that cannot be had, and what `inputs_of`
    raises.
    """

    def __init__(
        self,
        data: PreparedTask,
        *,
        task: Task,
        family: Family,
        config: Config,
        seed: int,
        device: str,
        refit: Refit,
    ) -> None:
        self._task, self._config, self._seed = task, config, seed
        self._manifest = data.manifest
        fingerprint = data.manifest["fingerprint"]
        inputs = inputs_of(family, config, data)

        def source(*splits: Split) -> Images | Texts:
            return batches.load(
                data,
                splits,
                device=device,
                tokenizer=inputs.tokenizer,
                mean=inputs.mean,
                std=inputs.std,
            )

        trained_on: tuple[Split, ...] = ("train",) if refit == "train" else ("train", "validation")
        self._source = source(*trained_on)
        self._splits = [_opened(data, split, fingerprint) for split in trained_on]
        self._set = TrainingSet(self._splits, task=task, config=config, seed=seed)
        self._augmentation = Augmentation.of(
            config,
            kind=task.kind,
            classes=len(task.classes),
            mean=inputs.mean,
            std=inputs.std,
        )
        self.validation: tuple[Images | Texts, SplitData] | None = None
        """The validation split as a source and as a table; None where it is trained on."""
        if refit == "train":
            self.validation = (source("validation"), _opened(data, "validation", fingerprint))

    @property
    def rows(self) -> int:
        """How many different rows are trained on."""
        return len(self._set.rows)

    def order(self, epoch: int) -> list[Draw]:
        """The batches of one epoch, from 1; every epoch has as many."""
        return self._source.order(
            self._set.epoch(epoch),
            batch_size=int(self._config["batch_size"]),
            seed=self._seed,
            epoch=epoch,
        )

    def batches(
        self, order: Sequence[Draw], coins: torch.Generator
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Augmented inputs and targets of each batch, on the device; coins: on the CPU."""
        return self._source.batches(order, augmentation=self._augmentation, generator=coins)

    def class_counts(self) -> np.ndarray:
        """What the classes are balanced by: how often the first epoch draws each, extra samples
        included, in rows, or of segmentations in pixels. int64 (classes,)."""
        draw, classes = self._set.epoch(1), len(self._task.classes)
        if self._task.kind != "image_segmentation":
            labels = np.concatenate([split.labels for split in self._splits])
            return np.bincount(labels[draw.rows], minlength=classes)
        times = np.bincount(draw.rows, minlength=sum(map(len, self._splits)))
        found = np.zeros(classes, np.int64)
        ends = np.cumsum([len(split) for split in self._splits])[:-1]
        for split, theirs in zip(self._splits, np.split(times, ends), strict=True):
            known = self._manifest["splits"][split.split].get("pixel_counts")
            found += known if known and (theirs == 1).all() else _pixels(split, theirs, classes)
        return found


def _pixels(split: SplitData, times: np.ndarray, classes: int) -> np.ndarray:
    """Pixels by class, int64 (classes,), where row i counts times[i] times."""
    assert split.masks is not None, "a segmentation's splits have masks"
    found = np.zeros(classes, np.int64)
    for row in np.flatnonzero(times):
        found += times[row] * np.bincount(split.masks[row].ravel(), minlength=classes)
    return found


@lru_cache(maxsize=4)
def _opened(data: PreparedTask, split: Split, _: str) -> SplitData:
    """A split, mapped once for all trials; the last argument tells its content."""
    return data.open(split)
