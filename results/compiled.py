"""All tables of a run, each computed once: what the page and the CSV files are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from results import (
    breakdown,
    cases,
    exploratory,
    fixed_time,
    merge,
    outside,
    over_time,
    seed_table,
    tables,
    training,
)
from results.across import across
from results.analysis import TaskAnalysis, analyse
from results.board import published_numbers
from results.effects import effects
from results.holes import holes
from results.importance import forest_trials, importance
from results.leaderboard import leaderboard
from results.load import Run
from results.search_space import Searched, gains, rungs, searches
from results.spending import spending

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class TaskTables:
    """The tables of one task; `by_name` has those that become a file."""

    analysis: TaskAnalysis
    by_name: dict[str, pd.DataFrame]
    """`leaderboard`, `published`, `comparisons`, `outside`, `seeds`, `trials`, `curves`, `search`,
    `winners`;
    and with a first column `analysis` that says "exploratory": `strata`, `predictive_values`,
    `volumes`, `exploratory_fixed_time`,
    `exploratory_summaries`, `exploratory_effects`, `exploratory_expected_best`, and those of
    `results.over_time`, `results.seed_table` and `results.cases`."""

    searched: tuple[Searched, ...]
    """The searches themselves; `exploratory_rungs`, `exploratory_gains` and
    `exploratory_importance` are their tables."""


@dataclass(frozen=True, kw_only=True)
class Compiled:
    """A run and all its tables."""

    run: Run
    tasks: tuple[TaskTables, ...]
    by_name: dict[str, pd.DataFrame]
    """`holes`, `data`, `duplicates`, `openings`, `provenance`, `cost`; and
    "exploratory", `across`."""

    @property
    def analyses(self) -> list[TaskAnalysis]:
        return [task.analysis for task in self.tasks]

    def files(self) -> dict[str, pd.DataFrame]:
        """Every table by name, those of the tasks below each other."""
        names = list(self.tasks[0].by_name) if self.tasks else []
        stacked = {name: _stacked([task.by_name[name] for task in self.tasks]) for name in names}
        return {**stacked, **self.by_name}


def compile_run(run: Run) -> Compiled:
    """The analysis and the tables of everything that is there."""
    timed = {task: fixed_time.timed(run, task) for task in run.tasks}
    tasks = tuple(_task(run, analyse(run, task), timed[task]) for task in run.tasks)
    every = [task.analysis for task in tasks]
    every += [analysis for analyses in timed.values() for analysis in analyses]
    return Compiled(
        run=run,
        tasks=tasks,
        by_name={
            "holes": holes(run, every),
            "data": tables.data(run),
            "duplicates": tables.duplicates(run),
            "openings": tables.openings(run),
            "provenance": merge.provenance(run),
            "cost": spending(run),
            "across": _labelled(across([task.by_name["leaderboard"] for task in tasks])),
        },
    )


def _task(run: Run, analysis: TaskAnalysis, timed: Sequence[TaskAnalysis]) -> TaskTables:
    searched = searches(run, analysis.task.id)
    return TaskTables(
        analysis=analysis,
        searched=searched,
        by_name={
            "leaderboard": leaderboard(run, analysis),
            "published": published_numbers(analysis.task),
            "comparisons": tables.comparisons(analysis),
            "outside": outside.rows(run, analysis),
            "seeds": tables.seeds(run, analysis),
            "strata": _labelled(breakdown.strata(run, analysis)),
            "predictive_values": _labelled(breakdown.predictive_values(run, analysis)),
            "volumes": _labelled(breakdown.volumes(run, analysis)),
            "trials": training.trials(run, analysis),
            "curves": training.curves(run, analysis),
            "search": training.trajectory(run, analysis),
            "winners": training.winners(run, analysis),
            "exploratory_fixed_time": _labelled(fixed_time.fixed_time(run, timed)),
            "exploratory_summaries": _labelled(exploratory.summaries(run, analysis)),
            "exploratory_effects": _labelled(effects(run, analysis)),
            "exploratory_expected_best": _labelled(exploratory.expected_best(run, analysis)),
            "exploratory_rungs": _labelled(rungs(searched)),
            "exploratory_gains": _labelled(gains(searched)),
            "exploratory_importance": _labelled(importance(searched, forest=forest_trials(run))),
            **{
                f"exploratory_{name}": _labelled(table)
                for name, table in (
                    over_time.tables(run, analysis)
                    | seed_table.tables(run, analysis)
                    | cases.tables(run, analysis)
                ).items()
            },
        },
    )


def _labelled(table: pd.DataFrame) -> pd.DataFrame:
    """A table that is not of the primary analysis, and says so."""
    table.insert(0, "analysis", "exploratory")
    return table


def _stacked(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Tables below each other; columns that only some have are empty in the others."""
    import pandas as pd

    columns = list(dict.fromkeys(column for part in parts for column in part.columns))
    filled = [part for part in parts if len(part)] or parts[:1]
    table: pd.DataFrame = pd.concat(filled, ignore_index=True).reindex(columns=columns)
    return table
