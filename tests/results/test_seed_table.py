"""How far seeds differ, and what a comparison of them takes for granted."""

import pytest

from results import figures, seed_table, tables
from results.analysis import analyse
from results.load import load_run
from results.report import write_report
from results.seed_table import assumptions, histograms, seed_variance
from tests.results.synthetic import CAST, PAIR, Actor
from tests.results.test_report import Page


def analysed(folder):
    run = load_run(folder)
    return run, analyse(run, "lits_cls")


def test_every_planned_training_is_scored_failed_or_missing(make_run):
    run, analysis = analysed(make_run([*CAST, Actor(label="Late", finished=1)]))
    table = seed_variance(run, analysis).set_index("entrant")
    assert (table["planned"] == table["scored"] + table["failed"] + table["missing"]).all()
    counted = table[["scored", "failed", "missing"]].T
    assert counted["FCNN"].tolist() == [2, 1, 0]
    assert counted["AlexNet"].tolist() == [0, 0, 3]
    assert counted["Late"].tolist() == [1, 0, 2]


def test_scores_are_those_of_the_replicates(make_run):
    run, analysis = analysed(make_run(seeds=4))
    row = seed_variance(run, analysis).iloc[0]
    scores = sorted(analysis.entries[0].scores)
    assert (row["lowest"], row["highest"]) == (scores[0], scores[-1])
    assert row["median"] == pytest.approx((scores[1] + scores[2]) / 2)
    assert row["low"] == analysis.entries[0].estimate.low and row["method"] == "t"


def test_a_histogram_holds_each_score_once_from_ten_on(make_run):
    run, analysis = analysed(make_run([*PAIR, Actor(label="Nine", finished=9)], seeds=10))
    table = histograms(run, analysis)
    assert table.groupby("entrant")["seeds"].sum().to_dict() == {"Strong": 10, "Weak": 10}
    widths = table["bin_high"] - table["bin_low"]
    assert widths.max() == pytest.approx(widths.min())
    assert (table.groupby("entrant")["height"].max() == 1).all()
    scores = analysis.entries[0].scores
    one = table[table["entrant"] == analysis.entries[0].study.label]
    assert one["bin_low"].min() <= scores.min() and scores.max() <= one["bin_high"].max()


def test_seeds_that_all_agree_have_no_histogram(make_run):
    run, analysis = analysed(make_run(PAIR[:1], seeds=10))
    for replicate in run.progress("lits_cls-0").replicates.values():
        replicate.test_metrics = {"macro_f1": 0.5}
    assert histograms(run, analysis).empty


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "t intervals, which take seeds as independent"),
        ({"seeds": 10}, "bootstrap intervals, which assume no shape"),
        ({"splits": 3, "seeds": 1, "patients": 10}, "corrected for the training patients"),
        ({"seeds": 2}, "There are no intervals"),
        ({"groups_known": False}, "Which cases belong to one patient is unknown"),
    ],
)
def test_what_is_assumed_is_said(make_run, more, said):
    run, analysis = analysed(make_run(trials=3, **more))
    assert said in " ".join(assumptions(run, analysis))


def test_failures_are_said_in_the_caption_and_with_the_comparison(make_run):
    page = Page(write_report(make_run(CAST)).read_text()).text
    assert "Not shown: 1 failed, 3 without a score, of 18 planned." in page
    assert "1 of 15 trainings failed, and no mean holds them" in page


def test_without_failures_nothing_is_said_of_them(make_run):
    page = Page(write_report(make_run()).read_text()).text
    assert "Not shown:" not in page and "trainings failed" not in page


def test_a_figure_has_points_of_all_and_a_histogram_where_there_is_one(make_run):
    run, analysis = analysed(make_run(PAIR, seeds=10))
    seeds, bins = tables.seeds(run, analysis), histograms(run, analysis)
    looks = figures.styles(["Strong", "Weak"])
    drawn = figures.seed_variance(seeds, bins, metric="F", split="test", looks=looks)
    boxes = [trace for trace in drawn.data if trace.type == "box"]
    bars = [trace for trace in drawn.data if trace.type == "bar"]
    assert [len(box.x) for box in boxes] == [10, 10] and len(bars) == 2
    assert sum(len(bar.x) for bar in bars) == len(bins)
    assert list(drawn.layout.yaxis.ticktext) == ["Strong", "Weak"]
    drawn = figures.seed_variance(seeds, bins.head(0), metric="F", split="test", looks=looks)
    assert {trace.type for trace in drawn.data} == {"box"}


def test_many_entrants_are_drawn_in_part_and_listed_in_part(make_run):
    cast = [Actor(label=f"E{n}", quality=0.05 * n) for n in range(figures.ROWS + 2)]
    folder = make_run(cast, trials=2, seeds=1, patients=4, per_patient=4)
    page = Page(write_report(folder).read_text()).text
    assert f"the leaderboard’s first {figures.ROWS}" in page
    assert "2 more entrants in tables/exploratory_seed_variance.csv" in page


def test_a_sealed_run_shows_validation(make_run):
    run, _ = analysed(make_run())
    run.state.sealed = True
    assert seed_table.scored_on(run) == "validation"
    table = seed_variance(run, analyse(run, "lits_cls"))
    replicate = run.progress("lits_cls-0").replicates[0]
    assert set(table["split"]) == {"validation"}
    assert table["lowest"].min() <= replicate.validation_metrics["macro_f1"]
