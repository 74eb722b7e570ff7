"""The contract of `fit`: reports, resuming, replicates, divergence, lack of memory."""

from __future__ import annotations

import errno
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from bench import registry
from bench.data.prepared import PreparedTask
from bench.errors import UserError
from bench.spec import Budget, Choice, Config, Family, Report, Shape, Space, Task, Weights
from bench.train.checkpoint import Checkpoint, StorageError
from bench.train.evaluate import evaluate
from bench.train.fit import Diverged, fit
from bench.train.trial import configure
from tests.train.synthetic import SMALL, build_small, make_config, make_task, write_images


@pytest.fixture
def run(task: Task, images: PreparedTask) -> Any:
    """`fit` on the image task with a small model; keywords change its arguments."""

    def start(**changes: Any) -> Iterator[Report]:
        given: dict[str, Any] = {
            "task": task,
            "family": SMALL,
            "config": make_config(),
            "seed": 5,
            "budget": Budget(max_epochs=5),
            "data": images,
            "device": "cpu",
            "checkpoint_every_s": 0.0,
        }
        return fit(**given | changes)

    return start


@pytest.fixture
def checkpoint(tmp_path: Any) -> Checkpoint:
    return Checkpoint(tmp_path / "trial.pt")


def timeless(reports: Any) -> list[Report]:
    return [replace(report, charged_seconds=0.0, free_seconds=0.0) for report in reports]


def same_weights(first: Checkpoint, second: Checkpoint) -> bool:
    one, two = first.load(), second.load()
    assert one and two
    return all(torch.equal(one["model"][name], two["model"][name]) for name in one["model"])


# --- Reports --------------------------------------------------------------------------------


def test_one_report_an_epoch_of_a_model_that_learns(run: Any) -> None:
    reports = list(run())
    assert [report.epoch for report in reports] == [1, 2, 3, 4, 5]
    assert [report.last for report in reports] == [False] * 4 + [True]
    assert reports[-1].score == reports[-1].metrics["accuracy"] > 0.8
    assert reports[-1].metrics["train_loss"] < reports[0].metrics["train_loss"]
    assert {"macro_f1", "auroc", "log_loss", "recall_left"} <= set(reports[0].metrics)
    assert all(report.charged_seconds > 0 < report.free_seconds for report in reports)
    assert all(report.notes == () for report in reports)
    # 6 updates an epoch, 30 in all, 3 of them warm-up; the rate at the middle of the last one.
    rate = 3e-3 * (1 + math.cos(math.pi * 26.5 / 27)) / 2
    assert reports[-1].metrics["learning_rate"] == pytest.approx(rate)


def test_a_score_is_turned_so_that_greater_is_better(run: Any) -> None:
    report = next(run(task=make_task(primary="log_loss")))
    assert report.score == -report.metrics["log_loss"] < 0


def test_the_same_seed_gives_the_same_and_another_seed_another(run: Any) -> None:
    first = timeless(run())
    assert timeless(run()) == first
    assert timeless(run(seed=6)) != first


def test_text_is_learnt(texts: PreparedTask) -> None:
    family = registry.families().get("fasttext")
    task = make_task("text_classification")
    config = configure(family, task, {"buckets": 2**17, "batch_size": 32, "learning_rate": 0.5})
    reports = list(
        fit(
            task=task,
            family=family,
            config=config,
            seed=0,
            budget=Budget(max_epochs=8),
            data=texts,
            device="cpu",
        )
    )
    assert reports[-1].score is not None and reports[-1].score > 0.75


def test_schedules_run_over_max_epochs_wherever_training_stops(run: Any) -> None:
    whole = timeless(run())
    stopped = timeless(run(budget=Budget(max_epochs=5, stop_epoch=2)))
    assert stopped == [whole[0], replace(whole[1], last=True)]


def test_patience_ends_training_early(run: Any) -> None:
    config = make_config(learning_rate=1e-5, optimizer="sgd", momentum=0.8, warmup=0.0)
    reports = list(run(config=config, budget=Budget(max_epochs=60, patience=2)))
    assert 3 <= len(reports) < 60
    assert reports[-1].last and reports[-1].notes == ("stopped early: no better score in 2 epochs",)
    best = int(np.argmax([report.score for report in reports]))
    assert len(reports) - 1 - best == 2


def test_an_undefined_primary_metric_is_an_error_of_the_data(run: Any, tmp_path: Any) -> None:
    data = write_images(tmp_path / "two", validation=2)
    with pytest.raises(UserError, match="auroc selects on synthetic and is undefined"):
        next(run(data=data, task=make_task(primary="auroc")))


