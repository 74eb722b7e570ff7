"""The best configurations of another run, to be tried first.

They are effort that was spent elsewhere: run.json and the report say where they come from.
Entrants that are added later are given them too, from the other run as it was then.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

from bench import runs
from bench.errors import UserError
from bench.ledger import StudyState, Trial, fold, stream
from bench.runs import RunFile, RunFolder
from bench.spec import Config, Space, Study

MOST = 3
"""Configurations that a study is given."""


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a configuration comes from."""

    study: str
    """Id, in the other run."""
    trial: int
    score: float
    """Its validation score there; greater is better."""
    config: Config
    """As it is tried here: what the entrant does not search has its own values."""


@dataclass
class WarmStart:
    """What the studies of one run take from another."""

    folder: RunFolder
    file: RunFile
    states: dict[str, StudyState]
    lines: int
    """Of the other run's ledger that are taken into account."""
    sha256: str
    """Of those lines."""
    found: dict[tuple[str, str, str], list[Origin]] = field(default_factory=dict)
    """By task, label, and split or time budget."""
    left_out: list[str] = field(default_factory=list)
    """What did not fit, and why, a sentence each."""

    @classmethod
    def of(cls, path: Path) -> WarmStart:
        """Read a run's folder, finished or not. Raises UserError where it is none."""
        folder, file = runs.load(path)
        events = list(stream(folder.ledger))
        digest = _sha256_of(folder.ledger, lines=len(events))
        return cls(folder, file, fold(events).studies, len(events), digest)

    @classmethod
    def again(cls, record: Mapping[str, Any]) -> WarmStart:
        """The other run as a run was begun with it, whatever it has found out since.

        record: `warm_start` of that run's run.json. Raises UserError, with what hinders it, where
        the other run is gone, or is no longer what it was.
        """
        if "path" not in record:
            raise UserError("this run was begun when run.json did not yet say where the other lay")
        path, lines = Path(record["path"]), record["lines"]
        try:
            folder, file = runs.load(path)
            if _sha256_of(folder.ledger, lines=lines) != record["sha256"]:
                raise UserError(f"what the ledger of {path} held then was changed")
            states = fold(islice(stream(folder.ledger), lines)).studies
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} cannot be read ({type(error).__name__})") from None
        return cls(folder, file, states, lines, record["sha256"])

    @property
    def name(self) -> str:
        return self.folder.path.resolve().name

    def first(self, study: Study, space: Space) -> list[Config]:
        """The best configurations of the same task, split and family that lie in the study's space:
        those of the same label first, of each study its winner first, then by validation score.

        At most MOST, besides those that the study tries first anyway. What the entrant pins or
        holds keeps the values that it has here.
        """
        key = _key(study)
        if key not in self.found:
            self.found[key] = self._origins(study, space)
        return [origin.config for origin in self.found[key]]

    def _origins(self, study: Study, space: Space) -> list[Origin]:
        origins: list[Origin] = []
        for theirs, trial, score in self._ranked(study):
            if len(origins) == MOST:
                break
            values = {key: v for key, v in trial.config.items() if key not in study.pinned}
            if mistakes := space.mistakes(values):
                self._leave_out(
                    f"{study.task}, {study.entrant.label}: trial {trial.number} of {theirs} does "
                    f"not fit: {'; '.join(mistakes)}"
                )
                continue
            config = space.defaults(pinned=study.pinned | values)
            if config not in study.enqueued and all(config != one.config for one in origins):
                origins.append(Origin(study=theirs, trial=trial.number, score=score, config=config))
        if not origins:
            self._leave_out(
                f"{study.task}, {study.entrant.label}: nothing to begin with from its family "
                f"{study.entrant.family}"
            )
        return origins

    def _leave_out(self, what: str) -> None:
        if what not in self.left_out:
            self.left_out.append(what)

    def _ranked(self, study: Study) -> list[tuple[str, Trial, float]]:
        """Trials that may be taken over, best first: with their study's id and their score."""
        ranked = [
            (theirs.entrant.label != study.entrant.label, not wins, -score, order, theirs.id, trial)
            for order, theirs in enumerate(self.file.studies)
            if self._alike(theirs, study)
            for trial, score, wins in _scored(self.states.get(theirs.id))
        ]
        ranked.sort(key=lambda one: (*one[:4], one[5].number))
        return [(name, trial, -worse) for _, _, worse, _, name, trial in ranked]

    def _alike(self, theirs: Study, ours: Study) -> bool:
        """Whether their scores are of the same task, split, time budget and family. On another
        split, patients of our test set may have been in their validation set."""
        return (theirs.task, theirs.fold, theirs.time_budget_s, theirs.entrant.family) == (
            ours.task, ours.fold, ours.time_budget_s, ours.entrant.family,
        )  # fmt: skip

    def given(self, studies: Sequence[Study]) -> dict[str, list[dict[str, Any]]]:
        """By study's id, the origins of what it was given, as run.json has them."""
        return {
            study.id: [
                {"study": one.study, "trial": one.trial, "score": one.score, "config": one.config}
                for one in self.found.get(_key(study), [])
            ]
            for study in studies
        }

    def record(self, studies: Sequence[Study]) -> dict[str, Any]:
        """What run.json says of it: the run, and by study the origins of its configurations.

        Raises UserError where no study is given anything.
        """
        given = self.given(studies)
        if not any(given.values()):
            raise UserError(
                f"nothing of {self.folder.path} can be tried first here: "
                f"{'; '.join(self.left_out[:3])}: leave out --warm-start, or name another run"
            )
        return {
            "run": self.name,
            "path": str(self.folder.path.resolve()),
            "lines": self.lines,
            "sha256": self.sha256,
            "phantom": self.file.phantom,
            "studies": given,
            "left_out": self.left_out,
        }

    def notes(
        self, data: Mapping[str, Mapping[str, Any]], *, who: str = "each search"
    ) -> list[str]:
        """What the report says of it.

        data: of this run's studies that were given something, as run.json has them.
        """
        counts = sorted({len(origins) for origins in self.found.values()})
        many = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else f"{counts[0]}"
        on = "generated data, " * self.file.phantom
        others = [
            key
            for key, facts in data.items()
            if self._test_set(key) not in (None, facts["test_fingerprint"])
        ]
        apart = (
            f"warm start: {self.name} had another test set on {', '.join(others)}: patients of "
            "this one may have been in its validation set"
        )
        return [
            f"warm start: {who} began with {many} of the best configurations of run "
            f"{self.name} ({on}validation scores); the effort that found them was spent there and "
            "is not counted here",
            *[apart] * bool(others),
            *(f"warm start: {what}" for what in self.left_out),
        ]

    def _test_set(self, key: str) -> str | None:
        """The fingerprint of the other run's test set; None where it had no such data."""
        facts = self.file.data.get(key)
        return None if facts is None else str(facts["test_fingerprint"])


def recorded(folder: RunFolder) -> Mapping[str, Any] | None:
    """What run.json says of the run that this one was begun with; None where it was with none."""
    record: Mapping[str, Any] | None = json.loads(folder.run_file.read_text("utf-8")).get(
        "warm_start"
    )
    return record


def _sha256_of(ledger: Path, *, lines: int) -> str:
    """Of its first lines; of what there is, where there are fewer."""
    digest = sha256()
    with ledger.open("rb") as file:
        for line in islice(file, lines):
            digest.update(line)
    return digest.hexdigest()


def _key(study: Study) -> tuple[str, str, str]:
    return study.task, study.entrant.label, f"{study.fold}, {study.time_budget_s}"


def _scored(state: StudyState | None) -> Iterator[tuple[Trial, float, bool]]:
    """A study's trials that have a score and did not fail, and whether each is the winner."""
    for number, trial in (state.trials if state else {}).items():
        best = trial.best()
        if best is not None and trial.state != "failed" and trial.origin != "confirm":
            assert state is not None
            yield trial, best[0], number == state.winner
