"""Text batches on the device that trains: integers (batch, longest), padded behind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from bench.data.batches import Draw, drawn_order, labels_of, mapped
from bench.data.prepared import SplitData

PADDING = -1
"""Follows the last token of each text that is shorter than its batch; token ids are >= 0."""


class Texts:
    """Batches of texts: token ids int32 (batch, longest), then PADDING; labels int64 (batch,).

    All tokens lie on the device. Texts of similar length share a batch.
    """

    def __init__(
        self,
        splits: Sequence[SplitData],
        tokens: Sequence[tuple[np.ndarray, np.ndarray]],
        *,
        device: str,
    ) -> None:
        """tokens: for each split int32 (tokens,) and int64 (rows + 1,), where each text begins and
        ends; see bench/data/encodings.py."""
        self.device = torch.device(device)
        self.labels = labels_of(splits, self.device)
        self.lengths = np.concatenate([np.diff(offsets) for _, offsets in tokens])
        """int64 (rows,): tokens of each text."""
        self._starts = torch.from_numpy(np.cumsum(self.lengths) - self.lengths).to(self.device)
        self._lengths = torch.from_numpy(self.lengths).to(self.device)
        parts = [mapped(ids) for ids, _ in tokens]
        self._tokens = (parts[0] if len(parts) == 1 else torch.cat(parts)).to(self.device)

    def __len__(self) -> int:
        return len(self.labels)

    def order(self, draw: Draw, *, batch_size: int, seed: int, epoch: int) -> list[Draw]:
        """The batches of one training epoch, texts of similar length together."""
        return drawn_order(
            draw, batch_size=batch_size, seed=seed, epoch=epoch, lengths=self.lengths
        )

    def sequence(self, batch_size: int) -> list[Draw]:
        """All rows once, by length, for evaluation."""
        rows = np.argsort(self.lengths, kind="stable")
        edges = range(batch_size, len(self), batch_size)
        return [Draw.plain(some) for some in np.split(rows, edges)]

    def batches(
        self,
        order: Sequence[Draw],
        *,
        augmentation: object = None,
        generator: torch.Generator | None = None,
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Tokens and labels of each batch, on the device. Texts are not augmented: the two last
        arguments are those of every source."""
        for draw in order:
            index = torch.from_numpy(draw.rows).to(self.device, non_blocking=True)
            longest = max(1, int(self.lengths[draw.rows].max()))
            column = torch.arange(longest, device=self.device)
            inside = column < self._lengths[index].unsqueeze(1)
            places = self._starts[index].unsqueeze(1) + column
            tokens = self._tokens[places.clamp_(max=len(self._tokens) - 1)]
            yield tokens.masked_fill_(~inside, PADDING), self.labels[index]
