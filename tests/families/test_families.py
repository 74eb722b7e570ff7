"""The contract of every family that is found, and the published sizes of the first ones."""

from __future__ import annotations

import io
import random
from pathlib import Path

import pytest
import torch

from bench import registry
from bench.errors import UserError
from bench.spec import Kind, Shape
from bench.train.optimization import Loss, make_optimizer
from bench.train.trial import configure

FOLDER = Path(__file__).parents[2] / "suite" / "families"
FAMILIES = registry.families().items
SHAPES: dict[Kind, list[Shape]] = {
    "image_classification": [
        Shape(kind="image_classification", classes=3, channels=1, height=32, width=32),
        Shape(kind="image_classification", classes=2, channels=3, height=40, width=48),
    ],
    "text_classification": [Shape(kind="text_classification", classes=4)],
}
CASES = [
    pytest.param(id, shape, id=f"{id}-{shape.kind}-{shape.channels}")
    for id, family in FAMILIES.items()
    for kind in sorted(family.kinds)
    for shape in SHAPES[kind]
]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def batch(shape: Shape, cases: int = 4) -> torch.Tensor:
    """Inputs as bench.data gives them."""
    generator = torch.Generator().manual_seed(0)
    if shape.kind == "text_classification":
        tokens = torch.randint(0, 2**31 - 1, (cases, 9), generator=generator, dtype=torch.int32)
        tokens[1, 4:] = -1
        tokens[2] = -1
        return tokens
    return torch.randn(cases, shape.channels, shape.height, shape.width, generator=generator)


def test_ids_are_file_names_and_none_is_broken() -> None:
    assert registry.families().broken == {}
    names = {file.stem for file in FOLDER.glob("*.py")} - {"__init__"}
    assert set(FAMILIES) == names >= {"resnet", "convmixer", "fcnn", "fasttext"}
    assert all(family.id == name for name, family in FAMILIES.items())


@pytest.mark.parametrize(("id", "shape"), CASES)
def test_a_family_builds_steps_saves_and_loads(id: str, shape: Shape) -> None:
    family = FAMILIES[id]
    config = configure(family, {})
    torch.manual_seed(0)
    model = family.build(config, shape)
    inputs, labels = batch(shape), torch.arange(4) % shape.classes
    optimizer = make_optimizer(model, config)
    loss = Loss(config, labels=labels, classes=shape.classes)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    logits = model(inputs)
    assert logits.shape == (4, shape.classes)
    value = loss.total(logits, labels) / 4
    value.backward()
    optimizer.step()
    assert torch.isfinite(value)
    changed = [not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True)]
    assert all(changed)

    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    other = family.build(config, shape)
    other.load_state_dict(torch.load(file, weights_only=True))
    with torch.inference_mode():
        assert torch.equal(model.eval()(inputs), other.eval()(inputs))


@pytest.mark.parametrize(("id", "shape"), CASES)
def test_configurations_of_its_space_build(id: str, shape: Shape) -> None:
    """Drawn at random; small ones of ResNet, whose deep ones are only larger."""
    family, rng = FAMILIES[id], random.Random(0)
    for _ in range(3):
        options = {name: _drawn(parameter, rng) for name, parameter in family.options.items()}
        if id == "resnet":
            options["depth"] = rng.choice([18, 34])
        with torch.inference_mode():
            assert (
                family.build(configure(family, options), shape)
                .eval()(batch(shape))
                .isfinite()
                .all()
            )


def _drawn(parameter: object, rng: random.Random) -> object:
    if hasattr(parameter, "values"):
        return rng.choice(parameter.values)
    low, high = parameter.low, parameter.high  # type: ignore[attr-defined]
    return rng.randint(low, high) if isinstance(low, int) else rng.uniform(low, high)


def parameters(id: str, shape: Shape, **options: object) -> int:
    model = FAMILIES[id].build(configure(FAMILIES[id], options), shape)  # type: ignore[arg-type]
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(
    ("depth", "count"),
    [(18, 11_171_779), (34, 21_279_939), (50, 23_507_907), (101, 42_500_035), (152, 58_143_683)],
)
def test_resnets_have_the_published_sizes(depth: int, count: int) -> None:
    """torchvision's with 3 classes and one input channel."""
    shape = Shape(kind="image_classification", classes=3, channels=1, height=64, width=64)
    assert parameters("resnet", shape, depth=depth) == count


def test_the_fcnn_has_the_published_size() -> None:
    shape = Shape(kind="image_classification", classes=1, channels=3, height=224, width=224)
    assert parameters("fcnn", shape) == 19_278_081


def test_convmixer_names_a_patch_that_does_not_fit() -> None:
    shape = Shape(kind="image_classification", classes=2, channels=1, height=10, width=32)
    with pytest.raises(UserError, match="patch_size 14 for 10x32"):
        parameters("convmixer", shape, patch_size=14)


@pytest.mark.parametrize("size", [64, 224])
def test_convmixer_takes_small_and_usual_images(size: int) -> None:
    shape = Shape(kind="image_classification", classes=2, channels=1, height=size, width=size)
    model = FAMILIES["convmixer"].build(configure(FAMILIES["convmixer"], {"depth": 2}), shape)
    with torch.inference_mode():
        assert model(batch(shape, 2)).shape == (2, 2)


def test_fasttext_pads_without_a_trace_and_sees_the_order_of_words() -> None:
    shape = SHAPES["text_classification"][0]

    def logits(tokens: list[list[int]], ngrams: int) -> torch.Tensor:
        torch.manual_seed(0)
        model = FAMILIES["fasttext"].build(
            configure(FAMILIES["fasttext"], {"ngrams": ngrams}), shape
        )
        with torch.inference_mode():
            return model.eval()(torch.tensor(tokens, dtype=torch.int32))

    for ngrams in (1, 2):
        short, padded = logits([[5, 6, 7]], ngrams), logits([[5, 6, 7, -1, -1]], ngrams)
        torch.testing.assert_close(short, padded)
        together = logits([[5, 6, 7, -1], [9, 8, 7, 6]], ngrams)
        torch.testing.assert_close(together[:1], short)
    torch.testing.assert_close(logits([[5, 6, 7]], 1), logits([[7, 6, 5]], 1))
    assert not torch.allclose(logits([[5, 6, 7]], 2), logits([[7, 6, 5]], 2))
    assert logits([[-1, -1]], 2).isfinite().all()  # an empty text
    assert logits([[5]], 2).isfinite().all()  # a text without a pair
