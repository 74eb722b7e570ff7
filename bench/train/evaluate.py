"""A replicate's selected weights on the splits that its caller may open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from bench.data import batches
from bench.data.prepared import PreparedTask
from bench.spec import Config, Family, Split, Task
from bench.train.checkpoint import Checkpoint
from bench.train.gallery import gallery as gallery_of
from bench.train.model import Inputs, build, inputs_of
from bench.train.outcome import Outcome, judge


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """A replicate's outcome."""

    splits: dict[Split, Outcome]
    parameters: int
    training_rows: int
    """How many different rows an epoch trained on; on average, where the last was cut short."""
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
    gallery: Split | None = None,
) -> Evaluation:
    """Score a replicate's selected weights; opens the named splits and no other.

    Outcomes also hold `ids` and `groups` (the patients), both str (rows,); of classifiers
    `fact_<name>`, float64 (rows,), for each of the task's strata; of segmenters `cases` (the
    volumes), str (rows,). The test split alone is judged by the closing metrics. `gallery`: the one
    of the splits whose best, median and worst cases are kept, as `gallery_<name>` (see
    `bench.train.gallery`).

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
    inputs = inputs_of(family, config, data)
    return Evaluation(
        splits={
            split: _outcome(
                task, model, data, split, device=device, inputs=inputs, shown=split == gallery
            )
            for split in splits
        },
        parameters=state["parameters"],
        training_rows=state["training_rows"],
        selected_epoch=state["selected_epoch"],
        peak_memory_mb=state["peak_memory_mb"],
    )


def _outcome(
    task: Task,
    model: torch.nn.Module,
    data: PreparedTask,
    split: Split,
    *,
    device: str,
    inputs: Inputs,
    shown: bool,
) -> Outcome:
    opened = data.open(split)
    source = batches.load(
        data,
        (split,),
        device=device,
        tokenizer=inputs.tokenizer,
        mean=inputs.mean,
        std=inputs.std,
    )
    found = judge(task, model, source, opened, closing=split == "test")
    arrays = {"ids": np.array(opened.ids), "groups": np.array(opened.groups)}
    if opened.masks is None:
        arrays |= {f"fact_{name}": opened.facts[name] for name in task.strata}
    else:
        arrays["cases"] = np.array(opened.cases)
    if shown:
        kept = gallery_of(task, model, source, opened, found.arrays)
        arrays |= {f"gallery_{name}": array for name, array in kept.items()}
    return replace(found, arrays=arrays | found.arrays)
