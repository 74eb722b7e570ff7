"""What is predicted for the samples of files, block by block."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bench.errors import UserError
from bench.predict import rows
from bench.train import apply
from bench.train.predict import NotFinite

FILES = [Path("a.png"), Path("b.png"), Path("c.png")]


class Twos:
    """Reads two samples of each file: its number, and that and a half."""

    reader = SimpleNamespace(mask=lambda raw, scores: scores[0])

    def cases(self, files):
        for number, file in enumerate(files):
            yield file, file.stem, number

    def samples(self, case, raw):
        return [SimpleNamespace(input=raw + half) for half in (0, 0.5)]


def test_rows_keep_their_order_over_blocks(monkeypatch):
    blocks = []

    def found(models, inputs):
        blocks.append(inputs)
        return np.array(inputs)[:, np.newaxis]

    monkeypatch.setattr(rows, "BLOCK", 4)
    monkeypatch.setattr(apply, "probabilities", found)
    found = list(rows.classify(Twos(), FILES, ["a model"]))
    assert blocks == [[0, 0.5, 1, 1.5], [2, 2.5]]
    assert [(row.file.stem, row.sample.input) for row in found] == [
        ("a", 0), ("a", 0.5), ("b", 1), ("b", 1.5), ("c", 2), ("c", 2.5)
    ]  # fmt: skip
    assert all(row.probabilities == [row.sample.input] for row in found)


def test_outputs_that_are_not_finite_name_the_file_from_which_on(monkeypatch):
    def fails(models, inputs):
        if 2 in inputs:
            raise NotFinite
        return np.zeros((len(inputs), 1))

    monkeypatch.setattr(rows, "BLOCK", 2)
    for name in ("probabilities", "pixel_probabilities"):
        monkeypatch.setattr(apply, name, fails)
    for predict in (rows.classify, rows.segment):
        with pytest.raises(UserError, match=r"outputs on c\.png.*not finite.*--replicate"):
            list(predict(Twos(), FILES, ["a model"]))
