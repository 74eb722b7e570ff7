"""`bench check`, and what `bench run` checks first: what would go wrong later, found at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from bench import provisions, registry
from bench.errors import UserError
from bench.launch import Launch
from bench.rehearsal import Apart, Part, Rehearsed, Step
from bench.spec import Config, Family, Scalar, Space, Study, Suite, Task, content_hash

if TYPE_CHECKING:
    from bench.data.prepared import PreparedTask

NETS = ("architecture", "encoder", "weights")
"""Parameters that name another net by each value: every value that a search may draw is built."""


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
    with Apart() as step:
        yield from entrants(launch.studies, prepared, step)


def refuse(suite: Suite, findings: Sequence[Finding]) -> None:
    """Raise one UserError with everything that was found wrong, if anything was."""
    mistakes = [f"{item.subject}: {item.mistake}" for item in findings if item.mistake]
    if mistakes:
        raise UserError.of(mistakes, heading=f"suite {suite.id} is not ready")


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


# --- Entrants -------------------------------------------------------------------------------


def entrants(
    studies: Sequence[Study],
    prepared: Mapping[str, PreparedTask],
    step: Step,
    progress: Callable[[str, int, int], None] | None = None,
) -> Iterator[Finding]:
    """Rehearse each study's models; what several studies share is rehearsed once.

    A study's further models come after its default one, and only where they are other models.
    """
    done: dict[str, Rehearsed | str] = {}
    for number, study in enumerate(studies, 1):
        family: Family = registry.families().get(study.entrant.family)
        task: Task = registry.tasks().get(study.task)
        space = registry.space_of(family, task, study.entrant.space)
        data = prepared[study.data]
        said: set[str | None] = set()
        for differing, config in _rehearsed(study, family, space):
            key = content_hash([family.id, _asked(config, task), _seen(data)])
            if key not in done:
                done[key] = step(
                    Part(
                        family=family.id,
                        task=task.id,
                        config=config,
                        data=data.root.resolve(),
                        seed=study.seed,
                        max_epochs=study.search.max_epochs,
                    )
                )
            finding = _finding(study, differing, done[key], free=len(study.free))
            if finding.mistake is None or finding.mistake not in said:
                yield finding
            said.add(finding.mistake)
        if progress is not None:
            progress("rehearsing", number, len(studies))


def _seen(data: PreparedTask) -> list[object]:
    """What of prepared data a model sees: the shape, of texts also what vocabularies come from."""
    shape = data.shape
    texts = shape.kind == "text_classification"
    return [asdict(shape), data.manifest["fingerprint"] if texts else ""]


def _asked(config: Config, task: Task) -> Config:
    """What of a configuration its first step depends on: not what chooses training cases."""
    return {name: value for name, value in config.items() if name not in task.training}


def _rehearsed(
    study: Study, family: Family, space: Space
) -> Iterator[tuple[Mapping[str, Scalar], Config]]:
    """Configurations to rehearse, each with what it differs in from the first: the defaults, what
    is enqueued with other options of the family, and each value of what names another net."""
    first = space.defaults(pinned=study.pinned)
    others = [config for config in study.enqueued if _own(config, family) != _own(first, family)]
    for name, values in provisions.searched_choices(space, study, names=NETS).items():
        others += [space.defaults(pinned=study.pinned | {name: value}) for value in values]
    yield {}, first
    seen = [first]
    for config in others:
        if config not in seen:
            seen.append(config)
            own = _own(config, family).items()
            yield {name: value for name, value in own if first.get(name) != value}, config


def _own(config: Config, family: Family) -> Config:
    return {name: value for name, value in config.items() if name in family.options}


def _finding(
    study: Study, differing: Mapping[str, Scalar], outcome: Rehearsed | str, *, free: int
) -> Finding:
    settings = ", ".join(f"{name} = {value!r}" for name, value in differing.items())
    subject = f"{study.data}, {study.entrant.label}{f' ({settings})' if settings else ''}"
    if isinstance(outcome, str):
        return Finding(subject=subject, detail=outcome, mistake=outcome)
    detail = (
        f"{outcome.parameters:,} parameters, {free} free in the search, "
        f"first loss {outcome.loss:.3f}"
    )
    if outcome.idle:
        shown = ", ".join(outcome.idle[:3]) + ", ..." * (len(outcome.idle) > 3)
        detail += f"; {len(outcome.idle)} parameters get no gradient: {shown}"
    return Finding(subject=subject, detail=detail)
