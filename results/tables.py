"""A run as tables (pandas): rows for figures, CSV files and the report. No drawing, no HTML."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bench import ledger, metrics
from bench.folders import openings_register
from bench.spec import Fold
from results.analysis import Entry, TaskAnalysis
from results.load import Run, StudyFacts, TaskFacts
from results.stats import Estimate
from results.wording import count

if TYPE_CHECKING:
    import pandas as pd

VARIANCES = ("seed_variance", "search_variance", "split_variance", "patient_variance")
"""The parts of an estimate's variance."""


def metric_titles(task: TaskFacts) -> dict[str, str]:
    """Titles of the metrics as recorded: `f1_liver` is "F1, liver"."""
    found = {}
    for metric in metrics.METRICS.values():
        for name, of_class in metric.columns(task.classes).items():
            found[name] = f"{metric.title}, {of_class}" if of_class else metric.title
    return found


def metric_title(task: TaskFacts, name: str) -> str:
    """A recorded metric's title; its name where this version does not know it."""
    return metric_titles(task).get(name, name)


def seeds(run: Run, analysis: TaskAnalysis) -> pd.DataFrame:
    """One row a replicate: its seed, state, primary metric on both splits, cost."""
    rows = []
    for entry in analysis.entries:
        for study, number, replicate in replicates_of(run, entry):
            rows.append(
                {
                    "task": analysis.task.id,
                    "entrant": study.label,
                    **part_of(study),
                    "replicate": number,
                    "seed": replicate.seed,
                    "state": replicate.state,
                    "metric": analysis.task.primary,
                    "test": replicate.test_metrics.get(analysis.task.primary),
                    "validation": replicate.validation_metrics.get(analysis.task.primary),
                    "epochs": replicate.epoch,
                    "selected_epoch": replicate.selected_epoch,
                    "charged_seconds": replicate.charged_seconds,
                    "free_seconds": replicate.free_seconds,
                    "retries": replicate.retries,
                }
            )
    return frame(
        rows,
        "task entrant split_number search replicate seed state metric test validation epochs"
        " selected_epoch charged_seconds free_seconds retries",
        whole=("selected_epoch",),
        real=("test", "validation"),
    )


def replicates_of(run: Run, entry: Entry) -> Iterator[tuple[StudyFacts, int, ledger.Replicate]]:
    """All replicates of an entrant, with their studies and numbers."""
    for study in entry.studies:
        for number, replicate in sorted(run.progress(study.id).replicates.items()):
            yield study, number, replicate


def part_of(study: StudyFacts) -> dict[str, int]:
    """Which of an entrant's studies it is, counted from 1."""
    number = 0 if study.fold is None else study.fold.number
    return {"split_number": number + 1, "search": study.search_number + 1}


def comparisons(analysis: TaskAnalysis) -> pd.DataFrame:
    """One row a pair of entrants: difference, interval, p, Holm's p, who is better."""
    import pandas as pd

    pairs = analysis.comparisons
    differences = [pair.difference for pair in pairs]
    winners = [None if p.better is None else (p.first, p.second)[p.better] for p in pairs]
    # By columns: of half a million pairs, rows would take a gigabyte.
    columns = {
        "task": analysis.task.id,
        "first": [pair.first.label for pair in pairs],
        "second": [pair.second.label for pair in pairs],
        "metric": analysis.task.primary,
        "difference": [one.value for one in differences],
        "low": [one.low for one in differences],
        "high": [one.high for one in differences],
        "p": [one.p for one in differences],
        "p_holm": [pair.p_holm for pair in pairs],
        "better": [winner.label if winner else "" for winner in winners],
        **{name: [getattr(one, name) for one in differences] for name in VARIANCES},
        "method": [one.method for one in differences],
    }
    return pd.DataFrame(columns, index=range(len(pairs)))


def variances(estimate: Estimate) -> dict[str, float]:
    """The parts of an estimate's variance, as columns."""
    return {name: getattr(estimate, name) for name in VARIANCES}


def data(run: Run) -> pd.DataFrame:
    """One row a task and split: cases, the volumes that they come from, groups, class counts."""
    rows = []
    for facts in run.data.values():
        id = facts["task"]
        for split, counts in facts["splits"].items():
            known = run.tasks[id].groups_known if id in run.tasks else False
            rows.append(
                {
                    "task": id,
                    "dataset": facts["dataset"],
                    "phantom": bool(facts["phantom"]),
                    "part": _fold(facts),
                    "split": split,
                    "cases": counts["cases"],
                    "volumes": counts.get("volumes"),
                    "groups": counts["groups"] if known else None,
                    "groups_known": known,
                    "class_counts": _class_counts(run, id, counts["class_counts"]),
                    "fingerprint": facts["fingerprint"],
                    "test_fingerprint": facts["test_fingerprint"],
                }
            )
    return frame(
        rows,
        "task dataset phantom part split cases volumes groups groups_known class_counts fingerprint"
        " test_fingerprint",
        whole=("volumes", "groups"),
    )


