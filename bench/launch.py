"""From a suite's name to a run's folder that is ready to be worked off."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bench import plan, provenance, provisions, registry, runs, suites
from bench.errors import UserError
from bench.folders import PHANTOM_SEED, SPLIT_SEED, cache_root
from bench.runs import RunFile, RunFolder
from bench.spec import Scalar, Study, Suite, Task


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

    @property
    def tasks(self) -> list[Task]:
        return [registry.tasks().get(task) for task in self.suite.tasks]


def resolve(request: Request) -> Launch:
    """Resolve the suite, plan its studies, find its data; phantoms are generated.

    Raises UserError for whatever is unknown, missing or contradictory.
    """
    from bench.data import sources

    file = suites.read(request.suite)
    chosen = [task for task in file.tasks if not request.tasks or task in request.tasks]
    known = registry.tasks()
    datasets = list(dict.fromkeys(known.items[t].dataset for t in chosen if t in known.items))
    scale, why = _scale(request, datasets)
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
    studies = plan.plan(suite)
    found = sources.resolve(
        datasets,
        data=request.data,
        phantom_cases=suite.phantom_cases,
        seed=PHANTOM_SEED,
        allow_phantom=scale != "full",
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
        headline=f"{suite.title}: {what}, at scale {scale}{why}",
        sealed=request.sealed,
    )


def _scale(request: Request, datasets: Sequence[str]) -> tuple[str, str]:
    from bench.data import sources

    if request.scale != "auto":
        return request.scale, ""
    if request.data:
        return "small", ""
    if sources.find_real(datasets) is not None:
        return "small", ""
    return "demo", " (no real data in $TUNEBENCH_DATA or ./data; name them with --data)"


def prepare(launch: Launch, progress: Callable[..., None] | None = None) -> dict[str, Any]:
    """Each task's prepared data; every problem of every data set is reported at once."""
    from bench.data import prepare as preparation

    prepared, mistakes = {}, []
    for task in launch.tasks:
        try:
            prepared[task.id] = preparation.prepare(
                task,
                launch.sources[task.dataset].folder,
                options=launch.suite.options[task.id],
                seed=SPLIT_SEED,
                cache=cache_root(),
                progress=progress,
            )
        except UserError as error:
            if str(error) not in mistakes:
                mistakes.append(str(error))
    if mistakes:
        raise UserError("\n".join(mistakes))
    return prepared


def create(
    launch: Launch,
    prepared: dict[str, Any],
    *,
    folder: RunFolder,
    weights: Mapping[str, Sequence[provisions.Record]],
    command: list[str],
) -> tuple[RunFolder, RunFile]:
    """Write the run's `run.json`, and its plug-ins beside it. weights: as found, by study."""
    runs.write(
        folder,
        suite=launch.suite,
        studies=launch.studies,
        data={task.id: _describe(prepared[task.id], launch, task) for task in launch.tasks},
        sealed=launch.sealed,
        weights=weights,
        provenance=provenance.collect(command),
        notes=[launch.headline],
    )
    return runs.load(folder.path)


def _describe(prepared: Any, launch: Launch, task: Task) -> dict[str, Any]:
    manifest = prepared.manifest
    return {
        "dataset": task.dataset,
        "phantom": manifest["phantom"],
        "folder": str(launch.sources[task.dataset].folder),
        "fingerprint": manifest["fingerprint"],
        "test_fingerprint": manifest["test_fingerprint"],
        "groups_known": manifest["groups_known"],
        "duplicates": manifest["duplicates"],
        "dropped": manifest["dropped"],
        "splits": {
            split: {key: entry[key] for key in ("cases", "volumes", "groups", "class_counts")}
            for split, entry in manifest["splits"].items()
        },
    }
