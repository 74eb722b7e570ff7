"""What a worker makes of a job: messages, and what goes wrong as a message too."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from bench import registry
from bench.data.prepared import PreparedTask
from bench.registry import Shelf
from bench.spec import Entrant, Replicates, Report, Search, Study
from bench.tune import jobs, work
from bench.tune.jobs import Content, Context, Failure, Job, Trained
from bench.tune.watchdog import Watchdog
from bench.tune.work import Workshop, failure
from tests.train.synthetic import SMALL, make_config, make_task, write_images
from tests.tune.alarm import Alarm

STUDY = Study(
    id="synthetic-small",
    task="synthetic",
    entrant=Entrant(label="Small", family="small"),
    space={},
    pinned={},
    enqueued=(),
    search=Search(effort_epochs=30, max_epochs=3),
    replicates=Replicates(seeds=1),
    seed=1,
)


IN_SECONDS = Search(effort_seconds=1, max_epochs=500, max_seconds=0.001)
"""So few that one update spends them."""


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    monkeypatch.setattr(registry, "tasks", lambda: Shelf("task", {"synthetic": make_task()}))
    monkeypatch.setattr(registry, "families", lambda: Shelf("family", {"small": SMALL}))


@pytest.fixture
def workshop(tmp_path: Path) -> Callable[..., Workshop]:
    """A worker's workshop over the synthetic images; keywords change its context."""
    data = write_images(tmp_path / "data")

    def opened(study: Study = STUDY, watchdog: Watchdog | None = None, **changes: Any) -> Workshop:
        given: dict[str, Any] = {
            "studies": {study.id: study},
            "prepared": {study.data: str(data.root)},
            "raw": {study.data: str(tmp_path / "raw")},
            "options": {"synthetic": {}},
            "checkpoints": str(tmp_path / "checkpoints"),
            "checkpoint_every_s": 1e9,
            "deadline": None,
            "threads": 1,
            "device": "cpu",
        }
        return Workshop(Context(**given | changes), watchdog)

    return opened


def job(kind: Any = "search", **changes: Any) -> Job:
    given: dict[str, Any] = {"study": STUDY.id, "number": 4, "config": make_config(), "seed": 5}
    return Job(kind=kind, **given | changes)


