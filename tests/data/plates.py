"""A small data set of volumes, as `.npy` files with a table, and tasks over it, for these tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import registry
from bench.errors import BadData
from bench.spec import (
    Case,
    Choice,
    Dataset,
    GroupSplit,
    Int,
    PublishedSplit,
    Sample,
    Scalar,
    Space,
    Task,
)

CLASSES = ("none", "disc", "spot")
SHAPE = (4, 12, 10)
"""(slices, rows, columns) of a volume."""


@dataclass(frozen=True)
class Plate:
    """One volume with its mask, or a text."""

    image: np.ndarray
    mask: np.ndarray
    text: str


def write(folder: Path, *, cases: int = 10, shape: tuple[int, int, int] = SHAPE) -> Path:
    """A sound data set: every volume holds all three classes."""
    folder.mkdir(parents=True)
    table = []
    for number in range(cases):
        rng = np.random.default_rng(number)
        image = rng.integers(0, 256, shape, dtype=np.uint8)
        mask = np.zeros(shape, np.uint8)
        mask[1:, 2:6, 3:7] = 1
        mask[2, 3, 4] = 2
        np.save(folder / f"{number}.npy", image)
        np.save(folder / f"{number}-mask.npy", mask)
        (folder / f"{number}.txt").write_text(f"Plate no. {number}, größer", encoding="utf-8")
        side = "test" if number % 5 == 0 else "train"
        table.append({"id": str(number), "group": f"p{number}", "partition": side, "stratum": ""})
    (folder / "table.json").write_text(json.dumps(table))
    return folder


def rewrite_table(folder: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Change each row of the table."""
    rows = json.loads((folder / "table.json").read_text())
    (folder / "table.json").write_text(json.dumps([change(row) for row in rows]))


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.suffix in (".npy", ".json", ".txt"))


def problems(folder: Path) -> list[str]:
    if not (folder / "table.json").exists():
        return [f"{folder / 'table.json'} is missing"]
    ids = [row["id"] for row in json.loads((folder / "table.json").read_text())]
    return [f"{folder / id}.npy is missing" for id in ids if not (folder / f"{id}.npy").exists()]


def cases(folder: Path) -> list[Case]:
    rows = json.loads((folder / "table.json").read_text())
    return [
        Case(**row, source=folder / row["id"])
        for row in rows
        if (folder / f"{row['id']}.npy").exists()
    ]


def read(case: Case) -> Plate:
    base = case.source
    assert isinstance(base, Path)
    wrong, arrays = [], []
    for path in (base.with_name(f"{base.name}.npy"), base.with_name(f"{base.name}-mask.npy")):
        try:
            arrays.append(np.load(path))
        except (ValueError, EOFError) as error:
            wrong.append(f"{path} cannot be read ({error})")
    if wrong:
        raise BadData(*wrong)
    return Plate(*arrays, text=base.with_suffix(".txt").read_text(encoding="utf-8"))


def slices(case: Case, raw: Plate, options: Mapping[str, Scalar]) -> Iterator[Sample]:
    """Every slice; with `drawn`, only the first so many may be trained on."""
    for place, (image, mask) in enumerate(zip(raw.image, raw.mask, strict=True)):
        yield Sample(
            id=f"{case.id}/{place}",
            input=image[None],
            label=mask if options["masks"] else int(mask.max()),
            facts={"slice": place, "spacing_z": 2.5, "spacing_y": float("nan")},
            training=not options["drawn"] or place < int(options["drawn"]),
        )


def texts(case: Case, raw: Plate, options: Mapping[str, Scalar]) -> Iterator[Sample]:
    yield Sample(id=case.id, input=raw.text, label=int(case.id) % 2)


DATASET = Dataset(
    title="Plates",
    layout="table.json with N.npy, N-mask.npy and N.txt",
    groups=lambda folder: True,
    files=files,
    problems=problems,
    cases=cases,
    read=read,
    id="plates",
)

PLATES_CLS = Task(
    title="Plates, classes",
    dataset="plates",
    kind="image_classification",
    classes=CLASSES,
    primary="accuracy",
    margin=0.01,
    metrics=("accuracy",),
    split=GroupSplit(train=0.6, validation=0.2, test=0.2),
    samples=slices,
    options=Space(masks=Choice(False, True), drawn=Int(0, 9, default=0)),
    id="plates_cls",
)
PLATES_SEG = replace(
    PLATES_CLS,
    kind="image_segmentation",
    options=Space(masks=Choice(True, False), drawn=Int(0, 9, default=0)),
    id="plates_seg",
)
PLATES_TEXT = replace(
    PLATES_CLS,
    kind="text_classification",
    classes=("even", "odd"),
    split=PublishedSplit(validation=0.25),
    samples=texts,
    options=Space(),
    id="plates_text",
)
TASKS = {task.id: task for task in (PLATES_CLS, PLATES_SEG, PLATES_TEXT)}


def register(patch: pytest.MonkeyPatch, dataset: Dataset = DATASET) -> None:
    """Let the registry know nothing but these."""
    patch.setattr(registry, "datasets", lambda: registry.Shelf("data set", {"plates": dataset}))
    patch.setattr(registry, "tasks", lambda: registry.Shelf("task", TASKS))
