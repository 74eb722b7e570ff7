"""How a transformer is trained, from scratch or fine-tuned: AdamW with warm-up, gradients clipped.

The rates that a search draws are those of small models from scratch and, at the low end, of fine
tuning: an entrant with pretrained weights narrows them (`learning_rate` from 1e-5 to 1e-4).
"""

from __future__ import annotations

from bench.spec import Choice, Float, Not
from search_spaces.parts.classification import CLASSIFICATION
from search_spaces.parts.optimisation import (
    OPTIMISATION,
    WITH_MOMENTUM,
    clip_norm,
    learning_rate,
    optimizer,
    weight_decay,
)
from search_spaces.parts.sparse import HELD_DECAY

SPACE = OPTIMISATION.changed(
    optimizer=optimizer("adamw", held=True),
    learning_rate=learning_rate(1e-5, 1e-3, default=3e-4),
    momentum=Float(
        0.8, 0.99, default=0.9, limits=(0.0, 0.999), held=True, when={"optimizer": WITH_MOMENTUM}
    ),
    weight_decay=weight_decay(1e-4, 1e-1, default=1e-2),
    schedule=Choice("cosine", "constant", also=("exponential", "one_cycle")),
    decay=HELD_DECAY,
    warmup=Float(0.0, 0.2, default=0.1, limits=(0.0, 0.9), when={"schedule": Not("one_cycle")}),
    clip_norm=clip_norm(1.0, 0.0),
) | CLASSIFICATION.changed(class_weights=Choice("none", "balanced", held=True))
