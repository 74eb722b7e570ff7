"""Convolutions over hashed words' vectors, and the strongest answer of each (Kim 2014)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

PADDING = -1


class TextCNN(nn.Module):
    """Logits of texts: `filters` convolutions of each width with ReLU over the words' vectors, the
    maximum of each over the text, dropout, and a linear layer.

    Words share a table of `buckets` vectors, with sparse gradients, by their hashes. A text is
    followed by zero vectors, so that each of its words begins a window of every width; whatever
    else shares its batch, its logits are the same. Source: Kim 2014, "Convolutional Neural Networks
    for Sentence Classification", CNN-rand; without its bound on the head's norm.
    """

    def __init__(
        self,
        *,
        classes: int,
        buckets: int,
        dimension: int,
        widths: Sequence[int],
        filters: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.buckets, self.dropout = buckets, dropout
        self.table = nn.Embedding(buckets, dimension, sparse=True)
        # Words not seen in training must weigh little: Kim's U(-0.25, 0.25), not N(0, 1).
        nn.init.uniform_(self.table.weight, -0.25, 0.25)
        self.widths = nn.ModuleList(
            nn.Conv1d(dimension, filters, kernel_size=width) for width in widths
        )
        self.head = nn.Linear(filters * len(widths), classes)

    def forward(self, tokens: Tensor) -> Tensor:
        """tokens: integers (batch, length), word ids >= 0 or PADDING; logits (batch, classes)."""
        present = tokens != PADDING
        vectors = self.table((tokens % self.buckets).long()) * present.unsqueeze(2)
        outside = ~present.unsqueeze(1)
        found = [self._strongest(each, vectors.transpose(1, 2), outside) for each in self.widths]
        together = functional.dropout(torch.cat(found, dim=1), self.dropout, self.training)
        logits: Tensor = self.head(together)
        return logits

    def _strongest(self, convolution: Any, vectors: Tensor, outside: Tensor) -> Tensor:
        """The maximum of each filter over the windows of a text: (batch, filters)."""
        (width,) = convolution.kernel_size
        answers = convolution(functional.pad(vectors, (0, width - 1)))
        # The maximum before ReLU is the same, and cheaper; of an empty text it comes to 0.
        return functional.relu(answers.masked_fill(outside, -torch.inf).amax(dim=2))
