"""What a document reports for all of its models alike: settings that several families publish."""

from __future__ import annotations

from bench.spec import Scalar

RESNET_LIVER_2023: dict[str, Scalar] = {
    "weights": "none",
    "optimizer": "adam",
    "learning_rate": 1e-4,
    "weight_decay": 1e-5,
    "schedule": "constant",
    "warmup": 0.0,
    "batch_size": 32,
    "augmentation": "flips",
    "crop": True,
    "jitter": 0.2,
    "class_weights": "balanced",
}
"""Of its classifiers. The strength of the colour jitter is not reported: 0.2 stands for it."""

CONVMIXERSEG_2021: dict[str, Scalar] = {
    "optimizer": "adam",
    "weight_decay": 0.0,
    "schedule": "constant",
    "warmup": 0.0,
    "clip_norm": 0.0,
    "loss": "cross_entropy",
    "class_weights": "balanced",
    "augmentation": "none",
    "gamma": True,
}
"""Of its segmenters, whose learning rates differ. Schedule, decay and clipping are not reported."""
