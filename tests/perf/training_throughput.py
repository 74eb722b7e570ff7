"""Image training throughput: `bench.train` on a split against one batch that stays on the device.

Both sides take the same number of updates of the same model, optimizer and loss. The floor steps
again and again on one normalised batch; ours draws an order, gathers, normalises, augments, watches
for divergence and steps a schedule. They alternate, and the ratio is the median over the pairs.

    python -m tests.perf.training_throughput [--family resnet] [--size 64] [--batch-size 32]
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench import registry
from bench.data.prepared import PreparedTask
from bench.spec import Case, PublishedSplit, Task
from bench.train import device as devices
from bench.train.clock import Clock
from bench.train.losses import Loss
from bench.train.model import build
from bench.train.optimization import make_optimizer
from bench.train.steps import autocast
from bench.train.training import Training
from bench.train.trial import configure
from tests.perf import figures
from tests.perf.figures import Figure, Side

CLASSES = ("a", "b", "c")


def prepared(root: Path, *, size: int, channels: int, cases: int) -> PreparedTask:
    """Random images in the prepared format: speed does not ask what they show."""
    rng = np.random.default_rng(0)
    for split, count in (("train", cases), ("validation", 8)):
        (root / split).mkdir()
        shape = (count, channels, size, size)
        np.save(root / split / "inputs.npy", rng.integers(0, 256, shape, dtype=np.uint8))
        np.save(root / split / "labels.npy", np.arange(count) % len(CLASSES))
        names = [str(case) for case in range(count)]
        table = {"ids": names, "cases": names, "groups": names, "facts": {}}
        (root / split / "cases.json").write_text(json.dumps(table))
    facts = {
        "task": "random", "kind": "image_classification", "classes": CLASSES, "channels": channels,
        "height": size, "width": size, "mean": [0.5] * channels, "std": [0.29] * channels,
        "fingerprint": "random", "splits": {},
    }  # fmt: skip
    (root / "manifest.json").write_text(json.dumps(facts))
    return PreparedTask(root)


def random_task() -> Task:
    def samples(case: Case, raw: Any, options: Any) -> Any:
        raise AssertionError

    return Task(
        id="random",
        title="Random",
        dataset="random",
        kind="image_classification",
        classes=CLASSES,
        primary="accuracy",
        margin=0.01,
        metrics=("accuracy",),
        split=PublishedSplit(validation=0.2),
        samples=samples,
    )


class Floor:
    """The same model stepping on one batch that lies on the device already."""

    def __init__(self, family: Any, config: Any, data: PreparedTask, device: torch.device) -> None:
        self.device = device
        self.model = build(family, config, data, seed=0, device=device).train()
        self.optimizer = make_optimizer(self.model, config)
        shape = (int(config["batch_size"]), *np.load(data.root / "train/inputs.npy").shape[1:])
        self.inputs = torch.randn(shape, device=device)
        if device.type == "cuda":
            self.inputs = self.inputs.contiguous(memory_format=torch.channels_last)
        self.labels = torch.arange(shape[0], device=device) % len(CLASSES)
        self.loss = Loss(
            config, counts=lambda: torch.bincount(self.labels).cpu().numpy(), device=device
        )

    def seconds(self, updates: int) -> float:
        clock = Clock(self.device.type)
        with clock.charged():
            for _ in range(updates):
                self.optimizer.zero_grad(set_to_none=True)
                with autocast(self.device):
                    logits = self.model(self.inputs)
                loss = self.loss.total(logits, self.labels) / len(self.labels)
                loss.backward()
                self.optimizer.step()
        return clock.charged_seconds


def main() -> None:
    parser = figures.parser(__doc__, repeats=9)
    parser.add_argument("--family", default="resnet")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--channels", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--augmentation", default="flips")
    parser.add_argument("--updates", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], help="key=value of the family")
    given = parser.parse_args()
    if given.short:
        given.updates, given.repeats = 4, 5

    from bench.spec import parse_assignments

    device = devices.pick()
    devices.set_threads(given.threads)
    family = registry.families().get(given.family)
    task = random_task()
    config = configure(
        family,
        task,
        {
            "batch_size": given.batch_size,
            "augmentation": given.augmentation,
            **parse_assignments(given.set),
        },
    )
    cases = given.updates * given.batch_size
    with tempfile.TemporaryDirectory() as folder:
        data = prepared(Path(folder), size=given.size, channels=given.channels, cases=cases)
        floor = Floor(family, config, data, torch.device(device))
        training = Training(
            task=task, family=family, config=config, seed=0, max_epochs=100, data=data,
            device=device, replicate=False, refit="train",
        )  # fmt: skip
        times: dict[str, list[float]] = {"floor": [], "ours": []}
        for repeat in range(given.repeats + 1):
            clock = Clock(device)
            sides = {
                "floor": lambda: floor.seconds(given.updates),
                "ours": lambda clock=clock: training.train_epoch(clock).charged_seconds,
            }
            for side in sorted(sides, reverse=bool(repeat % 2)):
                seconds = sides[side]()
                if repeat:  # the first round warms up
                    times[side].append(seconds)
    rates = {
        side: Side(label=side, values=tuple(cases / one for one in seconds))
        for side, seconds in times.items()
    }
    note = (
        f"{family.id}, {given.channels}x{given.size}x{given.size}, batch {given.batch_size}, "
        f"{given.augmentation}, {device}, {given.threads} thread(s)"
    )
    figures.finish(
        [
            Figure(
                what="training images", unit="images/s", ours=rates["ours"],
                theirs=rates["floor"], ratio=figures.paired(rates["ours"], rates["floor"]),
                bound="at least", target=0.90 if device == "cuda" else 0.95, note=note,
            )
        ],
        given.json,
    )  # fmt: skip


if __name__ == "__main__":
    main()