def test_a_search_never_opens_the_test_split(run: Any, images: PreparedTask) -> None:
    for file in (images.root / "test").iterdir():
        file.unlink()
    assert len(list(run())) == 5


def test_search_trials_keep_no_best_weights(run: Any, checkpoint: Checkpoint) -> None:
    list(run(checkpoint=checkpoint))
    state = checkpoint.load()
    assert state and "best" not in state


# --- Resuming -------------------------------------------------------------------------------


@pytest.mark.parametrize("replicate", [False, True])
@pytest.mark.parametrize("stop", [1, 3])
def test_resumed_is_bit_identical_to_unbroken(
    run: Any, tmp_path: Any, stop: int, replicate: bool
) -> None:
    whole, broken = Checkpoint(tmp_path / "whole.pt"), Checkpoint(tmp_path / "broken.pt")
    config = make_config(augmentation="flips_rotation", clip_norm=1.0)
    same = {"config": config, "replicate": replicate}
    unbroken = timeless(run(checkpoint=whole, **same))

    killed = run(checkpoint=broken, **same)
    first = [next(killed) for _ in range(stop)]
    killed.close()
    torch.manual_seed(99)  # what happens between two processes must not matter
    rest = run(checkpoint=broken, known_epoch=stop, **same)
    assert timeless(first) + timeless(rest) == unbroken
    assert same_weights(whole, broken)


def test_text_resumed_is_bit_identical(texts: PreparedTask, tmp_path: Any) -> None:
    family = registry.families().get("fasttext")
    task = make_task("text_classification")
    config = configure(family, task, {"buckets": 2**17, "batch_size": 32})

    def start(checkpoint: Checkpoint, **changes: Any) -> Iterator[Report]:
        return fit(
            task=task, family=family, config=config, seed=0,
            budget=Budget(max_epochs=4), data=texts, device="cpu", checkpoint=checkpoint,
            checkpoint_every_s=0.0, **changes,
        )  # fmt: skip

    whole, broken = Checkpoint(tmp_path / "whole.pt"), Checkpoint(tmp_path / "broken.pt")
    unbroken = timeless(start(whole))
    killed = start(broken)
    first = [next(killed), next(killed)]
    killed.close()
    assert timeless(first) + timeless(start(broken, known_epoch=2)) == unbroken
    assert same_weights(whole, broken)


def test_the_checkpoint_lies_on_disk_before_its_report_is_yielded(
    run: Any, checkpoint: Checkpoint
) -> None:
    for report in run(checkpoint=checkpoint):
        state = checkpoint.load()
        assert state and state["epoch"] == report.epoch


def test_epochs_that_nobody_saw_come_from_the_history(run: Any, checkpoint: Checkpoint) -> None:
    unseen = list(run(checkpoint=checkpoint, budget=Budget(max_epochs=5, stop_epoch=3)))
    again = list(run(checkpoint=checkpoint, known_epoch=1))
    assert [report.epoch for report in again] == [2, 3, 4, 5]
    assert [report.charged_seconds for report in again[:2]] == [
        report.charged_seconds for report in unseen[1:]
    ]
    assert [report.last for report in again] == [False, False, False, True]


def test_known_epochs_are_trained_again_in_silence(run: Any, checkpoint: Checkpoint) -> None:
    whole = timeless(run())
    assert timeless(run(known_epoch=3)) == whole[3:]
    # The checkpoint ends before what the caller knows.
    list(run(checkpoint=checkpoint, budget=Budget(max_epochs=5, stop_epoch=1)))
    assert timeless(run(checkpoint=checkpoint, known_epoch=3)) == whole[3:]


def test_nothing_is_yielded_where_training_had_ended(run: Any, checkpoint: Checkpoint) -> None:
    list(run(checkpoint=checkpoint))
    assert list(run(checkpoint=checkpoint, known_epoch=5)) == []
    (last,) = run(checkpoint=checkpoint, known_epoch=4)
    assert last.epoch == 5 and last.last


def test_early_stopping_is_known_after_resuming(run: Any, checkpoint: Checkpoint) -> None:
    config = make_config(learning_rate=1e-5, optimizer="sgd", momentum=0.8, warmup=0.0)
    same = {"config": config, "budget": Budget(max_epochs=60, patience=2)}
    reports = list(run(checkpoint=checkpoint, **same))
    end = reports[-1].epoch
    assert timeless(run(checkpoint=checkpoint, known_epoch=end - 1, **same)) == timeless(
        reports[-1:]
    )
    assert list(run(checkpoint=checkpoint, known_epoch=end, **same)) == []


