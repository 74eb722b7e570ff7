"""Overhead per trial beside plain Ray Tune: `python -m tests.perf.overhead`.

Trials do nothing but have torch imported, so that what is left is what scheduling costs. Each
figure is the marginal wall time of a trial: in one experiment, the time between the end of one of
the first trials and the end of the last, over the trials between, so that start-up does not count.
The three sides alternate, in one Ray that is up already.

    engine     this project: one experiment, kept workers, TPE, ASHA, ledger
    function   a function trainable with OptunaSearch, the plainest form
    class      a class trainable with reset_config and reuse_actors=True, the best plain form
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from bench.ledger import Ledger
from bench.spec import Report, Search
from bench.tune import experiment
from bench.tune.jobs import Tested, Trained
from tests.perf import sleeping
from tests.perf.figures import Figure, Side, finish, parser

WORKERS = 2


def engine_ends(trials: int) -> list[float]:
    """When each trial of a study ended, of one epoch each; seconds of `time.perf_counter`."""
    from bench.tune.worker import Worker

    class EmptyWorkshop:
        def messages(self, job):
            if job.kind == "test":
                yield Tested(test_metrics={}, validation_metrics={}, cost={}, arrays={})
                return
            score = -abs(job.config["learning_rate"] - 0.01)
            yield Report(
                epoch=1, charged_seconds=0, free_seconds=0, score=score, metrics={}, last=True
            )
            if job.kind == "replicate":
                yield Trained(epoch=1)

    class EmptyWorker(Worker):
        def open_workshop(self):
            import torch  # noqa: F401

            return EmptyWorkshop()

    ends: list[float] = []

    def watch(event):
        if event["event"] == "trial_finished":
            ends.append(time.perf_counter())

    study = sleeping.study(0, Search(effort_epochs=trials, max_epochs=1), seeds=1)
    with tempfile.TemporaryDirectory() as folder, Ledger(Path(folder) / "ledger.jsonl") as ledger:
        engine = sleeping.engine([study], ledger, on_event=watch)
        experiment.run(engine, EmptyWorker, experiment.Resources(workers=WORKERS, cpus=1, gpus=0))
    return ends


def plain_ends(trials: int, *, reuse: bool) -> list[float]:
    """When each of so many trials under OptunaSearch ended, as the documentation shows it."""
    import optuna
    from ray import tune
    from ray.tune.search.optuna import OptunaSearch

    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def function(config):
        import torch  # noqa: F401

        tune.report({"score": -abs(config["learning_rate"] - 0.01)})

    class Reused(tune.Trainable):
        def setup(self, config):
            import torch  # noqa: F401

            self.learning_rate = config["learning_rate"]

        def reset_config(self, config):
            self.learning_rate = config["learning_rate"]
            return True

        def step(self):
            return {"score": -abs(self.learning_rate - 0.01), "done": True}

    ends: list[float] = []

    class Watch(tune.Callback):
        def on_trial_complete(self, iteration, trials, trial, **info):
            ends.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as folder:
        tuner = tune.Tuner(
            Reused if reuse else function,
            param_space={
                "learning_rate": tune.loguniform(1e-4, 1e-1),
                "weight_decay": tune.loguniform(1e-6, 1e-2),
            },
            tune_config=tune.TuneConfig(
                metric="score",
                mode="max",
                search_alg=OptunaSearch(sampler=optuna.samplers.TPESampler(seed=0)),
                scheduler=tune.schedulers.ASHAScheduler(),
                num_samples=trials,
                max_concurrent_trials=WORKERS,
                reuse_actors=reuse,
            ),
            run_config=tune.RunConfig(
                storage_path=folder,
                verbose=0,
                callbacks=[Watch()],
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            ),
        )
        tuner.fit()
    return ends


SIDES = {
    "engine": engine_ends,
    "function": lambda trials: plain_ends(trials, reuse=False),
    "class": lambda trials: plain_ends(trials, reuse=True),
}
TRIALS = {"engine": (20, 420), "function": (2, 10), "class": (20, 420)}
SHORT = {"engine": (10, 60), "function": (1, 3), "class": (10, 60)}
"""The trial from whose end on time is taken, and how many there are."""


def marginal(side: str, first: int, trials: int) -> float:
    """Milliseconds a trial."""
    ends = SIDES[side](trials)
    assert len(ends) >= trials, f"{side}: {len(ends)} of {trials} trials ended"
    return (ends[trials - 1] - ends[first - 1]) / (trials - first) * 1000


def main() -> None:
    given = parser(__doc__).parse_args()
    trials = SHORT if given.short else TRIALS
    found: dict[str, list[float]] = {side: [] for side in SIDES}
    with experiment.cluster(None, workers=WORKERS, gpus=0):
        for repeat in range(given.repeats):
            for side in sorted(SIDES, reverse=bool(repeat % 2)):
                found[side].append(marginal(side, *trials[side]))
    sides = {side: Side(label=side, values=tuple(taken)) for side, taken in found.items()}
    engine, function, best = (sides[side].median for side in ("engine", "function", "class"))
    finish(
        [
            Figure(
                what="overhead a trial, plain form", unit="ms", ours=sides["engine"],
                theirs=sides["function"], ratio=function / engine, bound="at least", target=30,
            ),
            Figure(
                what="overhead a trial, best plain form", unit="ms", ours=sides["engine"],
                theirs=sides["class"], ratio=engine / best, bound="at most", target=1.5,
            ),
        ],
        given.json,
    )  # fmt: skip


if __name__ == "__main__":
    main()
