"""The ledger: a run's append-only record, and the fold that turns it into the run's state.

One JSON object a line. The driver alone writes; every line is flushed, and the lines that a reader
of the test split must be able to rely on are synchronised to disk. State is only ever a function
of the lines: `RunState.apply` is called with each event when it is written and, in the same way,
when it is read back.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from bench.errors import UserError

VERSION = 1
Event = dict[str, Any]

SCHEMA: dict[str, dict[str, type | tuple[type, ...]]] = {
    "run_started": {"suite": str, "scale": str, "seed": int, "phantom": bool, "studies": list},
    "run_resumed": {},
    "trial_started": {
        "study": str,
        "trial": int,
        "config": dict,
        "seed": int,
        "origin": str,
        "sampler": dict,
    },
    "trial_reported": {
        "study": str,
        "trial": int,
        "epoch": int,
        "charged_seconds": float,
        "free_seconds": float,
        "score": (float, type(None)),
        "metrics": dict,
        "notes": list,
        "last": bool,
    },
    "trial_rung": {"study": str, "trial": int, "rung": int, "score": float, "decision": str},
    "trial_retried": {"study": str, "trial": int, "reason": str},
    "trial_finished": {
        "study": str,
        "trial": int,
        "state": str,
        "reason": str,
        "epochs": int,
        "error": (str, type(None)),
    },
    "study_finished": {
        "study": str,
        "state": str,
        "winner": (int, type(None)),
        "why": str,
    },
    "replicate_started": {
        "study": str,
        "replicate": int,
        "entrant": str,
        "task": str,
        "seed": int,
        "config": dict,
        "stop_epoch": (int, type(None)),
    },
    "replicate_reported": {
        "study": str,
        "replicate": int,
        "epoch": int,
        "charged_seconds": float,
        "free_seconds": float,
        "score": (float, type(None)),
        "metrics": dict,
        "notes": list,
        "last": bool,
    },
    "replicate_retried": {"study": str, "replicate": int, "reason": str},
    "replicate_trained": {"study": str, "replicate": int, "epoch": int, "note": str},
    "test_unsealed": {"study": str, "replicate": int, "task": str, "fingerprint": str},
    "replicate_finished": {
        "study": str,
        "replicate": int,
        "entrant": str,
        "task": str,
        "seed": int,
        "state": str,
        "error": (str, type(None)),
        "test_metrics": dict,
        "validation_metrics": dict,
        "cost": dict,
        "predictions": (dict, type(None)),
    },
    "run_finished": {"state": str},
    "run_unsealed": {},
    "replicate_tested": {
        "study": str,
        "replicate": int,
        "state": str,
        "error": (str, type(None)),
        "test_metrics": dict,
        "validation_metrics": dict,
        "predictions": (dict, type(None)),
        "notes": list,
    },
}
"""Every event's fields and their types; `v`, `t` and `event` stand in each.

States: a trial ends `completed`, `stopped` or `failed`; a study `completed` or `failed`; a
replicate `completed` or `failed`; a run `completed` or `failed`. A trial's configuration has its
origin in the `sampler`, or was `enqueued` before it. A rung's decision is `promoted` or
`stopped`. `cost` holds `charged_seconds`, `free_seconds`, `parameters`, `peak_memory_mb` and
`examples_per_second`. `predictions` holds `file`, relative to the run folder, and its `sha256`.

