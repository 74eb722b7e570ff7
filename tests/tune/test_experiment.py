"""The engine on a real Ray Tune, with workers that follow made-up curves."""

import json
import os
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from bench.errors import UserError
from bench.ledger import Ledger, fold, read
from bench.tune import experiment
from bench.tune.engine import Engine
from tests.tune import virtual
from tests.tune.test_engine import comparable


@pytest.fixture(scope="module")
def resources():
    with experiment.cluster(None, workers=2, gpus=0) as shared:
        yield shared


def virtual_worker(studies, marker: Path | None = None):
    """A worker class without torch; with a marker file, the first one dies once in its trial 1."""
    from bench.tune.worker import Worker

    by_id = {study.id: study for study in studies}

    class VirtualWorkshop:
        def messages(self, job):
            if marker is not None and job.kind == "search" and job.number == 1:
                try:
                    marker.touch(exist_ok=False)
                    os.kill(os.getpid(), signal.SIGKILL)
                except FileExistsError:
                    pass
            yield from virtual.messages(job, by_id[job.study], lambda job, epoch: None)

    class VirtualWorker(Worker):
        def open_workshop(self):
            return VirtualWorkshop()

    return VirtualWorker


def work(folder, studies, resources, marker=None, worker=None):
    with Ledger(folder / "ledger.jsonl") as ledger:
        ledger.append(
            "run_started",
            suite="virtual",
            scale="demo",
            seed=7,
            phantom=True,
            studies=[study.id for study in studies],
            sealed=False,
        )
        engine = Engine(
            studies,
            {study.id: virtual.SPACE for study in studies},
            ledger,
            test_fingerprints={"task": "f00d"},
            save_predictions=lambda name, arrays: {"file": f"{name}.npz", "sha256": "0"},
            discard_checkpoint=lambda name: None,
        )
        experiment.run(engine, worker or virtual_worker(studies, marker), resources)
        ledger.append("run_finished", state=engine.outcome())
    return engine


def test_one_worker_on_ray_writes_the_ledger_of_the_virtual_run(tmp_path, resources):
    studies = [virtual.study("a"), virtual.study("b")]
    one = experiment.Resources(workers=1, cpus=1, gpus=0)
    work(tmp_path / "ray", studies, one)
    virtual.run(tmp_path / "virtual", studies)
    assert comparable(tmp_path / "ray") == comparable(tmp_path / "virtual")


def test_two_workers_leave_nothing_open_and_do_nothing_twice(tmp_path, resources):
    studies = [virtual.study(name) for name in "abc"]
    engine = work(tmp_path, studies, resources)
    assert engine.outcome() == "completed"
    for search in engine.searches.values():
        assert search.state.effort == 30
        assert len(search.state.replicates) == 3
    events = read(tmp_path / "ledger.jsonl")
    reported = Counter(
        (e["study"], e["trial"], e["epoch"]) for e in events if e["event"] == "trial_reported"
    )
    assert max(reported.values()) == 1


def test_tune_keeps_nothing_of_a_finished_trial_and_writes_nothing(
    tmp_path, resources, monkeypatch
):
    """What it keeps would be 24 KiB a trial, what it writes 2 ms: it has to do with 13,000."""
    from ray.tune.experiment import Trial

    from bench.tune.link import MessageScheduler

    ended, written = [], []
    complete = MessageScheduler.on_trial_complete

    def watched(self, controller, trial, result):
        complete(self, controller, trial, result)
        ended.append(trial)

    monkeypatch.setattr(MessageScheduler, "on_trial_complete", watched)
    state = Trial.get_json_state
    monkeypatch.setattr(Trial, "get_json_state", lambda t: written.append(t) or state(t))
    engine = work(tmp_path, [virtual.study("a")], resources)
    assert engine.outcome() == "completed"
    assert len(ended) >= len(engine.searches["task-a"].state.trials)
    for trial in ended:
        assert trial.config == {} and not trial.run_metadata.metric_analysis
        assert len(json.dumps(trial.last_result, default=str)) < 2000
    # Tune writes its state once as it begins, when no more than the first trials are there.
    assert len(written) <= 2 * resources.workers, len(written)


def test_more_workers_than_there_is_room_for_still_end(tmp_path, resources):
    """Idle workers make way for jobs that find no place; else both would wait for ever."""
    many = experiment.Resources(workers=5, cpus=1, gpus=0)
    engine = work(tmp_path, [virtual.study("a", seeds=1)], many)
    assert engine.outcome() == "completed"


def test_workers_that_cannot_start_end_the_run_and_cost_no_trial(tmp_path, resources):
    class Homeless(virtual_worker([virtual.study("a")])):
        def open_workshop(self):
            raise ModuleNotFoundError("No module named 'somewhere'")

    with pytest.raises(UserError, match="no worker can start .*No module named 'somewhere'"):
        work(tmp_path, [virtual.study("a")], resources, worker=Homeless)
    state = fold(read(tmp_path / "ledger.jsonl"))
    assert state.finished is None
    trials = state.studies["task-a"].trials.values()
    assert all(trial.state == "running" and trial.retries == 0 for trial in trials)


def test_a_worker_that_is_slow_to_start_comes_up_while_others_have_short_trials(
    tmp_path, resources
):
    """Tune gives a trial that waits for its worker the first that comes free, and kills the one
    that was starting: where trials are shorter than a start, the second would never be there."""
    study = virtual.study("a", effort_epochs=200, max_epochs=2, seeds=1, sampler="random")
    seen = tmp_path / "seen"
    seen.mkdir()

    class Slow(virtual_worker([study])):
        def open_workshop(self):
            time.sleep(1.5)
            honest = super().open_workshop()

            class Signed:
                def messages(self, job):
                    (seen / str(os.getpid())).touch()
                    time.sleep(0.05)
                    yield from honest.messages(job)

            return Signed()

    work(tmp_path, [study], resources, worker=Slow)
    assert len(list(seen.iterdir())) == 2


def test_a_killed_worker_is_replaced_and_its_trial_begun_again(tmp_path, resources):
    studies = [virtual.study("a")]
    engine = work(tmp_path, studies, resources, marker=tmp_path / "died")
    trial = engine.searches["task-a"].state.trials[1]
    assert (tmp_path / "died").exists()
    assert trial.retries == 1 and trial.state != "failed"
    assert engine.outcome() == "completed"
