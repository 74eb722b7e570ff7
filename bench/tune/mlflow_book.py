"""A run's trials and replicates as MLflow runs, one each, over all drivers that work at them."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from bench.ledger import Event
from bench.runs import RunFile
from bench.tune.log_books import LogBook, Shown

QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true"}
PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}
"""Of a request while the run goes on, unless the environment says otherwise."""
AT_ONCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}
"""Of the first requests: somebody waits for the answer."""


class MlflowBook(LogBook):
    """A run for each trial and replicate, in an experiment that is called as the run's folder.

    Two runs of one name share the experiment, not the MLflow runs: the tag `run_key` tells them
    apart.
    """

    def __init__(self, uri: str, run: RunFile, name: str, identity: str) -> None:
        """name, identity: of the run; another may have the same name.

        Raises ImportError without MLflow, and its own errors where it cannot be reached.
        """
        for key, value in (QUIET | PATIENCE).items():
            os.environ.setdefault(key, value)
        import mlflow

        for noisy in ("mlflow", "alembic", "urllib3"):
            logging.getLogger(noisy).setLevel(logging.ERROR)
        super().__init__(run)
        self._name, self._identity = name, identity
        with _settings(AT_ONCE):
            self._runs = _Runs(mlflow.MlflowClient(tracking_uri=uri), name)
            self.fresh = not self._runs.search({"run_key": identity})

    def _made(self) -> Any:
        from ray.air.integrations.mlflow import MLflowLoggerCallback

        runs = self._runs

        class Continued(MLflowLoggerCallback):
            """Finds the MLflow run of a trial that an earlier driver began."""

            def log_trial_start(self, trial: Shown) -> None:
                found = runs.search({key: trial.tags[key] for key in ("run_key", "ledger_id")})
                if found:
                    self._trial_runs[trial] = runs.go_on(found[0])
                self.tags = {**trial.tags, "state": "running"}
                super().log_trial_start(trial)

            def log_trial_end(self, trial: Shown, failed: bool = False) -> None:
                runs.tag(self._trial_runs[trial], "state", trial.evaluated_params["state"])
                super().log_trial_end(trial, failed)

        callback = Continued()
        callback.mlflow_util = runs
        callback.setup()
        return callback

    def _shown(self, key: tuple[str, str, int], event: Event) -> Shown:
        shown = super()._shown(key, event)
        shown.tags |= {"run": self._name, "run_key": self._identity}
        return shown

    def take(self, event: Event) -> None:
        self._runs.now = round(1000 * datetime.fromisoformat(event["t"]).timestamp())
        super().take(event)


class _Runs:
    """What Ray's callback sends by, with one request for all values of an epoch.

    Ray's own asks the server before each value whether the run exists, and where that fails it
    begins another, in whatever experiment is the default. It also has one server for the whole
    process, where several may be logged to.
    """

    def __init__(self, client: Any, name: str) -> None:
        """name: of the experiment. Raises what MLflow raises, and ValueError for a deleted one."""
        found = client.get_experiment_by_name(name)
        if found is not None and found.lifecycle_stage != "active":
            raise ValueError(f"its experiment {name!r} was deleted: restore it, or purge it there")
        self._client = client
        self._experiment = client.create_experiment(name) if found is None else found.experiment_id
        self._logged: dict[str, dict[str, set[int]]] = {}
        """By run that an earlier driver began and metric: the steps that it has."""
        self.now = 0
        """When what is sent came about, in ms since 1970."""

    def setup_mlflow(self, **_: Any) -> None:
        """Nothing is left to be done."""

    def search(self, tags: Mapping[str, str]) -> list[Any]:
        """The run that has these tags, if there is one."""
        wanted = " and ".join(f"tags.{key} = '{value}'" for key, value in tags.items())
        return list(
            self._client.search_runs([self._experiment], filter_string=wanted, max_results=1)
        )

    def go_on(self, run: Any) -> str:
        """Take up a run; returns its id."""
        self._logged.setdefault(run.info.run_id, {})
        return str(run.info.run_id)

    def start_run(self, *, run_name: str, tags: Mapping[str, str]) -> Any:
        return self._client.create_run(
            self._experiment, start_time=self.now, tags=dict(tags), run_name=run_name
        )

    def log_params(self, *, run_id: str, params_to_log: Mapping[str, Any]) -> None:
        from mlflow.entities import Param

        given = [Param(key, str(value)) for key, value in params_to_log.items()]
        self._client.log_batch(run_id, params=given)

    def log_metrics(self, *, run_id: str, metrics_to_log: Mapping[str, Any], step: int) -> None:
        """Log an epoch's numbers, but for those that the run has already."""
        from mlflow.entities import Metric

        given = {
            name: float(value)
            for name, value in _flat(metrics_to_log)
            if isinstance(value, int | float) and not self._has(run_id, name, step)
        }
        if given:
            batch = [Metric(name, value, self.now, step) for name, value in given.items()]
            self._client.log_batch(run_id, metrics=batch)

    def _has(self, run_id: str, name: str, step: int) -> bool:
        if run_id not in self._logged:
            return False
        known = self._logged[run_id]
        if name not in known:
            known[name] = {one.step for one in self._client.get_metric_history(run_id, name)}
        return step in known[name]

    def tag(self, run_id: str, key: str, value: str) -> None:
        self._client.set_tag(run_id, key, value)

    def end_run(self, *, run_id: str, status: str) -> None:
        self._client.set_terminated(run_id, status=status, end_time=self.now)


def _flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}/")
        else:
            yield f"{above}{name}", value


@contextlib.contextmanager
def _settings(wanted: Mapping[str, str]) -> Iterator[None]:
    """The environment with these, and as it was afterwards; MLflow reads it at each request."""
    before = {key: os.environ.get(key) for key in wanted}
    os.environ |= wanted
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                del os.environ[key]
            else:
                os.environ[key] = value
