"""ConvMixerSeg: its net in loops, its sizes, its options, and its smoothing layer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from bench.spec import Shape
from suite.nets.convmixerseg import ConvMixerSeg, GaussianSmoothing
from tests.families.builds import FAMILIES, batch, configure, parameters


def shaped(height: int = 37, width: int = 50, *, classes: int = 3) -> Shape:
    return Shape(kind="image_segmentation", classes=classes, channels=1, height=height, width=width)


def built(shape: Shape, **settings: object) -> Any:
    torch.manual_seed(0)
    return FAMILIES["convmixerseg"].build(configure("convmixerseg", settings), shape)


TINY: dict[str, Any] = {"width": 4, "depth": 2, "kernel_size": 3, "patch": 2, "decoded": 3}


def tiny(**changes: Any) -> ConvMixerSeg:
    """A net whose norms are no identities."""
    torch.manual_seed(0)
    net = ConvMixerSeg(channels=2, classes=3, **TINY | changes)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.bias, module.running_mean, module.running_var):
                assert tensor is not None
                nn.init.uniform_(tensor, 0.5, 1.5)
    return net.eval()


def erf(values: np.ndarray) -> np.ndarray:
    return torch.erf(torch.from_numpy(values)).numpy()


def activated(values: np.ndarray, part: nn.Sequential) -> np.ndarray:
    """GELU, then batch norm by its running statistics. values: (channels, height, width)."""
    norm: Any = part[2]
    gelu = values * (1 + erf(values / np.sqrt(2))) / 2
    mean, var, weight, bias = (
        tensor.detach().double().numpy()[:, None, None]
        for tensor in (norm.running_mean, norm.running_var, norm.weight, norm.bias)
    )
    return (gelu - mean) / np.sqrt(var + norm.eps) * weight + bias


def by_hand(net: Any, image: np.ndarray, sigma: float) -> np.ndarray:
    """The published net in loops over pixels: float64 (classes, height, width)."""

    def of(layer: Any) -> tuple[np.ndarray, np.ndarray]:
        return layer.weight.detach().double().numpy(), layer.bias.detach().double().numpy()

    (_, height, width), patch = image.shape, 2
    rows, columns = -(-height // patch), -(-width // patch)
    wide = np.pad(
        image, ((0, 0), (0, rows * patch - height), (0, columns * patch - width)), mode="edge"
    )
    w, b = of(net.encode[0])
    present = np.empty((4, rows, columns))
    for r, c in np.ndindex(rows, columns):
        seen = wide[:, r * patch : (r + 1) * patch, c * patch : (c + 1) * patch]
        present[:, r, c] = [(kernel * seen).sum() for kernel in w] + b
    present = activated(present, net.encode)
    for layer in net.layers:
        w, b = of(layer.depthwise[0])
        around = np.pad(present, ((0, 0), (1, 1), (1, 1)))
        mixed = np.empty_like(present)
        for r, c in np.ndindex(rows, columns):
            mixed[:, r, c] = (w[:, 0] * around[:, r : r + 3, c : c + 3]).sum((1, 2)) + b
        present = present + activated(mixed, layer.depthwise)
        w, b = of(layer.pointwise[0])
        mixed = np.einsum("oi,irc->orc", w[:, :, 0, 0], present) + b[:, None, None]
        present = present + activated(mixed, layer.pointwise)
    w, b = of(net.decode[0])
    decoded = np.empty((3, rows * patch, columns * patch))
    for r, c in np.ndindex(rows, columns):
        spread = np.einsum("i,iohw->ohw", present[:, r, c], w) + b[:, None, None]
        decoded[:, r * patch : (r + 1) * patch, c * patch : (c + 1) * patch] = spread
    decoded = activated(decoded, net.decode)[:, :height, :width]
    w, b = of(net.head)
    maps = np.einsum("oi,ihw->ohw", w[:, :, 0, 0], decoded) + b[:, None, None]
    return smoothed(maps, sigma)


def smoothed(maps: np.ndarray, sigma: float) -> np.ndarray:
    """A Gaussian of 50 x 50 taps, from 25 before to 24 after each pixel; edges go on."""
    offsets = np.arange(-25, 25)
    kernel = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * sigma**2))
    wide = np.pad(maps, ((0, 0), (25, 24), (25, 24)), mode="edge")
    found = np.empty_like(maps)
    for r, c in np.ndindex(maps.shape[1:]):
        found[:, r, c] = (wide[:, r : r + 50, c : c + 50] * kernel).sum((1, 2)) / kernel.sum()
    return found


@pytest.mark.parametrize("size", [(4, 6), (5, 3), (1, 1)])
def test_convmixerseg_is_what_its_description_says(size: tuple[int, int]) -> None:
    net = tiny()
    image = np.random.default_rng(0).normal(size=(2, *size))
    with torch.inference_mode():
        found = net(torch.from_numpy(image).float()[None])[0].numpy()
    np.testing.assert_allclose(found, by_hand(net, image, 7.0), atol=1e-5)


def test_convmixerseg_has_its_published_size() -> None:
    """By hand: convolutions with biases, and two numbers a channel for each norm."""
    encoded = 49 * 256 + 256 + 512
    layer = (81 * 256 + 256 + 512) + (256 * 256 + 256 + 512)
    decoded = 256 * 100 * 49 + 100 + 200
    expected = encoded + 20 * layer + decoded + (100 * 2 + 2)
    assert parameters("convmixerseg", shaped(256, 256, classes=2)) == expected == 3_024_374


@pytest.mark.parametrize("upsampling", ["transposed", "bilinear"])
@pytest.mark.parametrize("size", [(1, 1), (7, 14), (37, 50), (8, 6)])
def test_convmixerseg_keeps_sizes_that_7_does_not_divide(
    size: tuple[int, int], upsampling: str
) -> None:
    shape = shaped(*size)
    net = built(shape, width=16, depth=1, upsampling=upsampling).eval()
    with torch.inference_mode():
        images = batch(shape, 2)
        assert net(images).shape == net.class_maps(images).shape == (2, 3, *size)
        assert net.features(images).shape == (2, 100, *size)


@pytest.mark.parametrize("part", ["depthwise", "pointwise"])
def test_around_each_convolution_there_is_a_shortcut(part: str) -> None:
    """With a convolution's norm at zero, its input goes through unchanged."""
    net, image = tiny(depth=1), torch.randn(1, 2, 6, 6)
    layer: Any = net.layers[0]
    for tensor in (getattr(layer, part)[2].weight, getattr(layer, part)[2].bias):
        nn.init.zeros_(tensor)
    encoded = net.encode(image)
    one = layer.depthwise(encoded) + encoded if part == "pointwise" else encoded
    expected = one + layer.pointwise(one) if part == "depthwise" else one
    torch.testing.assert_close(layer(encoded), expected)


