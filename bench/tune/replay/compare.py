"""Searchers side by side on one table: how soon each is as good as random search ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args, get_type_hints

import numpy as np

from bench.errors import UserError
from bench.seeds import derive
from bench.spec import Scalar, Search, unknown
from bench.tune.replay.curves import Curves
from bench.tune.replay.play import Played, play

SHARE = 0.2
"""Of a table's epochs, what random search spends unless told: it sees a fifth of the rows, so that
a search that stops early does not come to the table's end."""
PATIENCE = 2
"""A searcher may spend so many times random search's effort to be as good."""
DRAWS = 2_000
"""Of the bootstrap."""
SETTINGS = ("grace_epochs", "reduction_factor", "max_trials")
"""What of a search may be set beside sampler and scheduler."""


@dataclass(frozen=True, kw_only=True)
class Searcher:
    """A sampler, a scheduler, and what else of the search differs from the table's."""

    sampler: str
    scheduler: str
    settings: Mapping[str, Scalar] = field(default_factory=dict)
    """Of grace_epochs, reduction_factor, max_trials."""
    sampler_options: Mapping[str, Scalar] = field(default_factory=dict)

    def __str__(self) -> str:
        both = {**self.settings, **self.sampler_options}
        extras = "".join(f" {name}={value}" for name, value in both.items())
        return f"{self.sampler}/{self.scheduler}{extras}"

    def search(self, table: Curves, *, effort: int) -> Search:
        """How it searches a table. UserError for a setting that is out of range."""
        fields: dict[str, Any] = {
            "sampler": self.sampler,
            "sampler_options": dict(self.sampler_options),
            "scheduler": self.scheduler,
            "effort_epochs": effort,
            "max_epochs": table.max_epochs,
            "grace_epochs": table.grace_epochs,
            "reduction_factor": table.reduction_factor,
            "enqueue": (),
        }
        try:
            return Search(**{**fields, **self.settings})
        except ValueError as error:
            raise UserError(f"{self}: {error}") from None


def check(pairs: Iterable[tuple[str, str]], settings: Mapping[str, Scalar]) -> None:
    """Raise UserError with every sampler, scheduler and setting that there is not."""
    hints = get_type_hints(Search)
    known = {noun: get_args(hints[noun]) for noun in ("sampler", "scheduler")}
    named = dict.fromkeys(
        (noun, value)
        for pair in pairs
        for noun, value in zip(("sampler", "scheduler"), pair, strict=True)
    )
    mistakes = [
        unknown(noun, value, known[noun]) for noun, value in named if value not in known[noun]
    ]
    for name, value in settings.items():
        if name not in SETTINGS:
            mistakes.append(unknown("setting of a replay", name, SETTINGS))
        elif isinstance(value, bool) or not isinstance(value, int):
            mistakes.append(f"{name} must be a whole number, got {value!r}")
    if mistakes:
        raise UserError.of(mistakes, heading="replay")


REFERENCE = Searcher(sampler="random", scheduler="none")
SEARCHERS = (
    REFERENCE,
    *(Searcher(sampler="random", scheduler=name) for name in ("asha", "asha_promote")),
    *(
        Searcher(sampler="tpe", scheduler=name)
        for name in ("none", "asha", "asha_promote", "hyperband", "median")
    ),
)
"""Who is compared unless told."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A searcher on a table: means over repeats."""

    study: str
    searcher: str
    score: float
    """The best validation score when random search's effort is spent."""
    target: float
    """Random search's."""
    spend: int
    """Random search's effort: charged epochs."""
    effort: float
    """Charged epochs until the target is reached; of repeats that did not come to it, all that
    they spent."""
    ratio: float
    """Of random search's whole effort."""
    low: float
    high: float
    """The ratio's 95 % interval: percentiles of a bootstrap of both searchers' repeats."""
    reached: int
    """Repeats that came to the target."""
    repeats: int
    trials: float
    """Begun until random search's effort was spent."""
    promotions: float
    """Rungs from which a trial went on, until then."""
    exhausted: int
    """Repeats that had taken every row of the table before they had spent their effort."""


def compare(
    table: Curves,
    searchers: Sequence[Searcher] = SEARCHERS,
    *,
    repeats: int = 30,
    effort: int | None = None,
    workers: int = 1,
    seed: int = 0,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Row]:
    """Each searcher over a table, many times; random search without early stopping comes first.

    effort: charged epochs of random search; None: a fifth of the table's. The target is the mean of
    what random search comes to with it. Everybody may spend twice as much. Equal seeds, equal rows.
    """
    spend = default_effort(table) if effort is None else effort
    if table.epochs < spend:
        raise UserError(
            f"the table of {table.study} has {table.epochs} epochs, got an effort of {spend}: "
            "lower --effort"
        )
    every = [REFERENCE, *(searcher for searcher in searchers if searcher != REFERENCE)]
    searches = [searcher.search(table, effort=PATIENCE * spend) for searcher in every]
    rng = np.random.default_rng(derive(seed, "bootstrap", table.study))
    draws = rng.integers(repeats, size=(2, DRAWS, repeats))
    rows: list[Row] = []
    finals = np.zeros(repeats)
    for searcher, search in zip(every, searches, strict=True):
        progress(str(searcher))
        runs = [
            play(table, search, seed=derive(seed, str(searcher), repeat), workers=workers)
            for repeat in range(repeats)
        ]
        if searcher == REFERENCE:
            finals = np.array([run.score_at(spend) for run in runs])
        row = _row(table, searcher, runs, finals, spend=spend, draws=draws)
        rows.append(row)
    return rows


def default_effort(table: Curves) -> int:
    """What random search spends unless told; whole trials, one at least."""
    trials = int(SHARE * table.epochs / table.max_epochs)
    return max(1, trials) * table.max_epochs


def _row(
    table: Curves,
    searcher: Searcher,
    runs: Sequence[Played],
    finals: np.ndarray,
    *,
    spend: int,
    draws: np.ndarray,
) -> Row:
    """finals: random search's scores, float (repeats,). draws: int (2, draws, repeats)."""
    target = float(finals.mean())
    found = np.array([run.effort_to(target) for run in runs])
    effort = np.minimum(found, PATIENCE * spend)
    targets = finals[draws[0]].mean(axis=1)
    by_target = np.array([run.effort_to(targets) for run in runs])
    resampled = np.minimum(by_target, PATIENCE * spend)[draws[1], np.arange(DRAWS)[:, None]]
    low, high = np.percentile(resampled.mean(axis=1) / spend, [2.5, 97.5])
    within = [_until(run, spend) for run in runs]
    return Row(
        study=table.study,
        searcher=str(searcher),
        score=float(np.mean([run.score_at(spend) for run in runs])),
        target=target,
        spend=spend,
        effort=float(effort.mean()),
        ratio=float(effort.mean() / spend),
        low=float(low),
        high=float(high),
        reached=int(np.isfinite(found).sum()),
        repeats=len(runs),
        trials=float(np.mean([trials for trials, _ in within])),
        promotions=float(np.mean([promotions for _, promotions in within])),
        exhausted=sum(
            run.trials == len(table.curves) and len(run.best) < PATIENCE * spend for run in runs
        ),
    )


def _until(run: Played, spend: int) -> tuple[int, int]:
    """Trials begun and rungs passed until so many epochs were charged."""
    epochs = trials = promotions = 0
    for event in run.ledger.events:
        match event["event"]:
            case "trial_started":
                trials += 1
            case "trial_reported":
                epochs += 1
            case "trial_rung":
                promotions += event["decision"] == "promoted"
        if epochs >= spend:
            break
    return trials, promotions
