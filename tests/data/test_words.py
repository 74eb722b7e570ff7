"""Words and their numbers."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

from bench.data.words import encode, word_id, words


def test_words() -> None:
    text = "China's GDP up 9.1%, to $1,200 by 10:30!"
    expected = "china ' s gdp up 9.1 % , to $ 1,200 by 10:30 !"
    assert words(text) == expected.split()
    assert words("Café MÜLLER-Straße") == ["café", "müller", "-", "straße"]


def test_texts_are_cut_and_never_empty() -> None:
    assert encode("word " * 300).shape == (128,)
    assert encode("a b c", limit=2).shape == (2,)
    assert encode("").tolist() == [0]
    assert encode("a b a")[0] == encode("a b a")[2] != encode("a b a")[1]
    assert encode("a").dtype == np.int32


def test_numbers_are_the_same_in_every_process() -> None:
    assert word_id("liver") == 708005576
    code = "from bench.data.words import word_id; print(word_id('liver'))"
    for hash_seed in ("1", "2"):
        out = subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": "."},
            capture_output=True,
            text=True,
            check=True,
        )
        assert int(out.stdout) == word_id("liver")


def test_numbers_fit_and_hardly_ever_meet() -> None:
    ids = {word_id(f"word{number}") for number in range(20_000)}
    assert len(ids) > 19_990
    assert min(ids) >= 0 and max(ids) < 2**31
