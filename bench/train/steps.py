"""One update after another: accumulation, out of memory, and the watch for divergence."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from bench.train.losses import Loss


class Diverged(Exception):
    """Training left the finite numbers in this epoch."""

    def __init__(self, epoch: int, what: str) -> None:
        super().__init__(epoch, what)
        self.epoch = epoch
        self.what = what

    def __str__(self) -> str:
        return f"diverged in epoch {self.epoch}: {self.what}"


class Watch:
    """Whether losses are finite. On a GPU a loss is read one step later, so that none waits."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pending: tuple[Tensor, torch.Event] | None = None

    def finite(self, loss: Tensor) -> bool:
        """Whether this step's loss is finite; on a GPU, the loss of the step before."""
        if self._device.type != "cuda":
            return math.isfinite(loss.item())
        before = self.settled()
        host = torch.empty((), dtype=loss.dtype, pin_memory=True)
        host.copy_(loss, non_blocking=True)
        sent = torch.Event(self._device)
        sent.record()
        self._pending = (host, sent)
        return before

    def settled(self) -> bool:
        """Whether the last loss that was not read yet is finite."""
        pending, self._pending = self._pending, None
        if pending is None:
            return True
        host, sent = pending
        sent.synchronize()
        return math.isfinite(host.item())


class Stepper:
    """Updates a model from batches.

    A batch goes through the model in micro-batches whose gradients add up to the whole batch's.
    Where one does not fit into the device's memory they are halved: a lack of memory is no property
    of a configuration. Batch norms see micro-batches.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        schedule: Any,
        loss: Loss,
        *,
        device: torch.device,
        clip_norm: float = 0.0,
        micro_batch: int | None = None,
    ) -> None:
        self.micro_batch = micro_batch
        """The most cases that go through the model at once; None: a whole batch."""
        self.notes: list[str] = []
        self._model, self._optimizer, self._schedule = model, optimizer, schedule
        self._loss, self._clip_norm, self._device = loss, clip_norm, device
        self._watch = Watch(device)
        self._sum: Tensor | float = 0.0
        self._weight: Tensor | float = 0.0

    def step(self, inputs: Tensor, targets: Tensor, *, update: int, epoch: int) -> None:
        """One update, the schedule's `update`-th from 0. Raises Diverged for a non-finite loss."""
        loss = self._gradients(inputs, targets)
        if not self._watch.finite(loss):
            raise Diverged(epoch, "the training loss is not finite")
        if self._clip_norm:
            nn.utils.clip_grad_norm_(self._model.parameters(), self._clip_norm)
        # The middle of the update: neither warm-up's first nor cosine's last step is lost to 0.
        self._schedule.step_update(update + 0.5)
        self._optimizer.step()

    def mean_loss(self, epoch: int) -> float:
        """Mean training loss since the last call. Raises Diverged where the last was not finite."""
        mean = float(self._sum / self._weight)
        self._sum = self._weight = 0.0
        if not (self._watch.settled() and math.isfinite(mean)):
            raise Diverged(epoch, "the training loss is not finite")
        return mean

    def _gradients(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """The mean loss of the batch; its gradient lies in the parameters."""
        while True:
            try:
                return self._accumulated(inputs, targets)
            except torch.OutOfMemoryError:
                size = min(self.micro_batch or len(targets), len(targets))
                if size == 1:
                    raise
            # Outside of the handler: its traceback would keep the failed attempt's tensors.
            self._halve(size)

    def _halve(self, size: int) -> None:
        self.micro_batch = (size + 1) // 2
        self.notes.append(f"out of memory: micro-batches of at most {self.micro_batch}")
        self._optimizer.zero_grad(set_to_none=True)
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _accumulated(self, inputs: Tensor, targets: Tensor) -> Tensor:
        self._optimizer.zero_grad(set_to_none=True)
        weight = self._loss.weight(targets)
        parts = math.ceil(len(targets) / (self.micro_batch or len(targets)))
        total = torch.zeros((), device=self._device)
        for some, theirs in zip(
            inputs.tensor_split(parts), targets.tensor_split(parts), strict=True
        ):
            with autocast(self._device):
                logits = self._model(some)
            part = self._loss.total(logits, theirs)
            torch.autograd.backward(part / weight)
            total += part.detach()
        self._sum, self._weight = self._sum + total, self._weight + weight
        return total / weight


def autocast(device: torch.device) -> torch.autocast:
    """bfloat16 where the GPU gains by it; the CPU keeps float32."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda")
