"""How a network that labels every pixel is trained from scratch: U-Nets and their like."""

from __future__ import annotations

from bench.spec import Choice, Float, Space

SPACE = Space(
    optimizer=Choice("adamw", "sgd"),
    learning_rate=Float(1e-5, 1e-1, log=True, default=1e-3),
    momentum=Float(0.8, 0.99, default=0.9, when={"optimizer": "sgd"}),
    weight_decay=Float(1e-6, 1e-1, log=True, default=1e-4),
    schedule=Choice("cosine", "constant", "exponential"),
    decay=Float(0.8, 0.99, default=0.91, when={"schedule": "exponential"}),
    warmup=Float(0.0, 0.2, default=0.05),
    batch_size=Choice(8, 4, 16),
    clip_norm=Choice(1.0, 0.0),
    class_weights=Choice("none", "balanced"),
    augmentation=Choice(
        "flips", "none", "rotation", "flips_rotation", "perspective", "affine", "flips_one_of"
    ),
    gamma=Choice(False, True),
)
"""Units as in search_spaces/vision.py; `class_weights = "balanced"` weighs each class by the
inverse of its share of the training pixels. Masks go through all that moves their images.
"""
