"""The searches of a task as tables (pandas): rungs, default against tuned. All exploratory.

A trial's score is its best validation score at any epoch that it was trained for, whenever it was
stopped. Tables are in the metric's own unit; a gain is turned so that more is better.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.ledger import StudyState, Trial
from bench.spec import Scalar
from results.analysis import orient
from results.load import Run, StudyFacts, TaskFacts
from results.tables import frame, part_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A trial that was trained, with its best score."""

    trial: Trial
    score: float | None
    """Greater is better; None without any."""

    @property
    def value(self) -> float:
        """The score of a trial that has one."""
        assert self.score is not None
        return self.score


@dataclass(frozen=True, kw_only=True)
class Searched:
    """One study's search."""

    study: StudyFacts
    task: TaskFacts
    progress: StudyState
    space: Mapping[str, Mapping[str, Any]]
    """Its parameters in the canonical form of run.json."""
    tried: tuple[Tried, ...]
    """Its trials by number, without repeats, which are not trained."""

    @property
    def anchor(self) -> str:
        """What the study is linked to by: of ASCII letters, digits, hyphens and points alone."""
        return "study-" + "".join(map(_safe, self.study.id))

    @property
    def sign(self) -> int:
        """What turns a score into the metric's own unit."""
        return orient(self.task.primary)

    @property
    def unit(self) -> str:
        """What its rungs are in."""
        in_seconds = self.study.search.get("grace_seconds") is not None
        return "charged seconds" if in_seconds else "epochs"

    @property
    def scored(self) -> list[Tried]:
        """The trials with a score that did not fail."""
        return [t for t in self.tried if t.score is not None and t.trial.state != "failed"]

    @property
    def searched(self) -> list[Tried]:
        """Of those, the ones that the search tried: confirmations are other seeds of them."""
        return [tried for tried in self.scored if tried.trial.origin != "confirm"]

    @property
    def varied(self) -> list[str]:
        """The parameters that it varied, and of which its trials with a score have two values."""
        values: dict[str, set[tuple[type, Scalar]]] = {name: set() for name in self.study.free}
        for tried in self.searched:
            for name, value in tried.trial.config.items():
                if name in values:
                    values[name].add((type(value), value))
        return [name for name, seen in values.items() if len(seen) > 1]

    def whole(self, tried: Tried) -> bool:
        """Whether a trial was trained to its end or beyond the first rung: its score then says
        something of its configuration."""
        if tried.trial.state == "completed":
            return True
        search = self.study.search
        if search.get("scheduler") == "none":
            return False
        if search.get("grace_seconds") is not None:
            return tried.trial.charged_seconds > float(search["grace_seconds"])
        return tried.trial.epoch > int(search.get("grace_epochs", 1))

    @property
    def winner(self) -> Tried | None:
        """What it chose; the best so far where it has not chosen."""
        if self.progress.winner is not None:
            return next((t for t in self.scored if t.trial.number == self.progress.winner), None)
        return max(self.searched, key=lambda t: (t.value, -t.trial.number), default=None)

    @property
    def default(self) -> Tried | None:
        """The trial of the space's defaults, where they came first."""
        if tuple(self.study.search.get("enqueue", ("defaults",)))[:1] != ("defaults",):
            return None
        first = next((t for t in self.tried if t.trial.origin == "enqueued"), None)
        return first if first is not None and first.trial.number == 0 else None


def _safe(character: str) -> str:
    """Different characters never become the same."""
    plain = character.isascii() and (character.isalnum() or character in "-_")
    return character if plain else f".{ord(character):x}."


def searches(run: Run, task: str) -> tuple[Searched, ...]:
    """The searches of a task, those of fixed-time comparisons last."""
    spaces = {facts["id"]: facts["space"] for facts in run.record["studies"]}
    studies = [study for study in run.studies.values() if study.task == task]
    return tuple(
        Searched(
            study=study,
            task=run.tasks[task],
            progress=run.progress(study.id),
            space=spaces.get(study.id, {}),
            tried=tuple(_tried(run.progress(study.id))),
        )
        for study in sorted(studies, key=lambda study: study.time_budget_s is not None)
    )


def _tried(progress: StudyState) -> Iterator[Tried]:
    for _, trial in sorted(progress.trials.items()):
        if trial.origin != "repeat":
            best = trial.best()
            yield Tried(trial=trial, score=best[0] if best else None)


def rungs(found: Sequence[Searched]) -> pd.DataFrame:
    """One row a study and rung, and one for its end: how many trials got there, and what became of
    them; the best score there. Without rungs, the end alone."""
    rows = []
    for one in found:
        own = identity(one) | {"unit": one.unit}
        for rung in sorted({rung for tried in one.tried for rung in tried.trial.rungs}):
            here = [tried.trial for tried in one.tried if rung in tried.trial.rungs]
            said = [trial.rungs[rung][1] for trial in here]
            resting = [trial for trial in here if trial.resting_at == rung]
            rows.append(
                {
                    **own,
                    "rung": rung,
                    "reached": len(here),
                    "went_on": said.count("promoted"),
                    "stopped": len(said) - said.count("promoted") - len(resting),
                    "rest": len(resting),
                    "best": one.sign * max(trial.rungs[rung][0] for trial in here),
                }
            )
        ended = [tried for tried in one.scored if tried.trial.state == "completed"]
        best = one.sign * max(tried.value for tried in ended) if ended else None
        rows.append({**own, "rung": None, "reached": len(ended), "best": best})
    return frame(
        rows,
        f"{IDENTITY} unit rung reached went_on stopped rest best",
        whole=("went_on", "stopped", "rest"),
        real=("rung", "best"),
    )


def gains(found: Sequence[Searched]) -> pd.DataFrame:
    """One row a study: the validation score of its space's defaults, that of its winner, and the
    gain between them, positive where tuning gained.

    The gain is optimistic: the winner is the best of many by this very score.
    """
    rows = []
    for one in found:
        default, winner = one.default, one.winner
        begun = default.score if default else None
        got = winner.score if winner else None
        rows.append(
            {
                **identity(one),
                "budget_s": one.study.time_budget_s,
                "metric": one.task.primary,
                "trials": sum(t.trial.origin != "confirm" for t in one.tried),
                "failed": sum(t.trial.state == "failed" for t in one.tried),
                "default": None if begun is None else one.sign * begun,
                "default_epochs": default and default.trial.epoch,
                "default_state": default.trial.state if default else "",
                "winner_trial": winner and winner.trial.number,
                "winner": None if got is None else one.sign * got,
                "winner_epochs": winner and winner.trial.epoch,
                "gain": None if begun is None or got is None else got - begun,
            }
        )
    return frame(
        rows,
        f"{IDENTITY} budget_s metric trials failed default default_epochs default_state"
        " winner_trial winner winner_epochs gain",
        whole=("default_epochs", "winner_trial", "winner_epochs"),
        real=("budget_s", "default", "winner", "gain"),
    )


IDENTITY = "task entrant split_number search study"


def identity(one: Searched) -> dict[str, Any]:
    """The first columns of a table of studies."""
    return {
        "task": one.study.task,
        "entrant": one.study.label,
        **part_of(one.study),
        "study": one.study.id,
    }
