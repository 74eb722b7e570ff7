"""The vocabulary: every noun of the protocol as a frozen value. Standard library only.

A *task* is a data set with a split, classes, metrics and a margin. A *family* is a way to build
models. A *space* is what a search may vary. An *entrant* pins part of a family's space under a
label. A *suite* puts tasks and entrants together; a *study* is one search of one entrant on one
task.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from bench.errors import UserError
from bench.overrides import SEARCH
from bench.parameters import Choice, Config, Float, Int, Not, Parameter, Scalar, Text, unknown
from bench.space import Space, content_hash

__all__ = [
    "DEFAULTS",
    "SEARCH",
    "SPLITS",
    "Budget",
    "Case",
    "Choice",
    "Config",
    "Dataset",
    "Entrant",
    "Facts",
    "Family",
    "Float",
    "Fold",
    "GroupSplit",
    "Int",
    "Kind",
    "Masks",
    "Not",
    "Parameter",
    "Phantom",
    "Published",
    "PublishedSplit",
    "Replicates",
    "Report",
    "Sample",
    "Scalar",
    "Search",
    "Shape",
    "Space",
    "Split",
    "Study",
    "Suite",
    "Task",
    "Text",
    "Weights",
    "content_hash",
    "parse_assignments",
    "unknown",
]

Kind = Literal["image_classification", "image_segmentation", "text_classification"]

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


# --- Data -----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One unit of a data set: a CT volume, an image, a text. What a split moves as a whole."""

    id: str
    group: str
    """The patient; the case's own id where the data set publishes no groups."""
    partition: Split | None = None
    """Where the publishers of the data set put it; None where they publish no partition."""
    stratum: str = ""
    """A published training partition is divided alike within each stratum: a class, a vote."""
    source: object = None
    """What the data set's `read` needs to find it: paths, a row."""


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Files on disk in their published format."""

    title: str
    layout: str
    """The files that it consists of, in words, for error messages and `bench list`."""
    groups: Callable[[Path], bool]
    """Whether the files below a folder tell which cases belong to one patient."""
    files: Callable[[Path], list[Path]]
    """The raw files below a folder that make up the data set; empty where there are none."""
    problems: Callable[[Path], list[str]]
    """What is wrong with the names, pairs and tables of the files below a folder, each line naming
    its file; no image, volume or text is read for it. Empty if sound."""
    cases: Callable[[Path], list[Case]]
    """Every case that can be read; those that `problems` names are left out."""
    read: Callable[[Case], Any]
    """A case's raw content: what a task's `samples` takes. Raises BadData with everything that is
    wrong with its files."""
    memory: Callable[[Case], int] = lambda case: 0
    """Bytes that reading a case takes, as its files' sizes or headers tell without reading it; 0
    where that is little or unknown. Cases are read side by side only where a budget allows."""
    id: str = ""

    def __post_init__(self) -> None:
        assert callable(self.groups), "groups is a function of the folder"


@dataclass(frozen=True, kw_only=True)
class Masks:
    """How masks of a data set's cases that were made elsewhere are read."""

    names: Callable[[Case], Sequence[str]]
    """The names that the file of a case's mask may have. UserError for a case that has none."""
    read: Callable[[Case, Path], Any]
    """`read(case, path)`: the case's raw content, as the data set's `read` gives it, with this mask
    in the place of its own. Raises BadData, also for a mask on another grid."""
    options: Mapping[str, Scalar] = field(default_factory=dict)
    """Options with which a task's `samples` gives every row, whatever the mask holds."""
    id: str = ""
    """The data set's."""


@dataclass(frozen=True, kw_only=True)
class Phantom:
    """A generator that writes a data set's real on-disk format."""

    version: int
    """Raised with every change of what is written: it is part of the folder's name."""
    cases: int
    """How many cases it writes unless told."""
    write: Callable[..., None]
    """`write(folder, cases=..., seed=...)`; the same bytes for the same arguments. Memory holds one
    case at most, a large one in parts."""
    shape: bool = False
    """Whether `write` also takes `shape=(columns, rows, slices)` of every case."""
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
class Fold:
    """One split of a patient k-fold: a share 1 / `of` of the groups is its test set."""

    number: int
    """In [0, of)."""
    of: int

    def __str__(self) -> str:
        return f"split {self.number + 1} of {self.of}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """What a task makes of (a part of) a case: one row of a prepared array."""

    id: str
    input: Any
    """uint8 array (channels, height, width), or a str for text."""
    label: Any
    """The class's index, or a uint8 mask (height, width) of class indices."""
    facts: Mapping[str, float] = field(default_factory=dict)
    """What else the case table keeps of it; all samples of a task have the same names. Where cases
    are volumes: `slice`, `spacing_z`, `spacing_y`, `spacing_x` (mm, of the prepared image)."""
    training: bool = True
    """Whether it may be trained on; False for what is kept for evaluation alone."""


