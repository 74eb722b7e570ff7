"""Generated headlines in AG News's format: four topics that share most of their words.

Three things tell a topic: words that it uses more than its neighbour topics do; compounds whose two
words are each as common in every topic ("space race", "price race"), so that only the pair tells;
and nothing at all in the headlines that consist of shared words. Some labels are wrong, as in
every corpus that was sorted by hand.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bench.spec import Phantom

if TYPE_CHECKING:
    import numpy as np

VERSION = 1
TEST_SHARE = 4
"""One test row for so many training rows."""
REPORTED = 1000
"""Progress is reported once in so many rows."""
WRONG_LABELS = 0.04
VAGUE = 0.06
"""The share of texts without a word of their topic."""

TOPICS = tuple(
    line.split()
    for line in (
        "minister troops election rebels embassy ceasefire parliament hostage bomb border treaty "
        "militants president refugees police insurgents protest coup sanctions delegates province "
        "militia convoy mosque soldiers diplomat premier cabinet uprising envoy",
        "coach inning quarterback goal league championship season playoff pitcher striker "
        "tournament wicket medal relay stadium referee defender touchdown fans batting sprint "
        "penalty roster olympic trophy midfielder homer dugout captain rookie",
        "shares profit earnings merger dividend investors stock quarter retailer bonds analysts "
        "revenue lender currency oil crude inflation exports shareholder takeover bankruptcy bank "
        "mortgage tariff wages factory consumer deficit broker audit",
        "software browser satellite chip researchers network server virus telescope laptop "
        "spacecraft genome internet download processor scientists spam code robot planet "
        "laboratory database wireless desktop encryption orbit fossil probe hacker console",
    )
)
"""Words of World, Sports, Business and Sci/Tech."""

FIRST, SECOND = (
    line.split()
    for line in (
        "space price market star home power field world title record safety growth",
        "race talks war watch drive deal report plan test line rules launch",
    )
)
"""The compound of first word i and second word j belongs to topic (i + j) % 4."""

SHARED_WORDS = (
    "the a of in on for after with over says new may first year plan group team state city back "
    "more two three last week set still against as by at from into million report chief face "
    "hopes wins loses early late big move key top national international official expected "
    "announced yesterday today monday tuesday wednesday thursday friday seeks warns delays ends "
    "begins returns calls cuts raises leaves joins meets drops holds under"
)
SHARED = SHARED_WORDS.split()
AGENCIES = ("Reuters", "AP", "AFP", "")


def write(
    folder: Path,
    *,
    cases: int,
    seed: int,
    progress: Callable[[str, int, int], None] | None = None,
) -> None:
    """`train.csv` of `cases` rows, `test.csv` of a quarter of that, and the phantom's marker.

    progress: called as `progress("phantom", written, all)` about every thousand rows.
    """
    import numpy as np

    folder.mkdir(parents=True, exist_ok=True)
    marker = {"dataset": "ag_news", "version": VERSION, "cases": cases, "seed": seed}
    (folder / "PHANTOM.json").write_text(json.dumps(marker))
    tests = -(-cases // TEST_SHARE)
    for name, stream, rows, before in (("train", 0, cases, 0), ("test", 1, tests, cases)):
        rng = np.random.default_rng([seed, VERSION, stream])
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
            for done in range(1, rows + 1):
                topic = int(rng.integers(len(TOPICS)))
                label, title, text = row(rng, topic)
                writer.writerow([label + 1, title, text])
                if progress and (done % REPORTED == 0 or done == rows):
                    progress("phantom", before + done, cases + tests)


def row(rng: np.random.Generator, topic: int) -> tuple[int, str, str]:
    """One row on a topic: its label (now and then a wrong one), title and description."""
    vague = rng.random() < VAGUE
    title = _phrase(rng, topic, words=int(rng.integers(4, 8)), vague=vague)
    text = _phrase(rng, topic, words=int(rng.integers(9, 24)), vague=vague)
    agency = AGENCIES[rng.integers(len(AGENCIES))]
    if agency:
        title, text = f"{title} ({agency})", f"{agency} - {text}"
    label = int(rng.integers(len(TOPICS))) if rng.random() < WRONG_LABELS else topic
    return label, title, f"{text}."


def _phrase(rng: np.random.Generator, topic: int, *, words: int, vague: bool) -> str:
    draws, parts = rng.random((words, 2)), []
    for kind, place in draws:
        if kind < 0.09 and not vague:
            parts.append(_zipf(TOPICS[topic], place))
        elif kind < 0.17:
            parts.append(_zipf(TOPICS[rng.integers(len(TOPICS))], place))
        elif kind < 0.27:
            parts.append(_compound(rng, None if vague else topic))
        else:
            parts.append(_zipf(SHARED, place))
    return " ".join(parts).capitalize()


def _zipf(words: list[str], place: float) -> str:
    """The word at a place in [0, 1): the earlier ones are drawn more often."""
    return words[int(len(words) * place**1.7)]


def _compound(rng: np.random.Generator, topic: int | None) -> str:
    """Two words that tell the topic together; of any topic where there is none."""
    first = int(rng.integers(len(FIRST)))
    second = int(rng.integers(len(SECOND)))
    if topic is not None:
        second = second - (first + second) % 4 + topic
        second += 4 * (second < 0) - 4 * (second >= len(SECOND))
    return f"{FIRST[first]} {SECOND[second]}"


PHANTOM = Phantom(version=VERSION, cases=4000, write=write)
