"""Optimizers and schedules."""

from __future__ import annotations

import io
import itertools
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from bench.errors import UserError
from bench.train.optimization import learning_rate, make_optimizer, make_schedule
from search_spaces.parts.optimisation import WITH_MOMENTUM, WITHOUT_MOMENTUM


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
        found.append(learning_rate(optimizer))
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


@pytest.mark.parametrize("epochs", [1, 4])
def test_one_cycle_is_torch_s_step_by_step(epochs: int) -> None:
    optimizer = torch.optim.SGD(nn.Linear(2, 2).parameters(), lr=0.5)
    oracle = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.5, total_steps=10 * epochs, cycle_momentum=False
    )
    expected = []
    for _ in range(10 * epochs):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        oracle.step() if len(expected) < 10 * epochs else None
    found = rates(schedule="one_cycle", max_epochs=epochs)
    assert found == pytest.approx(expected, rel=1e-9)
    assert found[0] == pytest.approx(0.5 / 25) and found[-1] == pytest.approx(0.5 / 25e4)
    assert max(found) == pytest.approx(0.5)


@pytest.mark.parametrize("updates", [1, 2, 3])
def test_one_cycle_of_a_few_updates_learns_in_each(updates: int) -> None:
    found = rates(schedule="one_cycle", updates_per_epoch=updates, max_epochs=1)
    assert max(found) > 0.05 and all(0 < rate <= 0.5 for rate in found)


@pytest.mark.parametrize("schedule", ["constant", "cosine", "exponential", "one_cycle"])
def test_a_schedule_has_no_state(schedule: str) -> None:
    config: Any = {"learning_rate": 0.5, "schedule": schedule, "decay": 0.9}
    optimizer = make_optimizer(nn.Linear(2, 2), config)
    step = make_schedule(optimizer, config, updates_per_epoch=10, max_epochs=2).step_update
    step(12.5)
    once = learning_rate(optimizer)
    for update in (3.5, 19.5, 12.5):
        step(update)
    assert learning_rate(optimizer) == once


@pytest.mark.parametrize("schedule", ["constant", "cosine", "exponential"])
def test_warm_up_rises_from_zero_over_its_share_of_all_updates(schedule: str) -> None:
    found = rates(schedule=schedule, warmup=0.2, decay=0.9)
    assert found[:8] == pytest.approx([0.5 * (update + 0.5) / 8 for update in range(8)])
    assert max(found) == max(found[8:])
    assert min(found) > 0


def test_an_unknown_schedule_is_refused() -> None:
    with pytest.raises(UserError, match="unknown schedule 'cosin': did you mean 'cosine'"):
        rates(schedule="cosin")


