"""Text training throughput: batches of similar length against two ways of padding.

All three sides train the same small transformer on the same texts, with the same updates and the
same batch size; they differ in which texts share a batch, and in how far they are padded:

    ours      texts of similar length, padded to the longest of their batch, as `bench.train` does
    longest   texts in random order, padded to the longest of their batch
    full      texts in random order, padded to the most tokens that a text may have

Tokens are those of the texts: padding does not count. The sides alternate, and each ratio is the
median over the pairs.

    python -m tests.perf.text_throughput [--data ../shared/data/ag_news] [--set hidden_size=256]
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from bench import registry
from bench.data import batches, encodings, prepare, sources
from bench.data.batches import Draw, drawn_order
from bench.data.prepared import PreparedTask
from bench.data.texts import PADDING, Texts
from bench.folders import PHANTOM_SEED, SPLIT_SEED
from bench.spec import Task, parse_assignments
from bench.train import device as devices
from bench.train.clock import Clock
from bench.train.losses import Loss
from bench.train.model import build, tokenizer_of
from bench.train.optimization import make_optimizer, make_schedule
from bench.train.steps import Stepper
from bench.train.trial import configure
from tests.perf import figures
from tests.perf.figures import Figure, Side

SIDES = ("ours", "longest", "full")
TARGETS = {"full": 2.0, "longest": 1.2}
SHARED = Path(__file__).parents[3] / "shared" / "data" / "ag_news"
"""Beside the project, where it is there."""


def prepared(task: Task, folder: Path | None, cache: Path) -> tuple[PreparedTask, str]:
    """The task's data, from this folder or else of a phantom; and which of them, in words."""
    found = sources.resolve(
        [task.dataset],
        data=[] if folder is None else [f"{task.dataset}={folder}"],
        phantom_cases={task.dataset: 8000},
        seed=PHANTOM_SEED,
        allow_phantom=True,
        cache=cache,
    )[task.dataset]
    data = prepare.prepare(task, found.folder, options={}, seed=SPLIT_SEED, cache=cache)
    return data, "a phantom" if found.phantom else f"real texts in {found.folder}"


class Sides:
    """One model in training, fed in three ways."""

    def __init__(self, data: PreparedTask, task: Task, config: Any, *, updates: int) -> None:
        family = registry.families().get("hf")
        self.device = torch.device(devices.pick())
        source = batches.load(
            data, ("train",), device=str(self.device), tokenizer=tokenizer_of(family, config)
        )
        assert isinstance(source, Texts)
        self.source, self.batch_size = source, int(config["batch_size"])
        rows = np.random.default_rng(0).permutation(len(source))[: updates * self.batch_size]
        self.draw = Draw.plain(rows)
        self.tokens = int(source.lengths[rows].sum())
        self.model = build(family, config, data, seed=0, device=self.device).train()
        optimizer = make_optimizer(self.model, config)
        self.stepper = Stepper(
            self.model,
            optimizer,
            make_schedule(optimizer, config, updates_per_epoch=updates, max_epochs=100),
            Loss(config, counts=lambda: np.ones(len(task.classes)), device=self.device),
            device=self.device,
            clip_norm=float(config["clip_norm"]),
        )

    def batches(self, side: str) -> Iterator[tuple[Tensor, Tensor]]:
        same = {"batch_size": self.batch_size, "seed": 0, "epoch": 1}
        order = self.source.order(self.draw, **same) if side == "ours" else (
            drawn_order(self.draw, **same)
        )  # fmt: skip
        for tokens, labels in self.source.batches(order):
            if side == "full":
                missing = encodings.MAX_TOKENS - tokens.shape[1]
                tokens = functional.pad(tokens, (0, missing), value=PADDING)
            yield tokens, labels

    def seconds(self, side: str) -> float:
        """Of one pass over the texts."""
        clock = Clock(self.device.type)
        with clock.charged():
            for update, (tokens, labels) in enumerate(self.batches(side)):
                self.stepper.step(tokens, labels, update=update, epoch=1)
            self.stepper.mean_loss(1)
        return clock.charged_seconds

    def padded(self, side: str) -> float:
        """The share of what goes through the model that is padding."""
        places = sum(tokens.numel() for tokens, _ in self.batches(side))
        return 1 - self.tokens / places


def main() -> None:
    parser = figures.parser(__doc__)
    parser.add_argument("--data", type=Path, default=SHARED if SHARED.is_dir() else None)
    parser.add_argument("--updates", type=int, default=50)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], help="key=value of the family")
    given = parser.parse_args()
    if given.short:
        given.updates = 8

    devices.set_threads(given.threads)
    task: Task = registry.tasks().get("ag_news")
    settings = {"hidden_size": 128, "layers": 2, **parse_assignments(given.set)}
    config = configure(registry.families().get("hf"), task, settings)
    with tempfile.TemporaryDirectory() as cache:
        data, whence = prepared(task, given.data, Path(cache))
        sides = Sides(data, task, config, updates=given.updates)
        times: dict[str, list[float]] = {side: [] for side in SIDES}
        sides.seconds("ours")  # warms up
        for repeat in range(given.repeats):
            for side in sorted(SIDES, reverse=bool(repeat % 2)):
                times[side].append(sides.seconds(side))
        rates = {
            side: Side(label=side, values=tuple(sides.tokens / one for one in times[side]))
            for side in SIDES
        }
        note = (
            f"hf {settings}, batch {sides.batch_size}, {sides.tokens / len(sides.draw):.0f} tokens "
            f"a text, {whence}, {sides.device.type}, {given.threads} thread(s); "
            "padding: " + ", ".join(f"{side} {sides.padded(side):.0%}" for side in SIDES)
        )
    figures.finish(
        [
            Figure(
                what=f"training texts, padding {side}", unit="tokens/s", ours=rates["ours"],
                theirs=rates[side], ratio=figures.paired(rates["ours"], rates[side]),
                bound="at least", target=target, note=note,
            )
            for side, target in TARGETS.items()
        ],
        given.json,
    )  # fmt: skip


if __name__ == "__main__":
    main()
