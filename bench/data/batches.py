"""Batches of one or more splits, gathered on the device that trains.

Where a split fits, all of it lies on the device: on a CPU that is the memory map itself, shared by
all trials of a node; on a GPU a copy. Otherwise each batch is gathered into pinned memory and sent
while the device still works on the one before. No worker processes.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.data.prepared import PreparedTask, SplitData
from bench.seeds import derive
from bench.spec import Split

PADDING = -1
"""Follows the last word of each text that is shorter than its batch; word ids are >= 0."""
SHARE_OF_FREE_MEMORY = 0.4
"""A split moves to a GPU where it needs less of the memory that is free there at that moment."""
CHUNK = 50
"""Texts are sorted by length within shuffled chunks of so many batches."""

Indices = np.ndarray
"""int64 (cases,): one batch."""


def cut(order: Indices, batch_size: int) -> list[Indices]:
    """Consecutive batches; a last batch of one joins its neighbour: batch norm needs two cases."""
    edges = list(range(0, len(order), batch_size))
    if len(edges) > 1 and len(order) - edges[-1] == 1:
        edges.pop()
    return np.split(order, edges[1:])


def drawn_order(
    cases: int, *, batch_size: int, seed: int, epoch: int, lengths: Indices | None = None
) -> list[Indices]:
    """The batches of one training epoch: a function of these arguments alone.

    With `lengths`, texts of similar length share a batch: the shuffled cases are sorted by length
    chunk by chunk, and the batches are shuffled again.
    """
    rng = np.random.default_rng(derive(seed, "order", epoch))
    order = rng.permutation(cases)
    if lengths is None:
        return cut(order, batch_size)
    chunks = np.split(order, range(CHUNK * batch_size, cases, CHUNK * batch_size))
    order = np.concatenate([chunk[np.argsort(lengths[chunk], kind="stable")] for chunk in chunks])
    batches = cut(order, batch_size)
    return [batches[index] for index in rng.permutation(len(batches))]


class Images:
    """Image batches: float32 (batch, channels, height, width), normalised with mean and std."""

    def __init__(
        self,
        splits: Sequence[SplitData],
        *,
        mean: Sequence[float],
        std: Sequence[float],
        device: str,
    ) -> None:
        self.device = torch.device(device)
        self.labels = _labels(splits, self.device)
        parts = [_mapped(split.inputs) for split in splits]
        self.resident = _fits(sum(part.nbytes for part in parts), self.device)
        self._parts = [part.to(self.device) for part in parts] if self.resident else parts
        self._starts = np.cumsum([0] + [len(part) for part in parts])
        scale = 255 * torch.tensor(std, dtype=torch.float32)
        shift = torch.tensor(mean, dtype=torch.float32) / torch.tensor(std, dtype=torch.float32)
        self._factor = (1 / scale).view(1, -1, 1, 1).to(self.device)
        self._shift = shift.view(1, -1, 1, 1).to(self.device)

    def __len__(self) -> int:
        return len(self.labels)

    def order(self, *, batch_size: int, seed: int, epoch: int) -> list[Indices]:
        """The batches of one training epoch."""
        return drawn_order(len(self), batch_size=batch_size, seed=seed, epoch=epoch)

    def sequence(self, batch_size: int) -> list[Indices]:
        """All cases once, for evaluation."""
        return np.split(np.arange(len(self)), range(batch_size, len(self), batch_size))

    def batches(self, order: Sequence[Indices]) -> Iterator[tuple[Tensor, Tensor]]:
        """Inputs and labels of each batch, on the device."""
        for batch in order:
            index = torch.from_numpy(batch)
            labels = self.labels[index.to(self.device, non_blocking=True)]
            yield self._normalised(self._gather(batch, index)), labels

    def _gather(self, batch: Indices, index: Tensor) -> Tensor:
        """uint8 images of one batch on the device."""
        if len(self._parts) == 1 and self.resident:
            # On a CPU 20 times as fast as indexing.
            return self._parts[0].index_select(0, index.to(self.device))
        home = self._parts[0].device
        pinned = home.type == "cpu" and self.device.type == "cuda"
        images = torch.empty(
            (len(batch), *self._parts[0].shape[1:]),
            dtype=torch.uint8,
            device=home,
            pin_memory=pinned,
        )
        owners = np.searchsorted(self._starts, batch, side="right") - 1
        for number, part in enumerate(self._parts):
            rows = np.flatnonzero(owners == number)
            chosen = torch.from_numpy(batch[rows] - self._starts[number])
            images[torch.from_numpy(rows).to(home)] = part[chosen.to(home)]
        return images.to(self.device, non_blocking=True)

    def _normalised(self, images: Tensor) -> Tensor:
        if self.device.type == "cuda":
            images = images.contiguous(memory_format=torch.channels_last)
        return images.float().mul_(self._factor).sub_(self._shift)


class Texts:
    """Text batches: integers (batch, longest), word ids >= 0, then PADDING."""

    def __init__(self, splits: Sequence[SplitData], *, device: str) -> None:
        self.device = torch.device(device)
        self.labels = _labels(splits, self.device)
        lengths = [np.diff(_given(split.offsets)) for split in splits]
        self.lengths = np.concatenate(lengths)
        self._starts = torch.from_numpy(np.cumsum(self.lengths) - self.lengths).to(self.device)
        self._lengths = torch.from_numpy(self.lengths).to(self.device)
        parts = [_mapped(split.tokens) for split in splits]
        self._tokens = (parts[0] if len(parts) == 1 else torch.cat(parts)).to(self.device)

    def __len__(self) -> int:
        return len(self.labels)

    def order(self, *, batch_size: int, seed: int, epoch: int) -> list[Indices]:
        """The batches of one training epoch, texts of similar length together."""
        return drawn_order(
            len(self), batch_size=batch_size, seed=seed, epoch=epoch, lengths=self.lengths
        )

    def sequence(self, batch_size: int) -> list[Indices]:
        """All cases once, by length, for evaluation."""
        order = np.argsort(self.lengths, kind="stable")
        return np.split(order, range(batch_size, len(self), batch_size))

    def batches(self, order: Sequence[Indices]) -> Iterator[tuple[Tensor, Tensor]]:
        """Tokens and labels of each batch, on the device."""
        for batch in order:
            index = torch.from_numpy(batch).to(self.device, non_blocking=True)
            longest = max(1, int(self.lengths[batch].max()))
            column = torch.arange(longest, device=self.device)
            inside = column < self._lengths[index].unsqueeze(1)
            places = self._starts[index].unsqueeze(1) + column
            tokens = self._tokens[places.clamp_(max=len(self._tokens) - 1)]
            yield tokens.masked_fill_(~inside, PADDING), self.labels[index]


Batches = Images | Texts


def load(data: PreparedTask, splits: Sequence[Split], *, device: str) -> Batches:
    """The named splits of a task as one source of batches; kept for the next trial that asks."""
    return _load(data, tuple(splits), device, data.manifest["fingerprint"])


@lru_cache(maxsize=4)
def _load(data: PreparedTask, splits: tuple[Split, ...], device: str, _: str) -> Batches:
    opened = [data.open(split) for split in splits]
    if data.manifest["kind"] == "text_classification":
        return Texts(opened, device=device)
    manifest: Mapping[str, Any] = data.manifest
    return Images(opened, mean=manifest["mean"], std=manifest["std"], device=device)


def _labels(splits: Sequence[SplitData], device: torch.device) -> Tensor:
    return torch.from_numpy(np.concatenate([split.labels for split in splits])).to(device)


def _given(array: np.ndarray | None) -> np.ndarray:
    assert array is not None, "a split holds either inputs, or tokens and offsets"
    return array


def _mapped(array: np.ndarray | None) -> Tensor:
    """A tensor that shares the array's memory map; nothing here writes to it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(_given(array))


def _fits(nbytes: int, device: torch.device) -> bool:
    if device.type != "cuda":
        return True
    free, _ = torch.cuda.mem_get_info(device)
    return nbytes < SHARE_OF_FREE_MEMORY * free
