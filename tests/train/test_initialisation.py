"""He's normal initialisation."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from bench.errors import UserError
from bench.train.initialisation import initialise


def test_the_default_leaves_all_as_it_is() -> None:
    model = nn.Linear(3, 3)
    before = model.weight.clone()
    state = torch.get_rng_state()
    initialise(model, "default")
    assert torch.equal(model.weight, before) and torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("layer", "inputs"),
    [
        (nn.Linear(300, 400), 300),
        (nn.Conv1d(64, 256, 5), 64 * 5),
        (nn.Conv2d(32, 256, 3), 32 * 9),
        (nn.Conv2d(256, 256, 9, groups=256), 81),
        (nn.Conv3d(8, 64, 3, bias=False), 8 * 27),
        # Each pixel of the output is reached by one of the kernel's places for each channel.
        (nn.ConvTranspose2d(128, 64, 2, stride=2), 128),
        (nn.ConvTranspose2d(128, 64, 4, stride=2), 128 * 4),
    ],
)
def test_the_variance_is_two_over_the_fan_in_and_biases_are_zero(layer: Any, inputs: int) -> None:
    torch.manual_seed(0)
    initialise(nn.Sequential(layer), "he_normal")
    weights, deviation = layer.weight.detach(), math.sqrt(2 / inputs)
    assert float(weights.mean()) == pytest.approx(0.0, abs=0.05 * deviation)
    assert float(weights.std()) == pytest.approx(deviation, rel=0.03)
    assert layer.bias is None or not layer.bias.any()


def test_a_deep_plain_net_keeps_its_scale() -> None:
    """Which is what it is for: torch's default shrinks the signal with every layer."""
    torch.manual_seed(0)
    layers = [part for _ in range(20) for part in (nn.Linear(256, 256), nn.ReLU())]
    model, inputs = nn.Sequential(*layers), torch.randn(64, 256)
    assert float(model(inputs).detach().pow(2).mean()) < 1e-3
    initialise(model, "he_normal")
    assert 0.2 < float(model(inputs).detach().pow(2).mean()) < 5


def test_norms_tables_and_what_is_not_trained_stay() -> None:
    fixed = nn.Conv2d(1, 1, 3)
    fixed.requires_grad_(False)
    model = nn.Sequential(nn.BatchNorm2d(3), nn.LayerNorm(3), nn.Embedding(4, 3), fixed)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    initialise(model, "he_normal")
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_a_seed_gives_the_same() -> None:
    models = []
    for _ in range(2):
        torch.manual_seed(4)
        models.append(nn.Conv2d(3, 8, 3))
        initialise(models[-1], "he_normal")
    assert torch.equal(models[0].weight, models[1].weight)


def test_an_unknown_way_is_refused() -> None:
    with pytest.raises(UserError, match="unknown initialisation 'he_norml': did you mean 'he_n"):
        initialise(nn.Linear(1, 1), "he_norml")
