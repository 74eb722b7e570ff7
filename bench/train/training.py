"""A model in training: everything that a checkpoint holds, and one method an epoch."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench import metrics
from bench.data.prepared import PreparedTask
from bench.errors import UserError
from bench.seeds import derive
from bench.spec import Budget, Config, Family, Report, Task
from bench.train.clock import Allowance, Clock
from bench.train.losses import Loss
from bench.train.material import Material, Refit
from bench.train.model import build, key_of
from bench.train.optimization import learning_rate, make_optimizer, make_schedule
from bench.train.outcome import judge
from bench.train.predict import NotFinite
from bench.train.stages import freeze, scales, stages_of, train_mode, wanted
from bench.train.steps import Diverged, Stepper

FORMAT = 2
"""Of the checkpoint; one of another format is not gone on from."""

State = dict[str, Tensor]


@dataclass
class Best:
    """The weights that a replicate is scored by."""

    epoch: int
    score: float
    weights: State = field(repr=False)


class Training:
    """One trial or replicate. All that is random in it is a function of seed, stream and epoch."""

    def __init__(
        self,
        *,
        task: Task,
        family: Family,
        config: Config,
        seed: int,
        max_epochs: int,
        max_seconds: float | None = None,
        data: PreparedTask,
        device: str,
        replicate: bool,
        refit: Refit,
    ) -> None:
        self.task, self.config, self.seed = task, config, seed
        self.device = torch.device(device)
        self._allowance = None if max_seconds is None else Allowance(max_seconds)
        self.key = key_of(
            task=task,
            family=family,
            config=config,
            seed=seed,
            max_epochs=max_epochs,
            max_seconds=max_seconds,
            fingerprint=data.manifest["fingerprint"],
            replicate=replicate,
            refit=refit,
        )
        # What an update sees is drawn at once, and goes through the model `batch_size` at a time.
        batch_size, steps = int(config["batch_size"]), int(config.get("accumulation_steps", 1))
        self._material = Material(
            data,
            task=task,
            family=family,
            config=config | {"batch_size": batch_size * steps},
            seed=seed,
            device=device,
            refit=refit,
        )
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        self.model = build(family, config, data, seed=seed, device=self.device)
        self.updates_per_epoch = len(self._material.order(1))
        stages = stages_of(family, self.model) if wanted(config) else []
        self._still = freeze(stages, self.model, config.get("freeze", "none")) if stages else []
        self._optimizer = make_optimizer(
            self.model, config, scales=scales(stages, float(config.get("layer_decay", 1.0)))
        )
        self._stepper = Stepper(
            self.model,
            self._optimizer,
            make_schedule(
                self._optimizer,
                config,
                updates_per_epoch=self.updates_per_epoch,
                max_epochs=max_epochs,
                share=None if self._allowance is None else self._allowance.share,
            ),
            Loss(config, counts=self._material.class_counts, device=self.device),
            device=self.device,
            clip_norm=float(config.get("clip_norm", 0.0)),
            micro_batch=batch_size if steps > 1 else None,
        )
        self.history: list[Report] = []
        self.diverged = False
        self.best = Best(0, -math.inf, self._weights()) if replicate else None
        self._peak_memory_mb: float | None = None
        self._part = 1.0
        """Of the last epoch, the share of its updates that was made."""

    @property
    def epoch(self) -> int:
        """Epochs trained so far."""
        return len(self.history)

    def ended(self, budget: Budget) -> bool:
        """Whether training is over within this budget."""
        over = self.epoch >= budget.end or self.out_of_seconds()
        return self.diverged or over or self.out_of_patience(budget)

    @property
    def charged_seconds(self) -> float:
        """Of all epochs so far, those before a checkpoint among them."""
        return sum(report.charged_seconds for report in self.history)

    def out_of_seconds(self) -> bool:
        """Whether the charged seconds that it may spend are spent; never where it has epochs."""
        return self._allowance is not None and self.charged_seconds >= self._allowance.seconds

    def out_of_patience(self, budget: Budget) -> bool:
        """Whether the best score is `patience` epochs old; never without validation."""
        scores = [report.score for report in self.history if report.score is not None]
        if budget.patience is None or not scores:
            return False
        return len(scores) - 1 - int(np.argmax(scores)) >= budget.patience

    def rehearse(self) -> float:
        """One update, on the first batch; returns its loss. Raises what the model raises."""
        train_mode(self.model, self._still)
        first, coins = self._material.order(1)[:1], torch.Generator().manual_seed(0)
        ((inputs, targets),) = self._material.batches(first, coins)
        self._stepper.step(inputs, targets, update=0, epoch=1)
        return self._stepper.mean_loss(1)

    # --- One epoch --------------------------------------------------------------------------

    def train_epoch(self, clock: Clock, updated: Callable[[], object] = lambda: None) -> Report:
        """Train and validate one epoch more. Raises Diverged; a replicate ends instead.

        The epoch in which its seconds are spent ends there, and is validated as a whole one is.
        `updated` is called after every update.
        """
        epoch = self.epoch + 1
        if self._allowance is not None:
            self._allowance.begin(clock, self.charged_seconds)
        notes: list[str] = []
        try:
            with clock.charged():
                found = self._train(epoch, updated)
            with clock.free():
                found |= self._validate(epoch)
                score = self._score(found)
                self._keep_best(epoch, score)
        except Diverged as error:
            if self.best is None:
                raise
            found, score = {}, None
            self.diverged = True
            kept = f"kept the weights of epoch {self.best.epoch}"
            notes.append(f"{error}; {kept}")
        notes = [*self._stepper.notes, *notes]
        self._stepper.notes.clear()
        charged, free = clock.take()
        report = Report(
            epoch=epoch,
            charged_seconds=charged,
            free_seconds=free,
            score=score,
            metrics=found,
            notes=tuple(notes),
        )
        self.history.append(report)
        return report

    def _train(self, epoch: int, updated: Callable[[], object]) -> dict[str, float]:
        torch.manual_seed(derive(self.seed, "dropout", epoch))
        coins = torch.Generator().manual_seed(derive(self.seed, "augmentation", epoch))
        first = update = (epoch - 1) * self.updates_per_epoch
        train_mode(self.model, self._still)
        for inputs, targets in self._material.batches(self._material.order(epoch), coins):
            self._stepper.step(inputs, targets, update=update, epoch=epoch)
            update += 1
            updated()
            if self._allowance is not None and self._allowance.spent():
                break
        self._part = (update - first) / self.updates_per_epoch
        return {
            "train_loss": self._stepper.mean_loss(epoch),
            "learning_rate": learning_rate(self._optimizer),
        }

    def _validate(self, epoch: int) -> dict[str, float]:
        if self._material.validation is None:
            return {}
        source, split = self._material.validation
        try:
            return judge(self.task, self.model, source, split).metrics
        except NotFinite:
            raise Diverged(epoch, "the outputs on validation are not finite") from None

    def _score(self, found: dict[str, float]) -> float | None:
        if self._material.validation is None:
            return None
        primary = metrics.get(self.task.primary)
        score = primary.turned(found[primary.id])
        if not math.isfinite(score):
            raise UserError(
                f"{primary.id} selects on {self.task.id} and is undefined on its validation split: "
                "every class needs a case there, take more data or another split"
            )
        return score

    def _keep_best(self, epoch: int, score: float | None) -> None:
        """Of a replicate: the best on validation; without validation, the last finite weights."""
        if self.best is None:
            return
        if score is None:
            weights = self._weights()
            floats = [tensor for tensor in weights.values() if tensor.is_floating_point()]
            if not all(bool(tensor.isfinite().all()) for tensor in floats):
                raise Diverged(epoch, "the weights are not finite")
            self.best = Best(epoch, -math.inf, weights)
        elif score > self.best.score:
            self.best = Best(epoch, score, self._weights())

    def _weights(self) -> State:
        """A copy of the model's weights on the CPU."""
        return {
            name: tensor.detach().to("cpu", copy=True)
            for name, tensor in self.model.state_dict().items()
        }

    # --- Checkpoints ------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """All of it, for a checkpoint: tensors, numbers, strings, lists and dicts."""
        weights = dict(self.model.state_dict())
        state: dict[str, Any] = {
            "format": FORMAT,
            "key": self.key,
            "epoch": self.epoch,
            "model": weights,
            "optimizer": self._optimizer.state_dict(),
            "micro_batch": self._stepper.micro_batch,
            "history": [asdict(report) | {"notes": list(report.notes)} for report in self.history],
            "diverged": self.diverged,
            "parameters": sum(parameter.numel() for parameter in self.model.parameters()),
            "training_rows": self._rows(),
            "peak_memory_mb": self._peak(),
        }
        if self.best is not None:
            # One copy in the file where the best weights are the present ones.
            present = self.best.epoch == self.epoch and not self.diverged
            state["best"] = weights if present else self.best.weights
            state["best_score"] = self.best.score
            state["selected_epoch"] = self.best.epoch
        return state

    def _rows(self) -> int:
        """How many rows an epoch has trained on, on average: the last may have been cut short."""
        whole = max(self.epoch, 1)
        return round(self._material.rows * (whole - 1 + self._part) / whole)

    def restore(self, state: dict[str, Any]) -> bool:
        """Go on from a checkpoint's state; False, and nothing done, where it is another trial's."""
        if (state.get("format"), state.get("key")) != (FORMAT, self.key):
            return False
        self.model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._stepper.micro_batch = state["micro_batch"]
        self.history = [
            Report(**report | {"notes": tuple(report["notes"])}) for report in state["history"]
        ]
        self.diverged = state["diverged"]
        self._peak_memory_mb = state["peak_memory_mb"]
        if self.best is not None:
            self.best = Best(state["selected_epoch"], state["best_score"], state["best"])
        return True

    def _peak(self) -> float | None:
        """The most memory of the GPU that this training ever held, in MB; None on a CPU."""
        if self.device.type != "cuda":
            return None
        now = torch.cuda.max_memory_allocated(self.device) / 1e6
        return max(now, self._peak_memory_mb or 0.0)
