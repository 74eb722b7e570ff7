"""What a classifier's loss takes beside its logits."""

from __future__ import annotations

from bench.spec import Choice, Float, Space

CLASSIFICATION = Space(
    label_smoothing=Float(0.0, 0.2, default=0.0, limits=(0.0, 0.9)),
    class_weights=Choice("none", "balanced"),
)
"""`class_weights = "balanced"` weighs each class by the inverse of its share of the training
cases, or of their pixels."""
