"""Models applied to rows of no split: fingerprints, means over models, batches of pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from bench.data.prepared import PreparedTask
from bench.train import apply, predict
from bench.train.model import Inputs, build
from tests.train.synthetic import SMALL, make_config


def trained(model: nn.Module) -> apply.Trained:
    """A model that reads images as they are; nothing is asked of its data."""
    nothing: Any = None
    inputs = Inputs(shape=nothing, mean=(0.0,), std=(1.0,))
    return apply.Trained(model=model.eval(), inputs=inputs, data=nothing, device="cpu")


class Bright(nn.Module):
    """Of two classes, the second by so much per unit of brightness; of each pixel or of all."""

    def __init__(self, weight: float, *, pixels: bool = False) -> None:
        super().__init__()
        self.weight, self.pixels = nn.Parameter(torch.tensor(weight)), pixels

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        seen = images[:, :1] if self.pixels else images.mean(dim=(1, 2, 3)).unsqueeze(1)
        return torch.cat([torch.zeros_like(seen), self.weight * seen], dim=1)


def rows(count: int, side: int = 4) -> list[np.ndarray]:
    """Of one channel, each of another brightness, and brighter to the right."""
    ramp = np.tile(np.arange(side, dtype=np.uint8), (1, side, 1))
    return [(ramp * 9 + 10 * n).astype(np.uint8) for n in range(count)]


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


def test_several_models_give_the_mean_of_their_probabilities_not_of_their_logits() -> None:
    given = rows(5)
    weights = (-3.0, 0.5, 9.0)
    found = apply.probabilities([trained(Bright(w)) for w in weights], given)
    seen = np.array([row.mean() / 255 for row in given])
    expected = np.mean([sigmoid(w * seen) for w in weights], axis=0)
    np.testing.assert_allclose(found[:, 1], expected, atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    assert found.dtype == np.float32 and found.shape == (5, 2)


@pytest.mark.parametrize("batch", [1, 2, 3, 64])
def test_pixels_come_row_after_row_whatever_the_batches(
    monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(predict, "BATCH_SIZE", batch)
    given, weights = rows(5), (-3.0, 9.0)
    models = [trained(Bright(w, pixels=True)) for w in weights]
    found = list(apply.pixel_probabilities(models, given))
    assert [one.shape for one in found] == [(2, 4, 4)] * 5
    for row, one in zip(given, found, strict=True):
        expected = np.mean([sigmoid(w * row[0] / 255) for w in weights], axis=0)
        np.testing.assert_allclose(one[1], expected, atol=1e-5)


def test_outputs_that_are_not_finite_are_refused() -> None:
    bad = float("nan")
    with pytest.raises(predict.NotFinite):
        apply.probabilities([trained(Bright(1.0)), trained(Bright(bad))], rows(2))
    with pytest.raises(predict.NotFinite):
        list(apply.pixel_probabilities([trained(Bright(bad, pixels=True))], rows(2)))


def test_a_fingerprint_is_of_names_types_shapes_and_values_in_any_order() -> None:
    state = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor([1, 2])}
    found = apply.fingerprint(state)
    assert found == apply.fingerprint(dict(reversed(state.items()))) and len(found) == 64
    others = [
        {"a": state["a"], "c": state["b"]},
        {"a": state["a"].reshape(3, 2), "b": state["b"]},
        {"a": state["a"].T.contiguous(), "b": state["b"]},
        {"a": state["a"], "b": state["b"].to(torch.int32)},
        {"a": state["a"] + torch.eye(2, 3) * 1e-6, "b": state["b"]},
    ]
    assert len({found, *map(apply.fingerprint, others)}) == 6
    turned = state["a"].T
    assert apply.fingerprint({"a": turned}) == apply.fingerprint({"a": turned.contiguous()})


def test_a_model_has_the_weights_that_it_is_given(images: PreparedTask) -> None:
    def of(seed: int) -> dict[str, Any]:
        cpu = torch.device("cpu")
        return build(SMALL, make_config(), images, seed=seed, device=cpu).state_dict()

    given: dict[str, Any] = {"family": SMALL, "config": make_config(), "data": images}
    one = apply.Trained.of(**given, weights=of(3), device="cpu")
    assert not one.model.training
    assert apply.fingerprint(one.model.state_dict()) == apply.fingerprint(of(3))
    assert apply.fingerprint(of(3)) != apply.fingerprint(of(0))
    with pytest.raises(RuntimeError):
        apply.Trained.of(**given, weights={"strange": torch.zeros(1)}, device="cpu")
