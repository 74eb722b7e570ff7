"""The vocabulary: every noun of the protocol as a frozen value. Standard library only.

A *task* is a data set with a split, classes, metrics and a margin. A *family* is a way to build
models. A *space* is what a search may vary. An *entrant* pins part of a family's space under a
label. A *suite* puts tasks and entrants together; a *study* is one search of one entrant on one
task.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from bench.errors import UserError

Kind = Literal["image_classification", "image_segmentation", "text_classification"]

Scalar = bool | int | float | str
Config = dict[str, Scalar]
"""A trial's configuration: flat, JSON-serialisable, active parameters only."""

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


def content_hash(value: object, *, length: int = 12) -> str:
    """A short hash of a JSON-serialisable value; the same for equal values on any machine."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()[:length]


# --- Spaces ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Float:
    """A real parameter in [low, high], uniform or, with `log`, uniform in its logarithm."""

    low: float
    high: float
    log: bool = field(default=False, kw_only=True)
    default: float | None = field(default=None, kw_only=True)
    when: Mapping[str, Scalar] | None = field(default=None, kw_only=True)
    """Active only where another parameter has this value."""

    def __post_init__(self) -> None:
        _check_range(self.low, self.high, log=self.log)
        object.__setattr__(self, "low", float(self.low))
        object.__setattr__(self, "high", float(self.high))

    def middle(self) -> float:
        """The default, or the middle of the range on its own scale."""
        if self.default is not None:
            return self.default
        if self.log:
            return math.sqrt(self.low * self.high)
        return (self.low + self.high) / 2

    def mistake(self, value: object) -> str | None:
        """What is wrong with a value for this parameter; None where it is allowed."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"must be a number, got {value!r}"
        if not self.low <= value <= self.high:
            return f"must lie in [{self.low:g}, {self.high:g}], got {value!r}"
        return None


@dataclass(frozen=True, slots=True)
class Int:
    """A whole parameter in [low, high], both ends included."""

    low: int
    high: int
    log: bool = field(default=False, kw_only=True)
    default: int | None = field(default=None, kw_only=True)
    when: Mapping[str, Scalar] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        _check_range(self.low, self.high, log=self.log)

    def middle(self) -> int:
        """The default, or the middle of the range on its own scale."""
        if self.default is not None:
            return self.default
        if self.log:
            return round(math.sqrt(self.low * self.high))
        return (self.low + self.high) // 2

    def mistake(self, value: object) -> str | None:
        """What is wrong with a value for this parameter; None where it is allowed."""
        if isinstance(value, bool) or not isinstance(value, int):
            return f"must be a whole number, got {value!r}"
        if not self.low <= value <= self.high:
            return f"must lie in [{self.low}, {self.high}], got {value!r}"
        return None


@dataclass(frozen=True, slots=True, init=False)
class Choice:
    """One of several values; the first is the default."""

    values: tuple[Scalar, ...]
    when: Mapping[str, Scalar] | None

    def __init__(self, *values: Scalar, when: Mapping[str, Scalar] | None = None) -> None:
        if len(values) < 2 or len(set(values)) < len(values):
            raise UserError(f"a choice needs two or more different values, got {values!r}")
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "when", when)

    def middle(self) -> Scalar:
        """The default: the first value."""
        return self.values[0]

    def mistake(self, value: object) -> str | None:
        """What is wrong with a value for this parameter; None where it is allowed."""
        if value not in self.values or any(
            isinstance(value, bool) != isinstance(v, bool) for v in self.values if v == value
        ):
            return f"must be one of {', '.join(map(repr, self.values))}, got {value!r}"
        return None


Parameter = Float | Int | Choice


def _check_range(low: float, high: float, *, log: bool) -> None:
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise UserError(f"a range needs finite low < high, got {low=}, {high=}")
    if log and low <= 0:
        raise UserError(f"a log scale needs 0 < low < high, got {low=}, {high=}: raise low above 0")


