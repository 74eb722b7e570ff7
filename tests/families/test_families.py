"""The contract of every family that is found, and the published sizes of the first ones."""

from __future__ import annotations

import io
import random
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from bench import registry
from bench.errors import UserError
from bench.spec import Config, Kind, Scalar, Shape
from bench.train.optimization import Loss, make_optimizer
from bench.train.trial import configure as configured
from tests.train.synthetic import make_task

FOLDER = Path(__file__).parents[2] / "suite" / "families"
FAMILIES = registry.families().items
SHAPES: dict[Kind, list[Shape]] = {
    "image_classification": [
        Shape(kind="image_classification", classes=3, channels=1, height=32, width=32),
        Shape(kind="image_classification", classes=2, channels=3, height=40, width=48),
    ],
    "image_segmentation": [
        Shape(kind="image_segmentation", classes=3, channels=1, height=32, width=32),
        Shape(kind="image_segmentation", classes=2, channels=3, height=37, width=50),
    ],
    "text_classification": [
        Shape(kind="text_classification", classes=4, vocabulary=500, max_tokens=16)
    ],
}
SMALL: dict[str, dict[str, Scalar]] = {
    "resnet": {"depth": 18},
    "unet": {"base_width": 8},
    "hf": {"hidden_size": 128, "layers": 2},
}
"""Settings of families whose usual models are only larger and slower."""
CASES = [
    pytest.param(id, shape, id=f"{id}-{shape.kind}-{shape.channels}")
    for id, family in FAMILIES.items()
    for kind in sorted(family.kinds)
    for shape in SHAPES[kind]
]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def configure(id: str, settings: Mapping[str, object]) -> Config:
    """A family's configuration on a task that adds nothing to its space."""
    kind = min(FAMILIES[id].kinds)
    return configured(FAMILIES[id], make_task(kind), settings)  # type: ignore[arg-type]


def batch(shape: Shape, cases: int = 4) -> torch.Tensor:
    """Inputs as bench.data gives them."""
    generator = torch.Generator().manual_seed(0)
    if shape.kind == "text_classification":
        high = shape.vocabulary or 2**31 - 1
        tokens = torch.randint(0, high, (cases, 9), generator=generator, dtype=torch.int32)
        tokens[1, 4:] = -1
        tokens[2] = -1
        return tokens
    return torch.randn(cases, shape.channels, shape.height, shape.width, generator=generator)


def test_ids_are_file_names_and_none_is_broken() -> None:
    assert registry.families().broken == {}
    names = {file.stem for file in FOLDER.glob("*.py")} - {"__init__"}
    assert set(FAMILIES) == names >= {"resnet", "convmixer", "fcnn", "fasttext", "unet", "hf"}
    assert all(family.id == name for name, family in FAMILIES.items())


def targets(shape: Shape, cases: int = 4) -> torch.Tensor:
    """Labels, or masks, that hold every class."""
    if shape.kind != "image_segmentation":
        return torch.arange(cases) % shape.classes
    pixels = torch.arange(cases * shape.height * shape.width) % shape.classes
    return pixels.view(cases, shape.height, shape.width)


@pytest.mark.parametrize(("id", "shape"), CASES)
def test_a_family_builds_steps_saves_and_loads(id: str, shape: Shape) -> None:
    family = FAMILIES[id]
    config = configure(id, SMALL.get(id, {}))
    torch.manual_seed(0)
    model = family.build(config, shape)
    inputs, theirs = batch(shape), targets(shape)
    optimizer = make_optimizer(model, config)
    loss = Loss(config, counts=lambda: np.ones(shape.classes), device=torch.device("cpu"))
    before = [parameter.detach().clone() for parameter in model.parameters()]
    logits = model(inputs)
    assert logits.shape == (4, shape.classes, *theirs.shape[1:])
    value = loss.total(logits, theirs) / loss.weight(theirs)
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
    """Drawn at random; small ones where others are only larger."""
    family, rng = FAMILIES[id], random.Random(0)
    for _ in range(3):
        options = {name: _drawn(parameter, rng) for name, parameter in family.options.items()}
        config = configure(id, options | SMALL.get(id, {}))
        with torch.inference_mode():
            assert family.build(config, shape).eval()(batch(shape)).isfinite().all()


@pytest.mark.parametrize(("id", "shape"), CASES)
def test_the_seed_decides_the_initial_weights(id: str, shape: Shape) -> None:
    def weights(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        model = FAMILIES[id].build(configure(id, SMALL.get(id, {})), shape)
        return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])

    first = weights(0)
    assert torch.equal(first, weights(0)) and not torch.equal(first, weights(1))


