"""One Ray Tune experiment for a whole run: the engine's jobs as Tune trials.

A searcher hands Tune the engine's next job, a scheduler brings the workers' messages back to the
engine. Nothing is ever paused or restored in Tune, and nothing of Tune's own state is kept.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator, Mapping, Sequence
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
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}
_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""A Ray that is told that it is no cluster listens on 127.0.0.1 alone, on any system. Ray reads
this at import; 127.0.0.1 as the node's address would be turned into the public one without it."""
CONNECT_SECONDS = 5.0


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
    1 where the cluster has any. Raises UserError where no cluster answers at `address`, or where it
    lacks what one worker needs.
    """
    settings = _QUIET if address is not None else {**_QUIET, **_LOOPBACK}
    os.environ |= {key: value for key, value in settings.items() if key not in os.environ}
    import ray

    check_address(address)
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
        raise _unreachable(address, error) from None
    except ray.exceptions.AuthenticationError as error:
        raise UserError(
            f"the Ray cluster at {address!r} refuses this driver ({_line(error)}): start it with "
            "RAY_AUTH_MODE=token, and give this machine its token"
        ) from None
    try:
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        yield share(nodes, workers=workers, gpus=gpus, grows=address is not None)
    finally:
        ray.shutdown()


def check_address(address: str | None) -> None:
    """Raise UserError where nothing listens at host:port; Ray itself would wait for minutes."""
    host, colon, port = (address or "").removeprefix("ray://").rpartition(":")
    if not colon or not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise _unreachable(address, error) from None


def _unreachable(address: str | None, error: Exception) -> UserError:
    return UserError(
        f"no Ray cluster at {address!r} ({_line(error)}): start one, or leave out --address"
    )


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def share(
    nodes: Sequence[Mapping[str, float]],
    *,
    workers: int | None,
    gpus: float | None,
    grows: bool,
) -> Resources:
    """Split a cluster's nodes among workers.

    nodes: `CPU` and `GPU` of each. grows: whether an autoscaler may add what is not there yet; then
    what was asked for counts. Raises UserError for more GPUs a trial than there are.
    """
    cpus = int(sum(node.get("CPU", 0) for node in nodes))
    devices = sum(node.get("GPU", 0) for node in nodes)
    gpus = float(devices > 0) if gpus is None else gpus
    if gpus > devices and not (grows and workers is not None):
        raise UserError(
            f"a trial needs {gpus:g} GPUs, the cluster has {devices:g}: lower --gpus-per-trial, "
            "or give --workers too where an autoscaler adds nodes"
        )
    if workers is None:
        workers = int(devices / gpus) if gpus else cpus
    workers = max(1, workers)
    fits = (
        each
        for each in range(cpus // workers, 0, -1)
        if sum(_places(node, each, gpus) for node in nodes) >= workers
    )
    return Resources(workers=workers, cpus=next(fits, 1), gpus=gpus)


def _places(node: Mapping[str, float], cpus: int, gpus: float) -> int:
    """How many workers of this size a node takes."""
    by_cpus = int(node.get("CPU", 0) // cpus)
    return min(by_cpus, int(node.get("GPU", 0) / gpus)) if gpus else by_cpus


def run(engine: Engine, worker: type, resources: Resources) -> None:
    """Work off everything that the engine has to hand out. `cluster` must be open.

    worker: a Tune trainable that takes `config["job"]` and sends `jobs.Message`s.
    """
    from ray import tune

    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # failures are the engine's to tell
    from bench.tune.link import EndOfRun, JobSearcher, Link, MessageScheduler, RunOver

    # One more than may wait to start: else nobody takes over a worker that comes free meanwhile.
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(resources.workers + 1)
    link = Link(engine, resources.workers)
    signal.signal(signal.SIGTERM, _interrupt)  # after Ray, which sets a handler of its own
    scratch = tempfile.mkdtemp(prefix="tunebench-")
    try:
        tuner = tune.Tuner(
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
                stop=EndOfRun(link),
                verbose=0,
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            ),
        )
        with contextlib.suppress(RunOver):
            tuner.fit()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if link.broken is not None:
        raise UserError(f"{link.broken} Then go on with `bench resume`")
    if not engine.finished():
        raise RuntimeError("Ray Tune ended before the run's work did")


def _interrupt(number: int, frame: object) -> None:
    """A polite kill is an interruption: the run ends as with Ctrl-C."""
    raise KeyboardInterrupt
