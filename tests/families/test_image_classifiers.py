"""Image classifiers: what each is meant to do."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from typing import Any

import pytest
import torch

from bench.errors import UserError
from bench.spec import Scalar
from bench.train.stages import stages_of
from tests.families.builds import FAMILIES, batch
from tests.families.classifiers import build, images


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


TINY: list[tuple[str, dict[str, Scalar], tuple[int, int, int]]] = [
    ("alexnet", {"classifier_width": 64}, (3, 65, 80)),
    ("alexnet", {"classifier_width": 64, "architecture": "torchvision"}, (1, 64, 96)),
    ("vgg", {"classifier_width": 64}, (3, 32, 40)),
    ("vgg", {"classifier_width": 64, "batch_norm": True}, (1, 32, 40)),
    ("resnet", {"shortcuts": False}, (1, 32, 40)),
    ("resnet", {"drop_path": 0.5, "head_dropout": 0.5}, (3, 32, 40)),
    ("vit", {"size": "tiny", "patch_size": 8}, (1, 32, 40)),
    ("timm", {"architecture": "coat_lite_tiny"}, (1, 64, 64)),
    ("timm", {"architecture": "coatnet_pico_rw_224"}, (3, 64, 64)),
    ("timm", {"architecture": "resnet10t"}, (1, 32, 40)),
]


@pytest.mark.parametrize(
    ("id", "options", "size"),
    TINY,
    ids=[f"{id}-{'-'.join(map(str, options.values()))}" for id, options, _ in TINY],
)
def test_every_variant_trains_on_grey_or_coloured_images(
    id: str, options: dict[str, Scalar], size: tuple[int, int, int]
) -> None:
    shape = images(*size)
    torch.manual_seed(0)
    model = build(id, shape, **options)
    logits = model(batch(shape))
    assert logits.shape == (4, 3)
    torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2, 0])).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name


@pytest.mark.parametrize("size", [64, 224])
def test_convmixer_takes_small_and_usual_images(size: int) -> None:
    shape = images(1, size, classes=2)
    with torch.inference_mode():
        assert build("convmixer", shape, depth=2)(batch(shape, 2)).shape == (2, 2)


def test_shortcuts_alone_tell_a_plain_network_from_a_residual_one() -> None:
    """Where every branch is zero, a residual network still sees its image."""
    shape, outputs = images(3, 32), {}
    for shortcuts in (True, False):
        model = build("resnet", shape, depth=34, shortcuts=shortcuts).eval()
        for name, parameter in model.named_parameters():
            if ".bn2." in name:
                torch.nn.init.zeros_(parameter)
        with torch.inference_mode():
            outputs[shortcuts] = model(batch(shape))
    assert outputs[True].std(dim=0).min() > 0
    assert outputs[False].std(dim=0).max() == 0


@pytest.mark.parametrize("depth", [18, 50])
def test_a_residual_network_is_torchvisions(depth: int) -> None:
    from torchvision import models

    theirs = getattr(models, f"resnet{depth}")(num_classes=3).eval()
    ours = build("resnet", images(3, 64), depth=depth, drop_path=0.3, head_dropout=0.3).eval()
    ours.load_state_dict(theirs.state_dict())
    inputs = batch(images(3, 64), 2)
    with torch.inference_mode():
        torch.testing.assert_close(ours(inputs), theirs(inputs))


def test_parameters_have_torchvisions_names_and_shapes() -> None:
    """So that its weights, and others that follow it, can be loaded."""
    from torchvision import models

    shape = images(3, 224, classes=1000)
    pairs: list[tuple[Any, str, Mapping[str, Scalar]]] = [
        (models.alexnet, "alexnet", {"architecture": "torchvision"}),
        (models.vgg13, "vgg", {"depth": 13}),
        (models.vgg16_bn, "vgg", {"depth": 16, "batch_norm": True}),
        (models.resnet152, "resnet", {"depth": 152}),
    ]
    for theirs, id, options in pairs:
        with torch.device("meta"):
            expected = {name: value.shape for name, value in theirs().state_dict().items()}
            found = build(id, shape, **options).state_dict()
        assert {name: value.shape for name, value in found.items()} == expected


def test_vgg_starts_as_torchvisions() -> None:
    """Convolutions normal by their fan-out (He et al. 2015), linear layers N(0, 0.01)."""
    torch.manual_seed(0)
    model = build("vgg", images(3, 32), classifier_width=64)
    convolutions = [layer for layer in model.features if isinstance(layer, torch.nn.Conv2d)]
    for layer in convolutions[1:]:
        expected = (2 / (9 * layer.out_channels)) ** 0.5
        assert layer.weight.std().item() == pytest.approx(expected, rel=0.02)
        assert layer.bias is not None and not layer.bias.any()
    assert model.classifier[0].weight.std().item() == pytest.approx(0.01, rel=0.02)
    assert not model.classifier[0].bias.any()


def test_drop_path_drops_whole_branches_in_training_alone() -> None:
    from suite.nets.residual import Basic

    model = build("resnet", images(3, 32), drop_path=0.4)
    blocks = [block for block in model.modules() if isinstance(block, Basic)]
    assert [round(block.drop_path, 3) for block in blocks[:2]] == [0.05, 0.1]
    assert blocks[-1].drop_path == 0.4
    block, inputs = blocks[1], torch.rand(400, 64, 4, 4)
    torch.manual_seed(0)
    with torch.inference_mode():
        unchanged = (block.train()(inputs) == inputs).flatten(1).all(dim=1)
        assert 0.05 < unchanged.float().mean() < 0.16
        assert not (block.eval()(inputs) == inputs).flatten(1).all(dim=1).any()


def test_the_vision_transformers_dropouts_are_where_they_should_be() -> None:
    from torch.nn import Dropout

    def rates(**options: Scalar) -> dict[str, float]:
        model = build("vit", images(3, 32), size="tiny", patch_size=8, **options)
        return {name: part.p for name, part in model.named_modules() if isinstance(part, Dropout)}

    found = rates(
        head_dropout=0.5,
        position_dropout=0.1,
        projection_dropout=0.2,
        attention_dropout=0.3,
        dropout_by_block="rising",
    )
    assert found["head_drop"] == 0.5 and found["pos_drop"] == 0.1
    assert found["blocks.0.attn.attn_drop"] == found["blocks.0.mlp.drop2"] == 0.0
    assert found["blocks.11.attn.attn_drop"] == 0.3
    assert found["blocks.11.attn.proj_drop"] == found["blocks.11.mlp.drop1"] == 0.2
    assert found["blocks.5.attn.attn_drop"] == pytest.approx(0.3 * 5 / 11)
    equal = rates(projection_dropout=0.2)
    assert {equal[f"blocks.{block}.mlp.drop1"] for block in range(12)} == {0.2}
    assert set(rates().values()) == {0.0}


def test_timm_hands_its_dropouts_on_or_says_that_there_is_none() -> None:
    from timm.layers import DropPath

    model = build("timm", images(3, 32), head_dropout=0.5, drop_path=0.2)
    assert model.head.drop.p == 0.5
    rates = [part.drop_prob for part in model.modules() if isinstance(part, DropPath)]
    assert max(rates) == pytest.approx(0.2)
    with pytest.raises(UserError, match="timm's vgg11 has no drop_path, got 0.1"):
        build("timm", images(3, 32), architecture="vgg11", drop_path=0.1)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("convnext_atoo", "unknown architecture of timm 'convnext_atoo'.*'convnext_atto'"),
        ("convnext_atto.d2_in1q", "unknown weights of timm's convnext_atto.*'d2_in1k'"),
        ("hf-hub:someone/something", "unknown architecture"),
    ],
)
def test_timm_names_the_nearest_architecture(name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        build("timm", images(3, 32), architecture=name)
    with pytest.raises(UserError, match=message):
        build("timm", images(3, 32), architecture=name, weights="imagenet")


def test_what_is_listed_of_timm_is_there() -> None:
    import timm

    names = timm.list_models()
    for pattern in FAMILIES["timm"].architectures:
        assert fnmatch.filter(names, pattern), pattern


@pytest.mark.parametrize(
    ("id", "options", "size", "count"),
    [
        ("alexnet", {"classifier_width": 64}, 65, 8),
        ("vgg", {"classifier_width": 64, "batch_norm": True}, 32, 8),
        ("resnet", {}, 32, 6),
        ("resnet", {"shortcuts": False, "head_dropout": 0.5}, 32, 6),
        ("vit", {"size": "tiny"}, 32, 14),
        ("timm", {}, 32, None),
        ("convmixer", {"depth": 2, "width": 32}, 32, None),
        ("fcnn", {}, 32, 4),
    ],
)
def test_stages_lead_from_the_input_to_the_head(
    id: str, options: dict[str, Scalar], size: int, count: int | None
) -> None:
    model = build(id, images(3, size), **options)
    stages = stages_of(FAMILIES[id], model)
    names = [name for name, _ in model.named_parameters()]
    assert sorted(sum(stages, [])) == sorted(names)
    assert count in (None, len(stages))
    assert names[-1] in stages[-1] and len(stages[-1]) == 2
    assert dict(model.named_parameters())[stages[-1][0]].shape[0] == 3
