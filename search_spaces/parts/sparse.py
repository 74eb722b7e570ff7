"""How a table of words' vectors is trained: its gradients are sparse, so Adagrad without decay."""

from __future__ import annotations

from bench.spec import Choice, Float, Space
from search_spaces.parts.classification import CLASSIFICATION
from search_spaces.parts.optimisation import BATCHES, SCHEDULE, batch_size

HELD_DECAY = Float(
    0.8, 0.99, default=0.91, limits=(0.1, 1.0), held=True, when={"schedule": "exponential"}
)
"""For spaces whose searches draw no exponential schedule: pinning that one adds no parameter."""


def sparse(learning_rate: Float) -> Space:
    """Adagrad at this rate."""
    return (
        Space(learning_rate=learning_rate)
        | SCHEDULE.without("warmup").changed(
            schedule=Choice("cosine", "constant", also=("exponential", "one_cycle")),
            decay=HELD_DECAY,
        )
        | BATCHES.without("clip_norm").changed(batch_size=batch_size(128, 32, 64, 256))
        | CLASSIFICATION.changed(
            label_smoothing=Float(0.0, 0.2, default=0.1, limits=(0.0, 0.9)),
            class_weights=Choice("none", "balanced", held=True),
        )
    )
