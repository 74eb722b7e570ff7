"""A replicate's selected weights on the splits that its caller may open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from bench import metrics
from bench.data import batches
from bench.data.prepared import PreparedTask
from bench.spec import Config, Family, Split, Task
from bench.train.checkpoint import Checkpoint
from bench.train.predict import predict
from bench.train.training import build


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One split: arrays in its order."""

    ids: np.ndarray
    """str (cases,)."""
    groups: np.ndarray
    """str (cases,): the patients."""
    labels: np.ndarray
    """int64 (cases,)."""
    scores: np.ndarray
    """Probabilities, float32 (cases, classes)."""
    metrics: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """A replicate's outcome."""

    splits: dict[Split, Outcome]
    parameters: int
    selected_epoch: int
    """The epoch whose weights were scored; 0: the initial ones."""
    peak_memory_mb: float | None
    """Of the GPU, in training; None on a CPU."""


def evaluate(
    *,
    task: Task,
    family: Family,
    config: Config,
    data: PreparedTask,
    checkpoint: Checkpoint,
    device: str,
    splits: Sequence[Split] = ("validation", "test"),
) -> Evaluation:
    """Score a replicate's selected weights; opens the named splits and no other.

    Raises FileNotFoundError where the checkpoint is missing, damaged, or a search trial's.
    """
    state = checkpoint.load()
    if state is None or "best" not in state:
        raise FileNotFoundError(
            f"a replicate's checkpoint is needed at {checkpoint.url}, "
            f"{checkpoint.note or 'there is none'}: train the replicate again"
        )
    model = build(family, config, data, seed=0, device=torch.device(device))
    model.load_state_dict(state["best"])
    return Evaluation(
        splits={split: _outcome(task, model, data, split, device) for split in splits},
        parameters=state["parameters"],
        selected_epoch=state["selected_epoch"],
        peak_memory_mb=state["peak_memory_mb"],
    )


def _outcome(
    task: Task, model: torch.nn.Module, data: PreparedTask, split: Split, device: str
) -> Outcome:
    opened = data.open(split)
    labels, scores = predict(model, batches.load(data, (split,), device=device))
    return Outcome(
        ids=np.array(opened.ids),
        groups=np.array(opened.groups),
        labels=labels,
        scores=scores,
        metrics=metrics.evaluate(
            task.metrics, true=labels, scores=scores, class_names=task.classes
        ),
    )
