"""Optimizer, learning rate and its schedule, batches: what every way of training has.

Searches draw from the narrow ranges; beyond them lies what documents and recipes report and what
may be pinned.
"""

from __future__ import annotations

from bench.spec import Choice, Float, Not, Scalar, Space

WITH_MOMENTUM = ("sgd", "momentum", "sgdw", "sgdp", "rmsprop", "lars", "madgrad", "muon")
WITHOUT_MOMENTUM = (
    "adamw", "adam", "nadam", "nadamw", "radam", "radamw", "adamax", "adabelief", "adamp",
    "adan", "adanw", "adopt", "adoptw", "lamb", "laprop", "lion", "mars", "novograd",
)  # fmt: skip
"""Names of timm. Left out are those that need a second gradient (adahessian), another library
(fused..., bnb...), or that do not go on exactly from a checkpoint (kron)."""
BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
NORMS = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0)


def optimizer(*searched: str, held: bool = False) -> Choice:
    """A choice of these; all others may be pinned."""
    return _beside(searched, WITHOUT_MOMENTUM + WITH_MOMENTUM, held=held)


def learning_rate(low: float, high: float, *, default: float) -> Float:
    """A rate that a search draws from [low, high]."""
    return Float(low, high, log=True, default=default, limits=(1e-8, 10.0))


def weight_decay(low: float, high: float, *, default: float) -> Float:
    """A decay that a search draws from [low, high]; 0 may be pinned."""
    return Float(low, high, log=True, default=default, limits=(0.0, 10.0))


def batch_size(*searched: int) -> Choice:
    """A choice of these; all others may be pinned."""
    return _beside(searched, BATCH_SIZES)


def clip_norm(*searched: float) -> Choice:
    """A choice of these; all others may be pinned."""
    return _beside(searched, NORMS)


def _beside(
    searched: tuple[Scalar, ...], every: tuple[Scalar, ...], *, held: bool = False
) -> Choice:
    also = tuple(value for value in every if value not in searched)
    return Choice(*searched, also=also, held=held)


OPTIMIZER = Space(
    optimizer=optimizer("adamw", "sgd"),
    learning_rate=learning_rate(1e-5, 1e-1, default=1e-3),
    momentum=Float(0.8, 0.99, default=0.9, limits=(0.0, 0.999), when={"optimizer": WITH_MOMENTUM}),
    weight_decay=weight_decay(1e-6, 1e-1, default=1e-4),
)

SCHEDULE = Space(
    schedule=Choice("cosine", "constant", "exponential", also=("one_cycle",)),
    decay=Float(0.8, 0.99, default=0.91, limits=(0.1, 1.0), when={"schedule": "exponential"}),
    warmup=Float(0.0, 0.2, default=0.05, limits=(0.0, 0.9), when={"schedule": Not("one_cycle")}),
)
"""`decay` is the learning rate's factor an epoch; `warmup` a share of all updates, during which the
rate rises from zero; one_cycle has its own (Smith & Topin 2018)."""

BATCHES = Space(
    batch_size=batch_size(32, 16, 64, 128),
    accumulation_steps=Choice(1, 2, 4, 8, held=True, also=(16, 32)),
    clip_norm=clip_norm(0.0, 1.0),
)
"""One update sees `batch_size` x `accumulation_steps` cases, `batch_size` of them at once: more in
less memory. `clip_norm` bounds the gradient's norm, 0 does not."""

OPTIMISATION = OPTIMIZER | SCHEDULE | BATCHES
