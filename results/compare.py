"""`bench compare`: what two runs have in common, put before the regression gate.

outcome = compare(Path("runs/baseline"), Path("runs/mine"), settings=Settings())
outcome.verdict, outcome.exit_code, outcome.findings[0].contrast.lower
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.errors import UserError
from bench.folders import openings_register
from bench.ledger import openings, register_opening
from bench.spec import content_hash
from results.contrast import BASELINE, CANDIDATE, Contrast, contrast
from results.cost import Cost, costs
from results.gate import EXIT_CODES, Verdict, combine
from results.load import Run, StudyFacts, TaskFacts, load_run
from results.pairs import Pair, choose, left_out
from results.panel import JointPanel, Split
from results.protocol import Difference, differences
from results.stats import MIN_SEEDS


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """How runs are compared. Raises UserError for values out of range."""

    on: Split = "validation"
    alpha: float = 0.05
    """Of each one-sided bound."""
    cost_margin: float = 1.1
    """The ratio above which a candidate costs more."""

    def __post_init__(self) -> None:
        if self.on not in ("validation", "test"):
            raise UserError(f"--on takes validation or test, got {self.on!r}")
        if not 0 < self.alpha <= 0.5:
            raise UserError(f"--alpha must lie in (0, 0.5], got {self.alpha}: 0.05 is usual")
        if not (math.isfinite(self.cost_margin) and self.cost_margin > 0):
            raise UserError(
                f"--cost-margin is a ratio above 0, got {self.cost_margin}: 1.1 allows a tenth more"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One entrant, or one pair of them, on one task."""

    task: TaskFacts
    baseline: StudyFacts
    candidate: StudyFacts
    contrast: Contrast
    seeds: tuple[int, int] = (0, 0)
    """Replicates compared, of the baseline and of the candidate."""
    planned: tuple[int, int] = (0, 0)
    patients: int = 0
    differing: tuple[Difference, ...] = ()
    """What of the protocols differs: where anything does, nothing is measured."""
    costs: tuple[Cost, ...] = ()

    @property
    def verdict(self) -> Verdict:
        return self.contrast.evidence.verdict

    @property
    def label(self) -> str:
        """The entrant; of two, "candidate against baseline"."""
        if self.baseline.label == self.candidate.label:
            return self.candidate.label
        return f"{self.candidate.label} against {self.baseline.label}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Opening:
    """A test set that this comparison opened."""

    task: str
    fingerprint: str
    times: int
    """How often runs and comparisons of this user opened it so far, this one included."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """All that a comparison says."""

    baseline: Run
    candidate: Run
    settings: Settings
    findings: tuple[Finding, ...]
    openings: tuple[Opening, ...]
    notes: tuple[str, ...]
    """What was left out, and why."""

    @property
    def verdict(self) -> Verdict:
        parts = [finding.contrast.evidence for finding in self.findings]
        return combine(parts, alpha=self.settings.alpha)

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.verdict]

    @property
    def phantom(self) -> bool:
        return self.baseline.phantom or self.candidate.phantom


def compare(
    baseline: Path, candidate: Path, *, entrants: Sequence[str] = (), settings: Settings
) -> Outcome:
    """Compare the runs in two folders, which may be one.

    entrants: none, for every label that both have; one, of both; or two, of the baseline and of
    the candidate. Raises UserError where a folder holds no run that can be read, and where there
    is nothing to compare. With `settings.on` "test", each test set that is read is an opening and
    is registered before.
    """
    first, second = load_run(baseline), load_run(candidate)
    pairs = choose(first, second, entrants)
    opened: dict[str, Opening] = {}
    findings = [_finding(first, second, pair, settings, opened) for pair in pairs]
    return Outcome(
        baseline=first,
        candidate=second,
        settings=settings,
        findings=tuple(findings),
        openings=tuple(opened.values()),
        notes=tuple(left_out(first, second, pairs, entrants)),
    )


def _finding(
    first: Run, second: Run, pair: Pair, settings: Settings, opened: dict[str, Opening]
) -> Finding:
    task = first.tasks[pair[0].task]
    found = differences((first, pair[0]), (second, pair[1]))
    if found:
        return _unmeasured(task, pair, why="the protocols differ", differing=found)
    for run, study in zip((first, second), pair, strict=True):
        if why := _unready(run, study, task, settings.on):
            return _unmeasured(task, pair, why=f"{run.name}, {study.label}: {why}")
    if settings.on == "test":
        _open(first, second, task, opened)
    rng = np.random.default_rng(
        int(content_hash([first.name, second.name, pair[0].id, pair[1].id, settings.on]), 16)
    )
    members = {BASELINE: (first, pair[0]), CANDIDATE: (second, pair[1])}
    panel = JointPanel(members, task, rng, split=settings.on)
    result = contrast(panel, rng, margin=task.margin, alpha=settings.alpha)
    if panel.problems:
        key, number, what = panel.problems[0]
        run, study = members[key]
        result = Contrast(
            value=result.value,
            why=f"{run.name}, {study.label}, seed {number + 1}: {what}: bring back the run as it "
            "was written, or run it again",
        )
    scored = panel.scored[BASELINE], panel.scored[CANDIDATE]
    return Finding(
        task=task,
        baseline=pair[0],
        candidate=pair[1],
        contrast=result,
        seeds=(len(scored[0]), len(scored[1])),
        planned=(pair[0].seeds, pair[1].seeds),
        patients=panel.patients,
        costs=costs((first, scored[0]), (second, scored[1]), margin=settings.cost_margin),
    )


def _unmeasured(
    task: TaskFacts, pair: Pair, *, why: str, differing: tuple[Difference, ...] = ()
) -> Finding:
    return Finding(
        task=task,
        baseline=pair[0],
        candidate=pair[1],
        contrast=Contrast(value=math.nan, why=why),
        differing=differing,
    )


def _unready(run: Run, study: StudyFacts, task: TaskFacts, split: Split) -> str:
    """Why a study cannot be compared on this split, and the remedy; by the ledger alone."""
    if split == "validation" and study.refit == "train+validation":
        return "its replicates trained on the validation split too: compare with --on test"
    progress = run.progress(study.id)
    if progress.state == "failed":
        return "its search failed: see its report"
    replicates = progress.replicates.values()
    recorded = [
        one.test_metrics if split == "test" else one.validation_metrics for one in replicates
    ]
    scored = [metrics for metrics in recorded if metrics]
    if not any(one.state == "completed" for one in replicates):
        return f"no replicate has finished: go on with `bench resume {run.folder}`"
    if not scored:
        remedy = "open it with `bench unseal`" if split == "test" else "compare with --on test"
        return f"none of its replicates was scored on the {split} split: {remedy}"
    if len(scored) < MIN_SEEDS:
        return f"{len(scored)} of at least {MIN_SEEDS} seeds: run it with --seeds {MIN_SEEDS}"
    undefined = sum(metrics.get(task.primary) is None for metrics in scored)
    if undefined:
        return (
            f"{task.primary} is undefined for {undefined} of {len(scored)} seeds: no mean can be "
            "taken"
        )
    return ""


def _open(first: Run, second: Run, task: TaskFacts, opened: dict[str, Opening]) -> None:
    """Register that the test set is read, once for a comparison."""
    fingerprint = str(first.record["data"][task.id]["test_fingerprint"])
    if fingerprint in opened:
        return
    register = openings_register()
    register_opening(register, fingerprint=fingerprint, run=f"compare {first.name} {second.name}")
    times = sum(1 for _ in openings(register, fingerprint=fingerprint))
    opened[fingerprint] = Opening(task=task.id, fingerprint=fingerprint, times=times)
