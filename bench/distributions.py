"""Recorded spaces as Optuna's distributions: for what is handed to Optuna after a search."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bench.spec import Scalar


def distributions(
    space: Mapping[str, Mapping[str, Any]], configs: Iterable[Mapping[str, Scalar]]
) -> dict[str, Any]:
    """By parameter, one distribution for all configurations: the searched range, widened to what
    was pinned or enqueued; of an open name, and of what has no space, the values that were tried.

    space: parameters in the canonical form of run.json; one that is missing or empty has no space.
    """
    seen: dict[str, list[Scalar]] = {}
    for config in configs:
        for name, value in config.items():
            seen.setdefault(name, []).append(value)
    return {name: _distribution(space.get(name) or {}, values) for name, values in seen.items()}


def params(config: Mapping[str, Scalar], known: Mapping[str, Any]) -> dict[str, Scalar]:
    """What of a configuration its distributions can hold, each value as they want it: a zero lies
    on no log scale and is left out."""
    from optuna.distributions import FloatDistribution

    return {
        name: float(value) if isinstance(known[name], FloatDistribution) else value
        for name, value in config.items()
        if _fits(known.get(name), value)
    }


def is_number(value: object) -> bool:
    """Whether it is a number, as a truth value is not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _distribution(parameter: Mapping[str, Any], values: list[Scalar]) -> Any:
    from optuna import distributions

    kind, log = parameter.get("type"), bool(parameter.get("log"))
    numbers = [v for v in values if is_number(v) and (not log or v > 0)]  # type: ignore[operator]
    if kind in ("float", "int"):
        low, high = min([parameter["low"], *numbers]), max([parameter["high"], *numbers])
        if kind == "int":
            return distributions.IntDistribution(int(low), int(high), log=log)
        return distributions.FloatDistribution(float(low), float(high), log=log)
    listed = [*parameter.get("values", ()), *parameter.get("also", ()), *values]
    unlike = {(type(value), value): value for value in listed}
    return distributions.CategoricalDistribution(tuple(unlike.values()))


def _fits(distribution: Any, value: Scalar) -> bool:
    """Whether a distribution can hold a value."""
    from optuna.distributions import CategoricalDistribution

    if isinstance(distribution, CategoricalDistribution):
        return True
    return is_number(value) and distribution.low <= value <= distribution.high
