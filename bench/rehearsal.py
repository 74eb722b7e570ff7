"""One step of an entrant's training on a few of its cases: what would fail a run, found before it.

On the CPU, on training cases only, and in a process apart: what a model imports, holds or breaks
does not stay with the driver of a long run.
"""

from __future__ import annotations

import functools
import multiprocessing
import signal
import traceback
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import plugins, registry
from bench.errors import UserError
from bench.plugins import PluginFile
from bench.spec import Config, Family, Shape, Task

if TYPE_CHECKING:
    from torch import Tensor, nn

    from bench.data.prepared import PreparedTask

CASES = 3
"""Of the one batch: batch norm needs two or more."""


@dataclass(frozen=True, kw_only=True)
class Rehearsed:
    """What one step showed."""

    parameters: int
    loss: float
    idle: tuple[str, ...] = ()
    """Trainable parameters that got no gradient."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """What is rehearsed, as it is sent to another process."""

    family: str
    task: str
    config: Config
    data: Path
    """Root of the task's prepared data."""
    seed: int
    max_epochs: int


Step = Callable[[Part], Rehearsed | str]
"""Takes one step; a str says what went wrong."""


class Apart:
    """A `Step` in a process of its own, which is started when first needed and ends with the block.

    A process that dies takes only its part with it.
    """

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Apart:
        return self

    def __exit__(self, *error: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        self._pool = None

    def __call__(self, part: Part) -> Rehearsed | str:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                1,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_begin,
                initargs=(registry.plugin_files(),),
            )
        try:
            return self._pool.submit(take, part).result()
        except BrokenProcessPool:
            self.__exit__()
            return "the process that took its first step died, of too little memory most likely"


def _begin(files: tuple[PluginFile, ...]) -> None:
    # Ctrl-C reaches the whole group; the parent answers it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for file in files:
        registry.add_plugin(file)


def take(part: Part) -> Rehearsed | str:
    """Take one step in this process."""
    from bench.data.prepared import PreparedTask

    try:
        return rehearse(
            family=registry.families().get(part.family),
            task=registry.tasks().get(part.task),
            config=part.config,
            data=PreparedTask(part.data),
            seed=part.seed,
            max_epochs=part.max_epochs,
        )
    except UserError as error:
        return str(error)


class _Unfit(Exception):
    """What a family's model does otherwise than it must."""


def rehearse(
    *,
    family: Family,
    task: Task,
    config: Config,
    data: PreparedTask,
    seed: int,
    max_epochs: int,
) -> Rehearsed:
    """Build the model of a configuration and update it once.

    Raises UserError, in one line, for whatever goes wrong: of a plug-in with its file and line.
    """
    from bench.train.steps import Diverged
    from bench.train.training import Training

    built: list[nn.Module] = []
    try:
        training = Training(
            task=task,
            family=replace(family, build=functools.partial(_build, family, built)),
            config=_tiny(config),
            seed=seed,
            max_epochs=max_epochs,
            data=data,
            device="cpu",
            replicate=False,
            refit="train",
        )
        try:
            loss = training.rehearse()
        except Diverged as error:
            raise _Unfit(f"{error.what} in the first step") from error
        return Rehearsed(
            parameters=sum(parameter.numel() for parameter in training.model.parameters()),
            loss=loss,
            idle=_idle(training.model),
        )
    except Exception as error:  # whatever a model does is a mistake in it
        raise UserError(_explained(error, family, built)) from error


def _tiny(config: Config) -> Config:
    """The configuration with a batch of a few cases."""
    tiny: Config = {"batch_size": CASES, "accumulation_steps": 1}
    return config | {name: value for name, value in tiny.items() if name in config}


# --- What is watched ------------------------------------------------------------------------


def _build(family: Family, built: list[nn.Module], config: Config, shape: Shape) -> nn.Module:
    """The family's model, watched: its first output that is no logits raises."""
    from torch import nn

    model = family.build(config, shape)
    if not isinstance(model, nn.Module):
        raise _Unfit(f"build gives a {type(model).__name__}, must give a torch.nn.Module")
    built.append(model)
    model.register_forward_hook(functools.partial(_check_logits, shape))
    return model


def _check_logits(shape: Shape, model: nn.Module, inputs: tuple[Tensor, ...], output: Any) -> None:
    import torch

    cases = len(inputs[0])
    must, meaning = (cases, shape.classes), "(batch, classes)"
    if shape.kind == "image_segmentation":
        must, meaning = (*must, *inputs[0].shape[2:]), "(batch, classes, height, width)"
    if not isinstance(output, torch.Tensor):
        raise _Unfit(
            f"forward gives a {type(output).__name__}, must give a tensor of logits {meaning}"
        )
    if tuple(output.shape) != must:
        raise _Unfit(f"forward gives {tuple(output.shape)}, must give {must}: {meaning}")
    if not output.is_floating_point():
        raise _Unfit(f"forward gives {output.dtype}, must give floating-point logits")


def _idle(model: nn.Module) -> tuple[str, ...]:
    """The trainable parameters without a gradient. Raises where all are, or where one's is not
    finite."""
    trainable = {n: p.grad for n, p in model.named_parameters() if p.requires_grad}
    idle = tuple(name for name, gradient in trainable.items() if gradient is None)
    if len(idle) == len(trainable):
        raise _Unfit("no parameter gets a gradient from the loss, one or more must")
    for name, gradient in trainable.items():
        if gradient is None:
            continue
        values = gradient.coalesce().values() if gradient.is_sparse else gradient
        if not bool(values.isfinite().all()):
            raise _Unfit(f"the gradient of {name} is not finite after one step")
    return idle


# --- What went wrong ------------------------------------------------------------------------


def _explained(error: Exception, family: Family, built: list[nn.Module]) -> str:
    """The error in one line; of a plug-in: where in its file, as near as can be told."""
    text = str(error) if isinstance(error, _Unfit) else plugins.said(error)
    file = registry.plugin_file(family.id)
    if file is not None:
        return f"{plugins.where(error) or file.at(_line(file.filename, family, built))}: {text}"
    if isinstance(error, _Unfit | UserError):
        return text
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{text} ({Path(frame.filename).name}, line {frame.lineno})"


def _line(filename: str, family: Family, built: list[nn.Module]) -> int | None:
    """The line of the model's forward where the plug-in defines it, else of its build."""
    classes = [kind for model in built for kind in type(model).__mro__]
    functions = [vars(kind).get("forward") for kind in classes]
    for function in (*functions, family.build):
        code = getattr(function, "__code__", None)
        if code is not None and code.co_filename == filename:
            return int(code.co_firstlineno)
    return None
