"""News texts in four topics, on the published partition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bench.spec import Case, PublishedSplit, Sample, Scalar, Task


def samples(case: Case, row: Any, options: Mapping[str, Scalar]) -> Iterator[Sample]:
    """The row's one text."""
    yield Sample(id=case.id, input=row.text, label=row.label)


TASK = Task(
    title="AG News, topic classification",
    dataset="ag_news",
    kind="text_classification",
    classes=("World", "Sports", "Business", "Sci/Tech"),
    primary="accuracy",
    margin=0.005,
    metrics=(
        "accuracy",
        "macro_f1",
        "balanced_accuracy",
        "mcc",
        "auroc",
        "average_precision",
        "log_loss",
        "brier",
        "ece",
        "per_class_f1",
        "per_class_recall",
        "per_class_precision",
    ),
    split=PublishedSplit(validation=0.2),
    samples=samples,
)
