"""Colorectal polyps: hyperplastic, or a sessile serrated adenoma, on the published partition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from bench.spec import Case, Choice, Config, Facts, Int, PublishedSplit, Sample, Scalar, Space, Task

if TYPE_CHECKING:
    import numpy as np

LEFT_OUT = {"none": (), "3": (3,), "4": (4,), "3+4": (3, 4)}
"""The votes for SSA, of seven, whose images are left out of training."""


def samples(case: Case, patch: Any, options: Mapping[str, Scalar]) -> Iterator[Sample]:
    """The one image, antialiased where it is made smaller."""
    import numpy as np
    from PIL import Image

    size, image = int(options["image_size"]), patch.image
    if image.shape[:2] != (size, size):
        resized = Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR)
        image = np.asarray(resized)
    yield Sample(
        id=case.id,
        input=np.ascontiguousarray(image.transpose(2, 0, 1)),
        label=patch.label,
        facts={"votes": float(patch.votes)},
    )


def keep(config: Config, facts: Facts) -> np.ndarray:
    """bool (rows,): the training images on whose class the annotators agreed well enough."""
    import numpy as np

    left_out = LEFT_OUT[str(config.get("leave_out", "none"))]
    return ~np.isin(np.asarray(facts["votes"]), left_out)


def difficulty(facts: Facts) -> np.ndarray:
    """float64 (rows,): 1 for a vote of 3 or 4 of 7, 0 for a unanimous one, linear in between."""
    import numpy as np

    return (3.5 - np.abs(np.asarray(facts["votes"], float) - 3.5)) / 3


TASK = Task(
    title="MHIST, sessile serrated adenoma or hyperplastic polyp",
    dataset="mhist",
    kind="image_classification",
    classes=("HP", "SSA"),
    primary="auroc",
    margin=0.01,
    metrics=(
        "auroc",
        "average_precision",
        "accuracy",
        "balanced_accuracy",
        "sensitivity",
        "specificity",
        "precision",
        "npv",
        "f1",
        "mcc",
        "log_loss",
        "brier",
        "ece",
    ),
    split=PublishedSplit(validation=0.2),
    samples=samples,
    options=Space(image_size=Int(8, 1024, default=224)),
    training=Space(
        leave_out=Choice(*LEFT_OUT),
        balance=Choice("none", "oversample", "smote", "adasyn"),
        per_class=Choice(0, 100, 200, 400),
    ),
    keep=keep,
    difficulty=difficulty,
    strata=("votes",),
    prevalences=(0.01, 0.05, 0.2, 0.5),
)
