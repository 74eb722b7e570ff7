"""Image classifiers with pretrained weights, and the settings that documents report for them."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.errors import UserError, WeightsMissing
from bench.spec import Scalar
from tests.families.builds import FAMILIES, batch, configure
from tests.families.classifiers import build, images


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def saved(model: Any, path: Path, *, wrapped: str | None = None) -> str:
    """A checkpoint of the model's tensors: of torch's form, or safetensors by the path's name."""
    from safetensors.torch import save_file

    tensors = model.state_dict()
    if path.suffix == ".safetensors":
        save_file({name: value.clone() for name, value in tensors.items()}, path)
    else:
        torch.save({wrapped: tensors} if wrapped else tensors, path)
    return str(path)


PTH, SAFE = "weights.pth", "model.safetensors"
LOADED: list[tuple[str, dict[str, Scalar], int, str, str]] = [
    ("alexnet", {"classifier_width": 64}, 65, "classifier.6", PTH),
    ("alexnet", {"classifier_width": 64, "architecture": "torchvision"}, 64, "classifier.6", SAFE),
    ("vgg", {"classifier_width": 64}, 32, "classifier.6", PTH),
    ("resnet", {}, 32, "fc", SAFE),
    ("vit", {"size": "tiny", "patch_size": 8}, 32, "head", PTH),
    ("timm", {}, 32, "head.fc", PTH),
    ("timm", {"architecture": "coat_lite_tiny"}, 64, "head", SAFE),
]


@pytest.mark.parametrize(
    ("id", "options", "size", "head", "form"),
    LOADED,
    ids=[f"{id}-{options.get('architecture', '')}" for id, options, *_ in LOADED],
)
def test_a_checkpoint_fills_all_but_a_head_of_other_classes(
    id: str, options: dict[str, Scalar], size: int, head: str, form: str, tmp_path: Path
) -> None:
    torch.manual_seed(1)
    source = build(id, images(3, size, classes=5), **options)
    name = saved(source, tmp_path / form, wrapped="state_dict")
    torch.manual_seed(2)
    # by the folder that holds the file, then by the file itself
    model = build(id, images(3, size, classes=3), weights=str(tmp_path), **options)
    tensors = source.state_dict()
    for key, value in model.state_dict().items():
        if key.startswith(f"{head}."):
            assert value.shape[0] == 3
        else:
            assert torch.equal(value, tensors[key]), key
    same = build(id, images(3, size, classes=5), weights=name, **options)
    inputs = batch(images(3, size))
    with torch.inference_mode():
        torch.testing.assert_close(same.eval()(inputs), source.eval()(inputs))


@pytest.mark.parametrize(
    ("id", "options", "other"),
    [
        ("resnet", {"depth": 18}, {"depth": 34}),
        ("vgg", {"classifier_width": 64}, {"classifier_width": 128}),
        ("timm", {}, {"architecture": "convnext_femto"}),
        ("timm", {}, {"architecture": "resnet10t"}),
    ],
)
def test_weights_of_another_model_are_refused(
    id: str, options: dict[str, Scalar], other: dict[str, Scalar], tmp_path: Path
) -> None:
    shape = images(3, 32)
    name = saved(build(id, shape, **options), tmp_path / "weights.pth")
    with pytest.raises(
        UserError, match=r"weights\.pth must fit .*(from scratch|weights)"
    ) as caught:
        build(id, shape, **options | other, weights=name)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 700


def test_models_that_timm_loads_leniently_are_not_left_half_random(tmp_path: Path) -> None:
    """timm takes any file for DLA; and for the body of a masked autoencoder one without a head."""
    shape = images(3, 64)
    source = build("timm", shape, architecture="dla34")
    tensors = source.state_dict()
    torch.save(tensors, tmp_path / "whole.pth")
    model = build("timm", shape, architecture="dla34", weights=str(tmp_path / "whole.pth"))
    assert torch.equal(model.level5.root.conv.weight, source.level5.root.conv.weight)
    tensors.pop("level5.root.conv.weight")
    torch.save(tensors, tmp_path / "part.pth")
    with pytest.raises(
        UserError, match=r"part\.pth must fit .*: level5\.root\.conv\.weight missing"
    ):
        build("timm", shape, architecture="dla34", weights=str(tmp_path / "part.pth"))

    body = build("timm", shape, architecture="convnextv2_atto").state_dict()
    body = {key: value for key, value in body.items() if not key.startswith("head.")}
    torch.save(body, tmp_path / "body.pth")
    name = "convnextv2_atto.fcmae"
    model = build("timm", shape, architecture=name, weights=str(tmp_path / "body.pth"))
    assert torch.equal(model.stem[0].weight, body["stem.0.weight"])
    assert model(batch(shape)).shape == (4, 3)


