"""Optimizer and learning-rate schedule of a configuration."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatch
from typing import Any

import torch
from torch import nn

from bench.errors import UserError
from bench.spec import Config, unknown

SCHEDULES = ("cosine", "constant", "exponential", "one_cycle")
OUT_OF_REACH = ("bnb*", "fused*", "kron*", "lookahead*")
"""Optimizers of timm that need another library, or do not go on exactly from a checkpoint."""


def has_sparse_gradients(model: nn.Module) -> bool:
    """Whether the model looks vectors up in tables whose gradients hold the used rows only."""
    return any(getattr(module, "sparse", False) for module in model.modules())


def optimizers() -> list[str]:
    """The names of timm's optimizers that an update here can take."""
    from timm.optim import get_optimizer_info, list_optimizers

    names: list[str] = list_optimizers(exclude_filters=list(OUT_OF_REACH))
    return [name for name in names if not get_optimizer_info(name).second_order]


def make_optimizer(
    model: nn.Module, config: Config, *, scales: Mapping[str, float] | None = None
) -> torch.optim.Optimizer:
    """timm's optimizer of that configuration, fused where torch has it, of what is trained.

    scales: by parameter, the factor of its learning rate; None: 1 for all. Weight decay spares
    biases, norms and what the model or a part of it names in `no_weight_decay()`. A model with
    sparse gradients gets Adagrad: it updates the rows that a batch used, at the pace of each row,
    and leaves the others alone. Raises UserError for an unknown optimizer, and where the
    configuration asks such a model for another one or for weight decay.
    """
    from timm.optim import create_optimizer_v2, get_optimizer_class, get_optimizer_info

    sparse = has_sparse_gradients(model)
    name = str(config.get("optimizer", "adagrad" if sparse else "adamw"))
    weight_decay = float(config.get("weight_decay", 0.0))
    if name not in (known := optimizers()):
        raise UserError(unknown("optimizer", name, known))
    if sparse:
        if name != "adagrad" or weight_decay:
            raise UserError(
                f"sparse gradients need adagrad without weight decay, got {name} with "
                f"{weight_decay:g}: choose the space `text` for this family"
            )
        # Torch asks for a decision: on or, as here, off; on would check each step's gradient.
        checks: Any = torch.sparse.check_sparse_tensor_invariants
        checks.disable()
    momentum = float(config.get("momentum", 0.9))
    extra: dict[str, Any] = {}
    kind = get_optimizer_class(name, bind_defaults=False)
    if "fused" in inspect.signature(kind).parameters and not sparse:
        extra["fused"] = True
    if not momentum and (get_optimizer_info(name).defaults or {}).get("nesterov"):
        extra["nesterov"] = False  # Without a momentum there is nothing to look ahead by.
    optimizer: torch.optim.Optimizer = create_optimizer_v2(
        parameter_groups(model, weight_decay=weight_decay, scales=scales or {}),
        opt=name,
        lr=float(config["learning_rate"]),
        momentum=momentum,
        **extra,
    )
    return optimizer


def parameter_groups(
    model: nn.Module, *, weight_decay: float, scales: Mapping[str, float]
) -> list[dict[str, Any]]:
    """What is trained, as an optimizer's groups: one for each decay and factor of the rate.

    `lr_scale` is timm's word for the factor: its schedules multiply each group's rate by it.
    """
    spared = list(_spared(model))
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        free = (
            parameter.ndim <= 1
            or name.endswith(".bias")
            or any(fnmatch(name, pattern) for pattern in spared)
        )
        key = (0.0 if free else weight_decay, scales.get(name, 1.0))
        groups.setdefault(key, []).append(parameter)
    return [
        {"params": parameters, "weight_decay": decay, "lr_scale": scale}
        for (decay, scale), parameters in groups.items()
    ]


def _spared(model: nn.Module) -> Iterator[str]:
    """Patterns of the parameters that the model and its parts keep from weight decay."""
    for prefix, module in model.named_modules():
        if callable(names := getattr(module, "no_weight_decay", None)):
            yield from (f"{prefix}.{name}".lstrip(".") for name in names())


