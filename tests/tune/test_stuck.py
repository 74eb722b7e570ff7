"""A stuck trial on a real Ray Tune: its worker ends itself, and the trial goes on elsewhere."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.ledger import Ledger
from bench.tune import experiment
from bench.tune.engine import Engine
from tests.tune import virtual

STALL_SECONDS = 2.0


def sticking_worker(study: Any, marker: Path) -> type:
    """A worker class without torch, whose first trial 1 hangs for good after its second epoch."""
    from bench.tune.worker import Worker

    class Sticking:
        def messages(self, job: Any) -> Any:
            for message in virtual.messages(job, study, lambda job, epoch: None):
                yield message
                if job.number == 1 and getattr(message, "epoch", 0) == 2 and not marker.exists():
                    marker.touch()
                    time.sleep(600)

    class StickingWorker(Worker):
        def open_workshop(self) -> Any:
            return Sticking()

        def reset_config(self, config: dict[str, Any]) -> bool:
            job = config["job"]
            limited = job and replace(job, stall_seconds=STALL_SECONDS)
            return super().reset_config({"job": limited})

    return StickingWorker


@pytest.mark.slow
def test_a_stuck_trial_costs_its_worker_and_nothing_else(tmp_path: Path) -> None:
    study = virtual.study("a", seeds=1, scheduler="none")
    with (
        experiment.cluster(None, workers=1, gpus=0) as resources,
        Ledger(tmp_path / "ledger.jsonl") as ledger,
    ):
        ledger.append(
            "run_started",
            suite="virtual",
            scale="demo",
            seed=7,
            phantom=True,
            studies=[study.id],
            sealed=False,
        )
        engine = Engine(
            [study],
            {study.id: virtual.SPACE},
            ledger,
            test_fingerprints={"task": "f00d"},
            save_predictions=lambda name, arrays: {"file": f"{name}.npz", "sha256": "0"},
            discard_checkpoint=lambda name: None,
        )
        experiment.run(engine, sticking_worker(study, tmp_path / "hung"), resources)
    trials = engine.searches[study.id].state.trials
    assert (tmp_path / "hung").exists()
    assert {number: trial.retries for number, trial in trials.items() if trial.retries} == {1: 1}
    assert trials[1].state == "completed" and sorted(trials[1].reports) == list(range(1, 10))
    assert engine.outcome() == "completed"