class _Spares(nn.Module):
    """A part that keeps a table of its own from weight decay, as timm's models do."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(1, 3, 3))
        self.bias = nn.Parameter(torch.zeros(3, 3))

    def no_weight_decay(self) -> set[str]:
        return {"table"}


def test_weight_decay_spares_biases_and_norms() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), _Spares())
    optimizer = make_optimizer(model, {"learning_rate": 0.1, "weight_decay": 0.3})
    assert isinstance(optimizer, torch.optim.AdamW)
    decay = {
        id(parameter): group["weight_decay"]
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    found = {name: decay[id(parameter)] for name, parameter in model.named_parameters()}
    assert found.pop("0.weight") == 0.3
    assert set(found.values()) == {0.0} and len(found) == 5


def test_what_is_not_trained_is_not_in_the_optimizer() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2))
    model[0].requires_grad_(False)
    groups = make_optimizer(model, {"learning_rate": 0.1}).param_groups
    held = [parameter for group in groups for parameter in group["params"]]
    assert {id(parameter) for parameter in held} == {id(p) for p in model[1].parameters()}


@pytest.mark.parametrize("schedule", ["constant", "cosine", "exponential", "one_cycle"])
def test_rates_are_scaled_by_parameter_whatever_the_schedule(schedule: str) -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2))
    config: Any = {"learning_rate": 0.5, "schedule": schedule, "decay": 0.9, "weight_decay": 0.1}
    scale = {name: 0.25 if name.startswith("0") else 1.0 for name, _ in model.named_parameters()}
    plain = make_optimizer(nn.Linear(2, 2), config)
    scaled = make_optimizer(model, config, scales=scale)
    assert len(scaled.param_groups) == 4
    schedules = [
        make_schedule(optimizer, config, updates_per_epoch=10, max_epochs=2)
        for optimizer in (plain, scaled)
    ]
    for update in (0.5, 7.5, 19.5):
        for item in schedules:
            item.step_update(update)
        rate = learning_rate(plain)
        assert learning_rate(scaled) == pytest.approx(rate)
        of = {id(p): group["lr"] for group in scaled.param_groups for p in group["params"]}
        for parameter in model[0].parameters():
            assert of[id(parameter)] == pytest.approx(0.25 * rate)
        for parameter in model[1].parameters():
            assert of[id(parameter)] == pytest.approx(rate)


@pytest.mark.parametrize("name", ["adamw", "adam", "sgd", "momentum"])
def test_optimizers_are_fused_where_torch_has_it(name: str) -> None:
    optimizer = make_optimizer(nn.Linear(2, 2), {"optimizer": name, "learning_rate": 0.1})
    assert all(group["fused"] for group in optimizer.param_groups)


def test_momentum_is_taken() -> None:
    for name, momentum in itertools.product(WITH_MOMENTUM, (0.7, 0.0)):
        model = nn.Linear(2, 2)
        config: Any = {"optimizer": name, "learning_rate": 0.1, "momentum": momentum}
        optimizer = make_optimizer(model, config)
        assert {group["momentum"] for group in optimizer.param_groups} == {momentum}, name
        model(torch.ones(1, 2)).sum().backward()
        optimizer.step()
        assert all(parameter.isfinite().all() for parameter in model.parameters()), name
    for name in WITHOUT_MOMENTUM:
        config = {"optimizer": name, "learning_rate": 0.1}
        assert "momentum" not in make_optimizer(nn.Linear(2, 2), config).param_groups[0], name


@pytest.mark.parametrize("name", WITHOUT_MOMENTUM + WITH_MOMENTUM)
def test_every_optimizer_learns_and_goes_on_exactly_from_a_checkpoint(name: str) -> None:
    config: Any = {"optimizer": name, "learning_rate": 3e-3, "weight_decay": 1e-2}
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(16, 1, 6, 6, generator=generator)
    targets = torch.randint(3, (16,), generator=generator)

    def start() -> tuple[nn.Module, torch.optim.Optimizer]:
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.GELU(), nn.Flatten(), nn.Linear(64, 3)
        )
        return model, make_optimizer(model, config, scales={"0.weight": 0.5})

    def losses(model: nn.Module, optimizer: torch.optim.Optimizer, steps: int) -> list[float]:
        found = []
        for _ in range(steps):
            optimizer.zero_grad(set_to_none=True)
            loss = functional.cross_entropy(model(inputs), targets)
            loss.backward()
            optimizer.step()
            found.append(loss.item())
        return found

    model, optimizer = start()
    first = losses(model, optimizer, 3)
    buffer = io.BytesIO()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, buffer)
    buffer.seek(0)
    state = torch.load(buffer, weights_only=True)
    rest = losses(model, optimizer, 3)
    assert rest[-1] < first[0]
    model, optimizer = start()
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    assert losses(model, optimizer, 3) == rest


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("adamv", "unknown optimizer 'adamv': did you mean 'adam"),
        ("adahessian", "unknown optimizer 'adahessian'"),
        ("fusedadam", "unknown optimizer 'fusedadam'"),
        ("lookahead_adam", "unknown optimizer 'lookahead_adam'"),
    ],
)
def test_an_unknown_optimizer_is_refused_with_the_nearest(name: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        make_optimizer(nn.Linear(2, 2), {"optimizer": name, "learning_rate": 0.1})


def test_sparse_tables_get_adagrad_and_nothing_else() -> None:
    model = nn.EmbeddingBag(10, 2, sparse=True)
    assert isinstance(make_optimizer(model, {"learning_rate": 0.1}), torch.optim.Adagrad)
    for wrong in ({"optimizer": "adamw"}, {"weight_decay": 0.1}):
        with pytest.raises(UserError, match="adagrad without weight decay"):
            make_optimizer(model, {"learning_rate": 0.1} | wrong)
