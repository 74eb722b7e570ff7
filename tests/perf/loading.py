"""Image loading: `bench.data` against a DataLoader with worker processes and per-image transforms.

Both sides turn the same uint8 images into normalised batches, each image with flips (p 0.5 each), a
rotation by any angle (p 0.5) and a gamma from (0.5, 1.5) of its own. The DataLoader's transforms
are torchvision's v2, whose rotation fills with black where ours reflects. They alternate, and
the ratio is the median over the pairs.

    python -m tests.perf.loading [--size 224] [--batch-size 64] [--workers 2] [--threads 2]
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from bench.data.augment import Augmentation
from bench.data.batches import Draw
from bench.data.images import Images
from bench.data.prepared import SplitData
from tests.perf import figures
from tests.perf.figures import Figure, Side

CHANNELS = 3
MEAN, STD = [0.5] * CHANNELS, [0.29] * CHANNELS
CONFIG: dict[str, Any] = {"augmentation": "flips_rotation", "gamma": True}


class PerImage(Dataset[tuple[Tensor, int]]):
    """Rows of the memory map, each with torchvision's transforms."""

    def __init__(self, inputs: np.ndarray) -> None:
        from torchvision.transforms import InterpolationMode, v2

        rotation = v2.RandomRotation(180, interpolation=InterpolationMode.BILINEAR)
        self.inputs = inputs
        self.transform = v2.Compose(
            [
                v2.RandomHorizontalFlip(),
                v2.RandomVerticalFlip(),
                v2.RandomApply([rotation], p=0.5),
                v2.ToDtype(torch.float32, scale=True),
                v2.Lambda(lambda image: v2.functional.adjust_gamma(image, _power())),
                v2.Normalize(MEAN, STD),
            ]
        )

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        return self.transform(torch.from_numpy(np.array(self.inputs[row]))), row % 2


def _power() -> float:
    return float(torch.empty(()).uniform_(0.5, 1.5))


def seconds(batches: Any, rows: int) -> float:
    """How long it takes to have every batch once."""
    began = time.perf_counter()
    seen = sum(len(inputs) for inputs, _ in batches)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    assert seen == rows
    return time.perf_counter() - began


def main() -> None:
    parser = figures.parser(__doc__)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2, help="of our side: as many as workers")
    given = parser.parse_args()
    if given.short:
        given.batches = 5

    torch.set_num_threads(given.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    rows = given.batches * given.batch_size
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "inputs.npy"
        shape = (rows, CHANNELS, given.size, given.size)
        np.save(path, np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))
        inputs = np.load(path, mmap_mode="r")
        loader = DataLoader(
            PerImage(inputs), batch_size=given.batch_size, shuffle=True,
            num_workers=given.workers, persistent_workers=True, pin_memory=device == "cuda",
        )  # fmt: skip
        names = [str(row) for row in range(rows)]
        split = SplitData(
            split="train", labels=np.arange(rows) % 2, ids=names, groups=names, inputs=inputs
        )
        images = Images([split], mean=MEAN, std=STD, device=device)
        augmentation = Augmentation.of(
            CONFIG, kind="image_classification", classes=2, mean=MEAN, std=STD
        )

        def theirs(repeat: int) -> float:
            return seconds(((some.to(device), labels) for some, labels in loader), rows)

        def ours(repeat: int) -> float:
            order = images.order(
                Draw.plain(np.arange(rows)), batch_size=given.batch_size, seed=0, epoch=repeat
            )
            coins = torch.Generator().manual_seed(repeat)
            return seconds(images.batches(order, augmentation=augmentation, generator=coins), rows)

        sides = {"DataLoader": theirs, "bench": ours}
        times: dict[str, list[float]] = {side: [] for side in sides}
        for repeat in range(given.repeats + 1):
            for side in sorted(sides, reverse=bool(repeat % 2)):
                taken = sides[side](repeat)
                if repeat:  # the first round starts the workers and warms up
                    times[side].append(taken)
    rates = {
        side: Side(label=side, values=tuple(rows / one for one in taken_by))
        for side, taken_by in times.items()
    }
    note = (
        f"{CHANNELS}x{given.size}x{given.size}, batch {given.batch_size}, {device}, "
        f"{given.workers} workers against {given.threads} thread(s) of one process"
    )
    figures.finish(
        [
            Figure(
                what="augmented images", unit="images/s", ours=rates["bench"],
                theirs=rates["DataLoader"], bound="at least", target=2, note=note,
                ratio=figures.paired(rates["bench"], rates["DataLoader"]),
            )
        ],
        given.json,
    )  # fmt: skip


if __name__ == "__main__":
    main()
