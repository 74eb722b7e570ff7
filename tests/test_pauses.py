"""Runs that pause, for the time is up or nothing can be stored, and are gone on with."""

import os
import subprocess
from datetime import datetime

import pytest

from bench.ledger import fold, read
from tests.commands import bench, comparable

SMOKE = ("run", "--suite", "smoke", "--tasks", "lits_cls", "--entrants", "FCNN", "--workers", "1")

EPOCHS = 90
"""Of the leisurely trial: more than the seconds by which the starts of two runs differ."""
LEISURELY = """
import os
import time

from bench.spec import Family


def build(config, shape):
    from torch import nn

    class Leisurely(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(shape.channels * shape.height * shape.width, shape.classes)

        def train(self, mode=True):
            if mode:  # once an epoch
                time.sleep(float(os.environ.get("EPOCH_SECONDS", "0")))
            return super().train(mode)

        def forward(self, images):
            return self.layer(images.flatten(1))

    return Leisurely()


FAMILY = Family(
    title="Leisurely",
    kinds=frozenset({"image_classification"}),
    space="vision",
    build=build,
    architectures=("leisurely",),
)
"""


def seconds(event):
    return datetime.fromisoformat(event["t"]).timestamp()


@pytest.mark.slow
def test_when_its_hours_are_up_a_run_pauses_with_its_checkpoint(tmp_path, project, monkeypatch):
    """An epoch takes a second where the time is to run out, and no time elsewhere, and all of them
    are one trial: however busy the machine is, the time is up in the midst of it."""
    (tmp_path / "leisurely.py").write_text(LEISURELY)
    suite = (project / "suite" / "smoke.toml").read_text()
    entrant = '[[entrants]]\nlabel = "Leisurely"\nfamily = "leisurely"\n\n[search]'
    (tmp_path / "mine.toml").write_text(suite.replace("[search]", entrant))
    chosen = ("--suite", "mine.toml", "--tasks", "lits_cls", "--entrants", "Leisurely")
    settings = ("scheduler=none", f"effort_epochs={EPOCHS}", f"max_epochs={EPOCHS}")
    settings = [part for setting in settings for part in ("--set", setting)]
    plan = ("--plugins", "leisurely.py", "--workers", "1", "--seeds", "1", *settings)

    done = bench("run", *chosen, *plan, "--run", "whole", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    whole = read(tmp_path / "whole" / "ledger.jsonl")
    began = next(event for event in whole if event["event"] == "trial_reported")
    hours = (1.5 * (seconds(began) - seconds(whole[0])) + 15) / 3600

    monkeypatch.setenv("EPOCH_SECONDS", "1")
    limited = ("--max-hours", f"{hours:.6f}", "--run", "broken")
    done = bench("run", *chosen, *plan, *limited, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    said = done.stderr.strip().splitlines()
    assert said == ["paused, the time is up: go on with `bench resume broken`"]
    assert (tmp_path / "broken" / "report.html").is_file()
    events = read(tmp_path / "broken" / "ledger.jsonl")
    state = fold(events)
    assert state.finished is None
    deadline = seconds(events[0]) + 3600 * hours
    (study,) = state.studies.values()
    (trial,) = study.trials.values()
    assert not trial.finished
    last = [event for event in events if event["event"] == "trial_reported"][-1]
    assert last["trial"] == trial.number and seconds(last) >= deadline
    held = tmp_path / "broken" / "checkpoints" / last["study"] / f"trial-{trial.number}.pt"
    # An epoch that ended just before the time was up was not asked for its checkpoint.
    if seconds(last) - deadline > 0.25:
        assert held.stat().st_mtime > deadline and epochs_in(held) == trial.epoch

    monkeypatch.delenv("EPOCH_SECONDS")
    done = bench("resume", "broken", "--workers", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert comparable(tmp_path / "broken") == comparable(tmp_path / "whole")


def epochs_in(path):
    from bench.train.checkpoint import Checkpoint

    state = Checkpoint(path).load()
    assert state is not None
    return len(state["history"])


class FullDisk:
    """A disk of 1 MiB; raises PermissionError where this user may not mount one."""

    said = ("No space left on device", "free some space there")

    def __init__(self, path):
        self.path = path
        self._mount("size=1m")
        self._sizes = ["4m"]

    def _mount(self, options):
        command = ["mount", "-t", "tmpfs", "-o", options, "none", self.path]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            raise PermissionError("mounting is not allowed here")

    def make_some_room(self):
        """Too little of it; returns whether there was any to be made."""
        if not self._sizes:
            return False
        self._mount(f"remount,size={self._sizes.pop(0)}")
        return True

    def make_room(self):
        self._mount("remount,size=1g")

    def close(self):
        subprocess.run(["umount", "--lazy", self.path], check=True)


class ReadOnlyFolder:
    """A folder that takes nothing; raises PermissionError for root, who may write anywhere."""

    said = ("Permission denied", "make it writable")

    def __init__(self, path):
        if os.geteuid() == 0:
            raise PermissionError("root may write anywhere")
        self.path = path
        self.path.chmod(0o500)

    def make_some_room(self):
        return False

    def make_room(self):
        self.path.chmod(0o700)

    close = make_room


@pytest.fixture(params=[FullDisk, ReadOnlyFolder])
def shelf(request, tmp_path):
    """A folder in which nothing can be stored."""
    (tmp_path / "shelf").mkdir()
    try:
        shelf = request.param(tmp_path / "shelf")
    except (PermissionError, FileNotFoundError) as error:
        pytest.skip(str(error))
    yield shelf
    shelf.close()


@pytest.mark.slow
def test_where_nothing_can_be_stored_a_run_pauses_and_blames_no_trial(shelf, tmp_path):
    done = bench(*SMOKE, "--run", "whole", cwd=tmp_path)
    assert done.returncode == 0, done.stderr

    stored = ("--storage", shelf.path)
    done = bench(*SMOKE, *stored, "--run", "broken", cwd=tmp_path)
    paused_in_one_line(done, shelf, tmp_path / "broken")
    reported = len(comparable(tmp_path / "broken"))
    while shelf.make_some_room():
        done = bench("resume", "broken", "--workers", "1", *stored, cwd=tmp_path)
        paused_in_one_line(done, shelf, tmp_path / "broken")
        assert len(comparable(tmp_path / "broken")) > reported, "it went on as far as there is room"
        reported = len(comparable(tmp_path / "broken"))

    shelf.make_room()
    done = bench("resume", "broken", "--workers", "1", *stored, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert comparable(tmp_path / "broken") == comparable(tmp_path / "whole")


def paused_in_one_line(done, shelf, run):
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("bench: ") and done.stderr.count("\n") == 1, done.stderr
    assert str(shelf.path) in done.stderr and "bench resume" in done.stderr
    assert all(words in done.stderr for words in shelf.said), done.stderr
    state = fold(read(run / "ledger.jsonl"))
    assert state.finished is None
    for study in state.studies.values():
        for owner in (*study.trials.values(), *study.replicates.values()):
            assert owner.state != "failed" and owner.retries == 0
