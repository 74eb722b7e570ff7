"""Data sets: their cases, how they are divided, and the rows that a task makes of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from bench.errors import UserError
from bench.parameters import Scalar

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


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
class Unlabelled:
    """How new files in a data set's format are read that nobody has labelled."""

    layout: str
    """What such a file is, in words, for error messages."""
    takes: Callable[[Path], bool]
    """Whether a file of this name is one."""
    cases: Callable[[Path], Sequence[Case]]
    """`cases(path)`: what a file holds, in its order: one volume, one image, many texts. Raises
    BadData."""
    read: Callable[[Case], Any]
    """A case's raw content, as the data set's `read` gives it; its label means nothing. Raises
    BadData."""
    options: Mapping[str, Scalar] = field(default_factory=dict)
    """Options with which a task's `samples` gives every row, whatever the labels are."""
    mask: Callable[[Any, Any], Any] | None = None
    """`mask(raw, scores)`: of a row's scores, float32 (classes, height, width) as it was prepared,
    the classes on the grid of the raw content, uint8 (rows, columns)."""
    write: Callable[[Case, Any, Path, str], None] | None = None
    """`write(case, masks, place, remark)`: the masks of all of a case's rows, uint8 (rows of the
    case, rows, columns), as a file beside which the case's own fits; remark: up to 79 ASCII
    characters that the file keeps."""
    mask_name: Callable[[Case], str] | None = None
    """The name of that file. None, as of the two above, where there are no masks."""
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
