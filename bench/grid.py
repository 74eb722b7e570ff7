"""Grid search: every configuration of a finite space, in an order that a seed fixes.

Optuna's GridSampler makes a point of every combination, also of parameters whose condition does not
hold, suggests a point again while a trial of it runs, and raises once the last one is told. Here a
point is a configuration, and each stands in the list once.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from itertools import islice

from bench.errors import UserError
from bench.parameters import holds
from bench.spec import Choice, Config, Float, Int, Parameter, Scalar, Space, Text

MOST = 10_000
"""Configurations of a grid: more are no search that ends."""


def grid(
    space: Space, pinned: Mapping[str, Scalar], points: int | None, *, seed: int
) -> list[Config]:
    """All configurations, each once, shuffled so that a search which ends early has seen a bit of
    everything. points: see `values`. Raises UserError where `mistakes` finds any."""
    if found := mistakes(space, pinned, points):
        raise UserError("; ".join(found))
    configs = list(_configurations(space, pinned, points))
    random.Random(seed).shuffle(configs)
    return configs


def mistakes(space: Space, pinned: Mapping[str, Scalar], points: int | None) -> list[str]:
    """Why there is no grid over what is not pinned: a range without points, or too many."""
    free = space.free(pinned)
    if points is None and (ranges := [name for name in free if isinstance(space[name], Float)]):
        return [
            f"a grid needs finitely many values, got a range of {', '.join(ranges)}: list or pin "
            "its values, or set points, how many values each range gets"
        ]
    if sum(1 for _ in islice(_configurations(space, pinned, points), MOST + 1)) > MOST:
        return [
            f"a grid has at most {MOST:,} configurations, these {len(free)} parameters have more: "
            "pin some of them, list fewer values, or set fewer points"
        ]
    return []


def values(parameter: Parameter, points: int | None) -> list[Scalar]:
    """The values of a parameter on a grid: those of a choice; of a range `points` of them, evenly
    spaced on its own scale with both ends included; of whole numbers without `points`, all."""
    if isinstance(parameter, Choice):
        return list(parameter.values)
    assert not isinstance(parameter, Text), "open names are held: no grid varies them"
    if isinstance(parameter, Int) and (points is None or points > parameter.high - parameter.low):
        return list(range(parameter.low, parameter.high + 1))
    assert points is not None, "a range of real numbers without points is a mistake"
    if points == 1:
        return [parameter.middle()]
    low, high = float(parameter.low), float(parameter.high)
    shares = [index / (points - 1) for index in range(points)]
    if parameter.log:
        found = [low * (high / low) ** share for share in shares]
    else:
        found = [low + (high - low) * share for share in shares]
    found[-1] = high
    if isinstance(parameter, Int):
        return list(dict.fromkeys(round(value) for value in found))
    return list(found)


def _configurations(
    space: Space, pinned: Mapping[str, Scalar], points: int | None
) -> Iterator[Config]:
    """Depth first, without those that differ in nothing that is active."""
    names = [*space]
    active = space.free(pinned)
    listed = {name: values(space[name], points) for name in active}

    def below(number: int, config: Config) -> Iterator[Config]:
        if number == len(names):
            yield config
            return
        name = names[number]
        if not holds(space[name].when, config):
            yield from below(number + 1, config)
            return
        for value in [pinned[name]] if name in pinned else listed[name]:
            yield from below(number + 1, config | {name: value})

    return below(0, {})
