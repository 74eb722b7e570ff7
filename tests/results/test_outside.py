"""Models made elsewhere beside a run's entrants: the same numbers, marked, and nothing changed."""

import math
from dataclasses import replace
from io import StringIO

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from bench.ledger import Ledger
from results import outside, stats
from results.analysis import analyse
from results.contenders import Contenders
from results.leaderboard import leaderboard
from results.load import load_run
from results.report import write_report
from results.terminal import print_leaderboard
from tests.results.synthetic import Actor, write_run

ACTORS = [
    Actor(label="best", quality=2.0, seed_spread=0.05),
    Actor(label="middle", quality=1.2, seed_spread=0.05),
    Actor(label="worst", quality=0.2, seed_spread=0.05),
]


@pytest.fixture
def folder(tmp_path):
    return write_run(tmp_path / "run", ACTORS, validation=True)


def donor(tmp_path, name, **options):
    """A run on the same cases, whose one entrant stands for a model made elsewhere."""
    options = {"validation": True, "salt": "another"} | options
    actor = Actor(label=name, quality=options.pop("quality", 1.0), seed_spread=0.05)
    return write_run(tmp_path / f"donor-{name}", [actor], **options)


def add(folder, given, *, label="nnU-Net", on="test", trainings=3):
    """Note in a run what `bench score` notes of another run's predictions."""
    run = load_run(given)
    (study,) = run.studies
    replicates = [run.progress(study).replicates[n] for n in range(trainings)]
    references = []
    with Ledger(folder / "ledger.jsonl") as ledger:
        for number, one in enumerate(replicates):
            file = f"predictions/outside-{len(ledger.state.outside)}-{number}.npz"
            (folder / file).write_bytes((given / one.predictions["file"]).read_bytes())
            references.append(one.predictions | {"file": file, "source": f"{number}.csv"})
        ledger.append(
            "outside_scored",
            task="lits_cls",
            label=label,
            on=on,
            fingerprint="60303ae22b99",
            predictions=references,
            metrics=[
                one.test_metrics if on == "test" else one.validation_metrics for one in replicates
            ],
            notes=[],
        )


def rows_of(folder):
    run = load_run(folder)
    return outside.rows(run, analyse(run, "lits_cls"))


def row_of(folder):
    (row,) = rows_of(folder).to_dict("records")
    return row


@pytest.mark.parametrize(
    ("quality", "better"),
    [(2.6, []), (1.6, ["best"]), (-1.0, ["best", "middle", "worst"])],
)
def test_its_place_is_one_more_than_the_entrants_that_are_better(folder, tmp_path, quality, better):
    add(folder, donor(tmp_path, "guest", quality=quality))
    row = row_of(folder)
    assert row["entrant"] == "nnU-Net" and row["mark"].startswith("made elsewhere")
    assert row["place"] == 1 + len(better) and row["better_entrants"] == ", ".join(better)
    assert row["compared"] == 3 and row["note"] == ""
    assert row["sources"] == "0.csv, 1.csv, 2.csv"


def test_its_numbers_are_those_that_it_would_have_as_an_entrant(folder, tmp_path):
    given = donor(tmp_path, "guest")
    add(folder, given)
    (entry,) = analyse(load_run(given), "lits_cls").entries
    row = row_of(folder)
    assert row["mean"] == pytest.approx(entry.estimate.value)
    assert row["std"] == pytest.approx(entry.scores.std(ddof=1))
    assert (row["low"], row["high"]) == pytest.approx((entry.estimate.low, entry.estimate.high))
    assert row["scores"] == " · ".join(f"{one:.3f}" for one in entry.scores)
    run, (study,) = load_run(given), load_run(given).studies
    replicates = run.progress(study).replicates.values()
    assert row["accuracy_mean"] == pytest.approx(
        np.mean([one.test_metrics["accuracy"] for one in replicates])
    )


def test_comparisons_are_adjusted_among_themselves_alone(folder, tmp_path):
    given = donor(tmp_path, "guest", quality=1.12)
    add(folder, given)
    run, other = load_run(folder), load_run(given)
    members = {study.label: [(run, study)] for study in run.of_task("lits_cls")}
    members["guest"] = [(other, study) for study in other.of_task("lits_cls")]
    rng = np.random.default_rng(0)
    field = Contenders(members, run.tasks["lits_cls"], rng, split="test")
    p = np.array([field.difference(actor.label, "guest").p for actor in ACTORS])
    better = [
        actor.label
        for actor, one in zip(ACTORS, stats.holm(p), strict=True)
        if one <= 0.05 and field.difference(actor.label, "guest").value > 0
    ]
    assert row_of(folder)["better_entrants"] == ", ".join(better)


