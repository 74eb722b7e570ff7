"""Traps of plain Ray Tune that show on a running Ray alone; ours are in test_traps.py.

The plain halves hold what Ray 2.60 did: one that fails says that it was mended.
"""

import time

import pytest

from bench.tune import experiment
from tests.tune import virtual
from tests.tune.test_experiment import work
from tests.tune.test_traps import MENDED

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def resources():
    with experiment.cluster(None, workers=4, gpus=0) as shared:
        yield shared


# --- Schedulers -----------------------------------------------------------------------------

SCORES = (0.9, 0.8, 0.7, 0.1)
"""Of four trials one after another: at ASHA's first rung the last one is stopped."""


def plain_epochs(folder, *, interrupted):
    """How far the last of four trials comes; interrupted: its first try fails at its start, and
    `Tuner.restore` goes on with it."""
    from ray import tune
    from ray.tune.schedulers import AsyncHyperBandScheduler

    tries = folder / "tries"
    folder.mkdir()

    class Constant(tune.Trainable):
        def setup(self, config):
            self.score = config["score"]

        def reset_config(self, config):
            self.score = config["score"]
            return True

        def step(self):
            if interrupted and self.score == SCORES[-1] and not tries.exists():
                tries.touch()
                raise RuntimeError("interrupted")
            return {"score": self.score}

    tuner = tune.Tuner(
        Constant,
        param_space={"score": tune.grid_search(list(SCORES))},
        tune_config=tune.TuneConfig(
            metric="score",
            mode="max",
            scheduler=AsyncHyperBandScheduler(max_t=9),
            max_concurrent_trials=1,
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(
            name="run",
            storage_path=str(folder),
            verbose=0,
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
        ),
    )
    results = tuner.fit()
    if interrupted:
        assert results.num_errors == 1
        again = tune.Tuner.restore(str(folder / "run"), Constant, restart_errored=True)
        results = again.fit()
    last = next(result for result in results if result.config["score"] == SCORES[-1])
    return last.metrics["training_iteration"]


@pytest.mark.filterwarnings("ignore")
def test_plain_asha_has_forgotten_its_rungs_after_a_restore(tmp_path, resources):
    assert plain_epochs(tmp_path / "whole", interrupted=False) == 1
    assert plain_epochs(tmp_path / "interrupted", interrupted=True) == 9, MENDED


# --- Workers --------------------------------------------------------------------------------


def test_four_workers_have_four_jobs_in_flight(tmp_path, resources):
    from bench.tune.worker import Worker

    study = virtual.study(enqueued=(), effort_epochs=36, scheduler="none", seeds=1)
    here = tmp_path / "here"
    here.mkdir()

    class Meeting:
        """The first four trials wait for one another before their first report."""

        def messages(self, job):
            if job.kind == "search" and job.number < 4:
                (here / f"came-{job.number}").touch()
                until = time.monotonic() + 60
                while len(list(here.glob("came-*"))) < 4 and time.monotonic() < until:
                    time.sleep(0.05)
                if len(list(here.glob("came-*"))) == 4:
                    (here / f"met-{job.number}").touch()
            yield from virtual.messages(job, study, lambda job, epoch: None)

    class Waiting(Worker):
        def open_workshop(self):
            return Meeting()

    work(tmp_path, [study], resources, worker=Waiting)
    assert len(list(here.glob("met-*"))) == 4


class Cases:
    """A data set of Python objects."""

    def __init__(self, cases):
        self.cases = cases


def test_plain_with_parameters_copies_a_data_set_for_each_trial(resources):
    from ray import tune

    data, seen = Cases([f"case {number}" for number in range(1000)]), []
    trial = tune.with_parameters(lambda config, data: seen.append(data), data=data)
    for _ in range(3):
        trial({})
    assert len({id(found) for found in [data, *seen]}) == 4, MENDED
