"""Fixed-time comparisons stand by themselves: no score of theirs is mixed with the others."""

import pytest

from results import methods
from results.analysis import analyse
from results.fixed_time import fixed_time, timed
from results.holes import holes
from results.load import load_run
from results.report import write_report
from tests.results.synthetic import PAIR, Actor, write_run

BUDGETS = (10.0, 20.0)


def test_the_ordinary_analysis_does_not_see_them(make_run, tmp_path):
    with_them = analyse(load_run(make_run(time_budgets=BUDGETS)), "lits_cls")
    without = analyse(load_run(write_run(tmp_path / "without", PAIR)), "lits_cls")
    assert [e.estimate for e in with_them.entries] == [e.estimate for e in without.entries]


def test_each_budget_has_its_own_tiers(make_run):
    run = load_run(make_run(time_budgets=BUDGETS))
    table = fixed_time(run, timed(run, "lits_cls"))
    assert table["budget_s"].tolist() == [10.0, 10.0, 20.0, 20.0]
    assert table["entrant"].tolist() == ["Strong", "Weak"] * 2
    assert table["tier"].tolist() == [1, 2, 1, 2]
    first = table.iloc[0]
    assert first["seeds"] == 3 and first["low"] < first["mean"] < first["high"]
    assert first["wall_seconds"] > first["charged_seconds"] > 0
    assert first["search_seconds"] == pytest.approx(
        run.progress(run.of_task("lits_cls", 10.0)[0].id).charged_seconds
    )


def test_without_budgets_there_is_no_table_and_no_word(make_run):
    run = load_run(make_run())
    assert fixed_time(run, timed(run, "lits_cls")).empty
    assert "Fixed time" not in " ".join(methods.protocol(run, [analyse(run, "lits_cls")]))
    assert "Fixed time" not in write_report(run.folder).read_text()


def test_the_page_and_the_protocol_tell_of_them(make_run):
    run = load_run(make_run(time_budgets=BUDGETS))
    page = write_report(run.folder).read_text()
    assert "Fixed time" in page and "10.0 s" in page and "20.0 s" in page
    said = " ".join(methods.protocol(run, [analyse(run, "lits_cls")]))
    assert "at 10 and 20 charged seconds" in said
    assert (run.folder / "tables" / "exploratory_fixed_time.csv").exists()


def test_what_failed_of_them_is_a_hole(make_run):
    actors = [PAIR[0], Actor(label="Weak", replicate_error="out of memory")]
    run = load_run(make_run(actors, time_budgets=BUDGETS[:1]))
    table = holes(run, timed(run, "lits_cls"))
    assert any("10 s" in name for name in table["entrant"])