def test_the_primary_analysis_does_not_change(folder, tmp_path):
    before = load_run(folder)
    tiers = leaderboard(before, analyse(before, "lits_cls"))
    pairs = analyse(before, "lits_cls").comparisons
    add(folder, donor(tmp_path, "guest", quality=2.5))
    after = load_run(folder)
    pd.testing.assert_frame_equal(leaderboard(after, analyse(after, "lits_cls")), tiers)
    assert analyse(after, "lits_cls").comparisons == pairs
    assert after.finished and after.state.outside


@pytest.mark.parametrize(
    ("trainings", "note"),
    [(1, "one training is no result"), (2, "no interval: 2 of at least 3 trainings")],
)
def test_fewer_than_three_trainings_have_no_place(folder, tmp_path, trainings, note):
    add(folder, donor(tmp_path, "guest"), trainings=trainings)
    row = row_of(folder)
    assert pd.isna(row["place"]) and row["note"] == note and math.isnan(row["low"])
    assert math.isnan(row["mean"]) == (trainings == 1) and row["trainings"] == trainings
    assert row["scores"].count("·") == trainings - 1


def test_on_validation_there_is_an_interval_and_no_place(folder, tmp_path):
    add(folder, donor(tmp_path, "guest"), on="validation")
    row = row_of(folder)
    assert row["on"] == "validation" and row["low"] < row["mean"] < row["high"]
    assert pd.isna(row["place"]) and row["note"].startswith("no place: on validation")


def test_the_last_of_one_label_is_shown_and_each_split_has_a_row(folder, tmp_path):
    for quality in (0.1, 2.9):
        add(folder, donor(tmp_path, f"guest{quality}", quality=quality))
    add(folder, donor(tmp_path, "third"), label="other")
    add(folder, donor(tmp_path, "fourth"), on="validation")
    found = rows_of(folder)
    assert list(zip(found["entrant"], found["on"], strict=True)) == [
        ("nnU-Net", "test"), ("other", "test"), ("nnU-Net", "validation"),
    ]  # fmt: skip
    assert found["mean"][0] > 0.8 and found["place"][0] == 1


def test_ten_trainings_are_bootstrapped(tmp_path):
    folder = write_run(tmp_path / "run", ACTORS[:2], seeds=10)
    add(folder, donor(tmp_path, "guest", seeds=10), trainings=10)
    row = row_of(folder)
    assert row["interval"] == "bootstrap" and row["place"] == 3


def test_masks_are_ranked_alike(tmp_path):
    options = {"masks": True, "primary": "mean_case_dice"}
    folder = write_run(tmp_path / "run", ACTORS, **options)
    add(folder, donor(tmp_path, "guest", quality=1.6, validation=False, **options))
    assert row_of(folder)["better_entrants"] == "best"


def test_several_searches_take_each_training_for_a_search(tmp_path):
    actors = [replace(actor, search_spread=0.02) for actor in ACTORS]
    folder = write_run(tmp_path / "run", actors, searches=3)
    add(folder, donor(tmp_path, "guest", quality=-1.0), trainings=3)
    row = row_of(folder)
    assert row["interval"] == "t" and row["place"] == 4


@pytest.mark.parametrize("damage", ["missing", "altered", "other cases"])
def test_predictions_that_cannot_be_used_are_said(folder, tmp_path, damage):
    patients = 12 if damage == "other cases" else 40
    add(folder, donor(tmp_path, "guest", patients=patients))
    file = folder / "predictions/outside-0-1.npz"
    if damage == "missing":
        file.unlink()
    elif damage == "altered":
        file.write_bytes(file.read_bytes()[:-1])
    row = row_of(folder)
    assert pd.isna(row["place"]) and math.isnan(row["low"])
    said = {"missing": "is missing", "altered": "its checksum", "other cases": "for other test c"}
    assert row["note"].startswith("training ") and said[damage] in row["note"]


def test_a_run_without_any_has_an_empty_table(folder):
    table = rows_of(folder)
    assert len(table) == 0 and {"entrant", "place", "mark"} <= set(table.columns)


def test_page_terminal_and_file_show_and_mark_it(folder, tmp_path):
    add(folder, donor(tmp_path, "guest", quality=-1.0), label="<b>nnU-Net</b>")
    page = write_report(folder).read_text()
    assert "Made elsewhere" in page and "&lt;b&gt;nnU-Net&lt;/b&gt;" in page
    assert "<b>nnU-Net" not in page and "better: best, middle, worst" in page
    table = pd.read_csv(folder / "tables" / "outside.csv")
    assert table["data"].tolist() == ["phantom"] and table["place"].tolist() == [4]
    console = Console(file=StringIO(), width=200)
    print_leaderboard(console, load_run(folder))
    assert "Made elsewhere: <b>nnU-Net</b>, on test: " in console.file.getvalue()
    assert "; place 4" in console.file.getvalue()


def test_a_page_without_any_does_not_speak_of_it(folder):
    assert "Made elsewhere" not in write_report(folder).read_text()
