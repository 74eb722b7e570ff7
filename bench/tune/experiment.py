"""One Ray Tune experiment for a whole run: the engine's jobs as Tune trials.

A searcher hands Tune the engine's next job, a scheduler brings the workers' messages back to the
engine. Nothing is ever paused or restored in Tune, and nothing of Tune's own state is kept.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

from bench.errors import UserError
from bench.tune.engine import Engine

_QUIET = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",
    "TUNE_MAX_PENDING_TRIALS_PG": "1",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}
_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""A Ray that is told that it is no cluster listens on 127.0.0.1 alone, on any system. Ray reads
this at import; 127.0.0.1 as the node's address would be turned into the public one without it."""


@dataclass(frozen=True, kw_only=True)
class Resources:
    """How many workers, and what each may use."""

    workers: int
    cpus: int
    gpus: float


@contextlib.contextmanager
def cluster(address: str | None, *, workers: int | None, gpus: float | None) -> Iterator[Resources]:
    """A Ray of our own on the loopback interface, or the one at `address`.

    workers: None for one a GPU where a trial has one, else one a CPU. gpus: of one trial; None for
    1 where the cluster has any. Raises UserError where no cluster
    answers at `address`, or where it lacks what one worker needs.
    """
    settings = _QUIET if address is not None else {**_QUIET, **_LOOPBACK}
    os.environ |= {key: value for key, value in settings.items() if key not in os.environ}
    import ray

    try:
        if address is None:
            ray.init(
                address="local",
                num_cpus=max(os.cpu_count() or 1, workers or 1),
                include_dashboard=False,
                logging_level="ERROR",
                log_to_driver=False,
                _node_ip_address="127.0.0.1",  # no service on a public interface
            )
        else:
            ray.init(address=address, logging_level="ERROR", log_to_driver=False)
    except (ConnectionError, ValueError) as error:
        raise UserError(
            f"no Ray cluster at {address!r} ({error}): start one, or leave out --address"
        ) from None
    try:
        yield _share(ray.cluster_resources(), workers=workers, gpus=gpus)
    finally:
        ray.shutdown()


def _share(available: dict[str, float], *, workers: int | None, gpus: float | None) -> Resources:
    cpus, devices = int(available.get("CPU", 1)), available.get("GPU", 0.0)
    gpus = float(devices > 0) if gpus is None else gpus
    if gpus > devices:
        raise UserError(
            f"a trial needs {gpus:g} GPUs, the cluster has {devices:g}: lower --gpus-per-trial"
        )
    if workers is None:
        workers = int(devices / gpus) if gpus else cpus
    workers = max(1, workers)
    return Resources(workers=workers, cpus=max(1, cpus // workers), gpus=gpus)


def run(engine: Engine, worker: type, resources: Resources) -> None:
    """Work off everything that the engine has to hand out. `cluster` must be open.

    worker: a Tune trainable that takes `config["job"]` and sends `jobs.Message`s.
    """
    from ray import tune

    from bench.tune.link import JobSearcher, Link, MessageScheduler

    link = Link(engine, resources.workers)
    scratch = tempfile.mkdtemp(prefix="tunebench-")
    try:
        tune.Tuner(
            tune.with_resources(worker, {"cpu": resources.cpus, "gpu": resources.gpus}),
            tune_config=tune.TuneConfig(
                search_alg=JobSearcher(link),
                scheduler=MessageScheduler(link),
                num_samples=-1,
                reuse_actors=True,
                trial_name_creator=lambda trial: str(trial.trial_id),
                trial_dirname_creator=lambda trial: str(trial.trial_id),
            ),
            run_config=tune.RunConfig(
                name="run",
                storage_path=scratch,
                verbose=0,
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            ),
        ).fit()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if not engine.finished():
        raise RuntimeError("Ray Tune ended before the run's work did")
