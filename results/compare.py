"""`bench compare`: what two runs have in common, put before the regression gate.

outcome = compare(Path("runs/baseline"), Path("runs/mine"), settings=Settings())
outcome.verdict, outcome.exit_code, outcome.findings[0].contrast.lower
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.errors import UserError
from bench.folders import openings_register
from bench.ledger import openings, register_opening
from bench.spec import content_hash
from results.contenders import Contenders
from results.contrast import BASELINE, CANDIDATE, Contrast, contrast
from results.cost import Cost, costs
from results.gate import EXIT_CODES, Verdict, combine
from results.load import Run, StudyFacts, TaskFacts, load_run
from results.pairs import Pair, Studies, beside, choose, left_out
from results.panel import Split
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
    """Trainings compared, of the baseline and of the candidate."""
    planned: tuple[int, int] = (0, 0)
    unit: str = "seeds"
    """What the entrants' results are repeated by: `seeds`, `searches` or `splits`."""
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
    """What was left out, and why; what was compared with what."""

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
    notes = left_out(first, second, pairs, entrants)
    return _outcome(first, second, pairs, settings, list(notes))


def held_against(baseline: Path, candidate: Path) -> Outcome:
    """The verdict with which `bench run --against` ends: each entrant of the candidate against the
    baseline's of its label, or else against the best that the baseline's searches found.

    On validation, or where replicates trained on that too, on test: then the candidate's own
    replicates have opened it, and so does this comparison. Raises as `compare` does.
    """
    first, second = load_run(baseline), load_run(candidate)
    pairs = beside(first, second)
    refitted = any(study.refit == "train+validation" for study in second.studies.values())
    settings = Settings(on="test" if refitted else "validation")
    notes = [
        f"{other[0].label} is new: held against {one[0].label}, the best on validation of "
        f"{first.name} on {one[0].task}"
        for one, other in pairs
        if one[0].label != other[0].label
    ]
    return _outcome(first, second, pairs, settings, notes)


def _outcome(
    first: Run, second: Run, pairs: Sequence[Pair], settings: Settings, notes: list[str]
) -> Outcome:
    opened: dict[str, Opening] = {}
    findings = [_finding(first, second, pair, settings, opened) for pair in pairs]
    return Outcome(
        baseline=first,
        candidate=second,
        settings=settings,
        findings=tuple(findings),
        openings=tuple(opened.values()),
        notes=tuple(notes),
    )


def _finding(
    first: Run, second: Run, pair: Pair, settings: Settings, opened: dict[str, Opening]
) -> Finding:
    task = first.tasks[pair[0][0].task]
    found = _differences(first, second, pair)
    if found:
        return _unmeasured(task, pair, why="the protocols differ", differing=found)
    for run, studies in zip((first, second), pair, strict=True):
        if why := _unready(run, studies, task, settings.on):
            return _unmeasured(task, pair, why=f"{run.name}, {studies[0].label}: {why}")
    if settings.on == "test":
        _open(first, second, pair[0], opened)
    names = [first.name, second.name, pair[0][0].id, pair[1][0].id, settings.on]
    rng = np.random.default_rng(int(content_hash(names), 16))
    sides = {BASELINE: (first, pair[0]), CANDIDATE: (second, pair[1])}
    field = Contenders(
        {key: [(run, study) for study in studies] for key, (run, studies) in sides.items()},
        task,
        rng,
        split=settings.on,
        splits=first.splits,
        searches=first.searches,
    )
    result = contrast(field, margin=task.margin, alpha=settings.alpha)
    if field.problems:
        problem = field.problems[0]
        run = sides[problem.key][0]
        result = Contrast(
            value=result.value,
            why=f"{run.name}, {problem.study.name}, seed {problem.number + 1}: {problem.what}: "
            "bring back the run as it was written, or run it again",
        )
    scored = [[one.replicate for one in field.trainings(key)] for key in (BASELINE, CANDIDATE)]
    return Finding(
        task=task,
        baseline=pair[0][0],
        candidate=pair[1][0],
        contrast=result,
        seeds=(len(scored[0]), len(scored[1])),
        planned=(_planned(pair[0]), _planned(pair[1])),
        unit=first.unit,
        patients=field.patients,
        costs=costs((first, scored[0]), (second, scored[1]), margin=settings.cost_margin),
    )


def _differences(first: Run, second: Run, pair: Pair) -> tuple[Difference, ...]:
    """In what the protocols differ: of the entrants, and of each split's data."""
    found = {
        difference.field: difference
        for one, other in zip(*pair, strict=False)
        for difference in differences((first, one), (second, other))
    }
    return tuple(found.values())


def _planned(studies: Studies) -> int:
    return sum(study.seeds for study in studies)


def _unmeasured(
    task: TaskFacts, pair: Pair, *, why: str, differing: tuple[Difference, ...] = ()
) -> Finding:
    return Finding(
        task=task,
        baseline=pair[0][0],
        candidate=pair[1][0],
        contrast=Contrast(value=math.nan, why=why),
        differing=differing,
    )


def _unready(run: Run, studies: Studies, task: TaskFacts, split: Split) -> str:
    """Why an entrant cannot be compared on this split, and the remedy; by the ledger alone."""
    if split == "validation" and studies[0].refit == "train+validation":
        return "its replicates trained on the validation split too: compare with --on test"
    for study in studies:
        if why := _unscored(run, study, task, split):
            return f"{study.part}: {why}" if study.part else why
    scored = len(_recorded(run, studies[0], split))
    if len(studies) == 1 and scored < MIN_SEEDS:
        return f"{scored} of at least {MIN_SEEDS} seeds: run it with --seeds {MIN_SEEDS}"
    return ""


def _unscored(run: Run, study: StudyFacts, task: TaskFacts, split: Split) -> str:
    """Why a study has no score on this split."""
    progress = run.progress(study.id)
    if progress.state == "failed":
        return "its search failed: see its report"
    if not any(one.state == "completed" for one in progress.replicates.values()):
        return f"no replicate has finished: go on with `bench resume {run.folder}`"
    scored = _recorded(run, study, split)
    if not scored:
        remedy = "open it with `bench unseal`" if split == "test" else "compare with --on test"
        return f"none of its replicates was scored on the {split} split: {remedy}"
    undefined = sum(metrics.get(task.primary) is None for metrics in scored)
    if undefined and len(scored) >= MIN_SEEDS:
        return (
            f"{task.primary} is undefined for {undefined} of {len(scored)} seeds: no mean can be "
            "taken"
        )
    return ""


def _recorded(run: Run, study: StudyFacts, split: Split) -> list[Mapping[str, float]]:
    """The metrics of the replicates that were scored on this split."""
    found = [
        one.test_metrics if split == "test" else one.validation_metrics
        for one in run.progress(study.id).replicates.values()
    ]
    return [metrics for metrics in found if metrics]


def _open(first: Run, second: Run, studies: Studies, opened: dict[str, Opening]) -> None:
    """Register that the test sets are read, each once for a comparison."""
    register = openings_register()
    for study in studies:
        fingerprint = str(first.data[study.data]["test_fingerprint"])
        if fingerprint in opened:
            continue
        name = f"compare {first.name} {second.name}"
        register_opening(register, fingerprint=fingerprint, run=name)
        times = sum(1 for _ in openings(register, fingerprint=fingerprint))
        opened[fingerprint] = Opening(task=study.data, fingerprint=fingerprint, times=times)
