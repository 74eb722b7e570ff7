"""A budget in charged seconds: where training ends, what schedules follow, going on from a file."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bench.data.prepared import PreparedTask
from bench.spec import Budget, Config, Family, Report, Shape, Task
from bench.train import clock as clocks
from bench.train.checkpoint import Checkpoint
from bench.train.clock import Allowance, Clock
from bench.train.evaluate import evaluate
from bench.train.fit import fit
from tests.train.synthetic import SMALL, build_small, make_config

UPDATES = 6
"""Of an epoch: 97 cases in batches of 16, of which the last takes the odd one."""


class Time:
    """Made-up time: an update takes `update` seconds, a batch of validation ten."""

    def __init__(self) -> None:
        self.now, self.update, self.updates = 100.0, 1.0, 0
        self.rates: list[float] = []

    def passes(self, training: bool) -> None:
        self.now += self.update if training else 10.0
        self.updates += training


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    made_up = Time()
    monkeypatch.setattr(clocks.time, "perf_counter", lambda: made_up.now)
    return made_up


class _Timed(torch.nn.Module):
    def __init__(self, inner: torch.nn.Module, time: Time) -> None:
        super().__init__()
        self.inner, self.time = inner, time

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        self.time.passes(self.training)
        return self.inner(inputs)


@pytest.fixture
def run(task: Task, images: PreparedTask, time: Time) -> Any:
    """`fit` in made-up time: ten seconds, unless told otherwise."""

    def build(config: Config, shape: Shape) -> torch.nn.Module:
        return _Timed(build_small(config, shape), time)

    family: Family = replace(SMALL, build=build)

    def start(seconds: float = 10.0, **changes: Any) -> Iterator[Report]:
        given: dict[str, Any] = {
            "task": task, "family": family, "config": make_config(), "seed": 5, "data": images,
            "budget": Budget(max_epochs=100, max_seconds=seconds), "device": "cpu",
            "checkpoint_every_s": 0.0,
        }  # fmt: skip
        return fit(**given | changes)

    return start


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    return Checkpoint(tmp_path / "trial.pt")


def seconds(reports: list[Report]) -> list[float]:
    return [report.charged_seconds for report in reports]


# --- Where training ends --------------------------------------------------------------------


def test_training_ends_at_the_update_that_spends_them(run: Any, time: Time) -> None:
    reports = list(run(10))
    assert time.updates == 10
    assert [report.epoch for report in reports] == [1, 2]
    assert [report.last for report in reports] == [False, True]
    assert seconds(reports) == [6, 4], "validation is free"
    assert all(report.score is not None and report.free_seconds >= 10 for report in reports)
    assert all(math.isfinite(report.metrics["train_loss"]) for report in reports)
    assert all(report.notes == () for report in reports)


def test_an_update_that_passes_the_end_is_the_last(run: Any, time: Time) -> None:
    time.update = 1.5
    reports = list(run(10))
    assert time.updates == 7 and sum(seconds(reports)) == 10.5


@pytest.mark.parametrize(("budget", "epochs"), [(12, 2), (3, 1), (0.1, 1)])
def test_the_end_of_an_epoch_and_within_the_first(run: Any, budget: float, epochs: int) -> None:
    reports = list(run(budget))
    assert [report.epoch for report in reports] == list(range(1, epochs + 1))
    assert reports[-1].last and sum(seconds(reports)) == max(1, budget)


def test_max_epochs_caps_them_and_that_is_said(run: Any) -> None:
    reports = list(run(budget=Budget(max_epochs=2, max_seconds=50)))
    assert [report.last for report in reports] == [False, True]
    assert reports[-1].notes == ("stopped at max_epochs (2) after 12 of 50 charged seconds",)


def test_patience_and_a_stop_between_epochs_end_it_as_ever(run: Any) -> None:
    reports = list(run(budget=Budget(max_epochs=100, max_seconds=50, stop_epoch=3)))
    assert [report.epoch for report in reports] == [1, 2, 3]
    assert reports[-1].last and reports[-1].notes == ()
    config = make_config(learning_rate=1e-5, optimizer="sgd", momentum=0.8, warmup=0.0)
    budget = Budget(max_epochs=100, max_seconds=300, patience=2)
    reports = list(run(config=config, budget=budget))
    assert reports[-1].last and reports[-1].notes == ("stopped early: no better score in 2 epochs",)
    assert sum(seconds(reports)) < 300


# --- Schedules ------------------------------------------------------------------------------


def rates(run: Any, monkeypatch: pytest.MonkeyPatch, budget: float, **config: Any) -> list[float]:
    """The learning rate of each update."""
    found: list[float] = []
    step = torch.optim.SGD.step

    def noted(self: torch.optim.SGD, *given: Any, **named: Any) -> Any:
        found.append(self.param_groups[0]["lr"])
        return step(self, *given, **named)

    with monkeypatch.context() as patched:
        patched.setattr(torch.optim.SGD, "step", noted)
        given = {"optimizer": "sgd", "momentum": 0.9, "learning_rate": 1e-3} | config
        list(run(budget, config=make_config(**given)))
    return found


@pytest.mark.parametrize("schedule", ["cosine", "one_cycle"])
def test_schedules_and_warm_up_run_over_the_seconds(
    run: Any, time: Time, monkeypatch: pytest.MonkeyPatch, schedule: str
) -> None:
    slow = rates(run, monkeypatch, 40, schedule=schedule, warmup=0.25)
    assert len(slow) == 40
    top = int(np.argmax(slow))
    assert top in ((9, 10) if schedule == "cosine" else (11, 12))
    assert slow[top] == pytest.approx(1e-3, rel=0.02)
    assert slow[: top + 1] == sorted(slow[: top + 1])
    assert slow[top:] == sorted(slow[top:], reverse=True)
    assert slow[-1] < 1e-5
    if schedule == "cosine":
        assert slow[1:10] == pytest.approx([1e-3 * (n + 0.5) / 10 for n in range(1, 10)])
    time.update = 0.5  # a machine that is twice as fast
    fast = rates(run, monkeypatch, 40, schedule=schedule, warmup=0.25)
    assert len(fast) == 80
    assert fast[3::2] == pytest.approx(slow[1:], abs=1e-4)


def test_max_epochs_is_of_no_matter_to_schedules(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def capped(budget: float, **given: Any) -> Iterator[Report]:
        found: Iterator[Report] = run(**given, budget=Budget(max_epochs=2, max_seconds=budget))
        return found

    whole = rates(run, monkeypatch, 40)
    assert rates(capped, monkeypatch, 40) == whole[: 2 * UPDATES]


def test_a_constant_rate_is_constant_after_its_warm_up(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = rates(run, monkeypatch, 20, schedule="constant", warmup=0.5)
    assert found[10:] == pytest.approx([1e-3] * 10)
    assert found[:10] == sorted(found[:10]) and found[5] == pytest.approx(5.5e-4)


def test_exponential_decays_by_its_factor_a_pass_over_the_data(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = rates(run, monkeypatch, 30, schedule="exponential", decay=0.8, warmup=0.0)
    for epoch in range(1, 4):
        ratio = found[UPDATES * (epoch + 1)] / found[UPDATES * epoch]
        assert ratio == pytest.approx(0.8)
    late = rates(run, monkeypatch, 30, schedule="exponential", decay=0.8, warmup=0.4)
    assert int(np.argmax(late)) in (11, 12) and max(late) == pytest.approx(1e-3, rel=0.05)
    assert late[29] == pytest.approx(1e-3 * 0.8 ** (18 / UPDATES), rel=0.02)


# --- Going on -------------------------------------------------------------------------------


def test_going_on_counts_the_seconds_before_the_checkpoint(
    run: Any, checkpoint: Checkpoint, time: Time
) -> None:
    killed = run(20, checkpoint=checkpoint)
    first = [next(killed), next(killed)]
    killed.close()
    assert time.updates == 12
    rest = list(run(20, checkpoint=checkpoint, known_epoch=2))
    assert time.updates == 20
    assert [report.epoch for report in first + rest] == [1, 2, 3, 4]
    assert seconds(first + rest) == [6, 6, 6, 2] and rest[-1].last
    assert list(run(20, checkpoint=checkpoint, known_epoch=4)) == []
    (last,) = run(20, checkpoint=checkpoint, known_epoch=3)
    assert last.epoch == 4 and last.last
    assert time.updates == 20, "nothing was trained again"


def test_the_schedule_goes_on_where_it_was(
    run: Any, checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = rates(run, monkeypatch, 20)
    killed = run(20, checkpoint=checkpoint, config=make_config(
        optimizer="sgd", momentum=0.9, learning_rate=1e-3
    ))  # fmt: skip
    next(killed)
    killed.close()
    rest = rates(lambda s, **given: run(s, checkpoint=checkpoint, **given), monkeypatch, 20)
    assert rest[1:] == pytest.approx(whole[7:])


def test_another_budget_is_another_training(run: Any, checkpoint: Checkpoint) -> None:
    list(run(10, checkpoint=checkpoint))
    again = list(run(12, checkpoint=checkpoint))
    assert again[0].notes == ("checkpoint of another training ignored",)
    capped = list(
        run(checkpoint=checkpoint, known_epoch=1, budget=Budget(max_epochs=7, max_seconds=12))
    )
    assert [report.epoch for report in capped] == [2], "the cap makes no other training of it"


def test_a_slower_machine_that_trains_again_ends_with_a_report(
    run: Any, checkpoint: Checkpoint, time: Time
) -> None:
    """Three epochs are known, their checkpoint is gone, and now the seconds last for two."""
    time.update = 2.0
    (last,) = run(20, checkpoint=checkpoint, known_epoch=3)
    assert (last.epoch, last.last) == (4, True) and last.score is not None
    assert last.notes == ("trained again without its checkpoint, and ended in epoch 2",)
    (again,) = run(20, checkpoint=checkpoint, known_epoch=3)
    assert timeless(again) == timeless(last), "killed before the driver had it"
    assert list(run(20, checkpoint=checkpoint, known_epoch=3, replicate=True)) == []


def timeless(report: Report) -> Report:
    return replace(report, charged_seconds=0.0, free_seconds=0.0)


# --- Replicates -----------------------------------------------------------------------------


def test_a_replicate_keeps_the_weights_of_its_best_epoch(
    run: Any, checkpoint: Checkpoint, task: Task, images: PreparedTask
) -> None:
    config = make_config(schedule="constant", learning_rate=2e-2, dropout=0.8)
    reports = list(run(26, config=config, checkpoint=checkpoint, replicate=True, seed=2))
    scores = [report.score for report in reports]
    assert len(scores) == 5
    found = evaluate(
        task=task, family=SMALL_UNTIMED, config=config, data=images,
        checkpoint=_unwrapped(checkpoint), device="cpu",
    )  # fmt: skip
    assert found.selected_epoch == int(np.argmax(scores)) + 1
    assert found.splits["validation"].metrics["accuracy"] == max(scores)
    # Of the fifth epoch's six updates two were made: 4 1/3 epochs of 97 rows, over five.
    assert found.training_rows == 84


SMALL_UNTIMED = replace(SMALL, build=build_small)


def _unwrapped(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint with the names of the model that keeps no time."""
    state = checkpoint.load()
    assert state is not None
    best = {name.removeprefix("inner."): tensor for name, tensor in state["best"].items()}
    checkpoint.save(state | {"best": best})
    return checkpoint


