"""What a run spent: seconds of a device by study and by what became of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from bench.ledger import Replicate, Trial
from results.load import Run, StudyFacts
from results.tables import frame, part_of
from results.wording import duration

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 24
"""Studies with a row of their own on the page, the dearest; the others are summed."""
PARTS = {
    "completed": "search, trained to the end",
    "stopped": "search, stopped early",
    "failed": "search, failed",
    "open": "search, other",
    "replicates": "replicates",
    "free": "validation, set-up",
}
"""What seconds went into, by the name of its column, as the page calls it."""


def spending(run: Run) -> pd.DataFrame:
    """One row a study, what it trained for and how that ended: trainings, epochs, seconds.

    what: `search`; `replicates`; `superseded`, replicates of a winner that is none any more.
    Epochs that a crash lost before they were reported are in no row.
    """
    rows = []
    for study in run.studies.values():
        progress = run.progress(study.id)
        kinds: tuple[tuple[str, Iterable[Trial | Replicate]], ...] = (
            ("search", progress.trials.values()),
            ("replicates", progress.replicates.values()),
            ("superseded", progress.superseded.values()),
        )
        for what, trainings in kinds:
            rows += [
                {"task": study.task, "entrant": study.label, **_which(study), "what": what, **row}
                for row in _by_state(trainings)
            ]
    return frame(
        rows,
        "task entrant split_number search time_budget_s study what state trainings epochs"
        " charged_seconds free_seconds",
        real=("time_budget_s",),
    )


def _which(study: StudyFacts) -> dict[str, Any]:
    return {**part_of(study), "time_budget_s": study.time_budget_s, "study": study.id}


def _by_state(trainings: Iterable[Trial | Replicate]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for one in trainings:
        row = found.setdefault(
            one.state,
            {
                "state": one.state,
                "trainings": 0,
                "epochs": 0,
                "charged_seconds": 0.0,
                "free_seconds": 0.0,
            },
        )
        row["trainings"] += 1
        row["epochs"] += len(one.reports)
        for report in one.reports.values():
            row["charged_seconds"] += report["charged_seconds"]
            row["free_seconds"] += report["free_seconds"]
    return list(found.values())


# --- The page -------------------------------------------------------------------------------


def view(run: Run, table: pd.DataFrame) -> dict[str, Any]:
    """What the page shows: rows (a study each, the dearest first), totals, sentences; `bars`, a
    table for the figure, and its `unit`. `rows` is empty where nothing was spent."""
    rows = _rows(run, table)
    shown, others = rows[:SHOWN], rows[SHOWN:]
    if others:
        label = f"{len(others)} more studies"
        shown.append({"study": label, "entrant": "", "task": "", **_sum(others)})
    total = _sum(rows)
    used = [part for part in PARTS if total[part]]
    unit, seconds = _unit(max((row["all"] for row in shown), default=0.0))
    return {
        "rows": shown,
        "total": total,
        "parts": [(part, PARTS[part]) for part in used],
        "device": _device(run),
        "several_tasks": len(run.tasks) > 1,
        "said": _said(run, total),
        "unit": unit,
        "bars": frame(
            [
                {
                    "study": f"{row['study']}, {row['task']}" if len(run.tasks) > 1 and row["task"]
                    else row["study"],
                    "part": PARTS[part],
                    "amount": row[part] / seconds,
                }
                for row in shown
                for part in used
                if row["all"]
            ],
            "study part amount",
        ),
    }  # fmt: skip


def _rows(run: Run, table: pd.DataFrame) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for record in table.to_dict("records"):
        study = run.studies[record["study"]]
        row = found.setdefault(
            study.id,
            {
                "study": study.name,
                "entrant": study.label,
                "task": run.tasks[study.task].title,
                "trainings": 0,
                **dict.fromkeys((*PARTS, "all"), 0.0),
            },
        )
        row[_part(record["what"], record["state"])] += record["charged_seconds"]
        row["free"] += record["free_seconds"]
        row["all"] += record["charged_seconds"] + record["free_seconds"]
        row["trainings"] += record["trainings"]
    return sorted(found.values(), key=lambda row: -row["all"])


def _part(what: str, state: str) -> str:
    """The column that charged seconds go to."""
    if what != "search":
        return "replicates"
    return state if state in PARTS else "open"


def _sum(rows: Iterable[dict[str, Any]]) -> dict[str, Any]:
    kept = list(rows)
    return {name: sum(row[name] for row in kept) for name in (*PARTS, "all", "trainings")}


def _unit(longest: float) -> tuple[str, float]:
    """In what a bar is measured, and the seconds of one."""
    if longest >= 2 * 3600:
        return "hours", 3600.0
    return ("minutes", 60.0) if longest >= 120 else ("seconds", 1.0)


def _device(run: Run) -> str:
    return "GPU" if run.record["provenance"].get("gpus") else "CPU"


def _said(run: Run, total: dict[str, Any]) -> str:
    """What all of it comes to, in words."""
    device = _device(run)
    known = run.record["provenance"]
    if device == "GPU":
        names = dict.fromkeys(
            str(gpu.get("name")) if isinstance(gpu, dict) else str(gpu) for gpu in known["gpus"]
        )
        hardware = f" ({', '.join(names)})"
    else:
        hardware = f" ({known['cpu']})" if known.get("cpu") else ""
    hours = total["all"] / 3600
    charged = total["all"] - total["free"]
    figure = f"{hours:.1f}" if hours >= 10 else f"{hours:.2g}"
    said = (
        f"{figure} {device}-hours{hardware}: {duration(charged)} charged, "
        f"{duration(total['free'])} free. At a price by the {device}-hour, that many times the "
        f"price; each training counts as one {device}, so that those that shared one cost less."
    )
    begun = "" if run.parts else str(run.record.get("created", ""))
    wall = _seconds_between(begun, run.ended)
    passed = f" From its beginning to its last event, breaks included, it took {duration(wall)}."
    return said + (passed if wall and not run.parts else "")


def _seconds_between(begin: str, end: str) -> float | None:
    try:
        seconds = (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()
    except (TypeError, ValueError):
        return None
    return seconds if seconds > 0 else None
