"""Pretrained weights: found by name, file, folder or hub; read as tensors only; filled in whole.

A family's `weights` calls `find_image_weights` or `find_text_model`, its `build` calls `fill`.
Nothing here ever falls back to a random start: what cannot be had raises WeightsMissing.
"""

from bench.weights.find import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Hub,
    Source,
    Url,
    find_image_weights,
    find_text_model,
)
from bench.weights.record import describe, fingerprint
from bench.weights.tensors import channels, fill, read

__all__ = [
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "Hub",
    "Source",
    "Url",
    "channels",
    "describe",
    "fill",
    "find_image_weights",
    "find_text_model",
    "fingerprint",
    "read",
]
