"""A replicate's best, median and worst cases, kept with its predictions to be looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from torch import nn

from bench.data.images import Images
from bench.data.prepared import SplitData
from bench.data.texts import Texts
from bench.metrics import counts
from bench.spec import Task
from bench.train.predict import outputs

Array = np.ndarray

LONGEST = 160
"""Pixels on the long side of an image, at most."""
CHARACTERS = 300
"""Of a text, at most."""


def gallery(
    task: Task,
    model: nn.Module,
    source: Images | Texts,
    split: SplitData,
    arrays: Mapping[str, Array],
) -> dict[str, Array]:
    """Up to six cases of a judged split; nothing where no case can be called good or bad.

    source, split: the same rows; arrays: what `judge` found of them. Good is a high probability of
    the true class; of a segmented slice a high Dice, as a mean over the classes that it shows.
    Slices that show none are left out.

    Returns, each (cases, ...): `ranks` (best, median or worst), `ids`, `labels` int64, `quality`
    float64; of classifiers `scores` float32 and `fact_<name>` for each of the task's strata; of
    images `images` uint8 (cases, height, width, channels); of segmenters `true` and `predicted`,
    uint8 (cases, height, width); of texts their beginnings, `texts`.
    """
    quality = _dice(arrays["counts"]) if "counts" in arrays else _of_true(arrays)
    ranks, rows = chosen(quality, split.ids)
    if not len(rows):
        return {}
    found = {
        "ranks": np.array(ranks),
        "ids": np.array([split.ids[row] for row in rows]),
        "labels": split.labels[rows].astype(np.int64),
        "quality": quality[rows],
    }
    if "scores" in arrays:
        found["scores"] = arrays["scores"][rows]
        found |= {f"fact_{name}": split.facts[name][rows] for name in task.strata}
    if split.inputs is not None:
        found["images"] = np.stack([_image(split.inputs[row]) for row in rows])
    if split.masks is not None:
        assert isinstance(source, Images)
        found["true"] = np.stack([_mask(split.masks[row]) for row in rows])
        found["predicted"] = _predicted(model, source, rows)
    if split.texts is not None:
        found["texts"] = np.array([split.text(row)[:CHARACTERS] for row in rows])
    return found


def chosen(quality: Array, ids: Sequence[str]) -> tuple[list[str], Array]:
    """Two best, two median and two worst rows, fewer where there are fewer than six; none twice.

    quality: float64 (rows,); rows of NaN are left out. Ties are in the order of their ids. Returns
    of each row its rank and its number, the best first.
    """
    able = np.flatnonzero(np.isfinite(quality))
    order = sorted(able.tolist(), key=lambda row: (quality[row], ids[row]))
    last, middle = len(order) - 1, len(order) // 2
    wanted = [("best", last), ("worst", 0), ("median", middle)]
    wanted += [("best", last - 1), ("worst", 1), ("median", middle - 1)]
    taken: dict[int, str] = {}
    for rank, place in wanted:
        if 0 <= place <= last:
            taken.setdefault(place, rank)
    places = sorted(taken, reverse=True)
    return [taken[place] for place in places], np.array([order[place] for place in places], int)


def _of_true(arrays: Mapping[str, Array]) -> Array:
    """Each row's probability of its true class."""
    scores = arrays["scores"].astype(np.float64)
    return np.asarray(scores[np.arange(len(scores)), arrays["labels"]])


def _dice(confusions: Array) -> Array:
    """Each row's mean Dice over the classes in its truth but the first, the background."""
    with np.errstate(divide="ignore", invalid="ignore"):
        dice = np.asarray(counts.f1(confusions.astype(np.float64)))[:, 1:]
        shown = (confusions.sum(axis=2) > 0)[:, 1:]
        return np.asarray(np.where(shown, dice, 0).sum(axis=1) / shown.sum(axis=1))


def _predicted(model: nn.Module, images: Images, rows: Array) -> Array:
    """The classes of each pixel of these rows, in their order."""
    found: dict[int, Array] = {}
    for numbers, logits, _ in outputs(model, images, rows, len(rows)):
        masks = logits.argmax(dim=1).cpu().numpy().astype(np.uint8)
        found.update(zip(numbers.tolist(), masks, strict=True))
    return np.stack([_mask(found[row]) for row in rows.tolist()])


def _image(pixels: Array) -> Array:
    """uint8 (channels, height, width) as (height, width, 1 or 3), antialiased where it shrinks."""
    from PIL import Image

    shown = pixels if len(pixels) == 3 else pixels[:1]
    size = _size(shown.shape[1:])
    planes = [
        np.asarray(Image.fromarray(np.array(plane)).resize(size, Image.Resampling.BILINEAR))
        for plane in shown
    ]
    return np.stack(planes, axis=2)


def _mask(classes: Array) -> Array:
    from PIL import Image

    mask = Image.fromarray(np.array(classes))
    return np.asarray(mask.resize(_size(classes.shape), Image.Resampling.NEAREST))


def _size(shape: Sequence[int]) -> tuple[int, int]:
    """Width and height of a (height, width) that is made no larger."""
    height, width = shape
    share = min(1.0, LONGEST / max(height, width))
    return max(1, round(width * share)), max(1, round(height * share))