def _drawn(parameter: object, rng: random.Random) -> object:
    if hasattr(parameter, "values"):
        return rng.choice(parameter.values)
    low, high = parameter.low, parameter.high  # type: ignore[attr-defined]
    return rng.randint(low, high) if isinstance(low, int) else rng.uniform(low, high)


def parameters(id: str, shape: Shape, **options: object) -> int:
    model = FAMILIES[id].build(configure(id, options), shape)
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
    model = FAMILIES["convmixer"].build(configure("convmixer", {"depth": 2}), shape)
    with torch.inference_mode():
        assert model(batch(shape, 2)).shape == (2, 2)


def test_fasttext_pads_without_a_trace_and_sees_the_order_of_words() -> None:
    shape = SHAPES["text_classification"][0]

    def logits(tokens: list[list[int]], ngrams: int) -> torch.Tensor:
        torch.manual_seed(0)
        model = FAMILIES["fasttext"].build(configure("fasttext", {"ngrams": ngrams}), shape)
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


@pytest.mark.parametrize(("width", "count"), [(64, 31_036_611), (16, 1_942_323)])
def test_the_unet_has_its_published_size(width: int, count: int) -> None:
    """31.04 M: Ronneberger et al.'s 31.03 M with batch norm in the place of biases."""
    shape = Shape(kind="image_segmentation", classes=3, channels=1, height=64, width=64)
    assert parameters("unet", shape, base_width=width) == count


@pytest.mark.parametrize("size", [(1, 1), (16, 16), (37, 50), (31, 33)])
@pytest.mark.parametrize("depth", [2, 5])
def test_the_unet_takes_images_of_any_size(size: tuple[int, int], depth: int) -> None:
    shape = Shape(kind="image_segmentation", classes=3, channels=1, height=size[0], width=size[1])
    model = FAMILIES["unet"].build(configure("unet", {"base_width": 8, "depth": depth}), shape)
    with torch.inference_mode():
        assert model.eval()(batch(shape, 2)).shape == (2, 3, *size)


def test_the_unet_sees_far_and_sees_detail() -> None:
    """A pixel's logits depend on the far corner, through the levels, and on itself."""
    shape = Shape(kind="image_segmentation", classes=2, channels=1, height=64, width=64)
    torch.manual_seed(0)
    model = FAMILIES["unet"].build(configure("unet", {"base_width": 8}), shape).eval()
    inputs = batch(shape, 1).requires_grad_()
    model(inputs)[0, 1, 40, 40].backward()
    assert inputs.grad is not None
    seen = inputs.grad[0, 0].abs()
    assert seen[2, 2] > 0 and seen[40, 40] > 10 * seen[2, 2]


def test_hf_is_bert() -> None:
    """BERT-base, uncased, with 4 classes: 109,485,316 parameters."""
    shape = Shape(kind="text_classification", classes=4, vocabulary=30_522, max_tokens=512)
    settings = {"hidden_size": 768, "layers": 12}
    assert parameters("hf", shape, **settings) == 109_485_316


def test_hf_pads_without_a_trace_and_sees_the_order_of_pieces() -> None:
    shape = SHAPES["text_classification"][0]
    torch.manual_seed(0)
    model = FAMILIES["hf"].build(configure("hf", SMALL["hf"]), shape).eval()
    with torch.no_grad():  # BERT's initial weights are so small that inputs hardly matter
        for parameter in model.parameters():
            parameter.mul_(5)

    def logits(tokens: list[list[int]]) -> torch.Tensor:
        with torch.inference_mode():
            return model(torch.tensor(tokens, dtype=torch.int32))

    short = logits([[2, 5, 6, 3]])
    together = logits([[2, 5, 6, 3, -1, -1], [2, 9, 8, 7, 6, 3]])
    torch.testing.assert_close(together[:1], short, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(logits([[2, 6, 5, 3]]), short, atol=1e-2)
    assert logits([[-1, -1]]).isfinite().all()


def test_hf_names_its_tokenizer_and_wants_its_vocabulary() -> None:
    tokenizer = FAMILIES["hf"].tokenizer
    assert tokenizer is not None
    assert tokenizer(configure("hf", {})) == "wordpiece-8000"
    assert tokenizer(configure("hf", {"vocabulary": 16000})) == "wordpiece-16000"
    with pytest.raises(UserError, match="hf needs texts as word pieces"):
        parameters("hf", Shape(kind="text_classification", classes=4))
