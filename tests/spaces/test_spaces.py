"""The contract of every search space that is found."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest

from bench import registry
from bench.spec import Choice, Config, Int, Parameter, Scalar, Space

FOLDER = Path(__file__).parents[2] / "search_spaces"
SPACES = registry.spaces().items
FAMILIES = registry.families().items


def draw(space: Space, rng: random.Random) -> Config:
    """A random configuration."""

    def suggest(name: str, parameter: Parameter) -> Scalar:
        if isinstance(parameter, Choice):
            return rng.choice(parameter.values)
        low, high = float(parameter.low), float(parameter.high)
        if parameter.log:
            value = math.exp(rng.uniform(math.log(low), math.log(high)))
        else:
            value = rng.uniform(low, high)
        value = min(max(value, low), high)
        return round(value) if isinstance(parameter, Int) else value

    return space.resolve(suggest, pinned={})


def test_ids_are_file_names_and_none_is_broken() -> None:
    assert registry.spaces().broken == {}
    names = {file.stem for file in FOLDER.glob("*.py")} - {"__init__"}
    assert set(SPACES) == names >= {"vision", "text"}


@pytest.mark.parametrize("id", sorted(SPACES))
def test_fifty_random_configurations_are_without_mistakes(id: str) -> None:
    space, rng = SPACES[id], random.Random(0)
    seen = set()
    for _ in range(50):
        config = draw(space, rng)
        assert space.mistakes(config) == []
        assert {"learning_rate", "batch_size", "schedule"} <= set(config)
        seen |= set(config)
    assert seen == set(space)  # conditional parameters come up too


@pytest.mark.parametrize("id", sorted(SPACES))
def test_defaults_are_without_mistakes(id: str) -> None:
    assert SPACES[id].mistakes(SPACES[id].defaults()) == []


@pytest.mark.parametrize("id", sorted(FAMILIES))
def test_fifty_random_configurations_of_each_family(id: str) -> None:
    space, rng = registry.space_of(FAMILIES[id]), random.Random(1)
    for _ in range(50):
        assert space.mistakes(draw(space, rng)) == []


def test_the_published_settings_lie_in_the_vision_space() -> None:
    """resnet-liver-2023: Adam's rates, batch 32; mhist-report: decay 0.91 an epoch."""
    for rate in (1e-3, 1e-4, 1e-5):
        assert SPACES["vision"].mistakes({"learning_rate": rate, "batch_size": 32}) == []
    assert SPACES["vision"].mistakes({"schedule": "exponential", "decay": 0.91}) == []