Facts = Mapping[str, Any]
"""The case table: by name, an array with a value a row."""


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
    closing_metrics: tuple[str, ...] = ()
    """Ids of metrics that are too slow for every epoch: of a replicate's selected weights only."""
    split: GroupSplit | PublishedSplit
    samples: Callable[[Case, Any, Mapping[str, Scalar]], Iterable[Sample]]
    """`samples(case, raw, options)`: a case's raw content as rows."""
    """May raise UserError for options that contradict each other, BadData for a bad case."""
    options: Space = field(default_factory=Space)
    """What a suite may set of its data: image size, window, slices per volume. The shares of its
    split and `drop_duplicates` are added to what a task names itself."""
    training: Space = field(default_factory=Space)
    """What a suite may set, or let each search vary, of the training set alone: what is left out,
    how classes are balanced. `bench/data/selection.py` says which names have a meaning."""
    keep: Callable[[Config, Facts], Any] | None = None
    """`keep(config, facts)`: bool (rows,), which training rows a configuration trains on."""
    difficulty: Callable[[Facts], Any] | None = None
    """`difficulty(facts)`: float (rows,) >= 0, what `balance = "adasyn"` makes new samples by."""
    strata: tuple[str, ...] = ()
    """Names of facts by whose values a report breaks errors down."""
    prevalences: tuple[float, ...] = ()
    """Of two classes: shares of the second, in (0, 1), for which a report gives predictive values:
    a test set is often richer in it than the population that a model is meant for."""
    version: int = 1
    """Raised with every change of `samples`: part of the prepared data's key."""
    id: str = ""

    def __post_init__(self) -> None:
        common: dict[str, Parameter] = {
            "validation_share": Float(0.01, 0.9, default=self.split.validation)
        }
        if isinstance(self.split, GroupSplit):
            common["test_share"] = Float(0.01, 0.9, default=self.split.test)
        common["drop_duplicates"] = Choice(False, True)
        ours = {name: item for name, item in common.items() if name not in self.options}
        object.__setattr__(self, "options", self.options | ours)

    def protocol(self, options: Mapping[str, Scalar]) -> GroupSplit | PublishedSplit:
        """The split with the shares that these options set. UserError for impossible ones."""
        validation = float(options.get("validation_share", self.split.validation))
        if isinstance(self.split, PublishedSplit):
            return PublishedSplit(validation=validation)
        test = float(options.get("test_share", self.split.test))
        return GroupSplit(train=1 - validation - test, validation=validation, test=test)


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """What a family needs to know of the data to build a model."""

    kind: Kind
    classes: int
    channels: int = 0
    height: int = 0
    width: int = 0
    vocabulary: int = 0
    """Of texts: token ids are below it; 0 where they are hashes of words."""
    max_tokens: int = 0
    """Of texts: the most tokens of one."""


# --- Families and entrants ------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Weights:
    """Pretrained weights, found on this machine."""

    name: str
    """As the configuration names them."""
    path: Path
    """A file of tensors; of a transformers model, its folder."""
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    """Per channel, of intensities in [0, 1]: how the images were normalised that they were trained
    on. Empty where that is not known, and of texts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """A setting that a document reports: a search can try it first."""

    document: str
    """Key of the document, such as `resnet-liver-2023`."""
    settings: Mapping[str, Scalar]
    """Parameters of the family's whole space; the others keep their defaults."""
    tasks: tuple[str, ...] = ()
    """Ids of the tasks that it was reported for; empty: any."""

    def concerns(self, task: str, pins: Mapping[str, Scalar]) -> bool:
        """Whether it was reported for this task, of a model with these pins."""
        return (not self.tasks or task in self.tasks) and all(
            self.settings.get(name, value) == value for name, value in pins.items()
        )


@dataclass(frozen=True, kw_only=True)
class Family:
    """A kind of model: one build function, its own options, the space its training is tuned in."""

    title: str
    kinds: frozenset[Kind]
    space: str
    """Id of the file in `search_spaces/` that holds its training parameters."""
    build: Callable[[Config, Shape], Any]
    """A torch module that maps a batch of inputs to logits: (batch, classes), or (batch, classes,
    height, width) of a segmenter. Texts come as integers (batch, longest), padded with -1."""
    architectures: tuple[str, ...]
    options: Space = field(default_factory=Space)
    """Architecture parameters: pinned by an entrant or searched."""
    tokenizer: Callable[[Config], str] | None = None
    """Of a text model: the id of its tokenizer, `words`, `wordpiece-N` with N tokens, or
    `pretrained:FOLDER`; None is `words`. See bench/data/encodings.py."""
    weights: Callable[[Config], Weights | None] | None = None
    """Finds the pretrained weights that a configuration begins with, fetches them where a hub can
    be reached; None where it begins from scratch. Raises WeightsMissing, and UserError for a name
    that there is not. Without this function a family has no pretrained weights."""
    stages: Callable[[Any], Sequence[Sequence[str]]] | None = None
    """`stages(model)`: the model's parts from input to output, each as prefixes of its parameters'
    names; the last is the head. What `freeze` and `layer_decay` go by; None: see
    bench/train/stages.py."""
    published: tuple[Published, ...] = ()
    """Settings that documents report for its models."""
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
    space: dict[str, Any] = field(default_factory=dict)
    """Changes to its space: by parameter "search", a list of values, or a table of a range."""


