"""`bench trial`: one configuration trained to its end, as lines to print."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from bench import registry
from bench.folders import PHANTOM_SEED, SPLIT_SEED, cache_root
from bench.spec import Report, Scalar, Task


def trial(
    *,
    task: str,
    family: str,
    config: Mapping[str, Scalar],
    options: Mapping[str, Scalar],
    epochs: int,
    seed: int,
    data: Sequence[str],
    phantom_cases: int | None,
    device: str | None,
) -> Iterator[str]:
    """Find and prepare the data, train, and yield a line an epoch.

    Raises UserError for whatever is unknown, out of range or missing.
    """
    from bench.data import prepare, sources
    from bench.train.trial import configure, run_trial

    chosen: Task = registry.tasks().get(task)
    kind = registry.families().get(family)
    settings = configure(kind, chosen, config)
    cases = {} if phantom_cases is None else {chosen.dataset: phantom_cases}
    found = sources.resolve(
        [chosen.dataset],
        data=data,
        phantom_cases=cases,
        seed=PHANTOM_SEED,
        allow_phantom=True,
        cache=cache_root(),
    )[chosen.dataset]
    yield (
        f"{family} on {task}, "
        f"{'PHANTOM (generated) data' if found.phantom else 'real data'} in {found.folder}"
    )
    prepared = prepare.prepare(
        chosen, found.folder, options=options, seed=SPLIT_SEED, cache=cache_root()
    )
    yield "configuration: " + ", ".join(f"{key}={value}" for key, value in settings.items())
    best: Report | None = None
    for report in run_trial(
        task=chosen,
        family=kind,
        data=prepared,
        settings=config,
        epochs=epochs,
        seed=seed,
        device=device,
    ):
        yield _line(report, chosen)
        best = max(best, report, key=_score)
    if best is not None and best.score is not None:
        yield f"best: {chosen.primary} {best.metrics[chosen.primary]:.4f} at epoch {best.epoch}"


def _score(report: Report | None) -> float:
    return -math.inf if report is None or report.score is None else report.score


def _line(report: Report, task: Task) -> str:
    metrics = [task.primary, *(m for m in task.metrics if m != task.primary), "train_loss"]
    shown = ", ".join(
        f"{name} {report.metrics[name]:.4f}" for name in metrics if name in report.metrics
    )
    notes = "".join(f" [{note}]" for note in report.notes)
    return (
        f"epoch {report.epoch}: {shown}, {report.charged_seconds:.2f} s training, "
        f"{report.free_seconds:.2f} s free{notes}"
    )
