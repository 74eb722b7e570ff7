"""Small prepared tasks that can be learnt, written in the prepared format."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.data.prepared import PreparedTask
from bench.spec import (
    Case,
    Choice,
    Config,
    Family,
    Float,
    PublishedSplit,
    Shape,
    Space,
    Split,
    Task,
)

CLASSES = ("empty", "left", "right")
SIZES: dict[Split, int] = {"train": 97, "validation": 45, "test": 40}
SEGMENTED = ("mean_dice", "per_class_dice", "mean_slice_dice", "mean_case_dice", "accuracy")
METRICS = ("accuracy", "macro_f1", "auroc", "log_loss", "per_class_recall")


def make_task(kind: Any = "image_classification", **changes: Any) -> Task:
    """A task over the synthetic data; only what training reads of it is real."""

    def never(case: Case, raw: Any, options: Mapping[str, Any]) -> Any:
        raise AssertionError("training reads prepared data only")

    segmented = kind == "image_segmentation"
    given: dict[str, Any] = {
        "id": "synthetic",
        "title": "Synthetic",
        "dataset": "synthetic",
        "kind": kind,
        "classes": CLASSES,
        "primary": "mean_dice" if segmented else "accuracy",
        "margin": 0.01,
        "metrics": SEGMENTED if segmented else METRICS,
        "split": PublishedSplit(validation=0.2),
        "samples": never,
    }
    return Task(**given | changes)


def image(rng: np.random.Generator, label: int, size: int, channels: int) -> np.ndarray:
    """Noise with a bright square on the left, on the right, or nowhere."""
    picture = rng.normal(90, 25, size=(channels, size, size))
    if label:
        top, half = rng.integers(0, size // 2), size // 2
        left = 0 if label == 1 else half
        picture[:, top : top + half, left : left + half] += 80
    return picture.clip(0, 255).astype(np.uint8)


def text(rng: np.random.Generator, label: int) -> str:
    """Up to 20 words, each with a chance of 0.4 from the topic's 15 words of 1,000."""
    length = int(rng.integers(0, 20))
    topic = rng.integers(15, size=length) + 15 * label
    chosen = np.where(rng.random(length) < 0.4, topic, rng.integers(45, 1000, size=length))
    return " ".join(word(int(number)) for number in chosen)


def word(number: int) -> str:
    """A number as letters, so that it is one word: 27 gives "vch"."""
    return "v" + "".join(chr(ord("a") + int(digit)) for digit in str(number))


