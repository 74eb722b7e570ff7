"""Segmenters: published sizes, and what each is meant to do."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import nn
from torchvision import models

from bench.errors import UserError, WeightsMissing
from bench.spec import Shape
from suite.nets.fcn import FCN
from tests.families.builds import FAMILIES, batch, configure, parameters


def shaped(height: int = 37, width: int = 50, *, channels: int = 1, classes: int = 3) -> Shape:
    return Shape(
        kind="image_segmentation", classes=classes, channels=channels, height=height, width=width
    )


def built(id: str, shape: Shape, **settings: object) -> Any:
    torch.manual_seed(0)
    return FAMILIES[id].build(configure(id, settings), shape)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test does not bring along must not be fetched."""

    def refuse(*_: object) -> None:
        raise AssertionError("a test asked the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


# --- U-Net ----------------------------------------------------------------------------------


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


# --- FCN and DeepLabV3 ----------------------------------------------------------------------


@pytest.mark.parametrize("architecture", FAMILIES["fcn"].architectures)
def test_fcns_are_torchvision_s(architecture: str) -> None:
    """Names, shapes and number of parameters, with three channels."""
    with torch.device("meta"):
        ours = FCN(architecture=architecture, channels=3, classes=5)
        theirs = getattr(models.segmentation, architecture)(
            weights=None, weights_backbone=None, num_classes=5, aux_loss=False
        )
        narrow = FCN(architecture=architecture, channels=1, classes=5)
    assert shapes(ours) == shapes(theirs)
    counts = [sum(one.numel() for one in net.parameters()) for net in (ours, narrow)]
    assert counts[0] - counts[1] == 2 * 64 * 49


def test_the_published_fcn_has_its_size() -> None:
    """torchvision's 35,322,218 with 21 classes, less its auxiliary head (2,364,949 + 5,397)."""
    with torch.device("meta"):
        net = FCN(architecture="fcn_resnet50", channels=3, classes=21)
    known = models.segmentation.FCN_ResNet50_Weights.COCO_WITH_VOC_LABELS_V1.meta["num_params"]
    auxiliary = 1024 * 256 * 9 + 2 * 256 + 256 * 21 + 21
    assert sum(one.numel() for one in net.parameters()) == known - auxiliary


@pytest.fixture(scope="module")
def fcn() -> nn.Module:
    return built("fcn", shaped(channels=3, classes=2))


def test_an_fcn_gives_torchvision_s_logits_at_any_size(fcn: nn.Module) -> None:
    theirs = models.segmentation.fcn_resnet50(
        weights=None, weights_backbone=None, num_classes=2, aux_loss=False
    )
    theirs.load_state_dict(fcn.state_dict())
    images = batch(shaped(channels=3), 2)
    with torch.inference_mode():
        found = fcn.eval()(images)
        assert found.shape == (2, 2, 37, 50)
        torch.testing.assert_close(found, theirs.eval()(images)["out"])
        assert fcn(images[:, :, :1, :1]).shape == (2, 2, 1, 1)


def test_an_fcn_takes_a_backbone_or_a_whole_model(fcn: nn.Module, tmp_path: Path) -> None:
    """A ResNet's file, and one as torchvision publishes them: 21 classes, an auxiliary head."""
    given = {name: tensor + 1 for name, tensor in fcn.state_dict().items()}
    backbone = {
        name.removeprefix("backbone."): tensor
        for name, tensor in given.items()
        if name.startswith("backbone.")
    }
    torch.save(backbone | {"fc.weight": torch.ones(1000, 2048)}, tmp_path / "resnet.pth")
    whole = given | {
        "classifier.4.weight": torch.ones(21, 512, 1, 1),
        "classifier.4.bias": torch.ones(21),
        "aux_classifier.4.bias": torch.ones(21),
    }
    torch.save(whole, tmp_path / "coco.pth")
    shape = shaped(channels=3, classes=2)
    for file, filled in (
        ("resnet.pth", ("backbone.",)),
        ("coco.pth", ("backbone.", "classifier.0.", "classifier.1.")),
    ):
        found = built("fcn", shape, weights=str(tmp_path / file)).state_dict()
        for name, tensor in found.items():
            assert torch.equal(tensor, given[name]) == name.startswith(filled), name


# --- Encoders of timm under the decoders of segmentation-models-pytorch -----------------------

ENCODER = "test_resnet"


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("architecture", FAMILIES["smp"].architectures)
def test_each_architecture_takes_images_of_any_size(architecture: str, channels: int) -> None:
    for size in ((37, 50), (64, 32), (5, 3)):
        shape = shaped(*size, channels=channels)
        net = built("smp", shape, architecture=architecture, encoder=ENCODER)
        logits = net(batch(shape, 2))
        assert logits.shape == (2, 3, *size)
        logits.square().mean().backward()
        assert all(one.grad is not None for one in net.parameters())


def test_images_are_continued_at_the_right_and_the_bottom() -> None:
    shape = shaped(64, 96)
    net, images = built("smp", shape, encoder=ENCODER).eval(), batch(shape, 2)
    part = images[:, :, :40, :70]
    wide = torch.cat([part, part[:, :, :, -1:].expand(-1, -1, -1, 26)], dim=3)
    wide = torch.cat([wide, wide[:, :, -1:].expand(-1, -1, 24, -1)], dim=2)
    with torch.inference_mode():
        assert torch.equal(net(images), net.net(images))
        torch.testing.assert_close(net(part), net.net(wide)[:, :, :40, :70])


@pytest.mark.parametrize(
    ("architecture", "encoder"),
    [
        ("unetplusplus", "test_convnext"),
        ("segformer", "mit_b0"),
        ("upernet", "swin_tiny_patch4_window7_224"),
        ("fpn", "coatnet_pico_rw_224"),
        ("unet", "tu-mobilenetv3_small_050.lamb_in1k"),
    ],
)
def test_encoders_of_each_kind(architecture: str, encoder: str) -> None:
    """Convolutions and transformers; also those for one image size or three channels."""
    shape = shaped(33, 70)
    net = built("smp", shape, architecture=architecture, encoder=encoder).eval()
    with torch.inference_mode():
        assert net(batch(shape, 2)).shape == (2, 3, 33, 70)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"encoder": "resnet19"}, "unknown encoder 'resnet19': did you mean 'resnet1"),
        ({"encoder": "mit_b9"}, "unknown encoder 'mit_b9': did you mean 'mit_b"),
        ({"encoder": "resnet18.a1_in2k"}, "unknown tag 'a1_in2k': did you mean 'a1_in1k'"),
        ({"encoder": "test_vit"}, "needs an encoder with a pyramid of maps .* got test_vit"),
        ({"encoder": "mit_b0", "architecture": "unetplusplus"}, "got mit_b0 .*take another"),
        ({"encoder": "pvt_v2_b0", "architecture": "deeplabv3plus"}, "output_stride"),
        ({"encoder": "vgg11", "drop_path": 0.1}, "vgg11 has no drop path, got drop_path = 0.1"),
        ({"encoder": ENCODER, "weights": "imagenot"}, "did you mean 'imagenet'"),
    ],
)
def test_what_cannot_be_built_is_said(settings: Mapping[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        built("smp", shaped(channels=3), **settings)


def test_weights_that_are_not_there_are_no_start_from_scratch() -> None:
    with pytest.raises(WeightsMissing, match="nowhere.pth"):
        built("smp", shaped(channels=3), encoder=ENCODER, weights="/nowhere.pth")
    with pytest.raises(WeightsMissing, match="nowhere.pth"):
        built("fcn", shaped(channels=3), weights="/nowhere.pth")


@pytest.mark.parametrize("encoder", [ENCODER, "test_convnext", "test_efficientnet", "mit_b0"])
def test_an_encoder_s_weights_are_taken_in_whole(encoder: str, tmp_path: Path) -> None:
    """From a classifier's file, whatever the pyramid calls its parts; nothing stays random."""
    if encoder.startswith("mit"):
        source = built("smp", shaped(channels=3), encoder=encoder).net.encoder
    else:
        source = timm.create_model(encoder, num_classes=7)
    given = {
        name: tensor + 1 if tensor.is_floating_point() else tensor
        for name, tensor in source.state_dict().items()
    }
    torch.save(given, tmp_path / "encoder.pth")
    net = built("smp", shaped(channels=3), encoder=encoder, weights=str(tmp_path / "encoder.pth"))
    theirs = {name.replace("_", "."): tensor for name, tensor in given.items()}
    found = net.net.encoder.state_dict()
    assert len(found) > 20
    for name, tensor in found.items():
        assert torch.equal(tensor, theirs[name.removeprefix("model.").replace("_", ".")]), name


@pytest.mark.filterwarnings("ignore::UserWarning:timm")
def test_weights_go_to_another_image_size(tmp_path: Path) -> None:
    """An encoder with tables for one size: those of its classifier are interpolated."""
    encoder = "coatnet_pico_rw_224"
    torch.save(timm.create_model(encoder).state_dict(), tmp_path / "encoder.pth")
    shape = shaped(70, 40, channels=3)
    net = built("smp", shape, encoder=encoder, weights=str(tmp_path / "encoder.pth")).eval()
    with torch.inference_mode():
        assert net(batch(shape, 1)).shape == (1, 3, 70, 40)


def test_a_whole_segmenter_s_weights_are_taken_but_for_its_classes(tmp_path: Path) -> None:
    source = built("smp", shaped(channels=3, classes=5), encoder=ENCODER).net
    given = {name: tensor + 1 for name, tensor in source.state_dict().items()}
    torch.save(given, tmp_path / "whole.pth")
    net = built("smp", shaped(channels=3), encoder=ENCODER, weights=str(tmp_path / "whole.pth"))
    for name, tensor in net.net.state_dict().items():
        assert torch.equal(tensor, given[name]) != name.startswith("segmentation_head"), name
    with pytest.raises(UserError, match="must fit the model"):
        built(
            "smp",
            shaped(channels=3),
            encoder=ENCODER,
            architecture="fpn",
            weights=str(tmp_path / "whole.pth"),
        )


def test_other_weights_are_refused(tmp_path: Path) -> None:
    torch.save(timm.create_model("test_convnext").state_dict(), tmp_path / "other.pth")
    with pytest.raises(UserError, match="must fit the model"):
        built("smp", shaped(channels=3), encoder=ENCODER, weights=str(tmp_path / "other.pth"))


@pytest.mark.parametrize("encoder", ["test_convnext", "mit_b0"])
def test_drop_path_and_dropout_reach_their_layers(encoder: str) -> None:
    def rates(drop_path: float) -> list[float]:
        net = built("smp", shaped(channels=3), encoder=encoder, drop_path=drop_path)
        paths = [one for one in net.modules() if type(one).__name__ == "DropPath"]
        return [one.drop_prob for one in paths]

    assert max(rates(0.3)) == pytest.approx(0.3) and not any(rates(0.0))
    for architecture in ("fpn", "deeplabv3plus"):
        settings = {"architecture": architecture, "encoder": ENCODER, "decoder_dropout": 0.4}
        net = built("smp", shaped(), **settings)
        dropouts = (one for one in net.modules() if isinstance(one, nn.Dropout | nn.Dropout2d))
        assert {one.p for one in dropouts} == {0.4}


# --- All of them ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("id", "settings", "count"),
    [
        ("fcn", {}, 6),
        ("fcn", {"architecture": "deeplabv3_resnet50"}, 6),
        ("smp", {"encoder": ENCODER}, 6),
        ("smp", {"encoder": "test_convnext"}, 5),
        ("smp", {"encoder": "mit_b0", "architecture": "segformer"}, 5),
        ("smp", {"encoder": "test_efficientnet"}, 6),
        ("smp", {"encoder": "mobilenetv3_small_050"}, 6),
    ],
)
def test_stages_hold_each_parameter_once(
    id: str, settings: Mapping[str, object], count: int
) -> None:
    net, family = built(id, shaped(channels=3), **settings), FAMILIES[id]
    assert family.stages is not None
    stages = family.stages(net)
    assert len(stages) == count
    for name, _ in net.named_parameters():
        holders = [
            index
            for index, stage in enumerate(stages)
            if any(name.startswith(f"{prefix}.") for prefix in stage)
        ]
        assert len(holders) == 1, (name, holders)
    assert all(stages)


@pytest.mark.parametrize("id", ["unet", "convmixerseg", "fcn"])
def test_published_settings_are_settings(id: str) -> None:
    assert FAMILIES[id].published
    for published in FAMILIES[id].published:
        config = configure(id, published.settings)
        assert config | published.settings == config


def shapes(net: nn.Module) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in net.state_dict().items()}
