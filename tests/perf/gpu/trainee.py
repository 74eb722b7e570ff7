"""A model in training on random data: fed by the project's own loader, or by one resident batch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

import numpy as np
import torch
from torch import Tensor, nn

from bench import registry
from bench.data.augment import Augmentation
from bench.data.batches import Draw
from bench.data.images import Images
from bench.data.prepared import SplitData
from bench.data.texts import Texts
from bench.spec import Config, Shape
from bench.train.losses import Loss
from bench.train.optimization import make_optimizer, make_schedule
from bench.train.steps import Stepper, autocast
from tests.perf.gpu.models import Model

BATCHES = 8
"""Batches that an epoch of the random data has."""
UPDATES = 1_000_000
"""Of the schedule: the learning rate never leaves its warm-up."""


class Trainee:
    """A model, its optimizer, and two ways to feed it. What it learns is of no matter."""

    def __init__(
        self, model: Model, *, batch_size: int, device: torch.device, plain: bool = False
    ) -> None:
        """plain: float32 and contiguous, in the place of what the project does on a GPU: bfloat16
        autocast and channels-last. Raises ImportError where a library is missing, UserError where
        the model cannot be built."""
        family = registry.families().get(model.family)
        # Neither side clips gradients: the resident batch does nothing but step.
        config = registry.space_of(family).settled(
            {**model.settings, "clip_norm": 0.0}, heading=model.name
        )
        torch.manual_seed(0)
        self._layout = torch.contiguous_format if plain else torch.channels_last
        self._cast = nullcontext() if plain else autocast(device)
        self.device, self.batch_size = device, batch_size
        self.model: nn.Module = family.build(config, model.shape).to(device).train()
        self.model.to(memory_format=self._layout)
        self._optimizer = make_optimizer(self.model, config)
        self._loss = Loss(config, counts=lambda: np.ones(model.shape.classes), device=device)
        schedule = make_schedule(self._optimizer, config, updates_per_epoch=UPDATES, max_epochs=1)
        self._stepper = Stepper(self.model, self._optimizer, schedule, self._loss, device=device)
        self._feed = _endless(config, model.shape, batch_size=batch_size, device=device)
        self._resident = self._arranged(next(self._feed))
        self._update = 0

    @property
    def parameters(self) -> int:
        """Numbers in the model's parameters."""
        return sum(parameter.numel() for parameter in self.model.parameters())

    def compile(self, backend: str) -> None:
        """What is trained from now on is the compiled model; the first update compiles it."""
        self.model = torch.compile(self.model, backend=backend)  # type: ignore[assignment]

    def resident(self, updates: int) -> None:
        """Updates on one batch that lies on the device: what the model itself allows."""
        inputs, targets = self._resident
        weight = self._loss.weight(targets)
        for _ in range(updates):
            self._optimizer.zero_grad(set_to_none=True)
            with self._cast:
                logits = self.model(inputs)
            loss = self._loss.total(logits, targets) / weight
            loss.backward()
            self._optimizer.step()

    def ours(self, updates: int) -> None:
        """Updates as a trial takes them: drawn, gathered, augmented, watched, scheduled."""
        for _ in range(updates):
            inputs, targets = next(self._feed)
            self._stepper.step(inputs, targets, update=self._update, epoch=1)
            self._update += 1
        self._stepper.mean_loss(1)

    def flops_per_sample(self, cases: int = 2) -> float:
        """Floating-point operations of the forward and backward pass of one sample."""
        from torch.nn.attention import SDPBackend, sdpa_kernel
        from torch.utils.flop_counter import FlopCounterMode

        inputs, targets = (tensor[:cases] for tensor in self._resident)
        mapping = {torch.ops.aten.convolution_backward: _convolution_backward}
        # As plain matrix products attention is counted alike on every device.
        with (
            sdpa_kernel(SDPBackend.MATH),
            FlopCounterMode(None, display=False, custom_mapping=mapping) as counter,
        ):
            self._loss.total(self.model(inputs), targets).backward()
        self._optimizer.zero_grad(set_to_none=True)
        return counter.get_total_flops() / len(inputs)

    def _arranged(self, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        inputs, targets = batch
        if inputs.dim() == 4:
            inputs = inputs.contiguous(memory_format=self._layout)
        return inputs, targets


def _convolution_backward(
    grad_out_shape: list[int],
    inputs_shape: list[int],
    weight_shape: list[int],
    _bias: object,
    _stride: object,
    _padding: object,
    _dilation: object,
    transposed: bool,
    _output_padding: object,
    _groups: int,
    output_mask: list[bool],
    out_shape: object,
) -> int:
    """The gradients of input and weight cost as much as the forward pass each.

    torch's own count takes a convolution in groups for a full one when it comes to its weight.
    """
    from torch.utils.flop_counter import conv_flop_count

    forward: int = conv_flop_count(inputs_shape, weight_shape, grad_out_shape, transposed)
    return forward * sum(output_mask[:2])


def _endless(
    config: Config, shape: Shape, *, batch_size: int, device: torch.device
) -> Iterator[tuple[Tensor, Tensor]]:
    """Epoch after epoch of random data, as a trial reads its training split."""
    rows = BATCHES * batch_size
    source = _random_source(shape, rows, device)
    augmentation = Augmentation.of(
        config,
        kind=shape.kind,
        classes=shape.classes,
        mean=[0.5] * shape.channels,
        std=[0.29] * shape.channels,
    )
    coins, epoch = torch.Generator().manual_seed(0), 0
    while True:
        epoch += 1
        order = source.order(
            Draw.plain(np.arange(rows)), batch_size=batch_size, seed=0, epoch=epoch
        )
        yield from source.batches(order, augmentation=augmentation, generator=coins)


def _random_source(shape: Shape, rows: int, device: torch.device) -> Images | Texts:
    rng = np.random.default_rng(0)
    names = [str(row) for row in range(rows)]
    labels = np.arange(rows) % shape.classes
    if shape.kind == "text_classification":
        # All of one length: the resident batch has just as many tokens.
        split = SplitData("train", labels, names, names)
        ids = rng.integers(0, shape.vocabulary, rows * shape.max_tokens, dtype=np.int32)
        offsets = np.arange(rows + 1) * shape.max_tokens
        return Texts([split], [(ids, offsets)], device=str(device))
    size = (shape.height, shape.width)
    masked = shape.kind == "image_segmentation"
    split = SplitData(
        "train",
        labels,
        names,
        names,
        inputs=rng.integers(0, 256, (rows, shape.channels, *size), dtype=np.uint8),
        masks=rng.integers(0, shape.classes, (rows, *size), dtype=np.uint8) if masked else None,
    )
    mean, std = [0.5] * shape.channels, [0.29] * shape.channels
    return Images([split], mean=mean, std=std, device=str(device))
