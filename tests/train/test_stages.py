"""Stages, freezing and layer decay."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import timm
import torch
from torch import nn

from bench.data.prepared import PreparedTask
from bench.errors import UserError
from bench.spec import Budget, Config, Family, Shape, Task
from bench.train.checkpoint import Checkpoint
from bench.train.fit import fit
from bench.train.stages import Stages, freeze, scales, stages_of, train_mode
from tests.train.synthetic import SMALL, build_small, make_config


def net() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4, 2)
    )


def with_stages(*stages: Any) -> Family:
    return replace(SMALL, stages=lambda model: stages)


# --- What is a stage ------------------------------------------------------------------------


def test_the_family_s_own_stages_go_first() -> None:
    found = stages_of(with_stages(["0", "1."], ["4"]), net())
    assert found == [["0.weight", "0.bias", "1.weight", "1.bias"], ["4.weight", "4.bias"]]


def test_a_prefix_ends_at_a_dot() -> None:
    model = nn.ModuleDict({str(n): nn.Linear(1, 1) for n in (1, 11)})
    assert stages_of(with_stages(["1"], ["11"]), model) == [
        ["1.weight", "1.bias"],
        ["11.weight", "11.bias"],
    ]


@pytest.mark.parametrize(
    ("stages", "said"),
    [
        ((["0"], ["4"]), "1.weight is in 0 of 2: mend its `stages`"),
        ((["0", "1"], ["1.weight", "4"]), "1.weight is in 2 of 2"),
        ((["0"], ["1"], ["9"], ["4"]), "that of 9 holds none"),
        ((["0", "1"], [], ["4"]), "that of no prefix holds none"),
    ],
)
def test_stages_that_leave_out_or_repeat_are_refused(stages: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        stages_of(with_stages(*stages), net())


def test_without_any_each_part_is_a_stage() -> None:
    assert [len(stage) for stage in stages_of(SMALL, net())] == [2, 2, 2]


class _Shell(nn.Module):
    """A net in a shell, with a table of its own where asked."""

    def __init__(self, *, table: bool) -> None:
        super().__init__()
        self.inner = net()
        if table:
            self.table = nn.Parameter(torch.zeros(3))


def test_a_shell_around_one_part_is_opened() -> None:
    assert stages_of(SMALL, _Shell(table=False))[0] == ["inner.0.weight", "inner.0.bias"]
    with_table = stages_of(SMALL, _Shell(table=True))
    assert with_table[0] == ["table"] and len(with_table) == 2


def test_a_layer_on_its_own_is_one_stage() -> None:
    assert stages_of(SMALL, nn.Linear(2, 2)) == [["weight", "bias"]]
    assert stages_of(SMALL, nn.Sequential(nn.Linear(2, 2))) == [["0.weight", "0.bias"]]


def test_shared_parameters_count_once() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].weight = model[0].weight
    assert sorted(sum(stages_of(SMALL, model), [])) == sorted(
        name for name, _ in model.named_parameters()
    )


TIMM = {
    "resnet10t": 6,
    "vit_tiny_patch16_224": 14,
    "convnext_atto": 6,
    "mobilenetv3_small_050": 9,
    "deit_tiny_distilled_patch16_224": 14,
}


@pytest.mark.parametrize("name", TIMM)
def test_stages_of_timm_s_models(name: str) -> None:
    model = timm.create_model(name, num_classes=3)
    found = stages_of(SMALL, model)
    assert len(found) == TIMM[name]
    assert sorted(sum(found, [])) == sorted(name for name, _ in model.named_parameters())
    heads = model.get_classifier()
    heads = heads if isinstance(heads, tuple) else (heads,)
    assert len(found[-1]) == sum(len(list(head.parameters())) for head in heads)


# --- Freezing -------------------------------------------------------------------------------


def trained(model: nn.Module) -> set[str]:
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


@pytest.mark.parametrize(
    ("how", "left"),
    [("none", {"0", "1", "4"}), (1, {"1", "4"}), (2, {"4"}), ("backbone", {"4"})],
)
def test_what_is_frozen(how: Any, left: set[str]) -> None:
    model = net()
    still = freeze(stages_of(SMALL, model), model, how)
    assert {name.split(".")[0] for name in trained(model)} == left
    assert still == ([] if "1" in left else [model[1]])


@pytest.mark.parametrize("how", [3, 12])
def test_one_stage_is_left_to_train(how: int) -> None:
    model = net()
    with pytest.raises(UserError, match=rf"leaves one stage or more.*got {how}.*take 1 to 2"):
        freeze(stages_of(SMALL, model), model, how)
    assert len(trained(model)) == 6


def test_a_model_of_one_stage_has_no_backbone() -> None:
    model = nn.Linear(2, 2)
    with pytest.raises(UserError, match="got 'backbone' of a model with 1: take \"none\""):
        freeze(stages_of(SMALL, model), model, "backbone")


def test_frozen_norms_stay_as_they_are_while_the_rest_trains() -> None:
    model = net()
    model.append(nn.BatchNorm1d(2))
    still = freeze(stages_of(SMALL, model), model, 2)
    train_mode(model, still)
    before = {name: tensor.clone() for name, tensor in model.named_buffers()}
    model(torch.randn(8, 1, 3, 3))
    after = dict(model.named_buffers())
    assert torch.equal(before["1.running_mean"], after["1.running_mean"])
    assert not torch.equal(before["5.running_mean"], after["5.running_mean"])
    model.eval()
    train_mode(model, still)
    assert model.training and model[5].training and not model[1].training


def test_norms_without_parameters_follow_the_part_they_lie_in() -> None:
    def part() -> nn.Module:
        return nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1, affine=False))

    model = nn.Sequential(part(), part())
    assert freeze(stages_of(SMALL, model), model, 1) == [model[0][1]]


def test_a_frozen_backbone_costs_no_gradient() -> None:
    model = timm.create_model("resnet10t", num_classes=3)
    freeze(stages_of(SMALL, model), model, "backbone")
    seen = []
    model.layer4.register_full_backward_hook(lambda *_: seen.append("layer4"))
    features = model.forward_features(torch.randn(2, 3, 32, 32))
    assert not features.requires_grad
    model.forward_head(features).sum().backward()
    assert seen == []
    assert {name for name, p in model.named_parameters() if p.grad is not None} == {
        "fc.weight",
        "fc.bias",
    }


# --- Layer decay ----------------------------------------------------------------------------


def test_each_stage_learns_more_slowly_than_the_next() -> None:
    stages: Stages = [["a", "b"], ["c"], ["head"]]
    assert scales(stages, 0.5) == {"a": 0.25, "b": 0.25, "c": 0.5, "head": 1.0}
    assert set(scales(stages, 1.0).values()) == {1.0}


# --- In a training --------------------------------------------------------------------------


@pytest.fixture
def weights(task: Task, images: PreparedTask, tmp_path: Any) -> Any:
    """The weights and the optimizer's state after a training with these settings, and the rates."""

    def train(family: Family = SMALL, **settings: Any) -> tuple[Any, list[float]]:
        checkpoint = Checkpoint(tmp_path / "trial.pt")
        checkpoint.delete()
        reports = fit(
            task=task,
            family=family,
            config=make_config(augmentation="none", **settings),
            seed=3,
            budget=Budget(max_epochs=2),
            data=images,
            device="cpu",
            checkpoint=checkpoint,
        )
        rates = [report.metrics["learning_rate"] for report in reports]
        return checkpoint.load(), rates

    return train


