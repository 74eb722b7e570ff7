"""How a transformer is trained from scratch: AdamW with warm-up, gradients clipped."""

from __future__ import annotations

from bench.spec import Choice, Float, Space

SPACE = Space(
    learning_rate=Float(1e-5, 1e-3, log=True, default=3e-4),
    weight_decay=Float(1e-4, 1e-1, log=True, default=1e-2),
    warmup=Float(0.0, 0.2, default=0.1),
    schedule=Choice("cosine", "constant"),
    batch_size=Choice(32, 16, 64, 128),
    clip_norm=Choice(1.0, 0.0),
    label_smoothing=Float(0.0, 0.2, default=0.0),
)
"""Units: `warmup` is a share of all updates, during which the rate rises from zero; `clip_norm`
bounds the gradient's norm, 0 does not.
"""
