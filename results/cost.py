"""What a candidate costs beside a baseline: charged training time and peak memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from typing import Any

from bench.ledger import Replicate
from results.load import Run

COSTS = {"charged_seconds": "training time, s", "peak_memory_mb": "peak GPU memory, MB"}
"""What is compared, by its name in the ledger, and its title."""


class CostVerdict(StrEnum):
    """What is said of one cost. It is told beside the verdict on quality and is no part of it."""

    MORE = "costs more"
    WITHIN = "within the cost margin"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """One cost of both: medians over their replicates."""

    name: str
    """A key of COSTS."""
    verdict: CostVerdict
    baseline: float = math.nan
    candidate: float = math.nan
    why: str = ""
    """Why it was not measured."""

    @property
    def ratio(self) -> float:
        """Candidate / baseline; NaN where it was not measured."""
        return self.candidate / self.baseline if self.baseline > 0 else math.nan


def costs(
    baseline: tuple[Run, Sequence[Replicate]],
    candidate: tuple[Run, Sequence[Replicate]],
    *,
    margin: float,
) -> tuple[Cost, ...]:
    """Each cost of two sets of replicates. margin: the ratio above which the candidate costs more.

    Seconds are compared between runs on like hardware alone.
    """
    other = _other_hardware(baseline[0], candidate[0])
    return tuple(
        Cost(name=name, verdict=CostVerdict.NOT_MEASURED, why=other)
        if other and name == "charged_seconds"
        else _cost(name, baseline[1], candidate[1], margin)
        for name in COSTS
    )


def _cost(
    name: str, baseline: Sequence[Replicate], candidate: Sequence[Replicate], margin: float
) -> Cost:
    first, second = _median(baseline, name), _median(candidate, name)
    if first is None or second is None:
        side = "the baseline" if first is None else "the candidate"
        return Cost(name=name, verdict=CostVerdict.NOT_MEASURED, why=f"not recorded for {side}")
    more = second > margin * first
    verdict = CostVerdict.MORE if more else CostVerdict.WITHIN
    return Cost(name=name, verdict=verdict, baseline=first, candidate=second)


def _median(replicates: Sequence[Replicate], name: str) -> float | None:
    values = [value for one in replicates if (value := one.cost.get(name)) is not None]
    return float(median(values)) if values else None


def _other_hardware(baseline: Run, candidate: Run) -> str:
    """In what the machines differ; empty where seconds on them can be compared."""
    first, second = _machine(baseline), _machine(candidate)
    differing = [
        f"{name} {first[name]} / {second[name]}" for name in first if first[name] != second[name]
    ]
    return f"other hardware: {', '.join(differing)}" if differing else ""


def _machine(run: Run) -> dict[str, Any]:
    known = run.record["provenance"]
    gpus = ", ".join(str(gpu.get("name")) for gpu in known.get("gpus") or []) or "none"
    return {"CPU": known.get("cpu"), "cores": known.get("cpus"), "GPU": gpus}
