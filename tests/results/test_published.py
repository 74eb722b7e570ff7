"""The published numbers: complete, as printed, in our unit; mistakes of the file are refused."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import metrics, registry
from bench.errors import UserError
from results import published, published_file

TASKS = ("lits_cls", "lits_seg", "lits_liver_seg", "mhist", "ag_news")
ROW = '{ key = "a", system = "A", value = 90.5 }'
FILE = """[documents.paper]
title = "A paper"

[[results]]
document = "paper"
place = "Table 1"
task = "mhist"
split = "test"
metric = "auroc"
unit = "percent"
rows = [
  ROW,
]
"""


def every() -> list[published.Published]:
    return [row for task in TASKS for row in published.rows(task)]


def by_key() -> dict[str, published.Published]:
    timed = [row for task in TASKS for row in published.fixed_time(task)]
    return {row.key: row for row in [*every(), *timed]}


def refused(tmp_path: Path, text: str) -> str:
    path = tmp_path / "published.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as error:
        published_file.read(path)
    return str(error.value)


def test_each_document_has_as_many_numbers_as_were_recorded_of_it() -> None:
    assert Counter(row.document for row in every()) == {
        "resnet-liver-2023": 7 + 6 + 7 + 8,  # accuracies, sizes, epochs' seconds, U-Net
        "fys3033-2026": 3 + 9 + 2 + 2 + 5 + 3 + 2,
        "convmixerseg-2021": 7 + 7 + 6,
        "mhist-report": 9 + 1,
        "mhist-2021": 8,
        "joulin-2016": 2,
        "nnunet-revisited-2024": 3 + 3,
    }
    assert Counter(row.task for row in every()) == {
        "lits_cls": 33, "lits_seg": 17, "lits_liver_seg": 20, "mhist": 18, "ag_news": 12
    }  # fmt: skip
    timed = published.fixed_time("lits_cls")
    assert len({(row.system, row.learning_rate, row.seconds) for row in timed}) == 4 * 3 * 3
    assert [len(published.sample_sizes(task)) for task in TASKS] == [4, 1, 3, 3, 4]


@pytest.mark.parametrize(
    ("key", "value", "spread", "median", "n", "split", "printed"),
    [
        ("liver-resnet50", 0.9839, None, None, 1, "test", "98.39 %"),
        ("liver-vgg19-parameters", 139_581_379, None, None, None, "", "139,581,379"),
        ("liver-resnet152-epoch", 267.7, None, None, None, "", "267.7 s"),
        ("exam-dino-test", 0.83116, None, None, 1, "test", "83.116 %"),
        ("exam-resnet50-tumour", 0.43, None, None, 1, "validation", "43 %"),
        ("exam-bert-validation", 0.947, None, None, 1, "validation", "94.70 %"),
        ("exam-bert-epoch", 4200.0, None, None, None, "", "70 min"),
        ("exam-grad-cam-tumour", 0.1396, None, None, 1, "validation", "0.1396"),
        ("mixer-mixer-mcc", 0.682, 0.270, 0.782, 52, "test", "0.682 ± 0.270 (0.782)"),
        ("mixer-fcn-iou", 0.480, 0.152, 0.504, 49, "test", "0.480 ± 0.152 (0.504)"),
        ("mixer-cam-beta-iou", 0.178, None, 0.203, None, "test", "0.178 (0.203)"),
        ("mhist-resnet18-imagenet-400", 0.924, 0.007, None, 10, "test", "92.4 ± 0.7 %"),
        ("report-vit-refit", 0.9485, 0.0041, None, 10, "test", "0.9485 ± 0.0041"),
        ("report-fcnn-parameters", 19e6, None, None, None, "", "19 M"),
        ("nnunet-resenc-l-dice", 0.816, None, None, 5, "validation", "81.60 %"),
        ("mednext-l-hours", 233 * 3600, None, None, None, "", "233 h"),
        ("fasttext-bigrams", 0.925, None, None, None, "test", "92.5 %"),
        ("fixed-resnet18-1e-4@20min", 0.9855, None, None, 1, "test", "98.55 %"),
    ],
)
def test_a_row_is_what_was_printed(
    key: str,
    value: float,
    spread: float | None,
    median: float | None,
    n: int | None,
    split: str,
    printed: str,
) -> None:
    row = by_key()[key]
    assert (row.value, row.spread, row.median, row.n) == (value, spread, median, n)
    assert (row.split, row.printed) == (split, printed)


def test_the_fixed_time_table_is_the_published_one() -> None:
    rows = {
        (row.system, row.learning_rate, row.seconds): row
        for row in published.fixed_time("lits_cls")
    }
    assert [rows["AlexNet", 1e-4, seconds].value for seconds in (600, 900, 1200)] == [
        0.8009, 0.8058, 0.8127
    ]  # fmt: skip
    assert rows["ResNet-50", 1e-5, 600].value == 0.6903
    assert rows["ResNet-34", 1e-3, 900].printed == "93.15 %"
    assert {row.hardware for row in rows.values()} == {"V100"}
    assert {row.metric for row in rows.values()} == {"accuracy"}
    assert published.fixed_time("mhist") == []


def test_sample_sizes_are_those_of_the_documents() -> None:
    train, validation, test, shares = published.sample_sizes("lits_cls")
    assert (train.cases, train.by_class) == (35_484, (24_274, 7_085, 4_125))
    assert [sum(one.by_class) for one in (train, validation, test)] == [35_484, 3_038, 3_038]
    assert (shares.cases, shares.shares) == (None, (0.5, 0.338, 0.162))
    assert sum(train.shares) == pytest.approx(1)
    assert [one.cases for one in published.sample_sizes("mhist")] == [3_152, 2_175, 977]


def test_notes_say_what_makes_a_number_less_comparable() -> None:
    rows = by_key()
    assert "refitted on train + validation" in rows["report-vit-refit"].note
    assert "oracle" in rows["exam-grad-cam-liver"].note
    assert "threshold 0.76" in rows["exam-grad-cam-tumour"].note
    assert "slices of one patient" in rows["liver-resnet18"].note
    assert rows["liver-alexnet"].note.endswith("; default initialisation")


def test_a_metric_called_ours_is_one_that_a_task_records() -> None:
    for row in every():
        task = registry.tasks().get(row.task)
        names = {
            name
            for id in (*task.metrics, *task.closing_metrics)
            for name in metrics.columns(id, task.classes)
        }
        assert (row.metric in names) is row.ours, row.key


def test_accuracies_fit_the_recalls_printed_beside_them() -> None:
    """By class shares of 50, 33.8 and 16.2 %: within a point, as all of them are rounded."""
    (shares,) = [one.shares for one in published.sample_sizes("lits_cls") if not one.by_class]
    rows = by_key()
    for model, key in (("resnet50", "resnet50"), ("dino", "dino"), ("convnext", "convnext")):
        recalls = [rows[f"exam-{model}-{name}"].value for name in ("no-liver", "liver", "tumour")]
        weighted = sum(share * recall for share, recall in zip(shares, recalls, strict=True))
        assert weighted == pytest.approx(rows[f"exam-{key}-validation"].value, abs=0.01)


def test_dice_of_the_published_u_net_is_no_pooled_one() -> None:
    rows = by_key()
    iou = rows["liver-unet-iou-tumour"].value
    assert rows["liver-unet-dice-tumour"].value < 2 * iou / (1 + iou) - 0.02
    assert not any(row.ours for row in published.rows("lits_seg") if row.system == "U-Net")


def test_rows_of_one_metric_and_of_nothing() -> None:
    assert {row.metric for row in published.rows("mhist", "auroc")} == {"auroc"}
    assert len(published.rows("mhist", "auroc")) == 17
    assert published.rows("mhist", "brier") == []
    assert published.rows("a_task_of_the_users") == []


def test_documents_are_cited_as_far_as_they_are_known() -> None:
    cited = published.documents()
    assert {row.document for row in every()} <= set(cited)
    assert cited["resnet-liver-2023"] == (
        "Bakumenko: Residual Neural Networks for Medical Image Processing, 2023"
    )
    assert cited["mhist-report"] == "An MHIST study, ResNet-18 against ViT"
    assert {row.year for row in every() if row.document == "mhist-report"} == {None}
    assert all(row.place for row in every())


def test_the_table_holds_the_rows_of_these_metrics_in_the_files_order() -> None:
    table = published.as_table("lits_liver_seg", ["iou_liver", "mcc", "iou_liver"])
    assert list(table.columns) == list(published.COLUMNS)
    assert list(table["metric"].unique()) == ["iou_liver", "mcc"]
    first = table.iloc[0]
    assert (first["system"], first["value"], first["n"]) == ("FCN-ResNet-50", 0.480, 49)
    weak = table[table["system"] == "CAM β, without smoothing"].iloc[0]
    assert math.isnan(weak["spread"])
    assert table["n"].isna().sum() == 7
    assert not table["value"].is_monotonic_decreasing, "no rank by value"


def test_the_table_of_a_task_without_numbers_is_empty_and_typed() -> None:
    table = published.as_table("a_task_of_the_users", ["accuracy"])
    assert list(table.columns) == list(published.COLUMNS)
    assert len(table) == 0
    assert str(table["n"].dtype) == "Int64"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('"mhist"', '"mhits"', "line 12, a: unknown task 'mhits': did you mean 'mhist'?"),
        ('document = "paper"', 'document = "papr"', "line 12, a: unknown document 'papr': did you"),
        ("90.5", "905", "line 12, a: value of auroc in percent lies in 0 to 100, got 905"),
        ("90.5", "-1", "line 12, a: value of auroc in percent lies in 0 to 100, got -1"),
        ("90.5", "nan", "line 12, a: value Input should be a finite number"),
        ("90.5", "90.5, spread = -0.1", "line 12, a: spread of auroc in percent lies in 0 to"),
        ("90.5", "90.5, median = 200", "line 12, a: median of auroc in percent lies in 0 to 100"),
        ('"percent"', '"fraction"', "line 12, a: value of auroc in fraction lies in 0 to 1"),
        ('"percent"', '"percents"', "line 12, a: unit should be 'fraction', 'percent'"),
        ('"percent"', '"count"', "line 12, a: a cost has no split, got split = 'test' for auroc"),
        ('split = "test"\n', "", "line 11, a: a score needs a split, got split = None"),
        ('"auroc"', '"aurocc"', "line 12, a: unknown metric 'aurocc': did you mean 'auroc'?"),
        ('"auroc"', '"auroc"\nours = false', "line 13, a: 'auroc' is a metric of ours: give"),
        ("90.5", "90.5, n = 0", "line 12, a: n counts runs, from 1, got 0"),
        ("90.5", "90.5, valeu = 1", "line 12, a: unknown key 'valeu': did you mean 'value'?"),
        (", value = 90.5", "", "line 12, a: value is needed"),
        ('key = "a", ', "", "results, row 1: key is needed"),
        ('"A"', '""', "line 12, a: system is empty"),
        (ROW, f"{ROW},\n  {ROW}", "line 13, a: the key is taken: give each row its own"),
        ('title = "A paper"', "", "documents.paper: title is needed"),
        ("[[results]]", "[[result]]", "unknown key 'result': did you mean 'results'?"),
        (f"[\n  {ROW},\n]", "[]", "[[results]] 1: rows must be a list of tables"),
        (f"[\n  {ROW},\n]", "3", "[[results]] 1: rows must be a list of tables"),
        ("[documents.paper]\ntitle", "documents = 3\nx", "documents must be a table, got 3"),
        ("rows = [", "rows = [[", "published.toml is not valid TOML"),
    ],
)
def test_a_mistake_is_refused_with_its_line_and_key(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    good = FILE.replace("ROW", ROW)
    path = tmp_path / "good.toml"
    path.write_text(good)
    assert [row.key for row in published_file.read(path).results] == ["a"]
    assert old in good
    assert expected.replace("Input ", "") in refused(tmp_path, good.replace(old, new))


def test_one_mistake_is_one_sentence_and_several_are_listed(tmp_path: Path) -> None:
    good = FILE.replace("ROW", ROW)
    assert "\n" not in refused(tmp_path, good.replace('"mhist"', '"mhits"'))
    both = refused(tmp_path, good.replace('"mhist"', '"mhits"').replace("90.5", "905"))
    assert "2 mistakes" in both
    assert both.count("line 12, a: ") == 2


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("minutes = [10, 15]\nVALUES", "t@15min: value is needed"),
        ("minutes = [10]\nVALUES, 90.6", "t@Nonemin: minutes is needed"),
        ("VALUES", "t@Nonemin: minutes is needed"),
        ("minutes = 10\nVALUES", "t@Nonemin: minutes is needed"),
        ("minutes = [0]\nVALUES", "t@0min: minutes and learning_rate are more than 0"),
    ],
)
def test_fixed_time_needs_a_value_for_each_of_its_minutes(
    tmp_path: Path, row: str, expected: str
) -> None:
    table = FILE.replace("[[results]]", '[[fixed_time]]\nhardware = "V100"')
    head, _, after = row.partition("VALUES")
    values = f'{{ key = "t", system = "A", learning_rate = 1e-3, values = [90.5{after}] }}'
    text = table.replace("rows = [", f"{head}rows = [").replace("ROW", values)
    assert expected in refused(tmp_path, text)


def test_fixed_time_without_a_key_is_named_by_its_place(tmp_path: Path) -> None:
    table = FILE.replace("[[results]]", '[[fixed_time]]\nhardware = "V100"\nminutes = [5]')
    row = '{ system = "A", learning_rate = 1e-3, values = [90.5] }'
    assert "fixed_time, row 1: key is needed" in refused(tmp_path, table.replace("ROW", row))


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ('split = "all"', "cases or the classes' percent is needed"),
        ('split = "all", percent = [50, 49]', "percent of all classes sums to 100, got 99"),
        ('split = "all", cases = 0', "cases are counted from 1, got 0"),
        ('split = "some", cases = 3', "split should be 'train', 'validation'"),
    ],
)
def test_sample_sizes_are_checked(tmp_path: Path, row: str, expected: str) -> None:
    text = (
        '[documents.paper]\ntitle = "A"\n[[sample_sizes]]\ndocument = "paper"\ntask = "mhist"\n'
        f'counted = "images"\nrows = [{{ key = "s", {row} }}]\n'
    )
    assert f"line 7, s: {expected}" in refused(tmp_path, text)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_a_percentage_is_the_nearest_fraction_to_what_was_printed(
    tmp_path_factory: pytest.TempPathFactory, hundredths: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "percentage.toml"
    row = ROW.replace("90.5", f"{hundredths / 100:.2f}")
    path.write_text(FILE.replace("ROW", row))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(published, "_file", lambda: published_file.read(path))
        (found,) = published.rows("mhist")
    assert found.value == hundredths / 10_000
    assert found.printed == f"{hundredths / 100:.2f} %"


def test_an_mcc_may_be_negative(tmp_path: Path) -> None:
    text = FILE.replace("ROW", ROW).replace('"auroc"', '"mcc"')
    path = tmp_path / "mcc.toml"
    path.write_text(text.replace("90.5", "-20.5"))
    assert float(published_file.read(path).results[0].value) == -20.5
    assert "lies in -100 to 100" in refused(tmp_path, text.replace("90.5", "-120.5"))


def test_no_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no file of published numbers at .*install"):
        published_file.read(tmp_path / "absent.toml")


def test_the_docs_example_is_read_and_the_sections_are_named(project: Path, tmp_path: Path) -> None:
    page = (project / "docs" / "published.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```toml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    path = tmp_path / "example.toml"
    path.write_text(f'[documents.mhist-2021]\ntitle = "A"\n{example}')
    (row,) = published_file.read(path).results
    assert (row.key, str(row.value)) == ("mhist-resnet18-all", "84.5")
    for unit in published_file.SCALES:
        assert f"`{unit}`" in page
    for section in ("results", "fixed_time", "sample_sizes"):
        assert f"`[[{section}]]`" in page


def test_reading_needs_neither_torch_nor_ray() -> None:
    code = (
        "import sys; from results import published; published.rows('mhist'); "
        "print([name for name in ('torch', 'ray', 'optuna', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
