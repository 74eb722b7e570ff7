"""Scores over charged seconds: on curves that are known, and on runs."""

import math

import numpy as np
import pytest

from results import figures, over_time, time_view
from results.analysis import analyse
from results.compiled import compile_run
from results.load import load_run
from results.over_time import POINTS, Curve, crossovers, mean_curves, targets
from results.report import write_report
from tests.results.synthetic import CAST, PAIR, Actor


def analysed(folder):
    run = load_run(folder)
    return run, analyse(run, "lits_cls")


def curve(name, points):
    seconds, mean = map(np.array, zip(*points, strict=True))
    none = np.full(len(mean), math.nan)
    return Curve(
        entrant=name, units=1, seconds=seconds.astype(float), mean=mean, low=none, high=none, why=""
    )


@pytest.fixture
def analysis(make_run):
    return analysed(make_run(trials=2, patients=4))[1]


def test_a_mean_is_over_all_seeds_while_all_of_them_train(make_run):
    run, analysis = analysed(make_run())
    replicates = run.progress(analysis.entries[0].studies[0].id).replicates
    for number, replicate in replicates.items():
        replicate.reports = {
            epoch: {"charged_seconds": number + 1.0, "score": 0.1 * epoch * (number + 1)}
            for epoch in range(1, 7)
        }
    found = mean_curves(run, analysis)[0]
    assert (found.seconds[0], found.seconds[-1]) == (3.0, 6.0)
    # Each gains 0.1 a second, whatever its epochs take.
    assert found.mean == pytest.approx(0.1 * found.seconds) and found.units == 3
    assert found.high - found.low == pytest.approx(0, abs=1e-9)


def test_the_band_is_the_t_interval_over_seeds(make_run):
    run, analysis = analysed(make_run())
    replicates = run.progress(analysis.entries[0].studies[0].id).replicates
    for number, replicate in replicates.items():
        replicate.reports = {1: {"charged_seconds": 2.0, "score": 0.4 + 0.1 * number}}
    found = mean_curves(run, analysis)[0]
    assert found.mean.tolist() == pytest.approx([0.5])
    assert found.high[0] == pytest.approx(0.5 + 4.302653 * 0.1 / math.sqrt(3), abs=1e-6)


def test_what_failed_or_still_trains_is_in_no_mean(make_run):
    run, analysis = analysed(make_run())
    of_first = run.progress(analysis.entries[0].studies[0].id).replicates
    of_first[0].state, of_first[1].state = "failed", "running"
    found = mean_curves(run, analysis)[0]
    assert found.units == 1 and np.isnan(found.low).all() and found.why == "1 of at least 3 seeds"


def test_searches_are_the_units_and_splits_have_no_band(make_run, tmp_path):
    run, analysis = analysed(make_run(searches=3, seeds=2, trials=3))
    assert [one.units for one in mean_curves(run, analysis)] == [3, 3]
    from tests.results.synthetic import write_run

    folder = write_run(tmp_path / "splits", PAIR, splits=3, seeds=1, trials=3, patients=10)
    one = mean_curves(*analysed(folder))[0]
    assert one.units == 3 and np.isnan(one.high).all() and "share training patients" in one.why


def test_a_long_curve_is_thinned_with_its_ends(make_run):
    run, analysis = analysed(make_run())
    long = curve("Strong", [(float(n), n / 1000) for n in range(1000)])
    table = over_time.over_time(analysis, [long])
    assert len(table) == POINTS
    assert table["charged_seconds"].iloc[[0, -1]].tolist() == [0.0, 999.0]


def test_a_crossing_is_where_the_last_change_of_lead_is(analysis):
    first = curve("A", [(1, 0.1), (3, 0.5), (10, 0.5)])
    second = curve("B", [(2, 0.2), (4, 0.4), (8, 0.8)])
    (row,) = crossovers(analysis, [first, second]).to_dict("records")
    assert (row["ahead_first"], row["ahead_last"], row["changes"]) == ("A", "B", 1)
    assert (row["since_seconds"], row["until_seconds"]) == (5.0, 8.0)


def test_a_lead_that_never_changes_is_none_and_equals_have_no_moment(analysis):
    low, high = curve("A", [(1, 0.1), (9, 0.3)]), curve("B", [(2, 0.2), (5, 0.4)])
    (row,) = crossovers(analysis, [low, high]).to_dict("records")
    assert (row["ahead_last"], row["changes"], row["since_seconds"]) == ("B", 0, 2.0)
    (row,) = crossovers(analysis, [low, curve("C", [(1, 0.1), (9, 0.3)])]).to_dict("records")
    assert row["ahead_last"] == "" and math.isnan(row["since_seconds"]) and row["changes"] == 0


def test_curves_that_share_no_moment_are_not_compared(analysis):
    assert crossovers(analysis, [curve("A", [(1, 0.1)]), curve("B", [(2, 0.2)])]).empty


def test_pairs_are_of_the_first_eight(analysis):
    curves = [curve(str(n), [(1, 0.1 * n), (2, 0.2)]) for n in range(10)]
    assert len(crossovers(analysis, curves)) == 8 * 7 // 2


def test_targets_are_shares_of_the_runner_up(analysis):
    best, second = curve("A", [(1, 0.0), (11, 1.0)]), curve("B", [(0, 0.4), (10, 0.8)])
    table = targets(analysis, [best, second, curve("C", [(0, 0.1), (7, 0.3)])])
    assert table["target"].tolist() == pytest.approx([0.72, 0.76, 0.8] * 3)
    assert table["seconds"].tolist()[:6] == pytest.approx([8.2, 8.6, 9.0, 8.0, 9.0, 10.0])
    assert table["seconds"][6:].isna().all() and set(table["until_seconds"][6:]) == {7.0}


def test_without_a_curve_there_is_nothing(make_run):
    run, analysis = analysed(make_run([CAST[-1]]))
    assert all(table.empty for table in over_time.tables(run, analysis).values())
    assert "Score and training time</h3>" not in write_report(run.folder).read_text()


def test_the_page_shows_targets_crossings_and_what_others_published(make_run):
    run = load_run(make_run(CAST))
    text = write_report(run.folder).read_text()
    assert text.count('id="time-1"') == 1 and "Time to a target" in text
    assert "Where mean curves cross" in text and "Published after a fixed time" in text
    assert "accuracy" in text.lower() and "V100" in text and "98.06" in text
    task = compile_run(run).tasks[0]
    found = time_view.view(run, task.analysis, task.by_name)
    pairs = len(task.by_name["exploratory_crossovers"])
    assert len(found["crossed"]) + found["uncrossed"] == pairs == 10, "AlexNet failed"
    for row in found["crossed"]:
        assert {row["ahead"], row["behind"]} == {row["first"], row["second"]}


def test_the_figure_draws_bands_of_the_first_and_lines_of_twelve(make_run):
    cast = [Actor(label=f"E{n}", quality=0.2 * n) for n in range(14)]
    run, analysis = analysed(make_run(cast, trials=2, patients=4))
    table = over_time.tables(run, analysis)["over_time"]
    looks = figures.styles([actor.label for actor in cast])
    figure = figures.score_against_seconds(table, metric="F", looks=looks)
    bands = [trace for trace in figure.data if trace.fill == "toself"]
    lines = [trace for trace in figure.data if trace.fill is None]
    assert (len(bands), len(lines)) == (6, 12)
    assert lines[0].name == table["entrant"][0]
    assert all(len(line.x) <= POINTS for line in lines)