def initial(images: PreparedTask, **settings: Any) -> dict[str, torch.Tensor]:
    """The weights that a training with these settings begins with."""
    from bench.train.model import build

    model = build(SMALL, make_config(**settings), images, seed=3, device=torch.device("cpu"))
    return model.state_dict()


def test_training_leaves_frozen_stages_alone(weights: Any, images: PreparedTask) -> None:
    before = initial(images)
    state, _ = weights(freeze="backbone")
    after = state["model"]
    same = {name for name in before if torch.equal(before[name], after[name])}
    assert same == {name for name in before if not name.startswith("5.")}
    assert len(state["optimizer"]["state"]) == 2
    assert state["parameters"] == sum(
        tensor.numel()
        for name, tensor in before.items()
        if name.split(".")[1] in ("weight", "bias")
    )


def test_layer_decay_slows_early_stages_and_is_reported_at_the_head_s_rate(
    weights: Any, images: PreparedTask
) -> None:
    settings = {"optimizer": "sgd", "momentum": 0.0, "schedule": "constant", "dropout": 0.0}
    settings |= {"batch_size": 97, "warmup": 0.0, "clip_norm": 1e-3, "learning_rate": 1.0}
    settings |= {"weight_decay": 0.0}
    before = initial(images)

    def moved(**more: Any) -> dict[str, float]:
        state, rates = weights(**settings | more)
        assert rates == [1.0, 1.0]
        return {
            name: float((state["model"][name] - before[name]).float().norm()) for name in before
        }

    plain, decayed = moved(layer_decay=1.0), moved(layer_decay=0.5)
    # Steps are so small that both trainings see nearly the same gradients.
    assert decayed["5.weight"] / plain["5.weight"] == pytest.approx(1.0, rel=0.05)
    assert decayed["1.weight"] / plain["1.weight"] == pytest.approx(0.5, rel=0.05)
    assert decayed["0.weight"] / plain["0.weight"] == pytest.approx(0.25, rel=0.05)


def test_stages_are_not_asked_for_where_nothing_needs_them(weights: Any) -> None:
    weights(with_stages(["nothing"]))
    for settings in ({"freeze": 1}, {"layer_decay": 0.9}):
        with pytest.raises(UserError, match="mend its `stages`"):
            weights(with_stages(["nothing"]), **settings)


def test_a_frozen_training_resumed_is_bit_identical(
    task: Task, images: PreparedTask, tmp_path: Any
) -> None:
    def build(config: Config, shape: Shape) -> nn.Module:
        return nn.Sequential(build_small(config, shape), nn.BatchNorm1d(3), nn.Linear(3, 3))

    config = make_config(freeze=1, layer_decay=0.7, accumulation_steps=2)

    def run(checkpoint: Checkpoint, known: int = 0) -> Any:
        return fit(
            task=task,
            family=replace(SMALL, build=build),
            config=config,
            seed=3,
            budget=Budget(max_epochs=4),
            data=images,
            device="cpu",
            checkpoint=checkpoint,
            known_epoch=known,
            checkpoint_every_s=0.0,
        )

    whole, broken = Checkpoint(tmp_path / "whole.pt"), Checkpoint(tmp_path / "broken.pt")
    unbroken = [report.metrics for report in run(whole)]
    killed = run(broken)
    first = [next(killed).metrics, next(killed).metrics]
    killed.close()
    assert first + [report.metrics for report in run(broken, 2)] == unbroken
    one, two = whole.load(), broken.load()
    assert one and two
    assert all(torch.equal(one["model"][name], two["model"][name]) for name in one["model"])