class Space(Mapping[str, Parameter]):
    """An ordered, named set of parameters; conditions look back to earlier ones."""

    def __init__(self, **parameters: Parameter) -> None:
        self._parameters = dict(parameters)
        seen: dict[str, Parameter] = {}
        for name, parameter in parameters.items():
            for other, value in (parameter.when or {}).items():
                if other not in seen:
                    raise UserError(
                        f"{name}: `when` looks back to an earlier parameter, {other!r} is none"
                    )
                if mistake := seen[other].mistake(value):
                    raise UserError(f"{name}: `when` asks for {other} = {value!r}: {mistake}")
            seen[name] = parameter

    def __getitem__(self, name: str) -> Parameter:
        return self._parameters[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def __len__(self) -> int:
        return len(self._parameters)

    def __repr__(self) -> str:
        return f"Space({', '.join(self)})"

    def __or__(self, other: Mapping[str, Parameter]) -> Space:
        """Both spaces together; a name in both is a mistake."""
        if both := set(self) & set(other):
            raise UserError(f"two spaces both name {', '.join(sorted(both))}: rename one of them")
        return Space(**{**self._parameters, **other})

    def resolve(
        self, suggest: Callable[[str, Parameter], Scalar], *, pinned: Mapping[str, Scalar]
    ) -> Config:
        """A configuration: pinned values as given, the other active ones from `suggest`.

        Parameters whose condition does not hold are left out, pinned or not, so that a
        configuration holds exactly what has an effect.
        """
        config: Config = {}
        for name, parameter in self.items():
            if all(config.get(other) == value for other, value in (parameter.when or {}).items()):
                config[name] = pinned[name] if name in pinned else suggest(name, parameter)
        return config

    def defaults(self, *, pinned: Mapping[str, Scalar] | None = None) -> Config:
        """The configuration of every parameter's default."""
        return self.resolve(lambda _, parameter: parameter.middle(), pinned=pinned or {})

    def mistakes(self, pins: Mapping[str, object]) -> list[str]:
        """What is wrong with these values; unknown names come with the nearest known one."""
        found = []
        for name, value in pins.items():
            if name not in self:
                found.append(unknown("parameter", name, self))
            elif mistake := self[name].mistake(value):
                found.append(f"{name} {mistake}")
        return found

    def free(self, pins: Mapping[str, object]) -> tuple[str, ...]:
        """The parameters that a search varies once these are pinned."""
        return tuple(name for name in self if name not in pins)

    def canonical(self) -> dict[str, dict[str, object]]:
        """A JSON-serialisable description, the same for equal spaces."""
        return {
            name: {"type": type(parameter).__name__.lower(), **asdict(parameter)}
            for name, parameter in self.items()
        }


def unknown(noun: str, value: object, known: Iterable[str]) -> str:
    """The sentence for an unknown name: the value, the nearest known one, or all of them."""
    from difflib import get_close_matches

    names = sorted(known)
    near = get_close_matches(str(value), names, n=1, cutoff=0.5)
    if near:
        return f"unknown {noun} {value!r}: did you mean {near[0]!r}?"
    return f"unknown {noun} {value!r}: known are {', '.join(names) or 'none'}"


# --- Data -----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One unit of a data set: a CT volume, an image, a text. What a split moves as a whole."""

    id: str
    group: str
    """The patient; the case's own id where the data set publishes no groups."""
    partition: Split | None = None
    """Where the publishers of the data set put it; None where they publish no partition."""
    source: object = None
    """What the data set's `read` needs to find it: paths, a row."""


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Files on disk in their published format."""

    title: str
    layout: str
    """The files that it consists of, in words, for error messages and `bench list`."""
    groups: bool
    """Whether the data set tells which cases belong to one patient."""
    files: Callable[[Path], list[Path]]
    """The raw files below a folder that make up the data set; empty where there are none."""
    check: Callable[[Path], list[str]]
    """Every problem of the files below a folder, each naming its file; empty if sound."""
    cases: Callable[[Path], list[Case]]
    read: Callable[[Case], Any]
    """A case's raw content: what a task's `samples` takes."""
    id: str = ""


@dataclass(frozen=True, kw_only=True)
class Phantom:
    """A generator that writes a data set's real on-disk format."""

    version: int
    """Raised with every change of what is written: it is part of the folder's name."""
    cases: int
    """How many cases it writes unless told."""
    write: Callable[..., None]
    """`write(folder, cases=..., seed=...)`; the same bytes for the same arguments."""
    id: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupSplit:
    """Split whole groups (patients) at random into these fractions."""

    train: float
    validation: float
    test: float

    def __post_init__(self) -> None:
        parts = (self.train, self.validation, self.test)
        if min(parts) <= 0 or not math.isclose(sum(parts), 1.0):
            raise UserError(f"split fractions must be positive and sum to 1, got {parts}")


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedSplit:
    """The published train and test partitions; a share of train becomes validation."""

    validation: float

    def __post_init__(self) -> None:
        if not 0 < self.validation < 1:
            raise UserError(f"validation must lie in (0, 1), got {self.validation}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """What a task makes of (a part of) a case: one row of a prepared array."""

    id: str
    input: Any
    """uint8 array (channels, height, width), or a str for text."""
    label: Any
    """The class's index, or a uint8 mask (height, width)."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """A data set, a split protocol, classes, metrics, the primary one and its margin."""

    title: str
    dataset: str
    kind: Kind
    classes: tuple[str, ...]
    primary: str
    """Id of the metric that validation selects by and that the leaderboard ranks by."""
    margin: float
    """The smallest difference of the primary metric that matters."""
    metrics: tuple[str, ...]
    """Ids of the metrics that are recorded; the primary is one of them."""
    split: GroupSplit | PublishedSplit
    samples: Callable[[Case, Any, Mapping[str, Scalar]], Iterable[Sample]]
    """`samples(case, raw, options)`: a case's raw content as rows."""
    options: Mapping[str, Scalar] = field(default_factory=dict)
    """What a suite may set of it, with the defaults: image size, window, slices per volume."""
    version: int = 1
    """Raised with every change of `samples`: part of the prepared data's key."""
    id: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """What a family needs to know of the data to build a model."""

    kind: Kind
    classes: int
    channels: int = 0
    height: int = 0
    width: int = 0


# --- Families and entrants ------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Family:
    """A kind of model: one build function, its own options, the space its training is tuned in."""

    title: str
    kinds: frozenset[Kind]
    space: str
    """Id of the file in `search_spaces/` that holds its training parameters."""
    build: Callable[[Config, Shape], Any]
    """A torch module that maps a batch of inputs to logits (batch, classes)."""
    architectures: tuple[str, ...]
    options: Space = field(default_factory=Space)
    """Architecture parameters: pinned by an entrant or searched."""
    id: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entrant:
    """What a leaderboard ranks: a family with pinned parameters under a label."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    label: str
    family: str
    group: str | None = None
    """Entrants of one group can be ranked together as if they had shared one effort."""
    tasks: tuple[str, ...] | None = None
    """The suite's tasks that it enters; None: every one that the family can take."""
    pin: dict[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    """How each study searches. The effort binds; `max_trials` only caps it."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    sampler: Literal["tpe", "random"] = "tpe"
    scheduler: Literal["asha", "none"] = "asha"
    effort_epochs: int
    """Epochs that each study spends, over all its trials, stopped and failed ones included."""
    max_epochs: int
    """The most epochs of one trial; learning-rate schedules run over them."""
    grace_epochs: int = 1
    """ASHA's first rung: no trial is stopped before it."""
    reduction_factor: int = 3
    """ASHA's eta: of each rung, the best 1/eta go on."""
    max_trials: int | None = None
    enqueue_defaults: bool = True
    """Whether each search tries its space's defaults, with the entrant's pins, first."""
    patience: int | None = None
    """Epochs without a better score after which a trial or replicate ends; None: never."""

    def __post_init__(self) -> None:
        _at_least(self, effort_epochs=1, max_epochs=1, grace_epochs=1, reduction_factor=2)
        if self.max_trials is not None:
            _at_least(self, max_trials=1)
        if self.patience is not None:
            _at_least(self, patience=1)
        if self.grace_epochs > self.max_epochs:
            raise ValueError(
                f"grace_epochs must be at most max_epochs, got {self.grace_epochs} > "
                f"{self.max_epochs}"
            )
        if self.effort_epochs < self.max_epochs:
            raise ValueError(
                f"effort_epochs must pay for one whole trial of max_epochs, got "
                f"{self.effort_epochs} < {self.max_epochs}"
            )

    def rungs(self) -> tuple[int, ...]:
        """ASHA's rungs in epochs: grace_epochs times powers of the reduction factor."""
        rungs, epoch = [], self.grace_epochs
        while self.scheduler == "asha" and epoch < self.max_epochs:
            rungs.append(epoch)
            epoch *= self.reduction_factor
        return tuple(rungs)


@dataclass(frozen=True, kw_only=True, slots=True)
class Replicates:
    """How each winner is retrained."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    seeds: int = 5
    refit: Literal["train", "train+validation"] = "train"
    """Train on the training split and select the epoch on validation; or train on both, for the
    number of epochs at which the winner was best."""

    def __post_init__(self) -> None:
        _at_least(self, seeds=1)


def _at_least(owner: object, **floors: int) -> None:
    for name, floor in floors.items():
        value = getattr(owner, name)
        if value < floor:
            raise ValueError(f"{name} must be at least {floor}, got {value}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Suite:
    """A suite at one scale, resolved: nothing in it depends on defaults any more."""

    id: str
    title: str
    scale: str
    seed: int
    tasks: tuple[str, ...]
    entrants: tuple[Entrant, ...]
    search: Search
    replicates: Replicates
    options: dict[str, dict[str, Scalar]]
    """Per task, its options."""
    phantom_cases: dict[str, int]
    """Per data set, how many cases its phantom has at this scale."""
    primary: str = "mean_difference"
    """The one confirmatory analysis."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Study:
    """One search of one entrant on one task."""

    id: str
    """Readable, and unique by a hash of all that defines the study."""
    task: str
    entrant: Entrant
    space: dict[str, dict[str, object]]
    """Canonical form of the whole space, pinned parameters included."""
    pinned: dict[str, Scalar]
    search: Search
    replicates: Replicates
    seed: int
    """From which all its random streams come."""


# --- One trial ------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """How long a trial may train."""

    max_epochs: int
    """What learning-rate schedules run over."""
    stop_epoch: int | None = None
    """Where training ends; None: at max_epochs."""
    patience: int | None = None
    """Epochs without a better score after which training ends; None: never."""

    @property
    def end(self) -> int:
        return self.max_epochs if self.stop_epoch is None else self.stop_epoch


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What `fit` yields after each epoch."""

    epoch: int
    """Epochs trained so far, from 1."""
    charged_seconds: float
    """Training time of this epoch only."""
    free_seconds: float
    """Validation, checkpoints and set-up of this epoch."""
    score: float | None
    """The primary validation metric, turned so that greater is better; None without validation."""
    metrics: dict[str, float]
    """Validation metrics by id; `train_loss` too."""
    notes: tuple[str, ...] = ()
    """What a reader should know: a halved micro-batch, early stopping."""
    last: bool = False
    """Whether training ended with this epoch."""


def parse_assignments(pairs: Sequence[str]) -> dict[str, Scalar]:
    """`["lr=1e-3", "depth=18"]` as values: numbers and booleans where they read as such."""
    values: dict[str, Scalar] = {}
    for pair in pairs:
        name, sign, text = pair.partition("=")
        if not sign or not name:
            raise UserError(f"--set takes key=value, got {pair!r}")
        values[name.strip()] = _scalar(text.strip())
    return values


def _scalar(text: str) -> Scalar:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
