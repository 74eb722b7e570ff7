"""MLflow's client in memory: what the live log asks of it, and refusals when it is down."""

from __future__ import annotations

import re
import sys
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import pytest


class Param(NamedTuple):
    key: str
    value: str


class Metric(NamedTuple):
    key: str
    value: float
    timestamp: int
    step: int


class Server:
    """What several clients see at one address."""

    def __init__(self) -> None:
        self.experiments: dict[str, Any] = {}
        self.runs: list[Any] = []
        self.down = False
        self.requests = 0


class Client:
    """Of mlflow.MlflowClient, the methods that are used, with its signatures."""

    servers: dict[str, Server] = {}

    def __init__(self, tracking_uri: str) -> None:
        self._uri = tracking_uri

    def _ask(self) -> Server:
        server = self.servers.setdefault(self._uri, Server())
        server.requests += 1
        if server.down:
            raise RuntimeError("request failed") from ConnectionRefusedError(
                111, "Connection refused"
            )
        return server

    def _run(self, run_id: str) -> Any:
        return next(run for run in self._ask().runs if run.info.run_id == run_id)

    def get_experiment_by_name(self, name: str) -> Any:
        return self._ask().experiments.get(name)

    def create_experiment(self, name: str) -> str:
        self._ask().experiments[name] = SimpleNamespace(
            experiment_id=name, lifecycle_stage="active"
        )
        return name

    def search_runs(
        self, experiment_ids: list[str], filter_string: str, max_results: int
    ) -> list[Any]:
        wanted = dict(re.findall(r"tags\.(\w+) = '([^']*)'", filter_string))
        assert wanted, filter_string
        found = [
            run
            for run in self._ask().runs
            if run.info.experiment_id in experiment_ids and wanted.items() <= run.tags.items()
        ]
        return found[:max_results]

    def create_run(
        self, experiment_id: str, start_time: int, tags: dict[str, str], run_name: str
    ) -> Any:
        runs = self._ask().runs
        info = SimpleNamespace(run_id=f"run-{len(runs)}", experiment_id=experiment_id)
        runs.append(
            SimpleNamespace(
                info=info,
                name=run_name,
                tags=tags,
                params={},
                metrics=[],
                status="RUNNING",
                times=[start_time],
            )
        )
        return runs[-1]

    def log_batch(self, run_id: str, metrics: list[Metric] = (), params: list[Param] = ()) -> None:  # type: ignore[assignment]
        run = self._run(run_id)
        for key, value in params:
            assert run.params.setdefault(key, value) == value
        run.metrics.extend(metrics)

    def get_metric_history(self, run_id: str, key: str) -> list[Metric]:
        return [metric for metric in self._run(run_id).metrics if metric.key == key]

    def set_tag(self, run_id: str, key: str, value: str) -> None:
        self._run(run_id).tags[key] = value

    def set_terminated(self, run_id: str, status: str, end_time: int) -> None:
        run = self._run(run_id)
        run.status = status
        run.times.append(end_time)


def install(patch: pytest.MonkeyPatch) -> dict[str, Server]:
    """Put it in MLflow's place; returns the servers by address."""
    servers: dict[str, Server] = {}
    patch.setattr(Client, "servers", servers)
    module, entities = ModuleType("mlflow"), ModuleType("mlflow.entities")
    module.MlflowClient, module.entities = Client, entities  # type: ignore[attr-defined]
    entities.Metric, entities.Param = Metric, Param  # type: ignore[attr-defined]
    patch.setitem(sys.modules, "mlflow", module)
    patch.setitem(sys.modules, "mlflow.entities", entities)
    return servers
