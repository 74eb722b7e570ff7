"""What Ray Tune's logging callbacks are told of a ledger's trials and replicates."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.errors import UserError
from bench.ledger import Event
from bench.runs import RunFile

MARK = ".run"
"""In a folder of logs that several runs share: whose it is."""

Key = tuple[str, str, int]
"""Study, `trial` or `replicate`, number."""


@dataclass(eq=False)
class Shown:
    """A trial or replicate of the ledger, with what the callbacks ask a Tune trial for."""

    name: str
    config: dict[str, Any]
    tags: dict[str, str]
    local_path: str = ""
    evaluated_params: dict[str, Any] = field(default_factory=dict)
    """Empty until its end: only then does TensorBoard's table of parameters get its row."""
    open: bool = False
    epoch: int = 0
    last: dict[str, Any] = field(default_factory=dict)
    """What was reported of its last epoch."""

    def init_local_path(self) -> None:
        Path(self.local_path).mkdir(parents=True, exist_ok=True)

    def __str__(self) -> str:
        return self.name


class LogBook(ABC):
    """Turns a ledger's events into calls of a callback's public methods, in order.

    To make one reaches the log, and imports no Ray, which reads its settings when it is imported:
    the driver has not made them yet.
    """

    fresh: bool
    """Whether there was nothing of this run in it."""

    def __init__(self, run: RunFile) -> None:
        self._studies = {study.id: study for study in run.studies}
        self._data = "phantom" if run.phantom else "real"
        self._known: dict[Key, Shown] = {}

    @functools.cached_property
    def callback(self) -> Any:
        """Of Ray Tune: a LoggerCallback, made when the first event is logged."""
        return self._made()

    @abstractmethod
    def _made(self) -> Any:
        """A new callback."""

    def learn(self, event: Event) -> None:
        """What a trial or replicate is and where it stands; logs nothing."""
        what = event["event"]
        if what in ("trial_started", "replicate_started"):
            key = _key(event)
            if key not in self._known:
                self._known[key] = self._shown(key, event)
        elif what.endswith("_reported"):
            shown = self._known[_key(event)]
            shown.epoch, shown.last = event["epoch"], _measured(event)
        elif what == "replicate_trained":
            self._known[_key(event)].epoch = event["epoch"]

    def _shown(self, key: Key, event: Event) -> Shown:
        name, kind, number = key
        study = self._studies[name]
        part = f", {study.part}" if study.part else ""
        tags = {
            "study": name,
            "entrant": study.entrant.label,
            "task": study.task,
            "kind": kind,
            "number": str(number),
            "seed": str(event["seed"]),
            "data": self._data,
            "ledger_id": f"{name}/{kind}-{number}",
        }
        if "origin" in event:
            tags["origin"] = event["origin"]
        stamp = " (phantom)" if self._data == "phantom" else ""
        label = f"{study.task}: {study.entrant.label}{part}, {kind} {number}{stamp}"
        return Shown(label, dict(event["config"]), tags)

    def take(self, event: Event) -> None:
        """Log one event; what it speaks of was learnt before."""
        what = event["event"]
        if what == "study_finished":
            return
        shown = self._known[_key(event)]
        if what.endswith("_reported"):
            self._result(shown, event["epoch"], _measured(event))
        elif what == "trial_rung" and event["decision"] == "paused":
            self.rest(shown)
        elif what in ("replicate_finished", "replicate_tested"):
            values = {
                "validation": event["validation_metrics"],
                "test": event["test_metrics"],
            }
            self._result(shown, shown.epoch, values)
            self._end(shown, event["state"])
        elif what == "trial_finished":
            self._end(shown, event["state"])
        elif what.endswith("_started"):
            self._begin(shown)

    def _begin(self, shown: Shown) -> None:
        if not shown.open:
            self.callback.log_trial_start(shown)
            shown.open = True

    def _result(self, shown: Shown, epoch: int, values: dict[str, Any]) -> None:
        self._begin(shown)
        self.callback.log_trial_result(epoch, shown, {"training_iteration": epoch, **values})

    def _end(self, shown: Shown, state: str) -> None:
        self._begin(shown)
        shown.evaluated_params = {**shown.config, **shown.tags, "state": state}
        self.callback.log_trial_end(shown, failed=state == "failed")
        shown.open = False

    def rest(self, shown: Shown) -> None:  # noqa: B027 - not all have something open
        """A trial rests at a rung, perhaps for good."""

    def close(self) -> None:  # noqa: B027 - not all have something open
        """Let go of what is open; nothing of it has ended."""


class TensorboardBook(LogBook):
    """A folder for each trial and replicate: `STUDY/trial-3`, below `phantom` where data are."""

    def __init__(self, root: Path, run: RunFile, identity: str | None) -> None:
        """identity: of the run, which the folder is marked with; None in the run's own folder.

        Raises ImportError without tensorboardX, OSError where nothing can be written, and UserError
        for the folder of another run that has the same name.
        """
        import tensorboardX  # noqa: F401 - so that it is missed now

        super().__init__(run)
        self._root = root.resolve() / ("phantom" if run.phantom else "")
        self.fresh = not self._root.exists()
        self._root.mkdir(parents=True, exist_ok=True)
        if identity is not None:
            _claim(self._root, identity)

    def _made(self) -> Any:
        from ray.tune.logger import TBXLoggerCallback
        from tensorboardX import SummaryWriter

        class Continued(TBXLoggerCallback):
            """Numbers a trial's files: by their seconds alone, one could overwrite another."""

            def __init__(self) -> None:
                super().__init__()
                self._summary_writer_cls = _numbered

            def log_trial_start(self, trial: Shown) -> None:
                super().log_trial_start(trial)
                # The row of a trial has what was logged since its file was opened, or this.
                self._trial_result[trial] = {f"ray/tune/{k}": v for k, v in trial.last.items()}

        def _numbered(folder: str, **options: Any) -> Any:
            number = len(list(Path(folder).glob("events.out.tfevents.*")))
            return SummaryWriter(folder, filename_suffix=f".{number:03d}", **options)

        return Continued()

    def _shown(self, key: Key, event: Event) -> Shown:
        shown = super()._shown(key, event)
        shown.local_path = str(self._root / shown.tags["ledger_id"])
        return shown

    def rest(self, shown: Shown) -> None:
        """Close its file: thousands may rest, and each open one holds a thread."""
        if shown.open:
            self.callback.log_trial_end(shown)
            shown.open = False

    def close(self) -> None:
        for shown in self._known.values():
            self.rest(shown)


def _claim(root: Path, identity: str) -> None:
    """Mark a folder as this run's. Raises UserError where it is another's."""
    mark = root / MARK
    if not mark.exists() and not any(root.iterdir()):
        mark.write_text(identity)
    if not mark.exists() or mark.read_text() != identity:
        raise UserError(
            f"{root} holds the log of another run of the same name: name another folder with "
            "--log tensorboard=DIR, or remove it"
        )


def _key(event: Event) -> Key:
    kind = "trial" if "trial" in event else "replicate"
    return event["study"], kind, event[kind]


def _measured(event: Event) -> dict[str, Any]:
    """A report's numbers by name; what is undefined is left out."""
    values = {
        "score": event["score"],
        "charged_seconds": event["charged_seconds"],
        "free_seconds": event["free_seconds"],
        **event["metrics"],
    }
    return {name: value for name, value in values.items() if value is not None}
