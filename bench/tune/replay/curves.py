"""Tables of recorded learning curves: read from runs, kept in a compressed file.

A table holds, of each study, the configurations that were trained to their end, with the validation
score and the charged seconds of every epoch. It is made from a run that stopped none early.
"""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from bench import runs
from bench.errors import UserError
from bench.ledger import Trial, fold, read
from bench.spec import Choice, Config, Float, Int, Not, Parameter, Search, Space, Study, Text

VERSION = 1
DIGITS = 6
"""Decimals that a file keeps of scores and seconds."""

Ended = Literal["completed", "diverged"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """One configuration, trained to its end."""

    config: Config
    scores: tuple[float, ...]
    """Validation score by epoch, from the first; greater is better."""
    charged_seconds: tuple[float, ...]
    """Of each of those epochs."""
    ended: Ended
    """`diverged`: in the epoch after the last score."""


@dataclass(frozen=True, kw_only=True)
class Curves:
    """The recorded curves of one study."""

    study: str
    task: str
    entrant: str
    family: str
    phantom: bool
    """Whether it was recorded on generated data."""
    space: Space
    pinned: Config
    """What its search did not vary."""
    max_epochs: int
    grace_epochs: int
    reduction_factor: int
    curves: tuple[Curve, ...]
    left_out: int
    """Trials that were not trained to their end: their curves are not known."""

    @property
    def epochs(self) -> int:
        """Epochs of all curves."""
        return sum(len(curve.scores) for curve in self.curves)


# --- from runs ------------------------------------------------------------------------------


def of_runs(folders: Sequence[Path]) -> list[Curves]:
    """The curves of every study of these runs.

    Raises UserError where a study has none: its trials were all stopped early.
    """
    tables = [table for folder in folders for table in _of_run(folder)]
    empty = [table.study for table in tables if not table.curves]
    if empty:
        raise UserError.of(
            [
                f"{study} has no trial that was trained to its end: record one with "
                "`bench run --set sampler=random --set scheduler=none`"
                for study in empty
            ],
            heading="replay",
        )
    return tables


def _of_run(path: Path) -> Iterator[Curves]:
    folder, file = runs.load(path)
    state = fold(read(folder.ledger))
    for study in file.studies:
        found = state.studies.get(study.id)
        trials = [] if found is None else list(found.trials.values())
        curves = [curve for trial in trials if (curve := _curve(trial)) is not None]
        yield _table(study, curves, phantom=file.phantom, left_out=len(trials) - len(curves))


def _table(study: Study, curves: Sequence[Curve], *, phantom: bool, left_out: int) -> Curves:
    search: Search = study.search
    return Curves(
        study=study.id,
        task=study.task,
        entrant=study.entrant.label,
        family=study.entrant.family,
        phantom=phantom,
        space=space_of(study.space),
        pinned=dict(study.pinned),
        max_epochs=search.max_epochs,
        grace_epochs=search.grace_epochs,
        reduction_factor=search.reduction_factor,
        curves=tuple(curves),
        left_out=left_out,
    )


def _curve(trial: Trial) -> Curve | None:
    """A trial's whole curve; None where it was not trained to its end, or was of another's."""
    diverged = trial.state == "failed" and trial.reason == "diverged"
    if trial.of is not None or not (trial.state == "completed" or diverged):
        return None
    epochs = sorted(trial.reports)
    scores = [trial.reports[epoch]["score"] for epoch in epochs]
    if epochs != list(range(1, len(epochs) + 1)) or None in scores:
        return None
    return Curve(
        config=dict(trial.config),
        scores=tuple(map(float, scores)),
        charged_seconds=tuple(float(trial.reports[epoch]["charged_seconds"]) for epoch in epochs),
        ended="diverged" if diverged else "completed",
    )


# --- files ----------------------------------------------------------------------------------


def save(tables: Sequence[Curves], path: Path) -> None:
    """Write tables as compressed JSON; equal tables give equal files."""
    content = {"v": VERSION, "split": "validation", "studies": list(map(_record, tables))}
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(gzip.compress(text.encode(), mtime=0))
    partial.replace(path)


def _record(table: Curves) -> dict[str, Any]:
    fields = {name: getattr(table, name) for name in table.__dataclass_fields__}
    curves = [
        asdict(curve)
        | {
            "scores": [round(score, DIGITS) for score in curve.scores],
            "charged_seconds": [round(seconds, DIGITS) for seconds in curve.charged_seconds],
        }
        for curve in table.curves
    ]
    return fields | {"space": table.space.canonical(), "curves": curves}


def load(path: Path) -> list[Curves]:
    """Read a file of tables.

    Raises UserError for one that is none, or that a newer version wrote.
    """
    try:
        content = json.loads(gzip.decompress(path.read_bytes()))
        version = content["v"]
        if version <= VERSION:
            return [_read(study) for study in content["studies"]]
    except FileNotFoundError:
        raise UserError(f"no table of curves at {path}") from None
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} is no table of curves: {error}: give a run's folder, or a file that "
            "`bench replay --save` wrote"
        ) from None
    raise UserError(
        f"{path} has record version {version}, this tunebench reads up to {VERSION}: update "
        "tunebench"
    )


def _read(record: Mapping[str, Any]) -> Curves:
    curves = tuple(
        Curve(
            config=curve["config"],
            scores=tuple(curve["scores"]),
            charged_seconds=tuple(curve["charged_seconds"]),
            ended=curve["ended"],
        )
        for curve in record["curves"]
    )
    return Curves(**{**record, "space": space_of(record["space"]), "curves": curves})


def space_of(canonical: Mapping[str, Mapping[str, Any]]) -> Space:
    """The space that a canonical description was made of: the inverse of `Space.canonical`."""
    return Space(**{name: _parameter(described) for name, described in canonical.items()})


def _parameter(described: Mapping[str, Any]) -> Parameter:
    when = {name: _condition(value) for name, value in (described["when"] or {}).items()} or None
    kind = described["type"]
    if kind == "text":
        return Text(described["default"], when=when)
    if kind == "choice":
        values, also = described["values"], tuple(described["also"])
        return Choice(*values, when=when, held=described["held"], also=also)
    limits = described["limits"]
    return (Int if kind == "int" else Float)(
        described["low"],
        described["high"],
        log=described["log"],
        default=described["default"],
        when=when,
        held=described["held"],
        limits=None if limits is None else tuple(limits),
    )


def _condition(value: Any) -> Any:
    if isinstance(value, Mapping):
        return Not(*value["not"])
    return tuple(value) if isinstance(value, list | tuple) else value


def scale(parameter: Float | Int, value: float) -> float:
    """A value's place in its range, 0 at `low` and 1 at `high`; in logarithms where it is log."""
    low, high = float(parameter.low), float(parameter.high)
    if parameter.log:
        value = max(value, 5e-324)  # a pinned 0 lies below every logarithm
        return (math.log(value) - math.log(low)) / (math.log(high) - math.log(low))
    return (value - low) / (high - low)
