"""`bench check`: what would go wrong in a long run, found in a short one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench import registry
from bench.errors import UserError
from bench.launch import Launch
from bench.spec import Study

if TYPE_CHECKING:
    from bench.data.prepared import PreparedTask


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was checked."""

    subject: str
    detail: str
    mistake: str | None = None
    """What is wrong; None where it is sound."""


def check(launch: Launch, prepared: Mapping[str, PreparedTask]) -> Iterator[Finding]:
    """Check prepared data against what was written, then build and step each entrant once."""
    for task, data in prepared.items():
        yield _data(task, data)
    for study in launch.studies:
        yield _entrant(study, prepared[study.task])


def _data(task: str, data: PreparedTask) -> Finding:
    from bench.data.prepare import verify

    splits = data.manifest["splits"]
    detail = ", ".join(f"{name} {entry['cases']} cases" for name, entry in splits.items())
    problems = verify(data)
    return Finding(
        subject=f"data of {task}",
        detail="; ".join(problems) or detail,
        mistake="; ".join(problems) or None,
    )


def _entrant(study: Study, data: PreparedTask) -> Finding:
    from bench.train import device
    from bench.train.training import Training

    family = registry.families().get(study.entrant.family)
    task = registry.tasks().get(study.task)
    space = registry.space_of(family, task)
    subject = f"{study.task}, {study.entrant.label}"
    try:
        training = Training(
            task=task,
            family=family,
            config=space.defaults(pinned=study.pinned),
            seed=study.seed,
            max_epochs=study.search.max_epochs,
            data=data,
            device=device.pick(),
            replicate=False,
            refit="train",
        )
        loss = training.rehearse()
    except UserError as error:
        return Finding(subject=subject, detail=str(error), mistake=str(error))
    except Exception as error:  # whatever a model does, the others are checked too
        text = " ".join(f"{type(error).__name__}: {error}".split())
        return Finding(subject=subject, detail=text, mistake=text)
    parameters = sum(parameter.numel() for parameter in training.model.parameters())
    free = len(space.free(study.pinned))
    return Finding(
        subject=subject,
        detail=f"{parameters:,} parameters, {free} free in the search, first loss {loss:.3f}",
    )