@pytest.fixture
def saved(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The epochs whose checkpoints were written."""
    from bench.train.checkpoint import Checkpoint

    epochs: list[int] = []
    save = Checkpoint.save

    def noted(self: Checkpoint, state: dict[str, Any]) -> None:
        epochs.append(state["epoch"])
        save(self, state)

    monkeypatch.setattr(Checkpoint, "save", noted)
    return epochs


def full(number: int = errno.ENOSPC) -> Callable[..., None]:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    return refuse


# --- What a job says how to do --------------------------------------------------------------


@pytest.mark.parametrize(
    ("epochs", "deadline", "expected"),
    [((), None, [3]), ((2,), None, [2, 3]), (None, None, [1, 2, 3]), ((), 1.0, [1, 2, 3])],
)
def test_checkpoints_stand_where_the_job_asks_for_them(
    workshop: Any, saved: list[int], epochs: Any, deadline: float | None, expected: list[int]
) -> None:
    messages = list(workshop(deadline=deadline).messages(job(save_epochs=epochs)))
    assert [message.epoch for message in messages] == [1, 2, 3] and messages[-1].last
    assert saved == expected


def test_a_search_in_seconds_trains_for_so_long(workshop: Any) -> None:
    (only,) = workshop(replace(STUDY, search=IN_SECONDS)).messages(job())
    assert only.epoch == 1 and only.last and only.charged_seconds >= 0.001


def test_a_replicate_in_seconds_is_trained_and_tested(workshop: Any) -> None:
    shop = workshop(replace(STUDY, search=IN_SECONDS))
    report, trained = shop.messages(job("replicate"))
    assert report.last and trained == Trained(epoch=1)
    (tested,) = shop.messages(job("test"))
    assert isinstance(tested, jobs.Tested) and tested.test_metrics["accuracy"] >= 0
    assert tested.cost["training_cases"] < 97, "the first epoch was cut short"


# --- Storage --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["search", "replicate"])
def test_a_checkpoint_that_cannot_be_written_is_no_trial_s_fault(
    workshop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    shop = workshop()
    with monkeypatch.context() as patched:
        patched.setattr(torch, "save", full())
        first, failed = shop.messages(job(kind, save_epochs=(2,)))
    assert first.epoch == 1
    name = "trial" if kind == "search" else "replicate"
    path = tmp_path / "checkpoints" / STUDY.id / f"{name}-4.pt"
    assert failed == Failure(
        reason="storage",
        epoch=2,
        error=f"{path}: No space left on device: free some space there, then go on from the last "
        "checkpoint",
    )
    # Once there is space, the same job goes on.
    epochs = [message.epoch for message in shop.messages(job(kind, known_epoch=1))]
    assert epochs[:2] == [2, 3]


def test_one_that_is_due_by_time_alone_is_a_fault_as_well(
    workshop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "save", full(errno.EROFS))
    (failed,) = workshop(checkpoint_every_s=0.0).messages(job())
    assert (failed.reason, failed.epoch) == ("storage", 1)
    assert "Read-only file system: make it writable" in failed.error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/cache/train.npy"), "storage"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "storage"),
        (OSError(errno.EIO, "Input/output error", "/data/train.npy"), "data_error"),
        (FileNotFoundError(errno.ENOENT, "No such file", "/data/train.npy"), "data_error"),
        (RuntimeError("No space left on device"), "model_error"),
    ],
)
def test_a_full_disk_is_the_storage_s_fault_wherever_it_shows(
    error: Exception, reason: str
) -> None:
    found = failure(error, epoch=3)
    assert (found.reason, found.epoch) == (reason, 3) and "\n" not in found.error
    if isinstance(error, OSError) and error.filename:
        assert error.filename in found.error


# --- Signs of life --------------------------------------------------------------------------


def watched(shop: Workshop, watchdog: Watchdog, of: Job) -> Iterator[Content]:
    """A job's messages, each made under the watchdog, as by the worker."""
    messages = shop.messages(of)
    while True:
        try:
            with watchdog.over(60):
                message = next(messages)
        except StopIteration:
            return
        yield message


def test_epochs_that_are_trained_again_in_silence_are_signs_of_life(
    workshop: Any, alarm: Alarm
) -> None:
    dog = Watchdog()
    shop = workshop(watchdog=dog)
    (last,) = watched(shop, dog, job(known_epoch=2))
    assert isinstance(last, Report) and last.epoch == 3
    assert alarm.times == 2 + 3, "twice the worker, three times an epoch"
    alarm.times = 0
    (tested,) = watched(shop, dog, job("test", known_epoch=3))
    assert isinstance(tested, jobs.Tested)
    assert alarm.times == 2 + 3, "its checkpoint was gone"


@pytest.mark.parametrize(("sign", "expected"), [("epoch", 3 + 3), ("update", 3 + 3 + 3 * 6)])
def test_an_update_is_a_sign_of_life_where_the_job_says_so(
    workshop: Any, alarm: Alarm, monkeypatch: pytest.MonkeyPatch, sign: str, expected: int
) -> None:
    """Three epochs of six updates; at most one beat in so many seconds."""
    monkeypatch.setattr(work, "BEAT_SECONDS", 0.0)
    dog = Watchdog()
    assert len(list(watched(workshop(watchdog=dog), dog, job(stall_of=sign)))) == 3
    assert alarm.times == expected + 1, "the worker looks for a fourth message"
    monkeypatch.setattr(work, "BEAT_SECONDS", 60.0)
    alarm.times = 0
    list(watched(workshop(watchdog=dog), dog, job(number=5, stall_of=sign)))
    assert alarm.times == 3 + 3 + 1


def test_preparing_data_may_take_its_time(
    workshop: Any, alarm: Alarm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bench.data import prepare as preparation

    own = write_images(tmp_path / "own")

    def slow(*_: object, **__: object) -> PreparedTask:
        assert alarm.set_to is None
        return own

    monkeypatch.setattr(preparation, "prepare", slow)
    dog = Watchdog()
    shop = workshop(watchdog=dog, prepared={"synthetic": str(tmp_path / "another node's")})
    assert len(list(watched(shop, dog, job()))) == 3