def test_a_checkpoint_is_due_by_time_and_at_the_end(run: Any, checkpoint: Checkpoint) -> None:
    saved = []
    save = checkpoint.save
    checkpoint.save = lambda state: (saved.append(state["epoch"]), save(state))  # type: ignore[method-assign, assign, func-returns-value]
    list(run(checkpoint=checkpoint, checkpoint_every_s=1e9))
    assert saved == [5]
    saved.clear()
    checkpoint.delete()
    list(run(checkpoint=checkpoint, checkpoint_every_s=0.0))
    assert saved == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("asked_for", "expected"),
    [
        ({"save_epochs": (1, 3)}, [1, 3, 5]),
        ({"save_epochs": None}, [1, 2, 3, 4, 5]),
        ({"save_after": 0.0}, [1, 2, 3, 4, 5]),
        ({"save_after": 4e9}, [5]),
    ],
)
def test_a_checkpoint_stands_before_the_reports_it_is_asked_for(
    run: Any, checkpoint: Checkpoint, asked_for: dict[str, Any], expected: list[int]
) -> None:
    stands = [
        report.epoch
        for report in run(checkpoint=checkpoint, checkpoint_every_s=1e9, **asked_for)
        if (state := checkpoint.load()) is not None and state["epoch"] == report.epoch
    ]
    assert stands == expected


def test_every_epoch_is_a_sign_of_life(run: Any) -> None:
    beats: list[str] = []
    reports = list(run(known_epoch=3, alive=lambda: beats.append("beat")))
    assert len(reports) == 2 and len(beats) == 5