A sealed run finishes its replicates with validation metrics and no test metrics. After
`run_unsealed`, each gets its `test_unsealed` and its `replicate_tested`, and the run ends again.
"""

MEASURED = frozenset(
    {"t", "charged_seconds", "free_seconds", "peak_memory_mb", "examples_per_second"}
)
"""What a clock or a meter says: all that may differ between two runs with one seed and worker."""

DURABLE = frozenset(
    {
        "run_started",
        "study_finished",
        "test_unsealed",
        "replicate_finished",
        "run_unsealed",
        "replicate_tested",
    }
)


OPTIONAL: Mapping[str, Mapping[str, type]] = {
    "run_started": {"sealed": bool},
    "replicate_finished": {"notes": list},
}
"""Fields that came later: events of this version may lack them."""


def mistake(event: Event) -> str | None:
    """What is wrong with an event; None where it keeps the schema."""
    fields = SCHEMA.get(event.get("event", ""))
    if fields is None:
        return f"unknown event {event.get('event')!r}"
    known = {**fields, **OPTIONAL.get(event["event"], {})}
    for name, kind in known.items():
        if name not in event:
            if name not in fields:
                continue
            return f"{event['event']} needs {name!r}"
        value = event[name]
        kinds = kind if isinstance(kind, tuple) else (kind,)
        if float in kinds and isinstance(value, int) and not isinstance(value, bool):
            continue
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            return f"{event['event']}: {name} has the wrong type, got {value!r}"
    return None


def timeless(event: Event) -> Event:
    """The event without what a clock or a meter said."""
    return {
        key: timeless(value) if isinstance(value, dict) else value
        for key, value in event.items()
        if key not in MEASURED
    }


def read(path: Path) -> list[Event]:
    """All events of a ledger; a torn last line is left out.

    Raises UserError for a line that is broken elsewhere, or that a newer version wrote.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"no ledger at {path}: is this a run's folder?") from None
    lines = text.split(b"\n")
    lines.pop()  # after the last newline: nothing, or a torn line
    return [_parse(line, path, number) for number, line in enumerate(lines, 1)]


def _parse(line: bytes, path: Path, number: int) -> Event:
    try:
        event = json.loads(line)
    except ValueError:
        event = None
    if not isinstance(event, dict):
        raise UserError(f"{path}, line {number} is not a JSON object: the ledger was altered")
    version = event.get("v")
    if isinstance(version, int) and version > VERSION:
        raise UserError(
            f"{path}, line {number} has record version {version}, this tunebench reads up to "
            f"{VERSION}: update tunebench"
        )
    if wrong := mistake(event):
        raise UserError(f"{path}, line {number}: {wrong}")
    return event


class Ledger:
    """The open ledger of a run; one process at a time may hold it."""

    def __init__(self, path: Path) -> None:
        """Open or create; cut off a torn last line. Raises UserError where another holds it."""
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise UserError(f"{path.parent} is in use by another process: wait for it") from None
        self._cut_torn_line()
        self.state = RunState()
        for event in read(path):
            self.state.apply(event)

    def _cut_torn_line(self) -> None:
        self._file.seek(0)
        text = self._file.read()
        if text and not text.endswith(b"\n"):
            self._file.truncate(text.rfind(b"\n") + 1)
        self._file.seek(0, os.SEEK_END)

    def append(self, event: str, **fields: Any) -> Event:
        """Write one event, flush it, apply it to the state; returns it as written."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        record: Event = {"v": VERSION, "t": now, "event": event, **_finite(fields)}
        wrong = mistake(record)
        assert wrong is None, wrong
        self._file.write(json.dumps(record, ensure_ascii=False, allow_nan=False).encode() + b"\n")
        self._file.flush()
        if event in DURABLE:
            os.fsync(self._file.fileno())
        self.state.apply(record)
        return record

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: an undefined metric is null."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


# --- State: a fold over the events ----------------------------------------------------------


@dataclass
class Training:
    """What trials and replicates share: epochs reported so far."""

    seed: int
    config: dict[str, Any]
    reports: dict[int, Event] = field(default_factory=dict)
    """By epoch; a second report of one epoch is ignored."""
    retries: int = 0
    started: str = ""
    finished: str | None = None
    """UTC times."""

    @property
    def epoch(self) -> int:
        """The last epoch reported; 0 before the first."""
        return max(self.reports, default=0)

    @property
    def charged_seconds(self) -> float:
        return float(sum(report["charged_seconds"] for report in self.reports.values()))

    @property
    def free_seconds(self) -> float:
        return float(sum(report["free_seconds"] for report in self.reports.values()))

    def best(self, upto: int | None = None) -> tuple[float, int] | None:
        """The best score and its epoch, the earliest of equals; None without any."""
        scored = [
            (report["score"], -epoch)
            for epoch, report in self.reports.items()
            if report["score"] is not None and (upto is None or epoch <= upto)
        ]
        if not scored:
            return None
        score, epoch = max(scored)
        return score, -epoch


@dataclass
class Trial(Training):
    """A search trial."""

    number: int = 0
    origin: str = "sampler"
    sampler: dict[str, Any] = field(default_factory=dict)
    """The sampler's system attributes, to fill a fresh Optuna study with."""
    state: Literal["running", "completed", "stopped", "failed"] = "running"
    reason: str = ""
    error: str | None = None
    rungs: dict[int, tuple[float, str]] = field(default_factory=dict)
    """By rung: the score there and the decision."""
    spent: int = 0
    """Epochs charged at its end, one that was begun and not reported included."""

    @property
    def effort(self) -> int:
        return max(self.epoch, self.spent)


