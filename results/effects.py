"""How large the differences between entrants are, pair by pair, and what would decide them.

Exploratory, as `results.exploratory`: nothing here is adjusted for how much is looked at. Computed
over all pairs at once, for a thousand entrants have half a million.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from results import stats
from results.analysis import ALPHA, Comparison, TaskAnalysis, orient
from results.exploratory import in_units, unit
from results.load import Run

if TYPE_CHECKING:
    import pandas as pd


def effects(run: Run, analysis: TaskAnalysis) -> pd.DataFrame:
    """One row a pair of entrants with a tier: how large the difference is, and what would decide.

    probability: that a unit of the first is better than one of the second; cliffs_delta: twice
    that, less 1; hedges_g: the difference in standard deviations between units. Intervals are of
    the units alone, on these patients. `seeds_needed`, of each entrant in all, and `more_seeds`,
    than the larger of both has, where the pair is undecided and seeds would decide it: a forecast
    for this comparison by itself (two-sided 5 %), without Holm's correction; else missing, for the
    reason in `undecided_why`, which is empty where the pair is decided.
    """
    import pandas as pd

    pairs = analysis.comparisons
    sign = orient(analysis.task.primary)
    place = {entry.study.id: number for number, entry in enumerate(analysis.entries)}
    units = [sign * entry.units for entry in analysis.entries]
    first = np.array([place[pair.first.id] for pair in pairs], dtype=np.int64)
    second = np.array([place[pair.second.id] for pair in pairs], dtype=np.int64)
    lengths = np.array([len(one) for one in units], dtype=np.int64)
    sizes = stats.effects(units, first, second)
    columns: dict[str, Any] = {
        "task": analysis.task.id,
        "first": [pair.first.label for pair in pairs],
        "second": [pair.second.label for pair in pairs],
        "metric": analysis.task.primary,
        "unit": unit(run),
        "first_units": lengths[first],
        "second_units": lengths[second],
    }
    for name, size in sizes.items():
        gap = np.full(len(pairs), np.nan)
        columns[name] = size.value
        columns[f"{name}_low"] = gap if run.splits > 1 else size.low
        columns[f"{name}_high"] = gap if run.splits > 1 else size.high
    columns["why"] = _reasons(run, sizes)
    columns |= _to_decide(pairs, np.maximum(lengths[first], lengths[second]))
    table = pd.DataFrame(columns, index=range(len(pairs)))
    for name in ("seeds_needed", "more_seeds"):
        table[name] = table[name].astype("Int64")
    return table


def _reasons(run: Run, sizes: dict[str, stats.Effects]) -> list[str]:
    """Why a size or an interval is missing, pair by pair; mostly nothing."""
    every = zip(*(size.why for size in sizes.values()), strict=True)
    if run.splits > 1:
        why = "splits share training patients, and are not independent: no intervals"
        return [in_units(why, run) for _ in every]
    return [in_units("; ".join(dict.fromkeys(filter(None, whys))), run) for whys in every]


def _to_decide(pairs: Sequence[Comparison], units: stats.Ints) -> dict[str, Any]:
    """Whether each pair is decided, and what would decide it. units: of the larger side."""
    decided = [pair.better is not None for pair in pairs]
    needed: list[int | None] = [None] * len(pairs)
    why = [""] * len(pairs)
    open_ = []
    for number, pair in enumerate(pairs):
        if decided[number]:
            continue
        if pair.difference.p <= ALPHA:
            why[number] = "decided by itself, not after Holm's correction"
        else:
            open_.append(number)
    found = stats.seeds_to_decide(
        [pairs[number].difference for number in open_], units[open_], alpha=ALPHA / 2
    )
    for number, one in zip(open_, found, strict=True):
        needed[number], why[number] = one.seeds, one.why
    more = [
        None if seeds is None else seeds - now
        for seeds, now in zip(needed, units.tolist(), strict=True)
    ]
    return {"decided": decided, "seeds_needed": needed, "more_seeds": more, "undecided_why": why}