def learning_rate(optimizer: torch.optim.Optimizer) -> float:
    """The rate now: the head's, where stages before it learn more slowly."""
    return max(float(group["lr"]) for group in optimizer.param_groups)


# --- Schedules ------------------------------------------------------------------------------


def make_schedule(
    optimizer: torch.optim.Optimizer,
    config: Config,
    *,
    updates_per_epoch: int,
    max_epochs: int,
    share: Callable[[], float] | None = None,
) -> Any:
    """The schedule over all updates of `max_epochs`; stepped once an update, in its middle.

    It is stateless: the learning rate is a function of the number of the update. share: of a budget
    in seconds, the part that is spent, in [0, 1]; the schedule runs over that instead.
    """
    if share is not None:
        return _OverTime(optimizer, config, updates_per_epoch=updates_per_epoch, share=share)
    from timm.scheduler import CosineLRScheduler, StepLRScheduler

    updates = updates_per_epoch * max_epochs
    warmup = min(round(float(config.get("warmup", 0.0)) * updates), updates - 1)
    common: dict[str, Any] = {
        "warmup_t": warmup,
        "warmup_lr_init": 0.0,
        "warmup_prefix": True,
        "t_in_epochs": False,
    }
    name = str(config.get("schedule", "cosine"))
    if name == "cosine":
        return CosineLRScheduler(optimizer, t_initial=updates - warmup, lr_min=0.0, **common)
    if name == "constant":
        return StepLRScheduler(optimizer, decay_t=1, decay_rate=1.0, **common)
    if name == "exponential":
        rate = float(config["decay"]) ** (1 / updates_per_epoch)
        return StepLRScheduler(optimizer, decay_t=1, decay_rate=rate, **common)
    if name == "one_cycle":
        return OneCycle(optimizer, updates=updates)
    raise UserError(unknown("schedule", name, SCHEDULES))


class _OverTime:
    """A schedule over the spent share of a budget in seconds, its warm-up too.

    The factor of `exponential` is one an epoch by its definition: the passes over the data that
    were made since the warm-up count, which has taken its share of them.
    """

    UNITS = 10_000
    """The whole budget, as updates of the schedule that is asked."""

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        config: Config,
        *,
        updates_per_epoch: int,
        share: Callable[[], float],
    ) -> None:
        self._optimizer, self._share, self._updates_per_epoch = optimizer, share, updates_per_epoch
        self._decay, self._warmup = 1.0, float(config.get("warmup", 0.0))
        if config.get("schedule") == "exponential":
            self._decay = float(config["decay"])
            config = config | {"schedule": "constant"}
        self._schedule = make_schedule(
            optimizer, config, updates_per_epoch=self.UNITS, max_epochs=1
        )

    def step_update(self, update: float) -> None:
        share = self._share()
        self._schedule.step_update(share * self.UNITS)
        if share > self._warmup:
            epochs = update / self._updates_per_epoch * (1 - self._warmup / share)
            for group in self._optimizer.param_groups:
                group["lr"] *= self._decay**epochs


class OneCycle:
    """The rates of torch's OneCycleLR without its state (Smith & Topin 2018).

    From 1/25 of the peak up to it within the first 30 % of the updates, then down to 1/25e4 of the
    peak, both along a cosine. The momentum stays as it is.
    """

    RISE, FIRST, LAST = 0.3, 1 / 25, 1 / 25e4

    def __init__(self, optimizer: torch.optim.Optimizer, *, updates: int) -> None:
        self._optimizer = optimizer
        self._peaks = [float(group["lr"]) for group in optimizer.param_groups]
        self._top = self.RISE * updates - 1
        self._end = max(updates - 1, 1)

    def step_update(self, update: float) -> None:
        """Set the rates; in the middle of an update, `n + 0.5`, those of torch's n-th step."""
        factor = self._factor(min(max(update - 0.5, 0.0), self._end))
        for group, peak in zip(self._optimizer.param_groups, self._peaks, strict=True):
            group["lr"] = peak * factor * group.get("lr_scale", 1.0)

    def _factor(self, step: float) -> float:
        if step <= self._top:
            return _along_cosine(self.FIRST, 1.0, step / self._top)
        return _along_cosine(1.0, self.LAST, (step - self._top) / (self._end - self._top))


def _along_cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