def masked(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise with a bright rectangle, and in it a brighter square; and its mask."""
    mask = np.zeros((size, size), np.uint8)
    top, left = rng.integers(0, size // 4, size=2)
    height, width = rng.integers(size // 2, 3 * size // 4, size=2)
    mask[top : top + height, left : left + width] = 1
    mask[top + 2 : top + 2 + size // 4, left + 2 : left + 2 + size // 4] = 2
    picture = rng.normal(60, 15, size=(1, size, size)) + 60 * mask
    return picture.clip(0, 255).astype(np.uint8), mask


def write_images(
    root: Path,
    *,
    size: int = 16,
    channels: int = 1,
    facts: Mapping[str, Callable[[int], float]] | None = None,
    **sizes: int,
) -> PreparedTask:
    """A prepared image task below the folder. facts: by name, of a row's number."""
    counts = SIZES | sizes

    def write(split: Split, labels: np.ndarray, rng: np.random.Generator) -> None:
        images = np.stack([image(rng, int(label), size, channels) for label in labels])
        np.save(root / split / "inputs.npy", images)

    _write(root, counts, write, facts=facts or {})
    return _manifest(root, counts, kind="image_classification", **_of_images(root))


def write_masks(root: Path, *, size: int = 16, slices: int = 5, **sizes: int) -> PreparedTask:
    """A prepared segmentation below the folder: volumes of so many slices, 2 x 1 x 0.5 mm apart."""
    counts = {"train": 40, "validation": 20, "test": 20} | sizes

    def write(split: Split, labels: np.ndarray, rng: np.random.Generator) -> None:
        images, masks = zip(*(masked(rng, size) for _ in labels), strict=True)
        np.save(root / split / "inputs.npy", np.stack(images))
        np.save(root / split / "masks.npy", np.stack(masks))
        np.save(root / split / "labels.npy", np.stack(masks).max((1, 2)).astype(np.int64))

    spacing = {"spacing_z": 2.0, "spacing_y": 1.0, "spacing_x": 0.5}
    facts: dict[str, Callable[[int], float]] = {"slice": lambda row: row % slices + 7}
    facts |= {name: (lambda row, value=value: value) for name, value in spacing.items()}
    _write(root, counts, write, facts=facts, rows_of_case=slices)
    pixels = {
        split: np.bincount(np.load(root / split / "masks.npy").ravel(), minlength=3).tolist()
        for split in counts
    }
    return _manifest(
        root, counts, kind="image_segmentation", pixel_counts=pixels, **_of_images(root)
    )


def write_texts(root: Path, **sizes: int) -> PreparedTask:
    """A prepared text task below the folder."""
    counts = SIZES | sizes

    def write(split: Split, labels: np.ndarray, rng: np.random.Generator) -> None:
        save_texts(root / split, [text(rng, int(label)) for label in labels])

    _write(root, counts, write)
    nothing = {"channels": 0, "height": 0, "width": 0, "mean": [], "std": []}
    return _manifest(root, counts, kind="text_classification", **nothing)


def save_texts(folder: Path, texts: Sequence[str]) -> None:
    """Texts as a prepared split holds them."""
    encoded = [one.encode() for one in texts]
    np.save(folder / "texts.npy", np.frombuffer(b"".join(encoded), np.uint8))
    offsets = np.cumsum([0] + [len(one) for one in encoded])
    np.save(folder / "offsets.npy", offsets.astype(np.int64))


def _write(
    root: Path,
    counts: Mapping[Split, int],
    write: Callable[..., None],
    *,
    facts: Mapping[str, Callable[[int], float]] | None = None,
    rows_of_case: int = 1,
) -> None:
    for number, (split, count) in enumerate(counts.items()):
        rng = np.random.default_rng(number)
        (root / split).mkdir(parents=True)
        labels = np.arange(count) % len(CLASSES)
        np.save(root / split / "labels.npy", labels.astype(np.int64))
        table = {
            "ids": [f"{split}-{row}" for row in range(count)],
            "cases": [f"{split}-case-{row // rows_of_case}" for row in range(count)],
            "groups": [f"patient-{row // 5}" for row in range(count)],
            "facts": {
                name: [of(row) for row in range(count)] for name, of in (facts or {}).items()
            },
        }
        (root / split / "cases.json").write_text(json.dumps(table))
        write(split, labels, rng)


def _of_images(root: Path) -> dict[str, Any]:
    """What the manifest says of images."""
    train = np.load(root / "train" / "inputs.npy")
    values = train / 255
    shape = dict(zip(("channels", "height", "width"), train.shape[1:], strict=True))
    return shape | {
        "mean": values.mean((0, 2, 3)).tolist(),
        "std": values.std((0, 2, 3)).tolist(),
    }


def _manifest(
    root: Path,
    counts: Mapping[Split, int],
    *,
    pixel_counts: Mapping[str, list[int]] | None = None,
    **facts: Any,
) -> PreparedTask:
    splits: dict[str, dict[str, Any]] = {split: {"cases": n} for split, n in counts.items()}
    for split, pixels in (pixel_counts or {}).items():
        splits[split]["pixel_counts"] = pixels
    facts |= {"task": "synthetic", "classes": list(CLASSES), "splits": splits}
    facts |= {"fingerprint": str(root), "test_fingerprint": "t", "phantom": True}
    (root / "manifest.json").write_text(json.dumps(facts))
    return PreparedTask(root)


# --- A small family with what goes wrong on resuming: dropout and batch norm ----------------


def build_small(config: Config, shape: Shape) -> torch.nn.Module:
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(shape.channels, 8, 3, stride=2),
        nn.BatchNorm2d(8) if config["norm"] else nn.Identity(),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(float(config["dropout"])),
        nn.Linear(392, shape.classes),
    )


SMALL = Family(
    id="small",
    title="Small",
    kinds=frozenset({"image_classification"}),
    space="vision",
    build=build_small,
    architectures=("small",),
    options=Space(dropout=Float(0, 0.9, default=0.2), norm=Choice(True, False)),
)


def make_config(**changes: Any) -> Config:
    config: Config = {
        "dropout": 0.2,
        "norm": True,
        "optimizer": "adamw",
        "learning_rate": 3e-3,
        "weight_decay": 1e-4,
        "schedule": "cosine",
        "warmup": 0.1,
        "batch_size": 16,
        "label_smoothing": 0.05,
        "class_weights": "balanced",
        "augmentation": "none",
    }
    return config | changes


def build_pixelwise(config: Config, shape: Shape) -> torch.nn.Module:
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(shape.channels, 8, 5, padding=2),
        nn.BatchNorm2d(8) if config["norm"] else nn.Identity(),
        nn.ReLU(),
        nn.Dropout(float(config["dropout"])),
        nn.Conv2d(8, shape.classes, 5, padding=2),
    )


PIXELWISE = replace(
    SMALL, id="pixelwise", kinds=frozenset({"image_segmentation"}), build=build_pixelwise
)
