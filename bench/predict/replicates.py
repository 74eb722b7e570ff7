"""Which trainings of an entrant predict, and their weights as the run has kept them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import metrics, registry
from bench.errors import UserError
from bench.ledger import Replicate, RunState
from bench.runs import RunFile, RunFolder
from bench.spec import Study, Task, unknown
from bench.storage import checkpoints_of

if TYPE_CHECKING:
    from bench.data.prepared import PreparedTask

ALL = "all"


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The trainings that predict together."""

    replicates: Sequence[tuple[Study, Replicate]]
    how: str
    """Why these, in words."""


def studies_of(file: RunFile, entrant: str, task: str | None, study: str | None) -> list[Study]:
    """The studies of one entrant on one task, fixed-time ones left out unless named.

    entrant: a label, or a family that one entrant of the run is of. task: None where the entrant
    has but one. study: an id, or None for all. Raises UserError with the names that there are.
    """
    labels = list(dict.fromkeys(one.entrant.label for one in file.studies))
    if entrant not in labels:
        same = {one.entrant.label for one in file.studies if one.entrant.family == entrant}
        if len(same) != 1:
            raise UserError(unknown("entrant of this run", entrant, labels))
        (entrant,) = same
    theirs = [one for one in file.studies if one.entrant.label == entrant]
    tasks = list(dict.fromkeys(one.task for one in theirs))
    if task is None and len(tasks) > 1:
        raise UserError(f"{entrant} was trained on {', '.join(tasks)}: name one with --task")
    if task is not None and task not in tasks:
        raise UserError(unknown(f"task of {entrant} in this run", task, tasks))
    theirs = [one for one in theirs if one.task == (task or tasks[0])]
    if study is None:
        return [one for one in theirs if one.time_budget_s is None] or theirs
    if study not in (ids := [one.id for one in theirs]):
        raise UserError(unknown(f"study of {entrant} on {theirs[0].task}", study, ids))
    return [one for one in theirs if one.id == study]


def choose(studies: Sequence[Study], state: RunState, wanted: str | None, *, run: Path) -> Choice:
    """The training of this number, all of them, or, for None, the one in the middle.

    The one in the middle has the median primary validation metric, of an even number the lower of
    the two: what the leaderboard says of a single training holds for it best. Those without one are
    left out; where training left no validation split, it is the first. Raises UserError where none
    has ended, or not this one.
    """
    ended = [
        (study, replicate)
        for study in studies
        if study.id in state.studies
        for _, replicate in sorted(state.studies[study.id].replicates.items())
        if replicate.state == "completed"
    ]
    what = f"{studies[0].entrant.label} on {studies[0].task}"
    if not ended:
        resume = f"end the run with `bench resume {run}` first"
        again = "name another entrant" if state.finished else resume
        why = _why_none(studies, state)
        raise UserError(f"a trained replicate is needed to predict, {what} has none{why}: {again}")
    if wanted in (ALL, None) and len(ended) == 1:
        return Choice(replicates=ended, how="the only training that has ended")
    if wanted == ALL:
        how = f"the mean of the probabilities of all {len(ended)} trainings, an ensemble"
        return Choice(replicates=ended, how=how)
    if wanted is not None:
        named = [one for one in ended if str(one[1].number) == wanted]
        if not named:
            numbers = ", ".join(dict.fromkeys(str(one.number) for _, one in ended))
            raise UserError(
                f"--replicate takes {ALL} or the number of one that has ended, {numbers}, "
                f"got {wanted!r}"
            )
        if len(named) > 1:
            ids = ", ".join(study.id for study, _ in named)
            raise UserError(
                f"{what} has a replicate {wanted} in several studies, {ids}: name one with --study"
            )
        return Choice(replicates=named, how="the training that was asked for")
    return _middle(ended)


def _middle(ended: Sequence[tuple[Study, Replicate]]) -> Choice:
    primary = metrics.get(registry.tasks().get(ended[0][0].task).primary)
    scored = [one for one in ended if one[1].validation_metrics.get(primary.id) is not None]
    if not scored:
        how = f"the first of {len(ended)} trainings: none has its {primary.id} on validation"
        return Choice(replicates=ended[:1], how=how)
    ranked = sorted(scored, key=lambda one: primary.turned(one[1].validation_metrics[primary.id]))
    how = f"the training with the median {primary.id} on validation of {len(scored)}"
    return Choice(replicates=[ranked[(len(ranked) - 1) // 2]], how=how)


def _why_none(studies: Sequence[Study], state: RunState) -> str:
    """What became of them, where something did."""
    found = [state.studies[study.id] for study in studies if study.id in state.studies]
    reasons = [one.why for one in found if one.state == "failed"]
    reasons += [r.error for one in found for r in one.replicates.values() if r.error]
    return f" ({reasons[0]})" if reasons else ""


def weights(
    study: Study,
    replicate: Replicate,
    *,
    folder: RunFolder,
    storage: str | None,
    data: PreparedTask,
) -> dict[str, Any]:
    """The weights that the replicate was scored by, of the run's checkpoint. No pickle is read.

    storage: as the run was given it. Raises UserError where they are gone, or another training's.
    """
    from bench.train.checkpoint import Checkpoint
    from bench.train.model import key_of

    root = checkpoints_of(folder, storage)
    checkpoint = Checkpoint(f"{root}/{study.id}/replicate-{replicate.number}.pt")
    state = checkpoint.load()
    if state is None or "best" not in state:
        raise UserError(
            f"the weights of replicate {replicate.number} are needed at {checkpoint.url}, "
            f"{checkpoint.note or 'they are not there'}: name with --storage where the run kept "
            "its checkpoints, or another --replicate, or train more with `bench resume "
            f"{folder.path} --seeds {study.replicates.seeds + 1}`"
        )
    task: Task = registry.tasks().get(study.task)
    expected = key_of(
        task=task,
        family=registry.families().get(study.entrant.family),
        config=replicate.config,
        seed=replicate.seed,
        max_epochs=study.search.max_epochs,
        max_seconds=study.search.max_seconds,
        fingerprint=data.manifest["fingerprint"],
        replicate=True,
        refit=study.replicates.refit,
    )
    if state["key"] != expected:
        raise UserError(
            f"{checkpoint.url} is of another training than replicate {replicate.number} of "
            f"{study.id}: bring back the run's own checkpoint"
        )
    best: dict[str, Any] = state["best"]
    return best