DEFAULTS = "defaults"


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    """How each study searches. The effort binds; `max_trials` only caps it."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    sampler: Literal["tpe", "gp", "cmaes", "random", "qmc", "grid"] = "tpe"
    sampler_options: dict[str, Scalar] = field(default_factory=dict)
    """Of Optuna's sampler, such as `multivariate` of TPE: docs/search.md lists them."""
    scheduler: Literal["asha", "asha_promote", "hyperband", "median", "none"] = "asha_promote"
    effort_epochs: int | None = None
    """Epochs that each study spends, over all its trials, stopped and failed ones included."""
    effort_seconds: float | None = None
    """Charged seconds in their place."""
    max_epochs: int
    """The most epochs of one trial; learning-rate schedules run over them."""
    max_seconds: float | None = None
    """Charged seconds of one trial, in the place of max_epochs: training stops at the step, and
    schedules run over the share of them that is spent."""
    grace_epochs: int = 1
    """The first rung: no trial is stopped before it."""
    grace_seconds: float | None = None
    """The first rung in charged seconds; then all rungs are in charged seconds."""
    reduction_factor: int = 3
    """Eta: of each rung, the best 1/eta go on."""
    max_trials: int | None = None
    confirm: int = 0
    """So many of the best trials are trained again under fresh seeds, and the best mean wins; 0:
    the best validation score wins."""
    confirm_seeds: int = 2
    """Fresh seeds of each; their epochs are part of the effort."""
    enqueue: tuple[str, ...] = (DEFAULTS,)
    """What each search tries first, with the entrant's pins: `defaults`, the space's, and by the
    keys of documents what those report for the entrant's model on the task."""
    patience: int | None = None
    """Epochs without a better score after which a trial or replicate ends; None: never."""

    def __post_init__(self) -> None:
        floors = {"max_epochs": 1, "grace_epochs": 1, "reduction_factor": 2, "confirm_seeds": 1}
        floors |= {
            name: 1 for name in ("effort_epochs", "max_trials", "patience") if self._has(name)
        }
        _at_least(self, confirm=0, **floors)
        for name in ("effort_seconds", "max_seconds", "grace_seconds"):
            if self._has(name) and not (
                math.isfinite(getattr(self, name)) and getattr(self, name) > 0
            ):
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        if self._has("effort_epochs") == self._has("effort_seconds"):
            raise ValueError(
                "a search has an effort: give effort_epochs, or effort_seconds instead"
            )
        if self.grace_epochs > self.max_epochs:
            raise ValueError(
                f"grace_epochs must be at most max_epochs, got {self.grace_epochs} > "
                f"{self.max_epochs}"
            )
        if self.in_effort_seconds and self.confirm:
            raise ValueError(
                "confirm needs an effort in epochs, got effort_seconds: what it will take in "
                "seconds is not known beforehand"
            )
        least = self.max_epochs + self.reserved
        if self.effort_seconds is not None and self.effort_seconds < (self.max_seconds or 0):
            raise ValueError(
                f"effort_seconds must pay for one whole trial of max_seconds, got "
                f"{self.effort_seconds:g} < {self.max_seconds:g}"
            )
        if self.effort_epochs is not None and self.effort_epochs < least:
            kept = f" and {self.reserved} of confirmation" if self.reserved else ""
            raise ValueError(
                f"effort_epochs must pay for one whole trial of max_epochs{kept}, got "
                f"{self.effort_epochs} < {least}"
            )

    def _has(self, name: str) -> bool:
        return getattr(self, name) is not None

    @property
    def effort(self) -> float:
        """What each study spends: epochs, or charged seconds where it is in those."""
        found = self.effort_epochs if self.effort_seconds is None else self.effort_seconds
        assert found is not None
        return found

    @property
    def in_effort_seconds(self) -> bool:
        """Whether the effort is in charged seconds."""
        return self.effort_seconds is not None

    @property
    def in_seconds(self) -> bool:
        """Whether the rungs are in charged seconds."""
        return self.grace_seconds is not None

    @property
    def reserved(self) -> int:
        """Epochs of the effort that are kept for confirmation."""
        return self.confirm * self.confirm_seeds * self.max_epochs

    def rungs(self) -> Iterator[float]:
        """The rungs, lowest first: the grace period times powers of the reduction factor.

        In epochs they end below max_epochs, in charged seconds below max_seconds if there are.
        """
        if self.scheduler == "none":
            return
        rung: float = self.grace_epochs if self.grace_seconds is None else self.grace_seconds
        end = (self.max_seconds or math.inf) if self.in_seconds else self.max_epochs
        while rung < end:
            yield rung
            rung *= self.reduction_factor


