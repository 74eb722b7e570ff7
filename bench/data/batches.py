"""What goes into which batch, and where batches come from.

`load` gives a source: `Images` (bench/data/images.py) or `Texts` (bench/data/texts.py). Both have
`labels`, int64 (rows,) on their device; `order(draw, batch_size=, seed=, epoch=)`, the batches of a
training epoch; `sequence(batch_size)`, every row once, for evaluation; and `batches(order,
augmentation=, generator=)`, inputs and targets of each batch, on the device. No worker processes.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from bench.data.prepared import PreparedTask, SplitData
from bench.seeds import derive
from bench.spec import Split

if TYPE_CHECKING:
    from bench.data.images import Images
    from bench.data.texts import Texts

CHUNK = 50
"""Texts are sorted by length within shuffled chunks of so many batches."""


@dataclass(frozen=True, eq=False)
class Draw:
    """Rows of a source, in an order; a row may come several times."""

    rows: np.ndarray
    """int64 (n,): row 0 is the first of the source's first split."""
    made: np.ndarray
    """bool (n,): extra samples, which augmentation makes of a row that comes anyway."""

    @classmethod
    def plain(cls, rows: np.ndarray) -> Draw:
        """These rows as they are."""
        return cls(rows.astype(np.int64), np.zeros(len(rows), bool))

    def __len__(self) -> int:
        return len(self.rows)

    def at(self, places: np.ndarray) -> Draw:
        """What lies at these places, int64 (m,), in their order."""
        return Draw(self.rows[places], self.made[places])


def cut(places: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """Consecutive batches; a last batch of one joins its neighbour: batch norm needs two rows."""
    edges = list(range(0, len(places), batch_size))
    if len(edges) > 1 and len(places) - edges[-1] == 1:
        edges.pop()
    return np.split(places, edges[1:])


def drawn_order(
    draw: Draw, *, batch_size: int, seed: int, epoch: int, lengths: np.ndarray | None = None
) -> list[Draw]:
    """The batches of one training epoch: a function of these arguments alone.

    With `lengths`, int (all rows,), texts of similar length share a batch: what was drawn is
    shuffled, sorted by length chunk by chunk, and the batches are shuffled again.
    """
    rng = np.random.default_rng(derive(seed, "order", epoch))
    order = rng.permutation(len(draw))
    if lengths is None:
        return [draw.at(places) for places in cut(order, batch_size)]
    drawn = lengths[draw.rows]
    chunks = np.split(order, range(CHUNK * batch_size, len(draw), CHUNK * batch_size))
    order = np.concatenate([chunk[np.argsort(drawn[chunk], kind="stable")] for chunk in chunks])
    batches = cut(order, batch_size)
    return [draw.at(batches[index]) for index in rng.permutation(len(batches))]


def load(
    data: PreparedTask,
    splits: Sequence[Split],
    *,
    device: str,
    tokenizer: str = "words",
    mean: Sequence[float] = (),
    std: Sequence[float] = (),
) -> Images | Texts:
    """The named splits of a task as one source of batches; kept for the next trial that asks.

    mean, std: per channel, of intensities in [0, 1], what images are normalised by; by default the
    training split's own. Sources that differ in them alone share their images.
    """
    found = _load(data, tuple(splits), device, tokenizer, data.manifest["fingerprint"])
    if not mean or data.manifest["kind"] == "text_classification":
        return found
    from bench.data.images import Images

    assert isinstance(found, Images)
    return found.normalised(mean, std)


@lru_cache(maxsize=4)
def _load(
    data: PreparedTask, splits: tuple[Split, ...], device: str, tokenizer: str, _: str
) -> Images | Texts:
    opened = [data.open(split) for split in splits]
    if data.manifest["kind"] == "text_classification":
        from bench.data import encodings
        from bench.data.texts import Texts

        tokens = [encodings.tokens(data, split, tokenizer) for split in splits]
        return Texts(opened, tokens, device=device)
    from bench.data.images import Images

    manifest = data.manifest
    return Images(opened, mean=manifest["mean"], std=manifest["std"], device=device)


def labels_of(splits: Sequence[SplitData], device: torch.device) -> Tensor:
    """The labels of the splits, one after the other: int64 (rows,) on the device."""
    return torch.from_numpy(np.concatenate([split.labels for split in splits])).to(device)


def mapped(array: np.ndarray) -> Tensor:
    """A tensor that shares the array's memory map; nothing here writes to it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)
