"""Optimizers, schedules and the loss."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from bench.errors import UserError
from bench.train.optimization import Loss, make_optimizer, make_schedule


def rates(updates_per_epoch: int = 10, max_epochs: int = 4, **config: Any) -> list[float]:
    """The learning rate of each update."""
    model = nn.Linear(2, 2)
    config = {"optimizer": "sgd", "learning_rate": 0.5, "momentum": 0.9} | config
    optimizer = make_optimizer(model, config)
    schedule = make_schedule(
        optimizer, config, updates_per_epoch=updates_per_epoch, max_epochs=max_epochs
    )
    found = []
    for update in range(updates_per_epoch * max_epochs):
        schedule.step_update(update + 0.5)
        found.append(optimizer.param_groups[0]["lr"])
    return found


def test_constant() -> None:
    assert rates(schedule="constant") == [0.5] * 40


def test_cosine_falls_from_the_rate_to_nearly_nothing() -> None:
    found = rates(schedule="cosine")
    assert found == sorted(found, reverse=True)
    assert found[0] == pytest.approx(0.5, rel=1e-2) and 0 < found[-1] < 1e-3
    assert found[19] + found[20] == pytest.approx(0.5)


def test_exponential_decays_by_its_factor_an_epoch() -> None:
    found = rates(schedule="exponential", decay=0.91)
    for epoch in range(3):
        assert found[10 * (epoch + 1)] / found[10 * epoch] == pytest.approx(0.91)


@pytest.mark.parametrize("schedule", ["constant", "cosine", "exponential"])
def test_warm_up_rises_from_zero_over_its_share_of_all_updates(schedule: str) -> None:
    found = rates(schedule=schedule, warmup=0.2, decay=0.9)
    assert found[:8] == pytest.approx([0.5 * (update + 0.5) / 8 for update in range(8)])
    assert max(found) == max(found[8:])
    assert min(found) > 0


def test_an_unknown_schedule_is_refused() -> None:
    with pytest.raises(UserError, match="schedule must be"):
        rates(schedule="cosin")


def test_weight_decay_spares_biases_and_norms() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    optimizer = make_optimizer(model, {"learning_rate": 0.1, "weight_decay": 0.3})
    assert isinstance(optimizer, torch.optim.AdamW)
    decayed = {
        parameter.ndim: group["weight_decay"]
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    assert decayed == {1: 0.0, 2: 0.3}


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_optimizers_are_fused(name: str) -> None:
    optimizer = make_optimizer(nn.Linear(2, 2), {"optimizer": name, "learning_rate": 0.1})
    assert all(group["fused"] for group in optimizer.param_groups)


def test_sparse_tables_get_adagrad_and_nothing_else() -> None:
    model = nn.EmbeddingBag(10, 2, sparse=True)
    assert isinstance(make_optimizer(model, {"learning_rate": 0.1}), torch.optim.Adagrad)
    for wrong in ({"optimizer": "adamw"}, {"weight_decay": 0.1}):
        with pytest.raises(UserError, match="adagrad without weight decay"):
            make_optimizer(model, {"learning_rate": 0.1} | wrong)


CPU = torch.device("cpu")


def counted(*counts: int) -> Any:
    return lambda: np.array(counts)


@pytest.mark.parametrize("class_weights", ["none", "balanced"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("shape", [(), (5, 7)], ids=["cases", "pixels"])
def test_micro_batches_add_up_to_torch_s_mean(
    class_weights: str, smoothing: float, shape: tuple[int, ...]
) -> None:
    torch.manual_seed(0)
    logits, targets = torch.randn(20, 3, *shape), torch.randint(3, (20, *shape))
    loss = Loss(
        {"class_weights": class_weights, "label_smoothing": smoothing},
        counts=counted(12, 5, 3),
        device=CPU,
    )
    weights = torch.tensor([20 / 36, 20 / 15, 20 / 9]) if class_weights == "balanced" else None
    chosen = torch.randperm(20)[:11]
    parts = chosen.tensor_split(3)
    total = sum(loss.total(logits[part], targets[part]) for part in parts)
    expected = functional.cross_entropy(
        logits[chosen], targets[chosen], weight=weights, label_smoothing=smoothing
    )
    torch.testing.assert_close(total / loss.weight(targets[chosen]), expected)


@pytest.mark.parametrize("class_weights", ["none", "balanced"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_pure_mixture_is_its_class(class_weights: str, smoothing: float) -> None:
    torch.manual_seed(0)
    logits, labels = torch.randn(9, 3), torch.arange(9) % 3
    config: Any = {"class_weights": class_weights, "label_smoothing": smoothing}
    loss = Loss(config, counts=counted(12, 5, 3), device=CPU)
    pure = functional.one_hot(labels, 3).float()
    torch.testing.assert_close(loss.total(logits, pure), loss.total(logits, labels))
    torch.testing.assert_close(float(loss.weight(pure)), float(loss.weight(labels)))


def test_mixtures_weigh_by_their_shares_and_micro_batches_add_up() -> None:
    torch.manual_seed(0)
    logits, shares = torch.randn(10, 3), torch.rand(10, 3).softmax(dim=1)
    loss = Loss({"class_weights": "balanced"}, counts=counted(2, 2, 4), device=CPU)
    weights = torch.tensor([4 / 3, 4 / 3, 2 / 3])
    weighted = shares * weights
    expected = -(weighted * logits.log_softmax(dim=1)).sum() / weighted.sum()
    parts = torch.arange(10).tensor_split(3)
    total = sum(loss.total(logits[part], shares[part]) for part in parts)
    torch.testing.assert_close(total / loss.weight(shares), expected)


def test_a_class_that_is_not_trained_on_has_no_weight() -> None:
    config: Any = {"class_weights": "balanced", "label_smoothing": 0.1}
    loss = Loss(config, counts=counted(6, 0, 2), device=CPU)
    assert loss.weights is not None
    torch.testing.assert_close(loss.weights, torch.tensor([8 / 18, 0.0, 8 / 6]))


def test_counts_are_not_asked_for_without_weights() -> None:
    def never() -> Any:
        raise AssertionError

    Loss({}, counts=never, device=CPU)