def test_refit_on_both_splits_ends_at_the_update_too(
    run: Any, checkpoint: Checkpoint, time: Time
) -> None:
    reports = list(
        run(12, checkpoint=checkpoint, replicate=True, refit="train+validation")
    )  # fmt: skip
    assert time.updates == 12, "9 updates an epoch"
    assert seconds(reports) == [9, 3]
    assert [report.score for report in reports] == [None, None] and reports[-1].last
    state = checkpoint.load()
    assert state and state["selected_epoch"] == 2
    assert all(torch.equal(state["best"][name], state["model"][name]) for name in state["best"])
    time.updates = 0
    stopped = Budget(max_epochs=100, max_seconds=50, stop_epoch=2)
    list(run(budget=stopped, replicate=True, refit="train+validation"))
    assert time.updates == 18


# --- The allowance --------------------------------------------------------------------------


class _Gpu:
    """A clock whose readings cost something, and are counted."""

    def __init__(self, time: Time) -> None:
        self.waits, self.readings, self._time, self._start = True, 0, time, time.now

    def read(self) -> float:
        self.readings += 1
        return self._time.now - self._start


@pytest.mark.parametrize("update", [0.002, 0.3, 7.0, 60.0])
def test_a_gpu_s_clock_is_read_seldom_and_the_end_is_near(time: Time, update: float) -> None:
    clock = _Gpu(time)
    allowance = Allowance(100.0)
    allowance.begin(clock, 0.0)  # type: ignore[arg-type]
    updates = 0
    shares = []
    while True:
        shares.append(allowance.share())
        time.now += update
        updates += 1
        if allowance.spent():
            break
    over = updates * update - 100
    assert 0 <= over <= max(update, 1.0)
    assert clock.readings <= min(updates, 150)
    truth = [(n + 0.5) * update / 100 for n in range(updates)]
    assert shares[1:] == pytest.approx(np.minimum(truth[1:], 1.0), abs=0.002)


def test_slower_updates_are_noticed_within_a_hundredth(time: Time) -> None:
    """As long texts after short ones: from the middle on, each takes three times as long."""
    clock = _Gpu(time)
    allowance = Allowance(100.0)
    allowance.begin(clock, 0.0)  # type: ignore[arg-type]
    begun, spent = time.now, False
    while not spent:
        time.now += 0.01 if time.now - begun < 50 else 0.03
        spent = allowance.spent()
    assert 100 <= time.now - begun <= 101


def test_one_short_update_says_little_about_the_next(time: Time) -> None:
    clock = _Gpu(time)
    allowance = Allowance(100.0)
    allowance.begin(clock, 0.0)  # type: ignore[arg-type]
    begun, spent, update = time.now, False, 0.0001
    while not spent:
        time.now += update
        spent, update = allowance.spent(), 0.5
    assert 100 <= time.now - begun <= 101


def test_on_a_cpu_each_update_is_looked_at(time: Time) -> None:
    clock = Clock("cpu")
    allowance = Allowance(0.01)
    allowance.begin(clock, 0.004)
    with clock.charged():
        for expected in (False, False, False, False, False, True):
            time.now += 0.001000001
            assert allowance.spent() is expected
