"""The vocabulary: every noun of the protocol as a frozen value. Standard library only.

A *task* is a data set with a split, classes, metrics and a margin. A *family* is a way to build
models. A *space* is what a search may vary. An *entrant* pins part of a family's space under a
label. A *suite* puts tasks and entrants together; a *study* is one search of one entrant on one
task.
"""

from __future__ import annotations

from bench.overrides import SEARCH
from bench.parameters import Choice, Config, Float, Int, Not, Parameter, Scalar, Text, unknown
from bench.space import Space, content_hash
from bench.spec.data import (
    SPLITS,
    Case,
    Dataset,
    Fold,
    GroupSplit,
    Masks,
    Phantom,
    PublishedSplit,
    Sample,
    Split,
    Unlabelled,
)
from bench.spec.family import Family, Published, Weights
from bench.spec.search import DEFAULTS, Entrant, Replicates, Search
from bench.spec.suite import Study, Suite, part_name
from bench.spec.task import Facts, Kind, Shape, Task
from bench.spec.trial import Budget, Report, parse_assignments

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
    "Unlabelled",
    "Weights",
    "content_hash",
    "parse_assignments",
    "part_name",
    "unknown",
]
