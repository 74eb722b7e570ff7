"""A suite at one scale, and the studies that it consists of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bench.parameters import Scalar
from bench.spec.data import Fold
from bench.spec.search import Entrant, Replicates, Search


@dataclass(frozen=True, kw_only=True, slots=True)
class Suite:
    """A suite at one scale, resolved: nothing in it depends on defaults any more."""

    id: str
    title: str
    scale: str
    seed: int
    tasks: tuple[str, ...]
    entrants: tuple[Entrant, ...]
    search: Search
    replicates: Replicates
    options: dict[str, dict[str, Scalar]]
    """Per task, its options."""
    training: dict[str, dict[str, Scalar]] = field(default_factory=dict)
    """Per task, those of its training-set parameters that no search varies."""
    searches: dict[str, Search] = field(default_factory=dict)
    """Per task whose search differs from that of the others, how it is searched."""
    spaces: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Per space, what the suite changes in it; the entrants' `space` holds it already."""
    phantom_cases: dict[str, int] = field(default_factory=dict)
    """Per data set, how many cases its phantom has at this scale."""
    primary: str = "mean_difference"
    """The one confirmatory analysis."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Study:
    """One search of one entrant on one task, on one split of its data."""

    id: str
    """Readable, and unique by a hash of all that defines the study."""
    task: str
    entrant: Entrant
    search_number: int = 0
    """Which of the entrant's independent searches it is, from 0."""
    fold: Fold | None = None
    """Its split of a patient k-fold; None: the task's own split."""
    time_budget_s: float | None = None
    """Of a fixed-time comparison, the charged seconds of each training; None: epochs decide."""
    space: dict[str, dict[str, object]]
    """Canonical form of the whole space, pinned parameters included."""
    pinned: dict[str, Scalar]
    """What its search does not vary: pins, what is fixed of the training set, held parameters."""
    free: tuple[str, ...] = ()
    """What it varies."""
    enqueued: tuple[dict[str, Scalar], ...] = ()
    """Whole configurations that it tries first."""
    search: Search
    replicates: Replicates
    seed: int
    """From which all its random streams come."""

    @property
    def part(self) -> str:
        """Which of the entrant's studies on this task it is; empty where there is one."""
        return part_name(
            self.fold, self.search_number, self.replicates.searches, self.time_budget_s
        )

    @property
    def data(self) -> str:
        """The key of its prepared data: the task, and the split where there are several."""
        return self.task if self.fold is None else f"{self.task}, {self.fold}"


def part_name(
    fold: Fold | None, search_number: int, searches: int, time_budget_s: float | None = None
) -> str:
    """`split 2 of 5, search 3`: which of an entrant's studies on a task; empty for the only one."""
    parts = [f"{time_budget_s:g} s"] if time_budget_s is not None else []
    parts += [str(fold)] if fold is not None else []
    parts += [f"search {search_number + 1}"] if searches > 1 else []
    return ", ".join(parts)
