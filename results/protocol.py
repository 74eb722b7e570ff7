"""What two results must share to be comparable: data, task, search and retraining."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from results.load import Run, StudyFacts

TASK_FIELDS = (
    "kind", "classes", "dataset", "primary", "margin", "metrics", "groups_known", "version",
)  # fmt: skip
DATA_FIELDS = (
    "phantom", "fingerprint", "validation_fingerprint", "test_fingerprint", "dropped", "fold",
)  # fmt: skip
SPLIT_FIELDS = ("cases", "groups")
UNSAID = object()
"""What a record does not hold."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """A field in which two protocols differ, and its value in each; None where it is not set."""

    field: str
    baseline: Any
    candidate: Any


def differences(
    baseline: tuple[Run, StudyFacts], candidate: tuple[Run, StudyFacts]
) -> tuple[Difference, ...]:
    """The fields in which the protocols of two studies of one task differ.

    A suite's options are compared whole. Elsewhere, a field that one of the records does not hold
    is not compared: versions of the record that came earlier have fewer. The number of seeds may
    differ, and so may all that an entrant is: its family, its pins, its space.
    """
    first, second = protocol(*baseline), protocol(*candidate)
    found = []
    for field in sorted(first | second):
        one, other = first.get(field, UNSAID), second.get(field, UNSAID)
        if one == other:
            continue
        if UNSAID in (one, other) and not field.startswith(("options.", "training.")):
            continue
        found.append(
            Difference(
                field=field,
                baseline=None if one is UNSAID else one,
                candidate=None if other is UNSAID else other,
            )
        )
    return tuple(found)


def protocol(run: Run, study: StudyFacts) -> dict[str, Any]:
    """The protocol of a study as a flat dict, by dotted names as `run.json` has them."""
    record, task = run.record, study.task
    (planned,) = (facts for facts in record["studies"] if facts["id"] == study.id)
    data = run.data.get(study.data, {})
    flat: dict[str, Any] = {
        "phantom": run.phantom,
        "scale": run.suite.get("scale", UNSAID),
        **_some("task", record["tasks"][task], TASK_FIELDS),
        **_some("data", data, DATA_FIELDS),
        **_all("options", run.suite.get("options", {}).get(task, {})),
        **_all("training", run.suite.get("training", {}).get(task, {})),
        **_all("search", _as_now(planned["search"])),
        **_all("replicates", {"searches": 1, "splits": 1} | planned["replicates"]),
    }
    for split, facts in data.get("splits", {}).items():
        flat |= _some(f"data.splits.{split}", facts, SPLIT_FIELDS)
    flat.pop("replicates.seeds", None)
    return {field: value for field, value in flat.items() if value is not UNSAID}


def _some(owner: str, facts: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {f"{owner}.{name}": facts[name] for name in names if name in facts}


def _all(owner: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{owner}.{name}": value for name, value in facts.items()}


def _as_now(search: Mapping[str, Any]) -> dict[str, Any]:
    """A search's fields; version 1 of the record had a flag in the place of `enqueue`."""
    now = dict(search)
    if "enqueue_defaults" in now:
        now["enqueue"] = ["defaults"] if now.pop("enqueue_defaults") else []
    return now