def _class_counts(run: Run, task: str, counts: Any) -> str:
    """Counts by class, in words: recorded as a list in the classes' order or by name."""
    if isinstance(counts, dict):
        pairs = list(counts.items())
    else:
        names = run.tasks[task].classes if task in run.tasks else range(len(counts))
        pairs = list(zip(names, counts, strict=False))
    return ", ".join(f"{name} {count(number)}" for name, number in pairs)


def duplicates(run: Run) -> pd.DataFrame:
    """One row a task and two of its splits: cases of the second with a double in the first.

    No row for a task whose run recorded none. `dropped` is how many training and validation cases
    the task left out for having one.
    """
    rows = []
    for facts in run.data.values():
        for pair, found in (facts.get("duplicates") or {}).items():
            first, _, second = pair.partition("_")
            examples = [" = ".join(map(str, ids)) for ids in found["examples"]]
            rows.append(
                {
                    "task": facts["task"],
                    "dataset": facts["dataset"],
                    "part": _fold(facts),
                    "first": first,
                    "second": second,
                    "cases": found["count"],
                    "dropped": facts.get("dropped", 0),
                    "examples": "; ".join(examples),
                }
            )
    return frame(rows, "task dataset part first second cases dropped examples")


def openings(run: Run) -> pd.DataFrame:
    """One row a task: how often its test set was opened, by how many runs of this user."""
    rows, own = [], {one.name for one in run.each}
    for facts in run.data.values():
        fingerprint = facts["test_fingerprint"]
        here = [event for event in run.state.unsealed if event["fingerprint"] == fingerprint]
        noted = list(ledger.openings(openings_register(), fingerprint=fingerprint))
        elsewhere = [event for event in noted if event.get("run") not in own]
        opened = [
            one
            for one in run.each
            if any(event["fingerprint"] == fingerprint for event in one.state.unsealed)
        ]
        rows.append(
            {
                "task": facts["task"],
                "dataset": facts["dataset"],
                "part": _fold(facts),
                "test_fingerprint": fingerprint,
                "openings_here": len(here),
                "openings": len(here) + len(elsewhere),
                "runs": len(opened) + len({str(event.get("run")) for event in elsewhere}),
            }
        )
    return frame(rows, "task dataset part test_fingerprint openings_here openings runs")


def _fold(facts: Mapping[str, Any]) -> str:
    """`split 2 of 5`; empty for a task's own split."""
    return str(Fold(**facts["fold"])) if facts.get("fold") else ""


def provenance(run: Run) -> pd.DataFrame:
    """What the run ran on and with, as `what` and `value`."""
    record = run.record
    facts = record["provenance"]
    git = facts.get("git")
    commit = f"{git['commit']}{', with uncommitted changes' if git['dirty'] else ''}" if git else ""
    pairs = [
        ("run", run.name),
        ("created (UTC)", record.get("created", "")),
        ("last event (UTC)", run.ended),
        ("resumed", f"{run.state.resumes} times" if run.state.resumes else "never"),
        ("suite", run.suite["id"]),
        ("scale", record.get("scale", "")),
        ("seed", run.suite["seed"]),
        ("command", " ".join(map(str, facts.get("command", [])))),
        ("code", commit or "not under version control"),
        ("python", facts.get("python", "")),
        ("platform", facts.get("platform", "")),
        ("processor", _processor(facts)),
        ("accelerators", ", ".join(map(_gpu, facts.get("gpus", []))) or "none"),
    ]
    pairs += [
        (f"plug-in {name}", f"sha256 {sha256}")
        for name, sha256 in (record.get("plugins") or {}).items()
    ]
    pairs += [
        (f"weights of {run.studies[study].label}", f"{one['name']}, sha256 {one['sha256']}")
        for study, found in (record.get("weights") or {}).items()
        for one in found
    ]
    packages = facts.get("packages") or {}
    pairs += [(name, version or "not installed") for name, version in packages.items()]
    rows = [{"what": what, "value": str(value)} for what, value in pairs]
    return frame(rows, "what value")


def _processor(facts: Any) -> str:
    cores = facts.get("cpus")
    parts = [facts.get("cpu") or "unknown", f"{cores} cores" if cores else ""]
    return ", ".join(filter(None, parts))


def _gpu(gpu: Any) -> str:
    return str(gpu.get("name", gpu)) if isinstance(gpu, dict) else str(gpu)


def frame(
    rows: Sequence[dict[str, Any]],
    columns: str,
    *,
    whole: Iterable[str] = (),
    real: Iterable[str] = (),
    plain: Iterable[str] = (),
) -> pd.DataFrame:
    """A table with these columns, in this order, without rows too.

    whole: integers that may be missing. real: numbers that may be missing. plain: values of any
    kind, kept as they are.
    """
    import pandas as pd

    table = pd.DataFrame(list(rows), columns=columns.split())
    for name in whole:
        table[name] = table[name].astype("Int64")
    for name in real:
        table[name] = table[name].astype(float)
    for name in plain:
        table[name] = pd.Series([row[name] for row in rows], dtype=object)
    return table
