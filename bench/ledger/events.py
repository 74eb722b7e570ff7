"""What may stand in a ledger: the events, their fields, and which of them a clock wrote."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

VERSION = 1
Event = dict[str, Any]

SCHEMA: dict[str, dict[str, type | tuple[type, ...]]] = {
    "run_started": {"suite": str, "scale": str, "seed": int, "phantom": bool, "studies": list},
    "run_resumed": {},
    "run_paused": {"why": str},
    "run_extended": {"number": int, "studies": list, "reopened": list},
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
    "trial_rung": {"study": str, "trial": int, "rung": float, "score": float, "decision": str},
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
    "outside_scored": {
        "task": str,
        "label": str,
        "on": str,
        "fingerprint": str,
        "predictions": list,
        "metrics": list,
        "notes": list,
    },
}
"""Every event's fields and their types; `v`, `t` and `event` stand in each.

States: a trial ends `completed`, `stopped` or `failed`; a study `completed` or `failed`; a
replicate `completed` or `failed`; a run `completed` or `failed`. A trial's configuration has its
origin in the `sampler`, or was `enqueued` before it; or it is that of trial `of`: a `repeat` of it
is not trained and ends `repeated`, a `confirm` is trained under a fresh seed and ruled on at no
rung. A rung's decision is `promoted`, `stopped`, or `paused`: then the trial rests there with a
checkpoint until the same rung says `promoted`, or the trial ends. `cost` holds `charged_seconds`,
`free_seconds`, `parameters`, `peak_memory_mb` and `examples_per_second`. `predictions` holds
`file`, relative to the run folder, and its `sha256`.

A run that pauses, for its time is up or nothing can be stored, is not finished: it is resumed.

A sealed run finishes its replicates with validation metrics and no test metrics. After
`run_unsealed`, each gets its `test_unsealed` and its `replicate_tested`, and the run ends again.

A run that is given more to do is `run_extended`, by the extension of that number in run.json:
`studies` are all that there are now, and of those `reopened` the search goes on. What was begun
under an earlier winner stands in the ledger, and counts only where that one wins again.

Predictions that were made elsewhere are `outside_scored` on the split `on`: `predictions` and
`metrics` have one entry a training. A run that has ended has ended still.
"""

MEASURED = frozenset(
    {"t", "charged_seconds", "free_seconds", "peak_memory_mb", "examples_per_second"}
)
"""What a clock or a meter says: all that may differ between two runs with one seed and worker."""

DURABLE = frozenset(
    {
        "run_started",
        "run_extended",
        "study_finished",
        "test_unsealed",
        "replicate_finished",
        "run_unsealed",
        "replicate_tested",
        "outside_scored",
    }
)


OPTIONAL: Mapping[str, Mapping[str, type]] = {
    "run_started": {"sealed": bool},
    "trial_started": {"of": int},
    "replicate_finished": {"notes": list},
}
"""Fields that came later: events of this version may lack them."""


def mistake(event: Event) -> str | None:
    """What is wrong with an event; None where it keeps the schema."""
    event_name = event.get("event")
    fields = SCHEMA.get(event_name) if isinstance(event_name, str) else None
    if fields is None:
        return f"unknown event {event_name!r}"
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
