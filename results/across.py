"""The entrants of all tasks side by side: tier, mean and interval of each, and no overall winner.

A mean over tasks would weigh metrics that have no common unit, and a win on one task against a loss
on another; so each task keeps its own ranking. A mean rank is a summary of those rankings, and is
given only where everyone took part in every task: else it would compare ranks in other fields.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from results.analysis import orient
from results.layout import records
from results.tables import frame

if TYPE_CHECKING:
    import pandas as pd

_Row = Mapping[str, Any]


def across(boards: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """One row an entrant and task that it was planned on, each entrant's together.

    boards: the tasks' leaderboards (`results.leaderboard`). `rank` is that of the mean among the
    task's entrants with a mean, from 1 for the best, equals sharing the mean of their places;
    `mean_rank` is over all tasks, missing unless there are several and every entrant has a mean
    on each.
    """
    fields = [{row["entrant"]: row for row in records(board)} for board in boards]
    ranks = [_ranks(field) for field in fields]
    labels = list(dict.fromkeys(label for field in fields for label in field))
    everywhere = len(boards) > 1 and all(len(found) == len(labels) for found in ranks)
    rows: list[dict[str, Any]] = []
    for label in labels:
        mean_rank = float(np.mean([found[label] for found in ranks])) if everywhere else None
        for field, found in zip(fields, ranks, strict=True):
            if label in field:
                same = ("task", "entrant", "metric", "tier", "mean", "low", "high")
                row = {name: field[label][name] for name in same}
                rows.append({**row, "rank": found.get(label), "mean_rank": mean_rank})
    return frame(
        rows,
        "task entrant metric tier mean low high rank mean_rank",
        whole=("tier",),
        real=("mean", "low", "high", "rank", "mean_rank"),
    )


def _ranks(field: Mapping[str, _Row]) -> dict[str, float]:
    """By entrant with a mean."""
    import pandas as pd

    scored = {label: row for label, row in field.items() if math.isfinite(row["mean"])}
    ours = pd.Series([orient(row["metric"]) * row["mean"] for row in scored.values()], dtype=float)
    return dict(zip(scored, ours.rank(ascending=False).tolist(), strict=True))
