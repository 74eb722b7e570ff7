"""AG News's reader and checks, on written rows and on the official files."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from bench import registry
from suite.datasets.ag_news import clean

DATASET = registry.datasets().get("ag_news")
GOOD = '"3","Shares rise","Stocks rose, he said ""today"" in\\New York."\n'


def write(folder: Path, train: bytes | str = GOOD, test: bytes | str = GOOD) -> Path:
    for name, content in (("train", train), ("test", test)):
        data = content if isinstance(content, bytes) else content.encode()
        (folder / f"{name}.csv").write_bytes(data)
    return folder


def test_rows_become_cases_of_their_partition(tmp_path: Path) -> None:
    write(tmp_path, train=GOOD + '"1","T","D"\n')
    assert DATASET.check(tmp_path) == []
    cases = DATASET.cases(tmp_path)
    assert [(c.id, c.group, c.partition) for c in cases] == [
        ("train-000001", "train-000001", "train"),
        ("train-000002", "train-000002", "train"),
        ("test-000001", "test-000001", "test"),
    ]
    assert DATASET.read(cases[0]) == (2, 'Shares rise Stocks rose, he said "today" in New York.')
    assert DATASET.read(cases[1]).label == 0


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("PeopleSoft #39;s Face", "PeopleSoft's Face"),
        ("Felix  quot;Tito quot; Trinidad", 'Felix "Tito " Trinidad'),
        (r"at \$24 per share", "at $24 per share"),
        (r"in\Baghdad on Tuesday\\", "in Baghdad on Tuesday"),
        ("end &lt;b&gt;...&lt;/b&gt; of", "end ... of"),
        ("say &lt;A HREF=&quot;http://x.y&quot;&gt;more&lt;/A&gt; now", "say more now"),
        ("cut off &lt;FONT fa", "cut off"),
        ("Oracle Corp. &lt;ORCL.O&gt; said", "Oracle Corp. <ORCL.O> said"),
        ("AT amp;T Wireless", "AT &T Wireless"),
        ("30 #151; 40 &#x2014; 50", "30 — 40 — 50"),
        ("a; b: c #1 fan; d", "a; b: c #1 fan; d"),
    ],
)
def test_cleaning(raw: str, cleaned: str) -> None:
    assert clean(raw) == cleaned


@pytest.mark.parametrize(
    ("train", "parts"),
    [
        ("", ("is empty",)),
        (GOOD + '"1","only a title"\n', ("row 2", "2 columns")),
        (GOOD + '"1","a","b","c"\n', ("row 2", "4 columns")),
        (GOOD + '"5","a","b"\n', ("row 2", "class '5'", "1 to 4")),
        ('"Class Index","Title","Description"\n' + GOOD, ("row 1", "no header")),
        (GOOD + '"1","a "quote" inside","b"\n', ("row 2", "unreadable")),
        (GOOD.encode() + b'"1","caf\xe9","b"\n', ("row 2", "not UTF-8")),
        (GOOD + '"1","never ends\n', ("row 2", "unreadable")),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, train: bytes | str, parts: tuple[str, ...]) -> None:
    (problem,) = DATASET.check(write(tmp_path, train=train))
    for part in ("train.csv", *parts):
        assert part in problem


def test_missing_files_are_named(tmp_path: Path) -> None:
    assert len(DATASET.check(tmp_path)) == 2
    write(tmp_path)
    (tmp_path / "test.csv").unlink()
    (problem,) = DATASET.check(tmp_path)
    assert "test.csv is missing" in problem


def test_problems_of_both_files_are_listed_and_long_lists_cut(tmp_path: Path) -> None:
    problems = DATASET.check(write(tmp_path, train='"9","a","b"\n' * 25, test='"0","a","b"\n'))
    assert len(problems) == 12
    assert "15 more" in problems[10]
    assert "test.csv" in problems[11]


def test_the_official_files(shared_data: Path) -> None:
    folder = shared_data / "ag_news"
    if not folder.is_dir():
        pytest.skip("there is no ag_news in ../shared/data")
    assert DATASET.check(folder) == []
    cases = DATASET.cases(folder)
    rows = [DATASET.read(case) for case in cases]
    assert Counter(case.partition for case in cases) == {"train": 30_018, "test": 7_600}
    labels = Counter(
        row.label for case, row in zip(cases, rows, strict=True) if case.partition == "test"
    )
    assert labels == {0: 1900, 1: 1900, 2: 1900, 3: 1900}
    assert not any("#39;" in row.text or "&lt;" in row.text or "\\" in row.text for row in rows)
