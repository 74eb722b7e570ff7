"""From a suite's name to a run's folder that is ready to be worked off."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from bench import against, plan, provenance, provisions, registry, runs, suites
from bench.against import Baseline
from bench.errors import UserError
from bench.folders import PHANTOM_SEED, SPLIT_SEED, cache_root
from bench.runs import RunFile, RunFolder
from bench.spec import Fold, Scalar, Study, Suite, Task
from bench.warm_start import WarmStart


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a user asked for."""

    suite: str
    scale: str = "auto"
    seed: int | None = None
    tasks: Sequence[str] = ()
    entrants: Sequence[str] = ()
    data: Sequence[str] = ()
    settings: dict[str, Scalar] = field(default_factory=dict)
    sealed: bool = False
    """Whether replicates are scored on validation only."""
    against: Path | None = None
    """A run whose protocol this one is to follow."""
    warm_start: Path | None = None
    """A run whose best configurations are tried first."""


@dataclass(frozen=True, kw_only=True)
class Launch:
    """A suite resolved, planned, and with its data found."""

    suite: Suite
    studies: tuple[Study, ...]
    sources: dict[str, Any]
    """By data set, its `bench.data.sources.Source`."""
    headline: str
    """Which data at which scale: the first line that a run prints."""
    sealed: bool = False
    baseline: Baseline | None = None
    """The run that this one is held against."""
    warm: WarmStart | None = None
    """What the studies take from another run."""
    suite_file: Path | None = None

    @property
    def tasks(self) -> list[Task]:
        return [registry.tasks().get(task) for task in self.suite.tasks]


def resolve(request: Request) -> Launch:
    """Resolve the suite, plan its studies, find its data; phantoms are generated.

    Raises UserError for whatever is unknown, missing or contradictory.
    """
    from bench.data import sources

    file = suites.read(request.suite)
    baseline = None if request.against is None else against.load(request.against)
    if baseline is not None:
        suite, why = against.suite(file, request, baseline), f", as in {baseline.folder.path.name}"
    else:
        chosen = [task for task in file.tasks if not request.tasks or task in request.tasks]
        scale, why = _scale(request, file, _datasets(chosen))
        suite = suites.resolve(
            file,
            scale=scale,
            seed=request.seed,
            tasks=request.tasks or None,
            entrants=request.entrants or None,
            settings=request.settings,
        )
    # Workers train in folders of their own.
    suite = replace(suite, entrants=tuple(map(provisions.absolute, suite.entrants)))
    if request.sealed and suite.replicates.refit == "train+validation":
        raise UserError(
            "a sealed run scores its replicates on the validation split, got refit = "
            f"{suite.replicates.refit!r}, which trains on it: add `--set refit=train`, or leave "
            "out --sealed"
        )
    warm = _warm_start(request)
    studies = plan.plan(suite) if warm is None else plan.plan(suite, first=warm.first)
    if warm is not None:
        warm.record(studies)
    datasets = _datasets(suite.tasks)
    found = sources.resolve(
        datasets,
        data=request.data or (baseline.data_folders(datasets) if baseline else ()),
        phantom_cases=suite.phantom_cases,
        seed=PHANTOM_SEED,
        allow_phantom=suite.scale != "full",
        cache=cache_root(),
    )
    if any(source.phantom for source in found.values()):
        what = f"PHANTOM data ({', '.join(found)}): generated, nothing here is a result"
    else:
        what = f"real data ({', '.join(f'{n} in {s.folder}' for n, s in found.items())})"
    return Launch(
        suite=suite,
        studies=studies,
        sources=found,
        headline=f"{suite.title}: {what}, at scale {suite.scale}{why}",
        sealed=request.sealed,
        baseline=baseline,
        warm=warm,
        suite_file=file.path,
    )


def _warm_start(request: Request) -> WarmStart | None:
    """The run to begin with the best of, read."""
    if request.warm_start is None:
        return None
    if request.against is not None:
        raise UserError(
            f"a run against another follows its protocol to the letter, got --warm-start "
            f"{request.warm_start}: leave it out, or leave out --against"
        )
    return WarmStart.of(request.warm_start)