def test_a_checkpoint_that_cannot_be_written_ends_training_before_its_report(
    run: Any, checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that was due by time alone; afterwards it goes on from the last one that stands."""
    whole = timeless(run())
    begun = run(checkpoint=checkpoint)
    first = [next(begun), next(begun)]

    def full(state: object, file: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(torch, "save", full)
        with pytest.raises(StorageError, match="trial.pt: No space left on device: free some"):
            next(begun)
    rest = run(checkpoint=checkpoint, known_epoch=2)
    assert timeless(first) + timeless(rest) == whole


def test_a_damaged_checkpoint_is_noted_and_training_begins_anew(
    run: Any, checkpoint: Checkpoint, tmp_path: Any
) -> None:
    whole = timeless(run(checkpoint=checkpoint))
    file = tmp_path / "trial.pt"
    file.write_bytes(file.read_bytes()[:1000])
    again = timeless(run(checkpoint=checkpoint))
    assert again[0].notes[0].startswith("damaged checkpoint ignored")
    assert [replace(report, notes=()) for report in again] == whole


def test_another_trial_s_checkpoint_is_not_gone_on_from(run: Any, checkpoint: Checkpoint) -> None:
    list(run(checkpoint=checkpoint))
    reports = timeless(run(checkpoint=checkpoint, seed=6))
    assert reports[0].notes == ("checkpoint of another training ignored",)
    assert [replace(report, notes=()) for report in reports] == timeless(run(seed=6))


# --- Replicates -----------------------------------------------------------------------------


def test_a_replicate_keeps_the_weights_of_its_best_epoch(
    run: Any, checkpoint: Checkpoint, task: Task, images: PreparedTask
) -> None:
    config = make_config(schedule="constant", learning_rate=2e-2, dropout=0.8)
    reports = list(run(config=config, checkpoint=checkpoint, replicate=True, seed=2))
    scores = [report.score for report in reports]
    best = int(np.argmax(scores))
    assert best < 4, "the case needs a best epoch before the last"
    found = evaluate(
        task=task, family=SMALL, config=config, data=images, checkpoint=checkpoint, device="cpu"
    )
    assert found.selected_epoch == best + 1
    assert found.splits["validation"].metrics["accuracy"] == scores[best]
    losses = [report.metrics["log_loss"] for report in reports]
    assert found.splits["validation"].metrics["log_loss"] == losses[best] != losses[-1]
    test = found.splits["test"]
    scores, labels = test.arrays["scores"], test.arrays["labels"]
    assert scores.shape == (40, 3) and scores.dtype == np.float32
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(labels, np.arange(40) % 3)
    assert test.arrays["ids"][1] == "test-1" and test.arrays["groups"][7] == "patient-1"
    assert test.metrics["accuracy"] == (scores.argmax(axis=1) == labels).mean()
    assert found.training_rows == 97
    assert found.parameters == sum(
        p.numel() for p in build_small(config, images.shape).parameters()
    )
    assert found.peak_memory_mb is None


def test_what_errors_are_broken_down_by_comes_with_the_predictions(
    run: Any, checkpoint: Checkpoint, tmp_path: Any
) -> None:
    data = write_images(tmp_path / "votes", facts={"votes": lambda row: row % 8, "other": float})
    task = make_task(strata=("votes",))
    list(run(task=task, data=data, checkpoint=checkpoint, replicate=True))
    found = evaluate(
        task=task, family=SMALL, config=make_config(), data=data, checkpoint=checkpoint,
        device="cpu",
    )  # fmt: skip
    arrays = found.splits["test"].arrays
    assert set(arrays) == {"ids", "groups", "labels", "scores", "fact_votes"}
    assert arrays["fact_votes"].dtype == np.float64
    np.testing.assert_array_equal(arrays["fact_votes"], np.arange(40) % 8)


def test_weights_are_of_the_rows_that_an_epoch_draws(
    checkpoint: Checkpoint, run: Any, tmp_path: Any
) -> None:
    from bench.train.material import Material

    data = write_images(tmp_path / "votes", facts={"votes": lambda row: row})
    # Of the rows 10 to 96: 29 of each class but "left", of which every second is left out.
    task = make_task(
        keep=lambda config, facts: (
            (facts["votes"] >= 10) & ((facts["votes"] % 3 != 1) | (facts["votes"] % 2 == 0))
        ),
        training=Space(balance=Choice("none", "oversample")),
    )

    def counts(balance: str) -> list[int]:
        return (
            Material(
                data, task=task, family=SMALL, config=make_config(balance=balance), seed=0,
                device="cpu", refit="train",
            )
            .class_counts()
            .tolist()
        )  # fmt: skip

    assert counts("none") == [29, 15, 29]
    assert counts("oversample") == [29, 29, 29]
    list(run(task=task, data=data, checkpoint=checkpoint, replicate=True))
    state = checkpoint.load()
    assert state and state["training_rows"] == 73


def test_evaluate_opens_the_named_splits_only(
    run: Any, checkpoint: Checkpoint, task: Task, images: PreparedTask
) -> None:
    list(run(checkpoint=checkpoint, replicate=True))
    same = {"task": task, "family": SMALL, "config": make_config(), "data": images}
    for file in (images.root / "test").iterdir():
        file.unlink()
    found = evaluate(**same, checkpoint=checkpoint, device="cpu", splits=("validation",))  # type: ignore[arg-type]
    assert set(found.splits) == {"validation"}
    with pytest.raises(UserError, match="test split of synthetic is incomplete"):
        evaluate(**same, checkpoint=checkpoint, device="cpu")  # type: ignore[arg-type]
    checkpoint.delete()
    with pytest.raises(FileNotFoundError, match="train the replicate again"):
        evaluate(**same, checkpoint=checkpoint, device="cpu")  # type: ignore[arg-type]


def test_refit_trains_on_both_splits_and_keeps_the_last_weights(
    run: Any, checkpoint: Checkpoint, task: Task, images: PreparedTask
) -> None:
    budget = Budget(max_epochs=5, stop_epoch=3, patience=1)
    refit = {"replicate": True, "refit": "train+validation", "budget": budget}
    reports = list(run(checkpoint=checkpoint, **refit))
    assert [report.score for report in reports] == [None] * 3
    assert set(reports[0].metrics) == {"train_loss", "learning_rate"}
    state = checkpoint.load()
    assert state and state["selected_epoch"] == 3
    assert all(torch.equal(state["best"][name], state["model"][name]) for name in state["best"])
    # 97 + 45 cases in batches of 16 are 9 updates an epoch; 97 alone would be 6.
    steps = {float(entry["step"]) for entry in state["optimizer"]["state"].values()}
    assert steps == {27.0}


# --- Divergence -----------------------------------------------------------------------------


class _Bomb(torch.nn.Module):
    """Gives NaN from its `fuse`-th training step on."""

    def __init__(self, fuse: int, inner: torch.nn.Module, *, in_training: bool) -> None:
        super().__init__()
        self.inner, self.fuse, self.in_training = inner, fuse, in_training
        self.register_buffer("steps", torch.zeros(()))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        self.steps += float(self.training)
        gone = self.steps >= self.fuse and self.training == self.in_training
        return self.inner(inputs) * (math.nan if gone else 1.0)


def bomb(fuse: int, *, in_training: bool = True) -> Family:
    def build(config: Config, shape: Shape) -> torch.nn.Module:
        return _Bomb(fuse, build_small(config, shape), in_training=in_training)

    return replace(SMALL, id=f"bomb-{fuse}-{in_training}", build=build)


@pytest.mark.parametrize(
    ("in_training", "what"), [(True, "training loss"), (False, "outputs on validation")]
)
def test_a_trial_that_diverges_raises_with_its_epoch(
    run: Any, in_training: bool, what: str
) -> None:
    seen = []
    with pytest.raises(Diverged, match=f"diverged in epoch 3: the {what}") as caught:
        for report in run(family=bomb(15, in_training=in_training)):  # 6 updates an epoch
            seen.append(report.epoch)
    assert seen == [1, 2]
    assert caught.value.epoch == 3


def test_divergence_is_seen_at_the_step(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = 0
    forward = _Bomb.forward

    def counted(self: _Bomb, inputs: torch.Tensor) -> torch.Tensor:
        nonlocal steps
        steps += self.training
        return forward(self, inputs)

    monkeypatch.setattr(_Bomb, "forward", counted)
    with pytest.raises(Diverged):
        list(run(family=bomb(2)))
    assert steps == 2


@pytest.mark.parametrize(("fuse", "kept"), [(15, 2), (2, 0)])
@pytest.mark.parametrize("refit", ["train", "train+validation"])
def test_a_replicate_that_diverges_ends_with_its_last_finite_best(
    run: Any,
    checkpoint: Checkpoint,
    task: Task,
    images: PreparedTask,
    fuse: int,
    kept: int,
    refit: str,
) -> None:
    fuse += 0 if refit == "train" or fuse == 2 else 6  # 9 updates an epoch instead of 6
    arguments = {"family": bomb(fuse), "replicate": True, "refit": refit, "checkpoint": checkpoint}
    arguments["config"] = make_config(learning_rate=3e-4)  # so slow that each epoch is better
    reports = list(run(**arguments))
    last = reports[-1]
    assert last.epoch == kept + 1 and last.last and last.score is None
    assert "diverged in epoch" in last.notes[0]
    state = checkpoint.load()
    assert state and state["selected_epoch"] <= kept
    assert f"kept the weights of epoch {state['selected_epoch']}" in last.notes[0]
    if refit == "train+validation":
        assert state["selected_epoch"] == kept
    assert all(torch.isfinite(tensor).all() for tensor in state["best"].values())
    found = evaluate(
        task=task, family=arguments["family"], config=arguments["config"], data=images,
        checkpoint=checkpoint, device="cpu", splits=("test",),
    )  # fmt: skip
    assert math.isfinite(found.splits["test"].metrics["log_loss"])
    assert list(run(**arguments, known_epoch=last.epoch)) == []


# --- Accumulation ---------------------------------------------------------------------------


class _Counted(torch.nn.Module):
    """Notes how many cases it trains on at once."""

    def __init__(self, inner: torch.nn.Module, seen: list[int]) -> None:
        super().__init__()
        self.inner, self.seen = inner, seen

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.seen.append(len(inputs))
        return self.inner(inputs)


def test_accumulated_updates_are_those_of_the_whole_batch(
    run: Any, checkpoint: Checkpoint, tmp_path: Any
) -> None:
    seen: list[int] = []
    family = replace(SMALL, build=lambda config, shape: _Counted(build_small(config, shape), seen))
    plain = {"norm": False, "dropout": 0.0, "augmentation": "flips_rotation", "clip_norm": 1.0}
    at_once = Checkpoint(tmp_path / "at-once.pt")
    config = make_config(batch_size=32, **plain)
    whole = list(run(config=config, family=family, checkpoint=at_once))
    assert seen[:3] == [32, 32, 33]
    seen.clear()
    config = make_config(batch_size=8, accumulation_steps=4, **plain)
    parts = list(run(config=config, family=family, checkpoint=checkpoint))
    assert seen[:13] == [8] * 8 + [7, 7, 7, 6, 6]
    for one, two in zip(whole, parts, strict=True):
        assert two.notes == ()
        assert two.metrics["learning_rate"] == one.metrics["learning_rate"]
        assert two.metrics["train_loss"] == pytest.approx(one.metrics["train_loss"], rel=1e-4)
    first, second = at_once.load(), checkpoint.load()
    assert first and second and (first["micro_batch"], second["micro_batch"]) == (None, 8)
    for name, tensor in first["model"].items():
        torch.testing.assert_close(tensor, second["model"][name], atol=1e-4, rtol=1e-3)


def test_batch_norms_see_micro_batches(run: Any, checkpoint: Checkpoint) -> None:
    list(run(config=make_config(batch_size=8, accumulation_steps=2), checkpoint=checkpoint))
    state = checkpoint.load()
    # 97 cases are five batches of 16 in two parts each, and one of 17 in three; five epochs.
    assert state and int(state["model"]["1.num_batches_tracked"]) == 5 * 13
    assert {int(entry["step"]) for entry in state["optimizer"]["state"].values()} == {5 * 6}


def test_a_lack_of_memory_goes_on_from_the_accumulated_micro_batch(
    run: Any, checkpoint: Checkpoint
) -> None:
    config = make_config(batch_size=8, accumulation_steps=2)
    unbroken = timeless(run(config=config, family=greedy(5)))
    assert unbroken[0].notes == ("out of memory: micro-batches of at most 4",)
    killed = run(config=config, family=greedy(5), checkpoint=checkpoint)
    first = [next(killed), next(killed)]
    killed.close()
    rest = run(config=config, family=greedy(5), checkpoint=checkpoint, known_epoch=2)
    assert timeless(first) + timeless(rest) == unbroken
    state = checkpoint.load()
    assert state and state["micro_batch"] == 4


# --- Pretrained weights ---------------------------------------------------------------------


def test_a_training_from_other_weights_is_another_training(
    run: Any, checkpoint: Checkpoint, tmp_path: Any
) -> None:
    file = tmp_path / "weights.pt"
    begun = Weights(name="mine", path=file, mean=(0.5,), std=(0.5,))
    family = replace(SMALL, weights=lambda config: begun)
    torch.save({"weight": torch.zeros(1)}, file)
    list(run(family=family, checkpoint=checkpoint))
    assert list(run(family=family, checkpoint=checkpoint, known_epoch=5)) == []
    torch.save({"weight": torch.ones(1)}, file)
    again = next(run(family=family, checkpoint=checkpoint))
    assert again.notes == ("checkpoint of another training ignored",)


# --- Lack of memory -------------------------------------------------------------------------


class _Greedy(torch.nn.Module):
    """Runs out of memory above so many cases at once, in training."""

    def __init__(self, limit: int, inner: torch.nn.Module) -> None:
        super().__init__()
        self.inner, self.limit = inner, limit

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        if self.training and len(inputs) > self.limit:
            raise torch.OutOfMemoryError("no more memory")
        return self.inner(inputs)


def greedy(limit: int) -> Family:
    def build(config: Config, shape: Shape) -> torch.nn.Module:
        return _Greedy(limit, build_small(config, shape))

    return replace(SMALL, id=f"greedy-{limit}", build=build)


def test_a_lack_of_memory_halves_the_micro_batch_and_goes_on(
    run: Any, checkpoint: Checkpoint, tmp_path: Any
) -> None:
    plenty = Checkpoint(tmp_path / "plenty.pt")
    config = make_config(norm=False, dropout=0.0, clip_norm=1.0)
    whole = list(run(config=config, family=greedy(99), checkpoint=plenty))
    short = list(run(config=config, family=greedy(5), checkpoint=checkpoint))
    assert short[0].notes == (
        "out of memory: micro-batches of at most 8",
        "out of memory: micro-batches of at most 4",
    )
    assert all(report.notes == () for report in short[1:])
    for one, two in zip(whole, short, strict=True):
        assert two.metrics["train_loss"] == pytest.approx(one.metrics["train_loss"], rel=1e-4)
    first, second = plenty.load(), checkpoint.load()
    assert first and second and second["micro_batch"] == 4
    for name, tensor in first["model"].items():
        torch.testing.assert_close(tensor, second["model"][name], atol=1e-4, rtol=1e-3)


def test_a_micro_batch_is_remembered_on_resuming(run: Any, checkpoint: Checkpoint) -> None:
    unbroken = timeless(run(family=greedy(5)))
    killed = run(family=greedy(5), checkpoint=checkpoint)
    first = [next(killed), next(killed)]
    killed.close()
    rest = run(family=greedy(5), checkpoint=checkpoint, known_epoch=2)
    assert timeless(first) + timeless(rest) == unbroken


def test_no_memory_for_one_case_is_raised(run: Any) -> None:
    with pytest.raises(torch.OutOfMemoryError):
        list(run(family=greedy(0)))
