"""The mean of hashed n-grams' vectors, and a linear layer: fastText's classifier."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

PADDING = -1


class BagOfNgrams(nn.Module):
    """Logits of texts from one table of n-gram vectors with sparse gradients.

    Words and pairs share the table; those that fall into one bucket share a vector. Source: Joulin
    et al. 2016, "Bag of Tricks for Efficient Text Classification".
    """

    def __init__(
        self, *, classes: int, ngrams: int, dimension: int, buckets: int, dropout: float
    ) -> None:
        super().__init__()
        self.ngrams, self.buckets, self.dropout = ngrams, buckets, dropout
        # Never nn.EmbeddingBag's own N(0, 1): n-grams not seen in training must weigh little.
        table = torch.empty(buckets, dimension).uniform_(-1 / dimension, 1 / dimension)
        self.table = nn.EmbeddingBag(buckets, dimension, mode="mean", sparse=True, _weight=table)
        self.head = nn.Linear(dimension, classes)

    def forward(self, tokens: Tensor) -> Tensor:
        """tokens: integers (batch, length), word ids >= 0 or PADDING; logits (batch, classes)."""
        grams, present = tokens % self.buckets, tokens != PADDING
        if self.ngrams == 2:
            pairs = self._pairs(tokens[:, :-1].long(), tokens[:, 1:].long())
            grams = torch.cat([grams, pairs], dim=1)
            present = torch.cat([present, present[:, 1:]], dim=1)
        counts = present.sum(dim=1)
        starts = counts.cumsum(0) - counts
        bags = self.table(grams[present].long(), starts)
        logits: Tensor = self.head(functional.dropout(bags, self.dropout, self.training))
        return logits

    def _pairs(self, first: Tensor, second: Tensor) -> Tensor:
        """The bucket of each pair; (a, b) and (b, a) differ. Overflow wraps around."""
        mixed = first * 0x9E3779B1 + second * 0x85EBCA6B
        return (mixed ^ (mixed >> 29)) % self.buckets