def test_timms_plain_resnets_have_torchvisions_names(tmp_path: Path) -> None:
    """So "timm/resnet18.a1_in1k" and its like fit the family."""
    import timm

    source = timm.create_model("resnet18", num_classes=7)
    name = saved(source, tmp_path / "model.safetensors")
    model = build("resnet", images(3, 32), weights=name)
    assert torch.equal(model.layer4[1].conv2.weight, source.layer4[1].conv2.weight)
    with pytest.raises(UserError, match="must fit"):
        saved(timm.create_model("resnet18d"), tmp_path / "model.safetensors")
        build("resnet", images(3, 32), weights=name)


def test_a_dino_checkpoint_without_a_head_fits(tmp_path: Path) -> None:
    """DINO's published ResNet-50 is the backbone alone."""
    source = build("resnet", images(3, 32), depth=50)
    body = {n: value for n, value in source.state_dict().items() if not n.startswith("fc.")}
    torch.save(body, tmp_path / "dino.pth")
    model = build("resnet", images(3, 32), depth=50, weights=str(tmp_path / "dino.pth"))
    assert torch.equal(model.layer4[2].conv3.weight, source.layer4[2].conv3.weight)


@pytest.mark.parametrize(
    ("options", "size"),
    [({}, 64), ({"patch_size": 8}, 32), ({"patch_size": 8, "drop_path": 0.2}, 24)],
)
def test_a_vision_transformers_positions_follow_the_images_size(
    options: dict[str, Scalar], size: int, tmp_path: Path
) -> None:
    source = build("vit", images(3, 48), size="tiny")
    name = saved(source, tmp_path / "weights.pth")
    model = build("vit", images(3, size), size="tiny", weights=name, **options)
    tokens = (size // int(options.get("patch_size", 16))) ** 2 + 1
    assert model.pos_embed.shape == (1, tokens, 192)
    torch.testing.assert_close(model.pos_embed.mean(), source.pos_embed.mean(), atol=2e-3, rtol=0)
    assert torch.equal(model.blocks[3].mlp.fc1.weight, source.blocks[3].mlp.fc1.weight)


@pytest.mark.parametrize(
    ("id", "options", "message"),
    [
        ("alexnet", {"weights": "imagenet"}, "textbook AlexNet has no published weights"),
        ("resnet", {"weights": "dino"}, "'dino' are a ResNet-50's, got depth 18"),
        ("resnet", {"weights": "imagenet", "shortcuts": False}, "have shortcuts.*shortcuts = true"),
        ("resnet", {"weights": "imagnet"}, "'imagnet'.*'imagenet'"),
        ("vit", {"weights": "imagenet", "size": "tiny", "patch_size": 32}, "patch_size 16, got 32"),
        ("timm", {"weights": "imagnet"}, "'imagnet'.*'imagenet'"),
        (
            "timm",
            {"weights": "imagenet", "architecture": "convnext_zepto_rms_ols_x"},
            "unknown arch",
        ),
    ],
)
def test_weights_that_there_are_not_are_named_with_the_remedy(
    id: str, options: dict[str, Scalar], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        build(id, images(3, 64), **options)


@pytest.mark.parametrize("id", ["alexnet", "vgg", "resnet", "vit", "timm"])
def test_published_settings_lie_in_the_families_space(
    id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And their weights are such as there are, whether or not they can be had here."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for published in FAMILIES[id].published:
        config = configure(id, published.settings)
        assert {name: config[name] for name in published.settings} == published.settings
        find = FAMILIES[id].weights
        assert find is not None
        with contextlib.suppress(WeightsMissing):
            find(config)


def test_documents_report_what_their_tables_say() -> None:
    found = {
        (id, one.document, one.settings.get("weights"))
        for id in ("alexnet", "vgg", "resnet", "vit", "timm")
        for one in FAMILIES[id].published
    }
    assert found == {
        ("alexnet", "resnet-liver-2023", "none"),
        ("vgg", "resnet-liver-2023", "none"),
        ("resnet", "resnet-liver-2023", "none"),
        ("resnet", "mhist-report", None),
        ("resnet", "fys3033-2026", "none"),
        ("resnet", "fys3033-2026", "dino"),
        ("vit", "mhist-report", "imagenet"),
        ("timm", "fys3033-2026", "imagenet"),
    }
