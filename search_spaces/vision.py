"""How an image model is trained: what fits ResNets, ConvMixers and plain networks from scratch."""

from __future__ import annotations

from bench.spec import Choice, Float, Space

MORE = {"augment_more": True}

SPACE = Space(
    optimizer=Choice("adamw", "sgd"),
    learning_rate=Float(1e-5, 1e-1, log=True, default=1e-3),
    momentum=Float(0.8, 0.99, default=0.9, when={"optimizer": "sgd"}),
    weight_decay=Float(1e-6, 1e-1, log=True, default=1e-4),
    schedule=Choice("cosine", "constant", "exponential"),
    decay=Float(0.8, 0.99, default=0.91, when={"schedule": "exponential"}),
    warmup=Float(0.0, 0.2, default=0.05),
    batch_size=Choice(32, 16, 64, 128),
    clip_norm=Choice(0.0, 1.0),
    label_smoothing=Float(0.0, 0.2, default=0.0),
    class_weights=Choice("none", "balanced"),
    augmentation=Choice(
        "flips", "none", "rotation", "flips_rotation", "perspective", "affine", "flips_one_of"
    ),
    gamma=Choice(False, True),
    augment_more=Choice(False, True),
    strength=Float(0.1, 1.0, default=1.0, when=MORE),
    crop=Choice(False, True, when=MORE),
    jitter=Float(0.0, 1.0, default=0.0, when=MORE),
    erasing=Float(0.0, 0.5, default=0.0, when=MORE),
    mixup=Float(0.0, 1.0, default=0.0, when=MORE),
    cutmix=Float(0.0, 1.0, default=0.0, when=MORE),
)
"""Units: `decay` is the learning rate's factor an epoch; `warmup` a share of all updates, during
which the rate rises from zero; `clip_norm` bounds the gradient's norm, 0 does not. What
augmentations do is said in bench/data/augment. `augment_more` lets a search vary the last six;
an entrant that pins it to false keeps its search small, one that pins it to true can pin them.
"""
