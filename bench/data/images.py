"""Image batches, gathered on the device that trains.

Where the splits fit, all of them lie on the device: on a CPU that is the memory map itself, shared
by all trials of a node; on a GPU a copy. Otherwise each batch is gathered into pinned memory and
sent while the device still works on the one before.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from bench.data.augment import Augmentation, intensity
from bench.data.batches import Draw, drawn_order, labels_of, mapped
from bench.data.prepared import SplitData

SHARE_OF_FREE_MEMORY = 0.4
"""Splits move to a GPU where they need less of the memory that is free there at that moment."""


class Images:
    """Batches of images: inputs float32 (batch, channels, height, width), normalised.

    Channels are as many as means: images of one channel are normalised by each of several in turn.
    Targets are int64: labels (batch,), or masks (batch, height, width) where the splits have them.
    After mixup or cutmix of labelled images they are float32 probabilities (batch, classes).
    """

    def __init__(
        self,
        splits: Sequence[SplitData],
        *,
        mean: Sequence[float],
        std: Sequence[float],
        device: str,
    ) -> None:
        """mean, std: per channel, of intensities in [0, 1]."""
        self.device = torch.device(device)
        self.labels = labels_of(splits, self.device)
        inputs = [split.inputs for split in splits if split.inputs is not None]
        masks = [split.masks for split in splits if split.masks is not None]
        assert len(inputs) == len(splits), "every split of an image task has images"
        assert len(masks) in (0, len(splits)), "either all splits have masks or none"
        self.segmentation = bool(masks)
        self.resident = _fits(sum(array.nbytes for array in inputs + masks), self.device)
        home = self.device if self.resident else torch.device("cpu")
        self._inputs = Rows(inputs, home=home, device=self.device)
        self._masks = Rows(masks, home=home, device=self.device) if masks else None
        self._mean, self._std = mean, std

    def normalised(self, mean: Sequence[float], std: Sequence[float]) -> Images:
        """The same images, held once, under another normalisation."""
        found = copy.copy(self)
        found._mean, found._std = mean, std
        return found

    def __len__(self) -> int:
        return len(self.labels)

    def order(self, draw: Draw, *, batch_size: int, seed: int, epoch: int) -> list[Draw]:
        """The batches of one training epoch."""
        return drawn_order(draw, batch_size=batch_size, seed=seed, epoch=epoch)

    def sequence(self, batch_size: int) -> list[Draw]:
        """All rows once, for evaluation."""
        edges = range(batch_size, len(self), batch_size)
        return [Draw.plain(rows) for rows in np.split(np.arange(len(self)), edges)]

    def batches(
        self,
        order: Sequence[Draw],
        *,
        augmentation: Augmentation | None = None,
        generator: torch.Generator | None = None,
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Inputs and targets of each batch, on the device.

        generator: on the CPU; all that augmentation draws is a function of it.
        """
        for draw in order:
            images = self._inputs.take(draw.rows)
            targets = self._targets(draw.rows)
            if augmentation is None:
                inputs = intensity.normalise(images, self._mean, self._std)
            else:
                assert generator is not None, "augmentation draws from a generator"
                inputs, targets = augmentation(images, targets, made=draw.made, generator=generator)
            if self.device.type == "cuda":
                inputs = inputs.contiguous(memory_format=torch.channels_last)
            yield inputs, targets

    def _targets(self, rows: np.ndarray) -> Tensor:
        if self._masks is not None:
            return self._masks.take(rows).long()
        return self.labels[torch.from_numpy(rows).to(self.device, non_blocking=True)]


class Rows:
    """Arrays of equal rows, one after the other, that are gathered row by row."""

    def __init__(
        self, arrays: Sequence[np.ndarray], *, home: torch.device, device: torch.device
    ) -> None:
        """home: where the arrays lie; device: where batches are wanted."""
        self._parts = [mapped(array).to(home) for array in arrays]
        self._starts = np.cumsum([0] + [len(part) for part in self._parts])
        self._home, self._device = home, device

    def take(self, rows: np.ndarray) -> Tensor:
        """These rows on the device: uint8 (batch, ...), always a copy that may be written to."""
        if len(self._parts) == 1 and self._home == self._device:
            # On a CPU 20 times as fast as indexing.
            return self._parts[0].index_select(0, torch.from_numpy(rows).to(self._device))
        pinned = self._home.type == "cpu" and self._device.type == "cuda"
        shape = (len(rows), *self._parts[0].shape[1:])
        batch = torch.empty(shape, dtype=torch.uint8, device=self._home, pin_memory=pinned)
        owners = np.searchsorted(self._starts, rows, side="right") - 1
        for number, part in enumerate(self._parts):
            places = np.flatnonzero(owners == number)
            chosen = torch.from_numpy(rows[places] - self._starts[number]).to(self._home)
            found = part.index_select(0, chosen)
            batch.index_copy_(0, torch.from_numpy(places).to(self._home), found)
        return batch.to(self._device, non_blocking=True)


def _fits(nbytes: int, device: torch.device) -> bool:
    if device.type != "cuda":
        return True
    free, _ = torch.cuda.mem_get_info(device)
    return nbytes < SHARE_OF_FREE_MEMORY * free