@dataclass
class Replicate(Training):
    """A winner retrained under a fresh seed."""

    number: int = 0
    entrant: str = ""
    task: str = ""
    stop_epoch: int | None = None
    state: Literal["running", "trained", "completed", "failed"] = "running"
    error: str | None = None
    selected_epoch: int | None = None
    """The epoch whose weights are scored."""
    unsealed: bool = False
    """Whether it opened the test split."""
    untested: bool = False
    """Whether it completed while its run was sealed, and was not tested since."""
    test_metrics: dict[str, float] = field(default_factory=dict)
    validation_metrics: dict[str, float] = field(default_factory=dict)
    cost: dict[str, float] = field(default_factory=dict)
    predictions: dict[str, str] | None = None
    notes: list[str] = field(default_factory=list)
    """What of its evaluation was left out, and why."""


@dataclass
class StudyState:
    """One study as the ledger tells it."""

    id: str
    trials: dict[int, Trial] = field(default_factory=dict)
    replicates: dict[int, Replicate] = field(default_factory=dict)
    state: Literal["running", "completed", "failed"] = "running"
    winner: int | None = None
    why: str = ""

    @property
    def effort(self) -> int:
        """Epochs spent by all trials, stopped and failed ones included."""
        return sum(trial.effort for trial in self.trials.values())

    def best(self) -> Trial | None:
        """The trial with the best score so far, the earliest of equals."""
        ranked = [
            (best[0], -number, trial)
            for number, trial in self.trials.items()
            if (best := trial.best()) is not None and trial.state != "failed"
        ]
        return max(ranked, key=lambda entry: entry[:2])[2] if ranked else None


