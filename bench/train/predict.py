"""What a model says of every row of a split: probabilities, or masks as confusion counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from bench.data.batches import Draw
from bench.data.images import Images
from bench.data.prepared import SplitData
from bench.data.texts import Texts
from bench.train.steps import autocast
from bench.train.volumes import Spacing, Volume, whole_volumes

BATCH_SIZE = 256
PIXELS = 1 << 20
"""The most pixels of a batch of masks: a U-Net of width 64 keeps 64 numbers for each."""
Array = np.ndarray

OnVolume = Callable[[str, Array, Array, Spacing], None]
"""`on_volume(case, true, predicted, spacing)`: masks uint8 (slices, height, width) from feet to
head, and the mm between slices, rows and columns."""


class NotFinite(ArithmeticError):
    """A model's outputs are NaN or infinite."""


def predict(model: nn.Module, source: Images | Texts) -> tuple[Array, Array]:
    """Labels int64 (rows,) and probabilities float32 (rows, classes), in the split's order.

    Where memory lacks, batches are halved. Raises NotFinite.
    """
    order = np.concatenate([draw.rows for draw in source.sequence(BATCH_SIZE)])
    parts = []
    for _, logits, _ in outputs(model, source, order, BATCH_SIZE):
        # In exact arithmetic no probability is 0: one that underflows must not look thresholded.
        tiny = torch.finfo(torch.float32).tiny
        parts.append(logits.float().softmax(dim=1).clamp_(min=tiny))
    found = torch.cat(parts).cpu().numpy()
    if not np.isfinite(found).all():
        raise NotFinite("the outputs are not finite")
    scores = np.empty_like(found)
    scores[order] = found
    return source.labels.cpu().numpy(), scores


def predict_masks(
    model: nn.Module,
    images: Images,
    split: SplitData,
    on_volume: OnVolume | None = None,
) -> Array:
    """Confusion counts of each row, int32 (rows, classes, classes), rows true, in its order.

    images, split: the same rows. `on_volume` is called with each whole volume as soon as its last
    slice is predicted (see `bench.train.volumes`); memory holds one. Where memory lacks, batches
    are halved. Raises NotFinite.
    """
    stacks = Stacks(split, on_volume)
    height, width = _masks(split).shape[1:]
    size = max(1, min(BATCH_SIZE, PIXELS // (height * width)))
    counts: Array | None = None
    for rows, logits, masks in outputs(model, images, stacks.order, size):
        classes = logits.shape[1]
        predicted = logits.argmax(dim=1)
        if not bool(logits.isfinite().all()):
            raise NotFinite("the outputs are not finite")
        if counts is None:
            counts = np.zeros((len(split), classes, classes), np.int32)
        counts[rows] = _confusions(masks.long(), predicted, classes).cpu().numpy()
        if on_volume is not None:
            stacks.add(rows, predicted.to(torch.uint8).cpu().numpy())
    assert counts is not None, "every split has a row"
    return counts


def _confusions(true: Tensor, predicted: Tensor, classes: int) -> Tensor:
    """true, predicted: int64 (batch, height, width). Counts int64 (batch, classes, classes)."""
    batch = len(true)
    first = torch.arange(batch, device=true.device).view(-1, 1, 1) * classes
    pairs = ((first + true) * classes + predicted).flatten()
    counts = torch.bincount(pairs, minlength=batch * classes**2)
    return counts.view(batch, classes, classes)


class Stacks:
    """Puts predicted slices back into volumes, and hands each over when it is complete."""

    def __init__(self, split: SplitData, on_volume: OnVolume | None) -> None:
        self._split, self._on_volume = split, on_volume
        volumes = whole_volumes(split)[0] if on_volume is not None else []
        self._volumes: Iterator[Volume] = iter(volumes)
        self._volume: Volume | None = None
        self._slices: list[Array] = []
        rest = np.ones(len(split), bool)
        for volume in volumes:
            rest[volume.rows] = False
        stacked = [volume.rows for volume in volumes]
        self.order: Array = np.concatenate([*stacked, np.flatnonzero(rest)])
        """All rows, int64 (rows,): volume after volume, then those of no whole volume."""

    def add(self, rows: Array, predicted: Array) -> None:
        """The next rows of the order, int64 (n,), and their masks, uint8 (n, height, width)."""
        for row, mask in zip(rows, predicted, strict=True):
            if self._volume is None:
                self._volume = next(self._volumes, None)
                if self._volume is None:  # only rows of no whole volume are left
                    return
            assert row == self._volume.rows[len(self._slices)], "rows come in the order"
            self._slices.append(mask)
            if len(self._slices) == len(self._volume.rows):
                self._hand_over(self._volume)
                self._volume, self._slices = None, []

    def _hand_over(self, volume: Volume) -> None:
        assert self._on_volume is not None
        true = np.stack([_masks(self._split)[row] for row in volume.rows])
        self._on_volume(volume.case, true, np.stack(self._slices), volume.spacing)


@torch.inference_mode()
def outputs(
    model: nn.Module, source: Images | Texts, order: Array, size: int
) -> Iterator[tuple[Array, Tensor, Tensor]]:
    """Rows int64 (batch,), logits and targets of each batch; what lacks memory comes in halves."""
    model.eval()
    begin = 0
    while begin < len(order):
        rows = order[begin : begin + size]
        try:
            ((inputs, targets),) = source.batches([Draw.plain(rows)])
            with autocast(source.device):
                logits = model(inputs)
        except torch.OutOfMemoryError:
            if len(rows) == 1:
                raise
            size = (len(rows) + 1) // 2
            logits = None
        if logits is None:  # Outside of the handler, whose traceback keeps the attempt's tensors.
            if source.device.type == "cuda":
                torch.cuda.empty_cache()
            continue
        yield rows, logits, targets
        begin += len(rows)


def _masks(split: SplitData) -> Array:
    assert split.masks is not None, "a segmentation's splits have masks"
    return split.masks
