"""Tasks: a data set with a split, classes, metrics and a margin."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from bench.parameters import Choice, Config, Float, Parameter, Scalar
from bench.space import Space
from bench.spec.data import Case, GroupSplit, PublishedSplit, Sample

Kind = Literal["image_classification", "image_segmentation", "text_classification"]

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
