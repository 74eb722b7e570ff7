"""The contract of every family that is found: what each model must do, at tiny settings."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor

from bench import registry
from bench.errors import UserError
from bench.options import NONE, WEIGHTS
from bench.spec import Choice, Config, Float, Int, Parameter, Published, Scalar, Shape, Space
from bench.train.optimization import make_optimizer
from bench.train.stages import stages_of
from tests.families.builds import (
    FAMILIES,
    SMALL,
    USUAL,
    batch,
    built,
    configure,
    mean_loss,
    shapes_of,
    small,
    targets,
)

FOLDER = Path(__file__).parents[2] / "suite" / "families"
DOCUMENTS = {
    "resnet-liver-2023", "convmixerseg-2021", "mhist-report", "fys3033-2026", "bern-2026",
}  # fmt: skip
IDS = pytest.mark.parametrize("id", sorted(FAMILIES))
CASES = pytest.mark.parametrize(
    ("id", "shape"),
    [
        pytest.param(id, shape, id=f"{id}-{number}")
        for id in sorted(FAMILIES)
        for number, shape in enumerate(shapes_of(id))
    ],
)
VARIANTS = pytest.mark.parametrize(
    ("id", "architecture"),
    [
        (id, value)
        for id, family in sorted(FAMILIES.items())
        if isinstance(choice := family.options.get("architecture"), Choice)
        for value in (*choice.values, *choice.also)
    ],
)
PUBLISHED = pytest.mark.parametrize(
    ("id", "published"),
    [
        pytest.param(id, published, id=f"{id}-{published.document}-{number}")
        for id, family in sorted(FAMILIES.items())
        for number, published in enumerate(family.published)
    ],
)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def test_ids_are_file_names_and_none_is_broken() -> None:
    assert registry.families().broken == {}
    names = {file.stem for file in FOLDER.glob("*.py")} - {"__init__"}
    assert set(FAMILIES) == names >= {"resnet", "convmixer", "fcnn", "fasttext", "unet", "hf"}
    assert all(family.id == name for name, family in FAMILIES.items())
    assert SMALL.keys() <= FAMILIES.keys()


# --- One step -------------------------------------------------------------------------------


@CASES
def test_one_step_reaches_every_parameter(id: str, shape: Shape) -> None:
    _step(id, small(id), shape)


@pytest.mark.slow
@VARIANTS
def test_one_step_reaches_every_parameter_of_each_architecture(id: str, architecture: str) -> None:
    _step(id, small(id, architecture=architecture), shapes_of(id)[0])


def _step(id: str, config: Config, shape: Shape) -> None:
    """Finite losses, a gradient in every trainable parameter, and each of them moves.

    A second step where some gradients are zero in the first: residual branches may end in a norm
    that starts at zero, and let nothing through to what lies before it until that has moved.
    """
    model, inputs, theirs = built(id, config, shape).train(), batch(shape), targets(shape)
    trained = {name: item for name, item in model.named_parameters() if item.requires_grad}
    before = {name: parameter.detach().clone() for name, parameter in trained.items()}
    optimizer = make_optimizer(model, config)
    still = set(trained)
    for _ in range(2):
        optimizer.zero_grad()
        logits = model(inputs)
        assert logits.shape == (4, shape.classes, *theirs.shape[1:])
        value = mean_loss(config, shape, logits, theirs)
        value.backward()
        assert value.isfinite()
        found = {name: item.grad for name, item in trained.items()}
        assert [name for name, gradient in found.items() if gradient is None] == []
        dense = {name: item.to_dense() for name, item in found.items() if item is not None}
        assert [name for name, gradient in dense.items() if not gradient.isfinite().all()] == []
        optimizer.step()
        still -= {name for name, gradient in dense.items() if gradient.any()}
        if not still:
            break
    assert sorted(still) == [], "without a gradient in two steps"
    assert [name for name, item in trained.items() if torch.equal(item, before[name])] == []


@IDS
def test_a_step_under_bfloat16_autocast_is_finite(id: str) -> None:
    config, shape = small(id), shapes_of(id)[0]
    model, theirs = built(id, config, shape).train(), targets(shape)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(batch(shape))
    assert logits.shape == (4, shape.classes, *theirs.shape[1:])
    assert logits.dtype in (torch.float32, torch.bfloat16) and logits.isfinite().all()
    mean_loss(config, shape, logits, theirs).backward()
    gradients = [item.grad for item in model.parameters() if item.grad is not None]
    assert gradients and all(grad.to_dense().isfinite().all() for grad in gradients)


# --- Weights --------------------------------------------------------------------------------


@CASES
def test_weights_that_are_saved_and_loaded_give_the_same_logits(id: str, shape: Shape) -> None:
    """Through torch.load(weights_only=True) and through safetensors; trained for a step, so that
    what norms count is in it."""
    config, inputs = small(id), batch(shape)
    model = built(id, config, shape).train()
    model(inputs)
    logits = _logits(model, inputs)
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    plain = {name: item.detach().clone() for name, item in model.state_dict().items()}
    for state in (
        torch.load(file, weights_only=True),
        safetensors.torch.load(safetensors.torch.save(plain)),
    ):
        other = built(id, config, shape, seed=1)
        other.load_state_dict(state)
        assert torch.equal(_logits(other, inputs), logits)


@IDS
def test_the_seed_decides_the_initial_weights(id: str) -> None:
    def weights(seed: int) -> Tensor:
        model = built(id, small(id), shapes_of(id)[0], seed=seed)
        return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])

    first = weights(0)
    assert torch.equal(first, weights(0)) and not torch.equal(first, weights(1))


@CASES
def test_in_evaluation_a_case_depends_on_itself_alone(id: str, shape: Shape) -> None:
    """Not on chance, nor on what else is in its batch."""
    model, inputs = built(id, small(id), shape), batch(shape)
    together = _logits(model, inputs)
    torch.manual_seed(1)
    assert torch.equal(_logits(model, inputs), together)
    alone = torch.cat([_logits(model, inputs[case : case + 1]) for case in range(len(inputs))])
    torch.testing.assert_close(alone, together, rtol=1e-3, atol=1e-4)


def _logits(model: torch.nn.Module, inputs: Tensor) -> Tensor:
    with torch.inference_mode():
        return model.eval()(inputs)


# --- Spaces ---------------------------------------------------------------------------------


@CASES
def test_configurations_of_its_space_build(id: str, shape: Shape) -> None:
    """Drawn at random from all that a suite may have searched; small ones where others are only
    larger. What a held parameter asks for may not exist for a model: then the rule is said."""
    rng, inputs = random.Random(shape.classes), batch(shape, 2)
    config = _drawn(id, rng, held=False)
    assert _logits(built(id, config, shape), inputs).isfinite().all(), config
    config = _drawn(id, rng, held=True)
    try:
        assert _logits(built(id, config, shape), inputs).isfinite().all(), config
    except UserError as error:
        assert "got" in str(error) and ":" in str(error), error


def _drawn(id: str, rng: random.Random, *, held: bool) -> Config:
    """A configuration; held parameters at their defaults unless they are drawn as well."""

    def suggest(_: str, parameter: Parameter) -> Scalar:
        if parameter.held and not held:
            return parameter.middle()
        match parameter:
            case Choice():
                return rng.choice(parameter.values)
            case Int():
                return rng.randint(parameter.low, parameter.high)
            case Float():
                return rng.uniform(parameter.low, parameter.high)
            case _:
                return parameter.middle()

    space = registry.space_of(FAMILIES[id])
    return space.resolve(suggest, pinned=SMALL.get(id, {}))


@IDS
def test_every_value_of_every_choice_builds(id: str) -> None:
    """Also those that may only be pinned, and both ends of the ranges; of pretrained weights
    nothing is asked. Built at its usual size, without memory."""
    family = FAMILIES[id]
    shape = USUAL[min(family.kinds)]
    for pins in (_ends(family.options, 0), _ends(family.options, 1), *_choices(family.options)):
        with torch.device("meta"):
            model = built(id, configure(id, pins), shape)
        assert len(list(model.parameters())) > 1, pins


def _choices(options: Space) -> Iterator[dict[str, Scalar]]:
    """Every value of every choice of a family's own, with what it needs to have an effect."""
    for name, parameter in options.items():
        ours = name not in WEIGHTS and NONE in _asked(parameter, "weights")
        if isinstance(parameter, Choice) and ours:
            for value in (*parameter.values, *parameter.also):
                yield _satisfying(options, name) | {name: value}


