"""A small BERT from its configuration, with random weights: no hub is asked."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Transformer(nn.Module):
    """Logits of texts: an encoder, and a linear layer on the state of the first token, [CLS].

    Source: Devlin et al. 2019; post-norm layers, learnt positions, GELU, a feed-forward width of
    four times the hidden size, as in transformers' BertForSequenceClassification.
    """

    def __init__(
        self,
        *,
        vocabulary: int,
        max_tokens: int,
        classes: int,
        hidden_size: int,
        layers: int,
        heads: int,
        dropout: float,
    ) -> None:
        super().__init__()
        from transformers import BertConfig, BertForSequenceClassification

        # Arguments of every configuration, which BERT's signature does not name.
        extra: dict[str, Any] = {"num_labels": classes, "attn_implementation": "sdpa"}
        config = BertConfig(
            vocab_size=vocabulary,
            max_position_embeddings=max_tokens,
            hidden_size=hidden_size,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            intermediate_size=4 * hidden_size,
            hidden_dropout_prob=dropout,
            attention_probs_dropout_prob=dropout,
            **extra,
        )
        self.bert = BertForSequenceClassification(config)

    def forward(self, tokens: Tensor) -> Tensor:
        """tokens: integers (batch, length), token ids >= 0, then a negative number where a text is
        shorter, and at least one in each text; logits (batch, classes)."""
        outputs = self.bert(
            input_ids=tokens.clamp(min=0).long(),
            attention_mask=(tokens >= 0).long(),
            token_type_ids=torch.zeros_like(tokens, dtype=torch.long),
        )
        logits: Tensor = outputs.logits
        return logits
