"""One trial by hand, with neither Ray nor Optuna."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench import registry
from bench.data.prepared import PreparedTask
from bench.errors import UserError
from bench.spec import Choice, Space, Task
from bench.train.trial import configure, run_trial
from tests.train.synthetic import make_task, write_images


def test_defaults_and_settings(task: Task) -> None:
    family = registry.families().get("fcnn")
    assert configure(family, task, {}) == registry.space_of(family, task).defaults()
    config = configure(family, task, {"optimizer": "sgd", "momentum": 0.95, "learning_rate": 0.01})
    assert (config["momentum"], config["learning_rate"]) == (0.95, 0.01)


def test_all_wrong_settings_at_once(task: Task) -> None:
    family = registry.families().get("fcnn")
    with pytest.raises(UserError) as caught:
        configure(family, task, {"learning_rat": 1e-3, "batch_size": 33, "dropout": "much"})
    for part in ("did you mean 'learning_rate'", "batch_size must be one of", "dropout must be a"):
        assert part in str(caught.value)
    with pytest.raises(UserError, match="momentum has no effect unless optimizer is 'sgd'"):
        configure(family, task, {"momentum": 0.9})


def test_the_task_s_training_set_may_be_set_too(images: PreparedTask) -> None:
    family = registry.families().get("fcnn")
    task = make_task(training=Space(balance=Choice("none", "oversample")))
    assert configure(family, task, {})["balance"] == "none"
    same = {"task": task, "family": family, "data": images, "epochs": 1}
    plain, balanced = (
        list(run_trial(**same, settings={"balance": balance}))  # type: ignore[arg-type]
        for balance in ("none", "oversample")
    )
    assert plain[0].metrics["train_loss"] != balanced[0].metrics["train_loss"]
    with pytest.raises(UserError, match="balance must be one of 'none', 'oversample'"):
        run_trial(**same, settings={"balance": "some"})  # type: ignore[arg-type]


def test_it_trains(task: Task, images: PreparedTask) -> None:
    family = registry.families().get("fcnn")
    reports = list(run_trial(task=task, family=family, data=images, settings={}, epochs=2))
    assert [report.epoch for report in reports] == [1, 2]


def test_a_family_that_cannot_take_the_task_is_refused_at_once(images: PreparedTask) -> None:
    family = registry.families().get("fasttext")
    with pytest.raises(UserError, match="fasttext takes text_classification, synthetic is image"):
        run_trial(task=make_task(), family=family, data=images, settings={}, epochs=1)


def test_it_needs_neither_ray_nor_optuna_nor_plotly(tmp_path: Path) -> None:
    data = write_images(tmp_path / "data")
    code = f"""
import sys
sys.modules.update(dict.fromkeys(("ray", "optuna", "plotly")))
from pathlib import Path
from bench import registry
from bench.data.prepared import PreparedTask
from bench.train.trial import run_trial
from tests.train.synthetic import make_task
reports = run_trial(
    task=make_task(), family=registry.families().get("convmixer"),
    data=PreparedTask(Path({str(data.root)!r})), settings={{"width": 32, "depth": 2}}, epochs=1,
)
print([report.epoch for report in reports])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[1]"
