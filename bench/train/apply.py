"""Trained models applied to rows that belong to no split: one model, or the mean of several."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from bench.data import encodings
from bench.data.images import Images
from bench.data.prepared import PreparedTask, SplitData
from bench.data.texts import Texts
from bench.spec import Config, Family
from bench.train import predict
from bench.train.model import Inputs, build, inputs_of

Array = np.ndarray
State = Mapping[str, Tensor]
Rows = Sequence[Array] | Sequence[str]
"""Rows as a task's `samples` gives them: uint8 (channels, height, width) each, or texts."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A model as it was trained, and how it reads its inputs."""

    model: nn.Module
    inputs: Inputs
    data: PreparedTask
    """What it was trained on: of texts, the source of its tokenizer's pieces."""
    device: str

    @classmethod
    def of(
        cls, *, family: Family, config: Config, data: PreparedTask, weights: State, device: str
    ) -> Trained:
        """Build the configuration's model and give it these weights.

        Raises RuntimeError where they are another model's; and what `inputs_of` raises.
        """
        model = build(family, config, data, seed=0, device=torch.device(device))
        model.load_state_dict(dict(weights))
        return cls(
            model=model.eval(), inputs=inputs_of(family, config, data), data=data, device=device
        )

    def source(self, rows: Rows) -> Images | Texts:
        """The rows as batches, read as in training, without a label."""
        split = SplitData(
            split="test",
            labels=np.zeros(len(rows), np.int64),
            ids=[""] * len(rows),
            groups=[""] * len(rows),
            inputs=None if isinstance(rows[0], str) else np.stack(rows),
        )
        if isinstance(rows[0], str):
            encode = encodings.encoder(self.data, self.inputs.tokenizer)
            tokens = encode([str(row) for row in rows])
            offsets = np.cumsum([0, *map(len, tokens)]).astype(np.int64)
            ids = np.concatenate(tokens).astype(np.int32)
            return Texts([split], [(ids, offsets)], device=self.device)
        return Images([split], mean=self.inputs.mean, std=self.inputs.std, device=self.device)


def fingerprint(weights: State) -> str:
    """The sha256 of a model's weights: of names, types, shapes and values, in the names' order."""
    found = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].detach().cpu().contiguous()
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        found.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def probabilities(models: Sequence[Trained], rows: Rows) -> Array:
    """The mean over the models of the probabilities of each class, float32 (rows, classes).

    Raises NotFinite.
    """
    found = [predict.predict(one.model, one.source(rows))[1] for one in models]
    mean: Array = np.stack(found).mean(axis=0, dtype=np.float64).astype(np.float32)
    return mean


def pixel_probabilities(models: Sequence[Trained], rows: Rows) -> Iterator[Array]:
    """The same of each row's pixels, float32 (classes, height, width), row after row.

    Memory holds a batch. Raises NotFinite.
    """
    sources = [one.source(rows) for one in models]
    height, width = np.shape(rows[0])[1:]
    size = max(1, min(predict.BATCH_SIZE, predict.PIXELS // (height * width)))
    for begin in range(0, len(rows), size):
        batch = np.arange(begin, min(begin + size, len(rows)))
        total: Tensor | None = None
        for one, source in zip(models, sources, strict=True):
            parts = predict.outputs(one.model, source, batch, size)
            scores = torch.cat([logits.float().softmax(dim=1) for _, logits, _ in parts])
            total = scores if total is None else total + scores
        assert total is not None, "there is a model"
        if not bool(total.isfinite().all()):
            raise predict.NotFinite("the outputs are not finite")
        yield from (total / len(models)).cpu().numpy()