@dataclass
class RunState:
    """A run as its ledger tells it."""

    studies: dict[str, StudyState] = field(default_factory=dict)
    started: Event | None = None
    finished: Event | None = None
    resumes: int = 0
    sealed: bool = False
    """Whether the test split is to stay closed."""
    unsealing: Event | None = None
    """What ended that; None of a run that is sealed still, or never was."""
    unsealed: list[Event] = field(default_factory=list)
    """The openings of test splits."""

    def apply(self, event: Event) -> None:
        """Take one event in. An event that is already known changes nothing."""
        getattr(self, "_" + event["event"])(event)

    def _run_started(self, event: Event) -> None:
        self.started = event
        self.sealed = event.get("sealed", False)
        for study in event["studies"]:
            self.studies.setdefault(study, StudyState(study))

    def _run_resumed(self, event: Event) -> None:
        self.resumes += 1
        self.finished = None

    def _trial_started(self, event: Event) -> None:
        self.studies[event["study"]].trials[event["trial"]] = Trial(
            number=event["trial"],
            seed=event["seed"],
            config=event["config"],
            origin=event["origin"],
            sampler=event["sampler"],
            started=event["t"],
        )

    def _trial_reported(self, event: Event) -> None:
        self._trial(event).reports.setdefault(event["epoch"], event)

    def _trial_rung(self, event: Event) -> None:
        rung = (event["score"], event["decision"])
        self._trial(event).rungs.setdefault(event["rung"], rung)

    def _trial_retried(self, event: Event) -> None:
        self._trial(event).retries += 1

    def _trial_finished(self, event: Event) -> None:
        trial = self._trial(event)
        trial.state, trial.reason = event["state"], event["reason"]
        trial.error, trial.spent, trial.finished = event["error"], event["epochs"], event["t"]

    def _study_finished(self, event: Event) -> None:
        study = self.studies[event["study"]]
        study.state, study.winner, study.why = event["state"], event["winner"], event["why"]

    def _replicate_started(self, event: Event) -> None:
        self.studies[event["study"]].replicates[event["replicate"]] = Replicate(
            number=event["replicate"],
            seed=event["seed"],
            config=event["config"],
            stop_epoch=event["stop_epoch"],
            entrant=event["entrant"],
            task=event["task"],
            started=event["t"],
        )

    def _replicate_reported(self, event: Event) -> None:
        self._replicate(event).reports.setdefault(event["epoch"], event)

    def _replicate_retried(self, event: Event) -> None:
        self._replicate(event).retries += 1

    def _replicate_trained(self, event: Event) -> None:
        replicate = self._replicate(event)
        replicate.state, replicate.selected_epoch = "trained", event["epoch"]

    def _test_unsealed(self, event: Event) -> None:
        self._replicate(event).unsealed = True
        self.unsealed.append(event)

    def _replicate_finished(self, event: Event) -> None:
        replicate = self._replicate(event)
        replicate.state, replicate.error = event["state"], event["error"]
        replicate.test_metrics = event["test_metrics"]
        replicate.validation_metrics = event["validation_metrics"]
        replicate.cost, replicate.predictions = event["cost"], event["predictions"]
        replicate.notes = event.get("notes", [])
        replicate.finished = event["t"]
        replicate.untested = self.sealed and replicate.state == "completed"

    def _replicate_tested(self, event: Event) -> None:
        replicate = self._replicate(event)
        replicate.state, replicate.error = event["state"], event["error"]
        replicate.untested = False
        if replicate.state == "failed":
            return  # what it has of validation stands
        replicate.test_metrics = event["test_metrics"]
        replicate.validation_metrics = event["validation_metrics"]
        replicate.predictions, replicate.notes = event["predictions"], event["notes"]

    def _run_finished(self, event: Event) -> None:
        self.finished = event

    def _run_unsealed(self, event: Event) -> None:
        self.sealed, self.unsealing, self.finished = False, event, None

    def _trial(self, event: Event) -> Trial:
        return self.studies[event["study"]].trials[event["trial"]]

    def _replicate(self, event: Event) -> Replicate:
        return self.studies[event["study"]].replicates[event["replicate"]]


def fold(events: Iterable[Event]) -> RunState:
    """The state that these events add up to."""
    state = RunState()
    for event in events:
        state.apply(event)
    return state


# --- The register of openings ---------------------------------------------------------------


def register_opening(register: Path, *, fingerprint: str, run: str) -> None:
    """Note, for all runs of this user, that a run opened the test set of this fingerprint."""
    register.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps({"t": datetime.now(UTC).isoformat(), "fingerprint": fingerprint, "run": run})
    with register.open("ab") as file:
        file.write(line.encode() + b"\n")


def register_missed(register: Path, unsealed: Sequence[Event], *, run: str) -> None:
    """Note those openings of a run that its driver recorded, and died before it noted them."""
    for fingerprint, count in Counter(event["fingerprint"] for event in unsealed).items():
        noted = sum(e.get("run") == run for e in openings(register, fingerprint=fingerprint))
        for _ in range(count - noted):
            register_opening(register, fingerprint=fingerprint, run=run)


def openings(register: Path, *, fingerprint: str) -> Iterator[Event]:
    """The noted openings of one test set; lines that do not parse are passed over."""
    if not register.exists():
        return
    for line in register.read_bytes().splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if event.get("fingerprint") == fingerprint:
            yield event
