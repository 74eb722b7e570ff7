"""Convolutions over hashed words, after Kim 2014."""

from __future__ import annotations

from typing import Any

from bench.options import SCRATCH
from bench.spec import Choice, Config, Family, Float, Shape, Space


def build(config: Config, shape: Shape) -> Any:
    """A convolution over words for each width, the maximum of each filter, and a linear layer."""
    from suite.nets.text_cnn import TextCNN

    return TextCNN(
        classes=shape.classes,
        buckets=int(config["buckets"]),
        dimension=int(config["dimension"]),
        widths=[int(width) for width in str(config["widths"]).split("-")],
        filters=int(config["filters"]),
        dropout=float(config["dropout"]),
    )


FAMILY = Family(
    title="Text CNN",
    kinds=frozenset({"text_classification"}),
    space="text_cnn",
    build=build,
    architectures=("textcnn",),
    options=Space(
        widths=Choice("3-4-5", "2-3-4", "3", also=("1-2-3", "2-3-4-5", "7")),
        filters=Choice(64, 32, 128, also=(100,)),
        dimension=Choice(32, 64, 128, also=(300,)),
        buckets=Choice(2**17, 2**16),
        dropout=Float(0.0, 0.7, default=0.5),
    )
    | SCRATCH,
)
"""Parameters: `widths` of the windows, in words; `filters`, of each width; `dimension` of a word's
vector. Kim's are 3-4-5, 100, 300 and a dropout of 0.5.
"""
