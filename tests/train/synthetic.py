"""Small prepared tasks that can be learnt, written in the prepared format."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
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
METRICS = ("accuracy", "macro_f1", "auroc", "log_loss", "per_class_recall")


def make_task(kind: Any = "image_classification", **changes: Any) -> Task:
    """A task over the synthetic data; only what training reads of it is real."""

    def never(case: Case, raw: Any, options: Mapping[str, Any]) -> Any:
        raise AssertionError("training reads prepared data only")

    given: dict[str, Any] = {
        "id": "synthetic",
        "title": "Synthetic",
        "dataset": "synthetic",
        "kind": kind,
        "classes": CLASSES,
        "primary": "accuracy",
        "margin": 0.01,
        "metrics": METRICS,
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


def text(rng: np.random.Generator, label: int) -> np.ndarray:
    """Up to 20 word ids, each with a chance of 0.4 from the topic's 15 words of 1,000."""
    length = int(rng.integers(0, 20))
    topic = rng.integers(15, size=length) + 15 * label
    return np.where(rng.random(length) < 0.4, topic, rng.integers(45, 1000, size=length))


def write_images(root: Path, *, size: int = 16, channels: int = 1, **sizes: int) -> PreparedTask:
    """A prepared image task below the folder."""
    counts = SIZES | sizes

    def write(split: Split, labels: np.ndarray, rng: np.random.Generator) -> None:
        images = np.stack([image(rng, int(label), size, channels) for label in labels])
        np.save(root / split / "inputs.npy", images)

    _write(root, counts, write)
    train = np.load(root / "train" / "inputs.npy") / 255
    shape = {"channels": channels, "height": size, "width": size}
    moments = {"mean": train.mean((0, 2, 3)).tolist(), "std": train.std((0, 2, 3)).tolist()}
    return _manifest(root, counts, kind="image_classification", **shape, **moments)


def write_texts(root: Path, **sizes: int) -> PreparedTask:
    """A prepared text task below the folder."""
    counts = SIZES | sizes

    def write(split: Split, labels: np.ndarray, rng: np.random.Generator) -> None:
        texts = [text(rng, int(label)) for label in labels]
        np.save(root / split / "tokens.npy", np.concatenate(texts).astype(np.int32))
        offsets = np.cumsum([0] + [len(one) for one in texts])
        np.save(root / split / "offsets.npy", offsets.astype(np.int64))

    _write(root, counts, write)
    nothing = {"channels": 0, "height": 0, "width": 0, "mean": [], "std": []}
    return _manifest(root, counts, kind="text_classification", **nothing)


def _write(root: Path, counts: Mapping[Split, int], write: Callable[..., None]) -> None:
    for number, (split, count) in enumerate(counts.items()):
        rng = np.random.default_rng(number)
        (root / split).mkdir(parents=True)
        labels = np.arange(count) % len(CLASSES)
        np.save(root / split / "labels.npy", labels.astype(np.int64))
        ids = [f"{split}-{case}" for case in range(count)]
        groups = [f"patient-{case // 5}" for case in range(count)]
        (root / split / "cases.json").write_text(json.dumps({"ids": ids, "groups": groups}))
        write(split, labels, rng)


def _manifest(root: Path, counts: Mapping[Split, int], **facts: Any) -> PreparedTask:
    splits = {split: {"cases": count} for split, count in counts.items()}
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
