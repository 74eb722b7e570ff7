"""AG News's reader: the official CSVs and the hub's parquet files, sound and broken."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from bench import registry
from bench.errors import BadData
from bench.spec import Case
from suite.datasets.ag_news import LABELS, clean

DATASET = registry.datasets().get("ag_news")
TASK = registry.tasks().get("ag_news")
GOOD = '"3","Shares rise","Stocks rose, he said ""today"" in\\New York."\n'
TEXT = 'Shares rise Stocks rose, he said "today" in\\New York.'


def write(folder: Path, train: bytes | str = GOOD, test: bytes | str = GOOD) -> Path:
    for name, content in (("train", train), ("test", test)):
        data = content if isinstance(content, bytes) else content.encode()
        (folder / f"{name}.csv").write_bytes(data)
    return folder


def shard(path: Path, texts: Sequence[object] = (TEXT,), labels: Sequence[object] = (2,)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.table({"text": list(texts), "label": list(labels)}), path)
    return path


def hub(folder: Path, place: str = "data") -> Path:
    """The hub's layout; returns the training shard."""
    shard(folder / place / "test-00000-of-00001.parquet")
    return shard(folder / place / "train-00000-of-00001.parquet")


def told(case: Case) -> tuple[object, ...]:
    """All that a case says of itself, and what is read of it."""
    return case.id, case.group, case.partition, case.stratum, DATASET.read(case)


def test_rows_become_cases_of_their_partition(tmp_path: Path) -> None:
    write(tmp_path, train=GOOD + '"1","T","D"\n')
    assert DATASET.problems(tmp_path) == []
    assert not DATASET.groups(tmp_path)
    text = 'Shares rise Stocks rose, he said "today" in New York.'
    assert [told(case) for case in DATASET.cases(tmp_path)] == [
        ("train-000001", "train-000001", "train", "Business", (2, text)),
        ("train-000002", "train-000002", "train", "World", (0, "T D")),
        ("test-000001", "test-000001", "test", "Business", (2, text)),
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_table_reads_the_same_however_it_was_saved(tmp_path: Path, end: str, mark: str) -> None:
    rows = ('"1","a ""quoted"" title, with a comma","broken\nover lines"', "2,bare,cells")
    write(tmp_path, train=mark + end.join(rows), test=mark + end.join(rows) + end)
    assert DATASET.problems(tmp_path) == []
    assert [DATASET.read(case) for case in DATASET.cases(tmp_path)] == [
        (0, 'a "quoted" title, with a comma broken over lines'),
        (1, "bare cells"),
    ] * 2


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
    ("train", "line", "left"),
    [
        ("", "is empty", 0),
        (
            GOOD + '"1","only a title"\n',
            'row 2 has 2 columns instead of "class","title","description"',
            1,
        ),
        (
            GOOD + '"1","a","b","c"\n' + GOOD,
            'row 2 has 4 columns instead of "class","title","description"',
            2,
        ),
        (GOOD + '"5","a","b"\n', "row 2 has class '5', classes are 1 to 4", 1),
        (
            '"Class Index","Title","Description"\n' + GOOD,
            "row 1 has class 'Class Index', classes are 1 to 4 (the official file has no header)",
            1,
        ),
        (
            GOOD + '"1","a "quote" inside","b"\n' + GOOD,
            "row 2 is unreadable (',' expected after '\"')",
            2,
        ),
        (GOOD.encode() + b'"1","caf\xe9","b"\n', "row 2 is not UTF-8 (byte 0xe9 in column 2)", 1),
        (GOOD + '"1","never ends\n', "row 2 is unreadable (unexpected end of data)", 1),
        (GOOD + '"1"," ",""\n', "row 2 has no text", 1),
        ('"1","a\nb","c"\n"0","a","b"\n', "row 2 (line 3) has class '0', classes are 1 to 4", 1),
        (GOOD.encode("utf-16"), "is UTF-16: save it as UTF-8", 0),
    ],
)
def test_a_bad_row_is_named_and_left_out(
    tmp_path: Path, train: bytes | str, line: str, left: int
) -> None:
    write(tmp_path, train=train)
    assert DATASET.problems(tmp_path) == [f"{tmp_path / 'train.csv'}: {line}"]
    partitions = [case.partition for case in DATASET.cases(tmp_path)]
    assert partitions == ["train"] * left + ["test"]


def test_a_text_of_markup_alone_is_named_when_it_is_read(tmp_path: Path) -> None:
    write(tmp_path, train=GOOD + r'"1","&lt;b&gt;","\"' + "\n")
    case = DATASET.cases(tmp_path)[1]
    with pytest.raises(BadData, match=r"train\.csv: row 2 has no text but markup, '&lt;b&gt; "):
        DATASET.read(case)


def test_every_bad_row_of_both_files_is_listed(tmp_path: Path) -> None:
    write(tmp_path, train='"9","a","b"\n' * 25, test='"0","a","b"\n')
    problems = DATASET.problems(tmp_path)
    assert len(problems) == 26
    assert "train.csv: row 25 has" in problems[24] and "test.csv: row 1 has" in problems[25]
    assert DATASET.cases(tmp_path) == []