@dataclass(frozen=True, kw_only=True, slots=True)
class Replicates:
    """How often an entrant's result is repeated, and how each winner is retrained."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    seeds: int = 5
    """Trainings of each winner."""
    searches: int = 1
    """Independent searches of each entrant, each with the whole effort and a winner of its own:
    1, or 3 and more."""
    splits: int = 1
    """1: the task's own split. 3 and more: a patient k-fold, each split searched by itself."""
    refit: Literal["train", "train+validation"] = "train"
    """Train on the training split and select the epoch on validation; or train on both, for the
    number of epochs at which the winner was best."""
    time_budgets_s: tuple[float, ...] = ()
    """Fixed-time comparisons: for each of these charged seconds a search of its own, whose trials
    and replicates train for so long, one at a time on a device."""
    time_trials: int = 8
    """What a search under such a budget may spend: so many whole trainings."""

    def __post_init__(self) -> None:
        _at_least(self, seeds=1, searches=1, splits=1, time_trials=1)
        if len(set(self.time_budgets_s)) < len(self.time_budgets_s) or not all(
            math.isfinite(budget) and budget > 0 for budget in self.time_budgets_s
        ):
            raise ValueError(
                f"time_budgets_s are different numbers of seconds above 0, got "
                f"{list(self.time_budgets_s)}"
            )
        for name in ("searches", "splits"):
            if getattr(self, name) == 2:
                raise ValueError(
                    f"{name} must be 1, or 3 and more, got 2: two say too little of how they vary"
                )


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
    training: dict[str, dict[str, Scalar]] = field(default_factory=dict)
    """Per task, those of its training-set parameters that no search varies."""
    searches: dict[str, Search] = field(default_factory=dict)
    """Per task whose search differs from that of the others, how it is searched."""
    spaces: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Per space, what the suite changes in it; the entrants' `space` holds it already."""
    phantom_cases: dict[str, int] = field(default_factory=dict)
    """Per data set, how many cases its phantom has at this scale."""
    primary: str = "mean_difference"
    """The one confirmatory analysis."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Study:
    """One search of one entrant on one task, on one split of its data."""

    id: str
    """Readable, and unique by a hash of all that defines the study."""
    task: str
    entrant: Entrant
    search_number: int = 0
    """Which of the entrant's independent searches it is, from 0."""
    fold: Fold | None = None
    """Its split of a patient k-fold; None: the task's own split."""
    time_budget_s: float | None = None
    """Of a fixed-time comparison, the charged seconds of each training; None: epochs decide."""
    space: dict[str, dict[str, object]]
    """Canonical form of the whole space, pinned parameters included."""
    pinned: dict[str, Scalar]
    """What its search does not vary: pins, what is fixed of the training set, held parameters."""
    free: tuple[str, ...] = ()
    """What it varies."""
    enqueued: tuple[dict[str, Scalar], ...] = ()
    """Whole configurations that it tries first."""
    search: Search
    replicates: Replicates
    seed: int
    """From which all its random streams come."""

    @property
    def part(self) -> str:
        """Which of the entrant's studies on this task it is; empty where there is one."""
        return part_name(
            self.fold, self.search_number, self.replicates.searches, self.time_budget_s
        )

    @property
    def data(self) -> str:
        """The key of its prepared data: the task, and the split where there are several."""
        return self.task if self.fold is None else f"{self.task}, {self.fold}"


def part_name(
    fold: Fold | None, search_number: int, searches: int, time_budget_s: float | None = None
) -> str:
    """`split 2 of 5, search 3`: which of an entrant's studies on a task; empty for the only one."""
    parts = [f"{time_budget_s:g} s"] if time_budget_s is not None else []
    parts += [str(fold)] if fold is not None else []
    parts += [f"search {search_number + 1}"] if searches > 1 else []
    return ", ".join(parts)


# --- One trial ------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """How long a trial may train."""

    max_epochs: int
    """What learning-rate schedules run over."""
    max_seconds: float | None = None
    """Charged seconds in the place of max_epochs: training stops at the step that reaches them, and
    schedules run over the share of them that is spent."""
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
