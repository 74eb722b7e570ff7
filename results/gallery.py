"""The few cases that are kept with a replicate's predictions, to be looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.errors import UserError
from results.predictions import Arrays, opened

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Kept:
    """One case."""

    rank: str
    """`best`, `median` or `worst`."""
    id: str
    label: int
    """The true class; of masks the highest in it."""
    quality: float
    """The probability of the true class; of masks the mean Dice over the classes shown."""
    scores: npt.NDArray[np.float64] | None = None
    """(classes,); None for masks."""
    image: Pixels | None = None
    """(height, width, 1 or 3); None for a text."""
    true: Pixels | None = None
    """(height, width), classes; None where there are no masks."""
    predicted: Pixels | None = None
    text: str = ""
    """Its beginning."""
    facts: Mapping[str, float] = field(default_factory=dict)
    """What errors are broken down by."""


def read_gallery(folder: Path, reference: Mapping[str, str], split: str) -> tuple[Kept, ...]:
    """The cases of a split that lie in a file of predictions, best first; empty where none do.

    Raises UserError as `read_predictions` does, and where the arrays do not fit together.
    """
    with opened(folder, reference) as arrays:
        prefix = f"{split}_gallery_"
        if f"{prefix}ranks" not in arrays:
            return ()
        found = {key.removeprefix(prefix): arrays[key] for key in arrays if key.startswith(prefix)}
    _check(found, reference["file"])
    return tuple(_kept(found, place) for place in range(len(found["ranks"])))


def _check(found: Arrays, name: str) -> None:
    same = all(len(array) == len(found["ranks"]) for array in found.values())
    whole = {"ids", "labels", "quality"} <= set(found)
    masks = [found[key].shape for key in ("true", "predicted") if key in found]
    fit = not masks or ("images" in found and set(masks) == {found["images"].shape[:3]})
    flat = "images" not in found or found["images"].ndim == 4
    if not (same and whole and flat and fit and len(masks) in (0, 2)):
        raise UserError(f"{name}: the arrays of its gallery do not fit together")


def _kept(found: Arrays, place: int) -> Kept:
    def of(name: str) -> Any:
        return found[name][place] if name in found else None

    facts = {
        name.removeprefix("fact_"): float(array[place])
        for name, array in found.items()
        if name.startswith("fact_")
    }
    return Kept(
        rank=str(of("ranks")),
        id=str(of("ids")),
        label=int(of("labels")),
        quality=float(of("quality")),
        scores=of("scores"),
        image=of("images"),
        true=of("true"),
        predicted=of("predicted"),
        text=str(found["texts"][place]) if "texts" in found else "",
        facts=facts,
    )