def test_missing_files_are_named(tmp_path: Path) -> None:
    (problem,) = DATASET.problems(tmp_path)
    assert f"{tmp_path} holds no AG News files: expected train.csv and test.csv" in problem
    assert DATASET.files(tmp_path) == []
    write(tmp_path)
    (tmp_path / "test.csv").unlink()
    (problem,) = DATASET.problems(tmp_path)
    assert f"{tmp_path / 'test.csv'} is missing: expected" in problem


class TestParquet:
    @pytest.mark.parametrize("place", ["data", "."])
    def test_it_gives_the_same_cases_as_the_official_files(
        self, tmp_path: Path, place: str
    ) -> None:
        (tmp_path / "official").mkdir()
        hub(tmp_path / "hub", place)
        assert DATASET.problems(tmp_path / "hub") == []
        official = DATASET.cases(write(tmp_path / "official"))
        assert list(map(told, DATASET.cases(tmp_path / "hub"))) == list(map(told, official))
        assert len(DATASET.files(tmp_path / "hub")) == 2

    def test_shards_are_read_in_their_order(self, tmp_path: Path) -> None:
        shard(tmp_path / "data" / "test-00000-of-00001-9af1.parquet")
        for number in (2, 0, 1):
            path = tmp_path / "data" / f"train-0000{number}-of-00003.parquet"
            shard(path, [f"text {number}a", f"text {number}b"], [number, 3])
        assert DATASET.problems(tmp_path) == []
        train = [case for case in DATASET.cases(tmp_path) if case.partition == "train"]
        assert [case.id for case in train] == [f"train-00000{row}" for row in range(1, 7)]
        assert [DATASET.read(case).text for case in train[1:4]] == ["text 0b", "text 1a", "text 1b"]
        assert [DATASET.read(case).label for case in train] == [0, 3, 1, 3, 2, 3]

    def test_one_file_a_partition_needs_no_shard_numbers(self, tmp_path: Path) -> None:
        shard(tmp_path / "train.parquet")
        shard(tmp_path / "test.parquet")
        assert DATASET.problems(tmp_path) == []
        assert len(DATASET.cases(tmp_path)) == 2

    @pytest.mark.parametrize("type", [pa.string(), pa.large_string(), pa.string_view()], ids=str)
    @pytest.mark.parametrize("whole", [pa.int8(), pa.uint64()], ids=str)
    def test_any_type_of_string_and_whole_number_will_do(
        self, tmp_path: Path, type: pa.DataType, whole: pa.DataType
    ) -> None:
        path = hub(tmp_path)
        table = pa.table({"text": pa.array([TEXT], type), "label": pa.array([1], whole)})
        parquet.write_table(table, path)
        assert DATASET.problems(tmp_path) == []
        assert DATASET.cases(tmp_path)[0].stratum == "Sports"

    @pytest.mark.parametrize(
        ("texts", "labels", "line"),
        [
            (["a", None], [0, 1], "row 2 has no text"),
            (["a", " "], [0, 1], "row 2 has no text"),
            (["a", "b"], [0, 4], "row 2 has label 4, labels are 0 to 3"),
            (["a", "b"], [0, -1], "row 2 has label -1, labels are 0 to 3"),
            (["a", "b"], [0, None], "row 2 has label None, labels are 0 to 3"),
            (["a", "b"], ["0", "1"], "column label holds string, expected whole numbers 0 to 3"),
            (["a", "b"], [0.0, 1.0], "column label holds double, expected whole numbers 0 to 3"),
            ([1, 2], [0, 1], "column text holds int64, expected string"),
        ],
    )
    def test_a_bad_row_or_column_is_named(
        self, tmp_path: Path, texts: list[object], labels: list[object], line: str
    ) -> None:
        path = shard(hub(tmp_path), texts, labels)
        assert DATASET.problems(tmp_path) == [f"{path}: {line}"]
        left = [case.id for case in DATASET.cases(tmp_path)]
        assert left == ["train-000001"] * line.startswith("row") + ["test-000001"]

    def test_strings_that_are_not_utf8_are_named(self, tmp_path: Path) -> None:
        raw = pa.array([b"good", b"caf\xe9"], pa.binary())
        bad = pa.StringArray.from_buffers(2, *raw.buffers()[1:])
        path = hub(tmp_path)
        parquet.write_table(pa.table({"text": bad, "label": [0, 1]}), path)
        assert DATASET.problems(tmp_path) == [f"{path}: row 2 is not UTF-8 (byte 0xe9)"]

    def test_missing_columns_are_named(self, tmp_path: Path) -> None:
        path = hub(tmp_path)
        parquet.write_table(pa.table({"content": ["a"], "label": [0]}), path)
        expected = f"{path}: has columns content, label, expected one text and one label"
        assert DATASET.problems(tmp_path) == [expected]

    @pytest.mark.parametrize("names", [LABELS, LABELS[::-1]])
    def test_the_hubs_own_names_of_its_labels_are_held_to(
        self, tmp_path: Path, names: tuple[str, ...]
    ) -> None:
        path = hub(tmp_path)
        label = {"_type": "ClassLabel", "names": names}
        metadata = {"huggingface": json.dumps({"info": {"features": {"label": label}}})}
        table = pa.table({"text": ["a"], "label": [0]}).replace_schema_metadata(metadata)
        parquet.write_table(table, path)
        line = f"{path}: names its labels Sci/Tech, Business, Sports, World, expected "
        expected = [] if names == LABELS else [line + "World, Sports, Business, Sci/Tech"]
        assert DATASET.problems(tmp_path) == expected

    @pytest.mark.parametrize(
        ("broken", "line"),
        [
            (lambda data: b"", "is empty"),
            (lambda data: data[: len(data) // 2], "is a corrupt parquet file ("),
            (lambda data: b"no parquet at all", "is a corrupt parquet file ("),
            (lambda data: data[:4] + bytes(60) + data[64:], "is a corrupt parquet file ("),
        ],
        ids=["empty", "truncated", "something else", "zeroed pages"],
    )
    def test_a_corrupt_file_is_named(self, tmp_path: Path, broken: object, line: str) -> None:
        path = hub(tmp_path)
        path.write_bytes(broken(path.read_bytes()))  # type: ignore[operator]
        (problem,) = DATASET.problems(tmp_path)
        assert problem.startswith(f"{path}: {line}") and "\n" not in problem
        assert [case.id for case in DATASET.cases(tmp_path)] == ["test-000001"]

    def test_a_file_that_may_not_be_read_is_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path, read = hub(tmp_path), Path.read_bytes

        def refuse(self: Path) -> bytes:
            if self == path:
                raise PermissionError(13, "Permission denied", str(self))
            return read(self)

        monkeypatch.setattr(Path, "read_bytes", refuse)
        assert DATASET.problems(tmp_path) == [f"{path}: cannot be read (Permission denied)"]

    def test_missing_and_surplus_shards_are_named(self, tmp_path: Path) -> None:
        path = hub(tmp_path)
        path.rename(path.with_name("train-00000-of-00002.parquet"))
        (problem,) = DATASET.problems(tmp_path)
        line = "train-00000-of-00002.parquet are not each of train's shards once"
        assert problem == f"{tmp_path / 'data'}: {line}"
        shard(tmp_path / "train-00001-of-00002.parquet")
        assert DATASET.problems(tmp_path) == []
        shard(tmp_path / "train-00001-of-00003.parquet")
        assert "not each of train's shards once" in DATASET.problems(tmp_path)[0]

    def test_a_shard_that_lies_in_two_places_is_named(self, tmp_path: Path) -> None:
        hub(tmp_path)
        shard(tmp_path / "train-00000-of-00001.parquet")
        (problem,) = DATASET.problems(tmp_path)
        twice = "train-00000-of-00001.parquet, train-00000-of-00001.parquet"
        assert f"{twice} are not each of train's shards once" in problem
        assert [case.partition for case in DATASET.cases(tmp_path)] == ["test"]

    def test_a_missing_partition_is_named(self, tmp_path: Path) -> None:
        hub(tmp_path).unlink()
        (problem,) = DATASET.problems(tmp_path)
        assert problem.startswith(f"{tmp_path / 'data'} holds no train-*.parquet: expected")

    def test_both_layouts_in_one_folder_are_a_problem(self, tmp_path: Path) -> None:
        hub(write(tmp_path))
        (problem,) = DATASET.problems(tmp_path)
        assert "holds AG News twice, as train.csv and as test-00000-of-00001.parquet" in problem
        assert DATASET.cases(tmp_path) == []
        assert len(DATASET.files(tmp_path)) == 4


def test_the_task_takes_the_cleaned_text() -> None:
    assert TASK.classes == LABELS
    assert {"ece", "brier", "average_precision", TASK.primary} <= set(TASK.metrics)


def test_the_official_files(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "ag_news"
    if not folder.is_dir():
        pytest.skip("there is no ag_news in ../shared/data")
    assert DATASET.problems(folder) == []
    cases = DATASET.cases(folder)
    rows = [DATASET.read(case) for case in cases]
    assert Counter(case.partition for case in cases) == {"train": 30_018, "test": 7_600}
    labels = Counter(case.stratum for case in cases if case.partition == "test")
    assert labels == {"World": 1900, "Sports": 1900, "Business": 1900, "Sci/Tech": 1900}
    assert not any("#39;" in row.text or "&lt;" in row.text or "\\" in row.text for row in rows)
    for name in ("train", "test"):  # Joined as the hub's copy was.
        with (folder / f"{name}.csv").open(newline="") as stream:
            raw = [(int(label) - 1, " ".join(texts)) for label, *texts in csv.reader(stream)]
        labels_of, texts_of = zip(*((label, text) for label, text in raw), strict=True)
        shard(tmp_path / f"{name}-00000-of-00001.parquet", texts_of, labels_of)
    copied = DATASET.cases(tmp_path)
    assert [case.id for case in copied] == [case.id for case in cases]
    assert [DATASET.read(case) for case in copied[::7]] == rows[::7]