def _ends(options: Space, end: int) -> dict[str, Scalar]:
    """The lower (0) or upper (1) ends of all ranges that have an effect by default."""
    return {
        name: (parameter.limits or (parameter.low, parameter.high))[end]
        for name, parameter in options.items()
        if isinstance(parameter, Int | Float) and name in options.defaults()
    }


def _asked(parameter: Parameter, other: str) -> tuple[object, ...]:
    """The values that a parameter's condition asks of another; "none" where it asks for nothing."""
    asked = (parameter.when or {}).get(other, NONE)
    return asked if isinstance(asked, tuple) else (asked,)


def _satisfying(options: Space, name: str) -> dict[str, Scalar]:
    """What must be pinned so that a parameter has an effect."""
    pins: dict[str, Scalar] = {}
    for other in options[name].when or {}:
        parameter = options[other]
        values = (parameter.middle(), *getattr(parameter, "values", ()))
        pins |= _satisfying(options, other)
        pins[other] = next(
            value
            for value in values
            if name in options.defaults(pinned=pins | {other: value, name: options[name].middle()})
        )
    return pins


# --- What is published ----------------------------------------------------------------------


@PUBLISHED
def test_a_published_setting_lies_in_the_space_and_builds(id: str, published: Published) -> None:
    """Each of its parameters has an effect. Built from scratch, without memory."""
    family = FAMILIES[id]
    assert published.document in DOCUMENTS
    for task in published.tasks or (None,):
        known = None if task is None else registry.tasks().get(task)
        assert known is None or known.kind in family.kinds
        space = registry.space_of(family, known)
        space.settled(published.settings, heading=f"{id}, {published.document}, {task}")
        config = space.defaults(pinned=_from_scratch(published.settings))
        with torch.device("meta"):
            model = built(id, config, USUAL[min(family.kinds)])
        assert len(list(model.parameters())) > 1


def _from_scratch(settings: Mapping[str, Scalar]) -> dict[str, Scalar]:
    return dict(settings) | ({"weights": NONE} if "weights" in settings else {})


# --- Stages ---------------------------------------------------------------------------------


@IDS
def test_stages_hold_every_parameter_once_and_end_with_the_head(id: str) -> None:
    """The head is what depends on the number of classes, and all of that is in the last stage."""
    family, shape = FAMILIES[id], USUAL[min(FAMILIES[id].kinds)]

    def sizes(classes: int) -> tuple[torch.nn.Module, dict[str, torch.Size]]:
        changed = {name: getattr(shape, name) for name in shape.__dataclass_fields__}
        with torch.device("meta"):
            model = built(id, configure(id, {}), Shape(**changed | {"classes": classes}))
        return model, {name: parameter.shape for name, parameter in model.named_parameters()}

    model, first = sizes(3)
    _, other = sizes(7)
    stages = stages_of(family, model)
    named = [name for stage in stages for name in stage]
    assert len(named) == len(set(named)) and set(named) == set(first)
    assert all(stages) and len(stages) > 1
    of_classes = {name for name, size in first.items() if other[name] != size}
    assert of_classes and of_classes <= set(stages[-1])
