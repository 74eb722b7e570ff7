"""Generated colon polyps in MHIST's format: schematic H&E patches with seven simulated votes each.

A patch has a latent ambiguity: how serrated the lesion is. It is painted from that, and each of
seven annotators, who lean one way or the other, votes by it; the label is the majority's. So the
votes of an ambiguous patch split, and nothing in its pixels tells how.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from statistics import NormalDist
from string import ascii_lowercase
from typing import TYPE_CHECKING, NamedTuple

from bench.spec import Phantom

if TYPE_CHECKING:
    import numpy as np

VERSION = 1
COLUMNS = (
    "Image Name",
    "Majority Vote Label",
    "Number of Annotators who Selected SSA (Out of 7)",
    "Partition",
)
ANNOTATORS = 7
SSA_SHARE, TRAIN_SHARE = 990 / 3152, 2175 / 3152
"""Of MHIST. Source: Wei et al. 2021, A Petri Dish for Histopathology Image Analysis."""
CERTAINTY = 3.0
"""How fast an annotator's log odds rise with the latent."""
LEANING = 0.7
"""Standard deviation of the annotators' own log odds."""
VISIBLE = 1.25
"""How fast the logit of a patch's degree rises with the latent."""
NORMAL = NormalDist()
SPREAD = 0.7548776662466927, 0.5698402909980532
"""1/p and 1/p^2 of the plastic number p: multiples of these, modulo 1, fill the unit square evenly
however many there are. Source: Roberts 2018, The Unreasonable Effectiveness of Quasirandom
Sequences."""


def write(
    folder: Path,
    *,
    cases: int,
    seed: int,
    progress: Callable[[str, int, int], None] | None = None,
) -> None:
    """`annotations.csv`, `images/` with `cases` PNGs of 224x224, and the phantom's marker.

    The same bytes for the same arguments; a case does not depend on how many there are, yet any
    number has about MHIST's shares of SSA and of the training partition. Progress is told after
    each image.
    """
    import numpy as np
    from PIL import Image

    from suite.slides.crypts import patch

    (folder / "images").mkdir(parents=True, exist_ok=True)
    marker = {"dataset": "mhist", "version": VERSION, "cases": cases, "seed": seed}
    (folder / "PHANTOM.json").write_text(json.dumps(marker))
    with (folder / "annotations.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        for number in range(cases):
            lesion = drawn(seed, number)
            name = f"MHIST_{letters(number)}.png"
            pixels = patch(np.random.default_rng(_key(seed, 2, number)), degree=lesion.degree)
            Image.fromarray(pixels).save(folder / "images" / name, compress_level=1)
            table.writerow([name, lesion.label, lesion.votes, lesion.partition])
            if progress:
                progress("phantom", number + 1, cases)


class Lesion(NamedTuple):
    """What is drawn of a case before it is painted."""

    degree: float
    """How serrated it is, a logit."""
    votes: int
    """How many of the seven chose SSA."""
    partition: str

    @property
    def label(self) -> str:
        return "SSA" if self.votes > ANNOTATORS / 2 else "HP"


def drawn(seed: int, number: int) -> Lesion:
    """One case. At a latent of 0 an annotator without a leaning tosses a coin."""
    import numpy as np

    whole = np.random.default_rng(_key(seed, 0))
    start, leanings = whole.random(2), whole.normal(0, LEANING, ANNOTATORS)
    quantile, place = (start + np.multiply(SPREAD, number)) % 1
    latent = NORMAL.inv_cdf(float(quantile)) - NORMAL.inv_cdf(1 - SSA_SHARE)
    odds = CERTAINTY * latent + leanings - leanings.mean()
    draws = np.random.default_rng(_key(seed, 1, number)).random(ANNOTATORS)
    return Lesion(
        degree=VISIBLE * latent,
        votes=int((draws < 1 / (1 + np.exp(-odds))).sum()),
        partition="train" if place < TRAIN_SHARE else "test",
    )


def _key(seed: int, *key: int) -> np.random.SeedSequence:
    """Of the random numbers of the whole set, (0,); of a case's votes, (1, number), or its
    pixels, (2, number)."""
    import numpy as np

    return np.random.SeedSequence([seed, VERSION], spawn_key=key)


def letters(number: int) -> str:
    """aaa, aab, ...: three letters, or more where those run out."""
    text = ""
    while number or len(text) < 3:
        number, digit = divmod(number, len(ascii_lowercase))
        text = ascii_lowercase[digit] + text
    return text


PHANTOM = Phantom(version=VERSION, cases=600, write=write)
