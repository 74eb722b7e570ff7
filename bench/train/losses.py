"""The loss of a configuration."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from bench.errors import UserError
from bench.spec import Config, unknown

Criterion = Callable[[Tensor, Tensor], Tensor]
"""Of logits float32 (batch, classes, height, width) and masks int64 (batch, height, width): a
scalar float32."""

BY_CASE = ("cross_entropy", "focal", "dice_ce")
"""Losses that are, in part or all, weighted sums over cases or pixels."""
BY_REGION = ("dice", "tversky", "mcc", "lovasz")
"""Losses of all pixels of a batch together, of segmentations alone."""


class Loss:
    """The configuration's `loss` on logits, with class weights and label smoothing.

    It comes as a sum and the weight to divide it by, so that the micro-batches of one update add
    up to the mean over the whole batch: exactly for cross-entropy and focal loss, which are sums
    over cases. A region loss is not: that of a micro-batch counts by its number of cases, and where
    it is added to cross-entropy, by the weight of that. Logits are (batch, classes), or (batch,
    classes, height, width) where every pixel is a case. Targets are class indices int64, (batch,)
    or (batch, height, width), or, for cross-entropy, probabilities float32 (batch, classes).

    - `cross_entropy`: also with label smoothing; class weights as torch has them.
    - `focal`: cross-entropy times (1 - p)^focal_gamma, p being the true class's probability (Lin et
      al. 2017); class weights as in cross-entropy.
    - `dice`: 1 - soft Dice over the batch, mean of all classes, 0 for a class without true pixels.
      Class weights make it a weighted mean.
    - `dice_ce`: the sum of both.
    - `tversky`: like Dice, with false positives weighed by tversky_alpha and false negatives by
      tversky_beta (Salehi et al. 2017).
    - `mcc`: 1 - Matthews' correlation coefficient of each class against the rest, mean of all but
      the first, the background (Abhishek & Hamarneh 2021).
    - `lovasz`: Lovász-Softmax, mean of the classes with true pixels (Berman et al. 2018).
    """

    def __init__(
        self, config: Config, *, counts: Callable[[], np.ndarray], device: torch.device
    ) -> None:
        """counts: gives the training cases of each class, or their pixels, int (classes,); asked
        for where weights need it. Raises UserError for an unknown loss."""
        self.name = str(config.get("loss", "cross_entropy"))
        if self.name not in BY_CASE + BY_REGION:
            raise UserError(unknown("loss", self.name, BY_CASE + BY_REGION))
        self.smoothing = float(config.get("label_smoothing", 0.0))
        self.gamma = float(config.get("focal_gamma", 2.0))
        self.weights: Tensor | None = None
        if config.get("class_weights", "none") == "balanced":
            found = counts()
            weights = np.zeros(len(found))
            # A class that is not trained on has no say, not even through smoothing.
            np.divide(found.sum() / len(found), found, out=weights, where=found > 0)
            self.weights = torch.tensor(weights, dtype=torch.float32, device=device)
        self._region = _region(self.name, config, self.weights)

    def total(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The weighted sum over a batch: scalar float32, whatever the logits are."""
        logits = logits.float()
        if self._region is None:
            return self._by_case(logits, targets)
        total = self._region(logits, targets) * self.weight(targets)
        return total + self._by_case(logits, targets) if self.name in BY_CASE else total

    def weight(self, targets: Tensor) -> Tensor | int:
        """The weight of a batch: what `total` is divided by to be a weighted mean.

        Of class indices that is torch's. A mixture of classes weighs what their weights come to in
        its shares; torch would divide by the number of cases.
        """
        if self.name in BY_REGION:
            return len(targets)
        if targets.is_floating_point():
            return len(targets) if self.weights is None else (targets @ self.weights).sum()
        return targets.numel() if self.weights is None else self.weights[targets].sum()

    def _by_case(self, logits: Tensor, targets: Tensor) -> Tensor:
        if self.name == "focal":
            return self._focal(logits, targets)
        return functional.cross_entropy(
            logits,
            targets,
            weight=self.weights,
            label_smoothing=self.smoothing,
            reduction="sum",
        )

    def _focal(self, logits: Tensor, targets: Tensor) -> Tensor:
        # The library's FocalLoss is of sigmoids, one for each class; what is scored is the softmax.
        surprise = functional.cross_entropy(logits, targets, reduction="none")
        # -expm1(-s) is 1 - p without cancelling; above 0, the power has a finite gradient.
        doubt = (-torch.expm1(-surprise)).clamp_min(torch.finfo(torch.float32).eps)
        losses = doubt**self.gamma * surprise
        return (losses if self.weights is None else losses * self.weights[targets]).sum()


def _region(name: str, config: Config, weights: Tensor | None) -> Criterion | None:
    """The part of a loss that is of all pixels together; None where it has none."""
    if name not in (*BY_REGION, "dice_ce"):
        return None
    from segmentation_models_pytorch import losses

    mode = losses.MULTICLASS_MODE
    found: dict[str, Callable[[], Criterion]] = {
        "dice": lambda: losses.DiceLoss(mode, class_weights=weights),
        "dice_ce": lambda: losses.DiceLoss(mode, class_weights=weights),
        "tversky": lambda: losses.TverskyLoss(
            mode,
            alpha=float(config["tversky_alpha"]),
            beta=float(config["tversky_beta"]),
            class_weights=weights,
        ),
        "mcc": lambda: _one_against_the_rest(losses.MCCLoss()),
        "lovasz": lambda: losses.LovaszLoss(mode),
    }
    return found[name]()


def _one_against_the_rest(binary: Criterion) -> Criterion:
    """A loss of probabilities and a mask of one class, as the mean over all but the first class."""

    def mean(logits: Tensor, targets: Tensor) -> Tensor:
        probabilities = logits.softmax(dim=1)
        losses = [
            binary(probabilities[:, index], (targets == index).float())
            for index in range(1, logits.shape[1])
        ]
        return torch.stack(losses).mean()

    return mean
