"""A hashed bag of words and word pairs with a linear layer, after fastText (Joulin et al. 2016)."""

from __future__ import annotations

from typing import Any

from bench.spec import Choice, Config, Family, Float, Shape, Space


def build(config: Config, shape: Shape) -> Any:
    """A bag of uni- or bigrams."""
    from suite.nets.bag_of_ngrams import BagOfNgrams

    return BagOfNgrams(
        classes=shape.classes,
        ngrams=int(config["ngrams"]),
        dimension=int(config["dimension"]),
        buckets=int(config["buckets"]),
        dropout=float(config["dropout"]),
    )


FAMILY = Family(
    title="fastText",
    kinds=frozenset({"text_classification"}),
    space="text",
    build=build,
    architectures=("fasttext",),
    options=Space(
        ngrams=Choice(2, 1),
        dimension=Choice(16, 32, 8),
        buckets=Choice(2**18, 2**17),
        dropout=Float(0.0, 0.7, default=0.3),
    ),
)
