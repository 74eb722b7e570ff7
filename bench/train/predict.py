"""A model's probabilities for every case of a split."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from bench.data.batches import Batches
from bench.train.steps import autocast

BATCH_SIZE = 256
Array = np.ndarray


def predict(model: nn.Module, batches: Batches) -> tuple[Array, Array]:
    """Labels int64 (cases,) and probabilities float32 (cases, classes), in the split's order.

    Probabilities may be NaN where the model is. Where memory lacks, batches are halved.
    """
    size = BATCH_SIZE
    while True:
        try:
            return _predicted(model, batches, size)
        except torch.OutOfMemoryError:
            if size == 1:
                raise
        size = max(1, size // 2)
        torch.cuda.empty_cache()


@torch.inference_mode()
def _predicted(model: nn.Module, batches: Batches, size: int) -> tuple[Array, Array]:
    model.eval()
    order = batches.sequence(size)
    outputs = []
    for inputs, _ in batches.batches(order):
        with autocast(batches.device):
            logits = model(inputs)
        # In exact arithmetic no probability is 0: one that underflows must not look thresholded.
        tiny = torch.finfo(torch.float32).tiny
        outputs.append(logits.float().softmax(dim=1).clamp_(min=tiny))
    found = torch.cat(outputs).cpu().numpy()
    scores = np.empty_like(found)
    scores[np.concatenate(order)] = found
    return batches.labels.cpu().numpy(), scores
