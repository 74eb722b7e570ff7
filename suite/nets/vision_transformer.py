"""Dropout that differs from block to block of timm's vision transformers."""

from __future__ import annotations

from typing import Any

from torch import nn


def spread(model: Any, projection: float, attention: float) -> None:
    """Dropout inside of the blocks, rising evenly from 0 in the first to these in the last.

    projection: after attention's projection and both layers of the feed-forward part. attention:
    of attention's weights.
    """
    last = max(len(model.blocks) - 1, 1)
    for number, block in enumerate(model.blocks):
        share = number / last
        for name, module in block.named_modules():
            if isinstance(module, nn.Dropout):
                module.p = share * (attention if name == "attn.attn_drop" else projection)
