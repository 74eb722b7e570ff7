"""The pretrained weights that a plan asks for: found, or named as missing, before a run begins."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench import plugins, registry
from bench.errors import REMEDIES, UserError, WeightsMissing
from bench.spec import (
    Choice,
    Config,
    Entrant,
    Family,
    Scalar,
    Space,
    Study,
    Text,
    Weights,
    content_hash,
)

Record = dict[str, Any]
"""What a run's file keeps of weights: `name`, `sha256`, `bytes`. Never where they lie."""

MOST = 256
"""Combinations of a search's choices that are looked through; above, one choice at a time."""


def find(studies: Sequence[Study]) -> dict[str, list[Record]]:
    """By study, the weights that any of its configurations may begin with, each once.

    What a hub has is fetched into its cache. Raises one UserError with all that cannot be had:
    which weights, for which entrants, where they were looked for, and how to provide them.
    """
    seeker = _Seeker()
    found = {study.id: seeker.of(study) for study in studies}
    seeker.raise_missing()
    return {id: records for id, records in found.items() if records}


def check_unchanged(
    studies: Sequence[Study], recorded: Mapping[str, Sequence[Mapping[str, Any]]]
) -> None:
    """Hold the weights on this machine against those that a run began with.

    Raises UserError where any is missing or has another content.
    """
    known = [study for study in studies if study.id in recorded]
    for id, records in find(known).items():
        # One name may stand for the weights of several architectures.
        before = {(entry["name"], entry["sha256"]) for entry in recorded[id]}
        for entry in records:
            if (entry["name"], entry["sha256"]) not in before:
                raise UserError(
                    f"the weights {entry['name']!r} of {id} are not those that the run began with: "
                    f"sha256 {entry['sha256'][:12]} is new: bring the others back, or begin a new "
                    "run"
                )


@dataclass
class _Seeker:
    """Asks families for weights, each question once, and gathers what cannot be had."""

    asked: dict[str, Weights | None] = field(default_factory=dict)
    missing: dict[tuple[str, str], dict[str, None]] = field(default_factory=dict)
    """By weights and the places where they were looked for: the labels of entrants, in order."""
    mistakes: dict[str, None] = field(default_factory=dict)

    def of(self, study: Study) -> list[Record]:
        """The records of a study's weights."""
        from bench.weights import describe

        family: Family = registry.families().get(study.entrant.family)
        if family.weights is None:
            return []
        records: list[Record] = []
        for config in configurations(study, family):
            weights = self._ask(family, config, study)
            record = None if weights is None else describe(weights)
            if record is not None and record not in records:
                records.append(record)
        return records

    def _ask(self, family: Family, config: Config, study: Study) -> Weights | None:
        assert family.weights is not None
        own = {name: value for name, value in config.items() if name in family.options}
        key = content_hash([family.id, own])
        if key in self.asked:
            return self.asked[key]
        label = study.entrant.label
        try:
            self.asked[key] = family.weights(config)
            return self.asked[key]
        except WeightsMissing as error:
            self.missing.setdefault((error.name, "; ".join(error.looked)), {})[label] = None
        except UserError as error:
            self.mistakes[f"{label}: {_placed(error)}"] = None
        except Exception as error:  # of a plug-in; the others are asked too
            self.mistakes[f"{label}: {_placed(error)}"] = None
        return None

    def raise_missing(self) -> None:
        lines = [
            f"{name!r} for {', '.join(labels)}, looked for in {looked}"
            for (name, looked), labels in self.missing.items()
        ]
        if lines or self.mistakes:
            error = UserError.of([*lines, *self.mistakes], heading="pretrained weights are missing")
            gap = "\n  " if len(lines) + len(self.mistakes) > 1 else ". "
            raise UserError(f"{error}{gap}{REMEDIES}" if lines else str(error))


def _placed(error: Exception) -> str:
    place = plugins.where(error)
    return f"{place}: {plugins.said(error)}" if place else plugins.said(error)


def configurations(study: Study, family: Family) -> Iterator[Config]:
    """Configurations that differ in what a family's weights may depend on: the defaults, what is
    enqueued, and the values of the family's own choices that a search may draw, combined."""
    space = registry.space_of(family, registry.tasks().get(study.task), study.entrant.space)
    yield space.defaults(pinned=study.pinned)
    yield from study.enqueued
    choices = searched_choices(space, study, names=family.options)
    combined = 1
    for values in choices.values():
        combined *= len(values)
    if combined <= MOST:
        changes: Iterator[dict[str, Scalar]] = (
            dict(zip(choices, values, strict=True))
            for values in itertools.product(*choices.values())
        )
    else:
        changes = ({name: value} for name, values in choices.items() for value in values)
    for change in changes:
        yield space.defaults(pinned=study.pinned | change)


def searched_choices(
    space: Space, study: Study, *, names: Sequence[str] | Mapping[str, object]
) -> dict[str, tuple[Scalar, ...]]:
    """Of these parameters, the choices that the study's search varies, with their values."""
    return {
        name: parameter.values
        for name in space.free(study.pinned)
        if name in names and isinstance(parameter := space[name], Choice)
    }


# --- Paths ----------------------------------------------------------------------------------


def absolute(entrant: Entrant) -> Entrant:
    """The entrant with the local files and folders that it names by absolute paths: workers train
    in other folders. Entrants of families that there are not stay as they are."""
    family: Family | None = registry.families().items.get(entrant.family)
    if family is None:
        return entrant
    space = registry.space_of(family)
    names = {name for name, parameter in space.items() if isinstance(parameter, Text)}

    def made(name: str, value: Any) -> Any:
        if name not in names or not isinstance(value, str):
            return value
        asked = {**entrant.pin, name: value}
        pins = {key: item for key, item in asked.items() if key in space}
        return _path(value, lambda: _found(family, space.defaults(pinned=pins)))

    pin = {name: made(name, value) for name, value in entrant.pin.items()}
    overrides = {
        name: [made(name, value) for value in override] if isinstance(override, list) else override
        for name, override in entrant.space.items()
    }
    return replace(entrant, pin=pin, space=overrides)


def _path(value: str, find: Callable[[], Weights | None]) -> str:
    """A local path made absolute; a name stays a name, also where something of that name lies in
    this folder and is not what `find` finds."""
    path = Path(value).expanduser()
    if value.startswith(("/", ".", "~")):
        return str(path.absolute())
    if not path.exists():
        return value
    if (weights := find()) is None or not weights.path.is_relative_to(path.absolute()):
        return value
    return str(path.absolute())


def _found(family: Family, config: Config) -> Weights | None:
    """The weights of a configuration where they can be had, else None: what is wrong is said when
    all weights are looked for."""
    try:
        return None if family.weights is None else family.weights(config)
    except Exception:  # of a plug-in too
        return None