def test_the_pointwise_residual_can_be_left_out() -> None:
    encoded = torch.randn(1, 4, 5, 5)
    layers: list[Any] = [tiny(pointwise_residual=value).layers[0] for value in (True, False)]
    after = [layer(encoded) for layer in layers]
    present = encoded + layers[0].depthwise(encoded)
    torch.testing.assert_close(after[0] - after[1], present)


@pytest.mark.parametrize(
    ("mode", "in_training", "in_evaluation"),
    [("always", True, True), ("training", True, False), ("never", False, False)],
)
def test_maps_are_smoothed_when_they_should_be(
    mode: str, in_training: bool, in_evaluation: bool
) -> None:
    net = built(shaped(), width=16, depth=1, smoothing=mode)
    images = batch(shaped(), 2)
    for training, expected in ((True, in_training), (False, in_evaluation)):
        net.train(training)
        with torch.no_grad():
            found, maps = net(images), net.class_maps(images)
        assert torch.equal(found, net.smooth(maps) if expected else maps)
        assert not torch.equal(maps, net.smooth(maps))


def test_bilinear_upsampling_interpolates_between_patches() -> None:
    """What the decoder's norm gets lies between the values of neighbouring patches."""
    net = tiny(upsampling="bilinear")
    decoder: Any = net.decode[0]
    coarse = torch.randn(1, 4, 3, 5)
    expected = decoder[0](nn.functional.interpolate(coarse, scale_factor=2, mode="bilinear"))
    torch.testing.assert_close(decoder(coarse), expected)


@pytest.mark.parametrize("sigma", [0.1, 2.0, 7.0, 50.0])
def test_the_gaussian_sums_to_one_and_stays_in_place(sigma: float) -> None:
    layer = GaussianSmoothing(sigma)
    assert float(layer.weights.double().sum()) == pytest.approx(1, abs=1e-6)
    assert int(layer.weights.argmax()) == layer.before and len(layer.weights) == 2 * layer.before
    assert not list(layer.parameters()) and not layer.weights.requires_grad
    constant = torch.full((2, 3, 9, 12), 0.3)
    torch.testing.assert_close(layer(constant), constant)


def test_the_published_gaussian_is_50_by_50_with_its_sigma() -> None:
    layer = GaussianSmoothing(7.0)
    assert len(layer.weights) == 50
    point = torch.zeros(1, 1, 121, 121, dtype=torch.float32)
    point[0, 0, 60, 60] = 1
    found = layer(point)[0, 0]
    torch.testing.assert_close(found.sum(), torch.tensor(1.0))
    offsets = torch.arange(-60.0, 61)
    variance = (found.sum(1) * offsets**2).sum()
    assert float(variance.sqrt()) == pytest.approx(7, abs=0.05)
    assert abs(float((found.sum(0) * offsets).sum())) < 0.01
    assert float(found[60, 67] / found[60, 60]) == pytest.approx(np.exp(-0.5), rel=1e-4)