def _datasets(tasks: Sequence[str]) -> list[str]:
    """The data sets of these tasks, each once; what is no task is for the suite to refuse."""
    known = registry.tasks().items
    return list(dict.fromkeys(known[task].dataset for task in tasks if task in known))


def _scale(request: Request, file: suites.SuiteFile, datasets: Sequence[str]) -> tuple[str, str]:
    """The scale, and why it was chosen where that needs to be said."""
    from bench.data import sources

    if request.scale != "auto":
        return request.scale, ""
    if request.data or sources.find_real(datasets) is not None:
        if "small" in file.scales:
            return "small", ""
        return "full", " (the suite has no [scales.small])"
    none = "no real data in $TUNEBENCH_DATA or ./data"
    if "demo" not in file.scales:
        raise UserError(
            f"a phantom is run at scale demo, got the suite {file.id}, which has no [scales.demo], "
            f"and {none}: name them with --data, or add that table"
        )
    return "demo", f" ({none}; name them with --data)"


def prepare(launch: Launch, progress: Callable[..., None] | None = None) -> dict[str, Any]:
    """The prepared data by `Study.data`; every problem of every data set is reported at once."""
    from bench.data import prepare as preparation

    prepared: dict[str, Any] = {}
    mistakes: list[str] = []
    for task in launch.tasks:
        parts = _parts(launch, task)
        try:
            made = preparation.prepare_folds(
                task,
                launch.sources[task.dataset].folder,
                options=launch.suite.options[task.id],
                seed=SPLIT_SEED,
                cache=cache_root(),
                folds=list(parts.values()),
                progress=progress,
            )
            prepared |= zip(parts, made, strict=True)
        except UserError as error:
            if str(error) not in mistakes:
                mistakes.append(str(error))
    if mistakes:
        raise UserError("\n".join(mistakes))
    if launch.baseline is not None:
        launch.baseline.check_data(prepared)
    return prepared


def _parts(launch: Launch, task: Task) -> dict[str, Fold | None]:
    """By `Study.data`, the splits of one task."""
    return {study.data: study.fold for study in launch.studies if study.task == task.id}


def create(
    launch: Launch,
    prepared: dict[str, Any],
    *,
    folder: RunFolder,
    weights: Mapping[str, Sequence[provisions.Record]],
    command: list[str],
) -> tuple[RunFolder, RunFile]:
    """Write the run's `run.json`, and its plug-ins beside it. weights: as found, by study."""
    warm = launch.warm
    data = {
        key: _describe(prepared[key], launch, task, fold)
        for task in launch.tasks
        for key, fold in _parts(launch, task).items()
    }
    runs.write(
        folder,
        suite=launch.suite,
        studies=launch.studies,
        data=data,
        sealed=launch.sealed,
        against=None if launch.baseline is None else launch.baseline.folder.path,
        weights=weights,
        provenance=provenance.collect(command),
        warm_start=None if warm is None else warm.record(launch.studies),
        suite_file=launch.suite_file,
        notes=[launch.headline, *([] if warm is None else warm.notes(data))],
    )
    return runs.load(folder.path)


def _describe(prepared: Any, launch: Launch, task: Task, fold: Fold | None) -> dict[str, Any]:
    manifest = prepared.manifest
    return {
        "task": task.id,
        "fold": None if fold is None else asdict(fold),
        "dataset": task.dataset,
        "phantom": manifest["phantom"],
        "folder": str(launch.sources[task.dataset].folder),
        "fingerprint": manifest["fingerprint"],
        "test_fingerprint": manifest["test_fingerprint"],
        "validation_fingerprint": manifest["splits"]["validation"]["content"],
        "groups_known": manifest["groups_known"],
        "duplicates": manifest["duplicates"],
        "dropped": manifest["dropped"],
        "splits": {
            split: {key: entry[key] for key in ("cases", "volumes", "groups", "class_counts")}
            for split, entry in manifest["splits"].items()
        },
    }
