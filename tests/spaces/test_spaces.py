"""The contract of every search space that is found, and the settings that documents report."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest

from bench import registry
from bench.data.augment import SETS
from bench.spec import SEARCH, Choice, Config, Int, Parameter, Scalar, Space, Text
from search_spaces.parts.optimisation import OPTIMISATION

FOLDER = Path(__file__).parents[2] / "search_spaces"
SPACES = registry.spaces().items
FAMILIES = registry.families().items


def draw(space: Space, rng: random.Random, *, pinned: bool = False) -> Config:
    """A random configuration; pinned: whether held parameters and further values come up too."""

    def suggest(name: str, parameter: Parameter) -> Scalar:
        if isinstance(parameter, Text) or (parameter.held and not pinned):
            return parameter.middle()
        if isinstance(parameter, Choice):
            return rng.choice(parameter.values + parameter.also * pinned)
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
def test_random_configurations_are_without_mistakes(id: str) -> None:
    space, rng = SPACES[id], random.Random(0)
    seen = set()
    for number in range(200):
        config = draw(space, rng, pinned=bool(number % 2))
        assert space.mistakes(config) == []
        assert {"learning_rate", "batch_size", "schedule"} <= set(config)
        seen |= set(config)
    assert seen == set(space)  # conditional parameters come up too


@pytest.mark.parametrize("id", sorted(SPACES))
def test_defaults_are_without_mistakes(id: str) -> None:
    assert SPACES[id].mistakes(SPACES[id].defaults()) == []


@pytest.mark.parametrize("id", sorted(SPACES))
def test_a_search_is_small_and_all_that_is_held_can_be_freed_at_once(id: str) -> None:
    space = SPACES[id]
    assert len(space.free({})) <= 14
    held = [name for name in space if space[name].held and not isinstance(space[name], Text)]
    found = space.overridden(dict.fromkeys(held, SEARCH), heading=id)
    assert len(found.free({})) == len(space.free({})) + len(held)


@pytest.mark.parametrize("id", sorted(FAMILIES))
def test_fifty_random_configurations_of_each_family(id: str) -> None:
    space, rng = registry.space_of(FAMILIES[id]), random.Random(1)
    for number in range(50):
        assert space.mistakes(draw(space, rng, pinned=bool(number % 2))) == []


# --- Vision ---------------------------------------------------------------------------------


def test_what_a_search_of_images_varies() -> None:
    assert SPACES["vision"].free({}) == (
        "optimizer", "learning_rate", "momentum", "weight_decay", "schedule", "decay", "warmup",
        "batch_size", "clip_norm", "label_smoothing", "class_weights", "augmentation", "gamma",
    )  # fmt: skip


def test_the_defaults_of_images() -> None:
    found = SPACES["vision"].defaults()
    assert found == {
        "optimizer": "adamw", "learning_rate": 1e-3, "weight_decay": 1e-4, "schedule": "cosine",
        "warmup": 0.05, "batch_size": 32, "accumulation_steps": 1, "clip_norm": 0.0,
        "label_smoothing": 0.0, "class_weights": "none", "augmentation": "flips", "gamma": False,
        "strength": 1.0, "crop": False, "jitter": 0.0, "erasing": 0.0, "mixup": 0.0, "cutmix": 0.0,
    }  # fmt: skip


def test_every_set_of_augmentations_can_be_searched() -> None:
    for id in ("vision", "segmentation"):
        sets = SPACES[id]["augmentation"]
        assert isinstance(sets, Choice) and set(sets.values) == set(SETS)


def test_a_schedule_has_the_parameters_that_it_reads() -> None:
    def names(schedule: str) -> set[str]:
        return set(OPTIMISATION.defaults(pinned={"schedule": schedule})) & {"decay", "warmup"}

    assert names("cosine") == names("constant") == {"warmup"}
    assert names("exponential") == {"warmup", "decay"}
    assert names("one_cycle") == set()


# --- What documents report ------------------------------------------------------------------

DECAYING = {"schedule": "exponential", "decay": 0.91}
PUBLISHED: list[tuple[str, str, dict[str, Scalar]]] = [
    *(
        ("vision", "resnet-liver-2023", {
            "optimizer": "adam", "learning_rate": rate, "weight_decay": 1e-5, "batch_size": 32,
            "schedule": "constant", "warmup": 0.0, "augmentation": "flips", "crop": True,
            "jitter": 0.2, "class_weights": "balanced",
        })
        for rate in (1e-3, 1e-4, 1e-5)
    ),
    ("vision", "mhist-report, ResNet-18", {
        "optimizer": "adam", "learning_rate": 1e-3, "weight_decay": 0.0, "batch_size": 32,
        "augmentation": "flips_rotation", **DECAYING,
    }),
    *(
        ("vision", "mhist-report, ViT", {
            "optimizer": "adamw", "learning_rate": 1e-5, "weight_decay": decay, "batch_size": 8,
            "accumulation_steps": steps, **DECAYING,
        })
        for steps, decay in ((1, 1e-4), (2, 1.0), (4, 10.0))
    ),
    ("vision", "fys3033-2026, from scratch", {
        "optimizer": "adamw", "learning_rate": 1e-4, "batch_size": 32,
    }),
    ("vision", "fys3033-2026, DINO", {
        "optimizer": "momentum", "learning_rate": 0.03, "momentum": 0.9, "weight_decay": 1e-4,
    }),
    ("vision", "fys3033-2026, ConvNeXt", {
        "optimizer": "adamw", "learning_rate": 1e-4, "weight_decay": 0.01, "batch_size": 8,
        "class_weights": "balanced", "label_smoothing": 0.1,
    }),
    ("segmentation", "resnet-liver-2023, U-Net", {"optimizer": "adam", "learning_rate": 1e-4}),
    *(
        ("segmentation", "convmixerseg-2021", {
            "optimizer": "adam", "learning_rate": rate, "weight_decay": 0.0, "gamma": True,
            "augmentation": "none", "class_weights": "balanced", "schedule": "constant",
        })
        for rate in (1e-3, 0.01)
    ),
    *(
        ("transformer", "fys3033-2026", {
            "learning_rate": 1e-5, "weight_decay": decay, "batch_size": size,
            "schedule": "constant", "warmup": 0.0,
        })
        for size, decay in ((16, 0.01), (32, 0.01), (64, 0.01))
    ),
]  # fmt: skip


@pytest.mark.parametrize(("id", "document", "settings"), PUBLISHED)
def test_a_published_setting_can_be_pinned(
    id: str, document: str, settings: dict[str, Scalar]
) -> None:
    assert SPACES[id].settled(settings, heading=document).items() >= settings.items()
