"""How a network that labels every pixel is trained: U-Nets and their like."""

from __future__ import annotations

from bench.spec import Choice, Float, Not, Space
from search_spaces.parts.augmentation import AUGMENTATION, MIXING
from search_spaces.parts.optimisation import OPTIMISATION, batch_size, clip_norm

LOSS = Space(
    loss=Choice("cross_entropy", "dice", "dice_ce", "tversky", "focal", "mcc", "lovasz", held=True),
    tversky_alpha=Float(
        0.1, 0.9, default=0.3, limits=(0.05, 1.0), held=True, when={"loss": "tversky"}
    ),
    tversky_beta=Float(
        0.1, 0.9, default=0.7, limits=(0.05, 1.0), held=True, when={"loss": "tversky"}
    ),
    focal_gamma=Float(0.5, 4.0, default=2.0, limits=(0.0, 5.0), held=True, when={"loss": "focal"}),
    class_weights=Choice("none", "balanced", when={"loss": Not("mcc", "lovasz")}),
)
"""What each loss is, is said in bench/train/losses.py. `tversky_alpha` weighs false positives,
`tversky_beta` false negatives: 0.5 and 0.5 are Dice, 1 and 1 Jaccard. `class_weights = "balanced"`
weighs each class by the inverse of its share of the training pixels."""

SPACE = (
    OPTIMISATION.changed(batch_size=batch_size(8, 4, 16), clip_norm=clip_norm(1.0, 0.0))
    | LOSS
    | AUGMENTATION
    | MIXING.without("mixup")
)
"""Masks go through all that moves their images."""
