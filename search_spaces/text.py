"""How a bag of n-grams is trained: a table with sparse gradients, so Adagrad without decay."""

from __future__ import annotations

from bench.spec import Choice, Float, Space

SPACE = Space(
    learning_rate=Float(0.02, 1.0, log=True, default=0.15),
    schedule=Choice("cosine", "constant"),
    batch_size=Choice(128, 32, 64, 256),
    label_smoothing=Float(0.0, 0.2, default=0.1),
)
