"""Optimizer, learning-rate schedule and loss of a configuration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.errors import UserError
from bench.spec import Config

FUSED = ("adamw", "sgd")


def has_sparse_gradients(model: nn.Module) -> bool:
    """Whether the model looks vectors up in tables whose gradients hold the used rows only."""
    return any(getattr(module, "sparse", False) for module in model.modules())


def make_optimizer(model: nn.Module, config: Config) -> torch.optim.Optimizer:
    """timm's optimizer of that configuration, fused where torch has it.

    Weight decay spares biases and norms. A model with sparse gradients gets Adagrad: it updates
    the rows that a batch used, at the pace of each row, and leaves the others alone. Raises
    UserError where the configuration asks such a model for another optimizer or for weight decay.
    """
    from timm.optim import create_optimizer_v2

    sparse = has_sparse_gradients(model)
    name = str(config.get("optimizer", "adagrad" if sparse else "adamw"))
    weight_decay = float(config.get("weight_decay", 0.0))
    if sparse:
        if name != "adagrad" or weight_decay:
            raise UserError(
                f"sparse gradients need adagrad without weight decay, got {name} with "
                f"{weight_decay:g}: choose the space `text` for this family"
            )
        # Torch asks for a decision: on or, as here, off; on would check each step's gradient.
        checks: Any = torch.sparse.check_sparse_tensor_invariants
        checks.disable()
    extra: dict[str, Any] = {"fused": True} if name in FUSED else {}
    optimizer: torch.optim.Optimizer = create_optimizer_v2(
        model,
        opt=name,
        lr=float(config["learning_rate"]),
        weight_decay=weight_decay,
        momentum=float(config.get("momentum", 0.9)),
        **extra,
    )
    return optimizer


def make_schedule(
    optimizer: torch.optim.Optimizer, config: Config, *, updates_per_epoch: int, max_epochs: int
) -> Any:
    """timm's schedule over all updates of `max_epochs`; stepped once an update.

    It is stateless: the learning rate is a function of the number of the update.
    """
    from timm.scheduler import CosineLRScheduler, StepLRScheduler

    updates = updates_per_epoch * max_epochs
    warmup = min(round(float(config.get("warmup", 0.0)) * updates), updates - 1)
    common: dict[str, Any] = {
        "warmup_t": warmup,
        "warmup_lr_init": 0.0,
        "warmup_prefix": True,
        "t_in_epochs": False,
    }
    name = config.get("schedule", "cosine")
    if name == "cosine":
        return CosineLRScheduler(optimizer, t_initial=updates - warmup, lr_min=0.0, **common)
    if name == "constant":
        return StepLRScheduler(optimizer, decay_t=1, decay_rate=1.0, **common)
    if name == "exponential":
        rate = float(config["decay"]) ** (1 / updates_per_epoch)
        return StepLRScheduler(optimizer, decay_t=1, decay_rate=rate, **common)
    raise UserError(f"schedule must be cosine, constant or exponential, got {name!r}")


class Loss:
    """Cross-entropy on logits, with class weights and label smoothing.

    It comes as a sum and the weight to divide it by, so that the micro-batches of one update add
    up to exactly the mean over the whole batch. Logits are (batch, classes), or (batch, classes,
    height, width) where every pixel is a case. Targets are class indices int64, (batch,) or (batch,
    height, width), or probabilities float32 (batch, classes).
    """

    def __init__(
        self, config: Config, *, counts: Callable[[], np.ndarray], device: torch.device
    ) -> None:
        """counts: gives the training cases of each class, or their pixels, int (classes,); asked
        for where weights need it."""
        self.smoothing = float(config.get("label_smoothing", 0.0))
        self.weights: Tensor | None = None
        if config.get("class_weights", "none") == "balanced":
            found = counts()
            weights = np.zeros(len(found))
            # A class that is not trained on has no say, not even through smoothing.
            np.divide(found.sum() / len(found), found, out=weights, where=found > 0)
            self.weights = torch.tensor(weights, dtype=torch.float32, device=device)

    def total(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The weighted sum over a batch: scalar float32."""
        return functional.cross_entropy(
            logits.float(),
            targets,
            weight=self.weights,
            label_smoothing=self.smoothing,
            reduction="sum",
        )

    def weight(self, targets: Tensor) -> Tensor | int:
        """The weight of a batch: what `total` is divided by to be a weighted mean.

        Of class indices that is torch's. A mixture of classes weighs what their weights come to in
        its shares; torch would divide by the number of cases.
        """
        if targets.is_floating_point():
            return len(targets) if self.weights is None else (targets @ self.weights).sum()
        return targets.numel() if self.weights is None else self.weights[targets].sum()
