"""Runs of many entrants: pairs by arrays, and a page that says what it leaves out."""

import json
import re
from importlib import import_module

import numpy as np
import pytest

from results import stats
from results.analysis import analyse
from results.contenders import Contenders
from results.effects import effects
from results.load import load_run
from tests.results.synthetic import Actor
from tests.results.test_report import Page, report, rows

MANY = tuple(Actor(label=f"Entrant {n}", quality=1.0 + 0.1 * (n % 4)) for n in range(12))


def contenders(run):
    members = {studies[0].id: studies for studies in run.entrants_of("lits_cls")}
    return Contenders(
        {key: [(run, study) for study in studies] for key, studies in members.items()},
        run.tasks["lits_cls"],
        np.random.default_rng(3),
        split="test",
        splits=run.splits,
        searches=run.searches,
    )


@pytest.mark.parametrize(
    "more",
    [{"seeds": 4}, {"seeds": 10}, {"searches": 3}, {"splits": 3}, {"primary": "log_loss"}],
    ids=str,
)
def test_all_differences_are_those_of_each_pair(make_run, more):
    cast = [Actor(label=label, quality=1.3) for label in "ABCD"]
    field = contenders(load_run(make_run(cast, trials=3, patients=8, **more)))
    keys = [key for key in field._members if field.measurable(key)]
    pairs = [(one, other) for one in keys for other in keys if one < other]
    assert len(pairs) == 6
    for pair, found in zip(pairs, field.differences(pairs), strict=True):
        wanted = field.difference(*pair)
        assert (found.method, found.why, found.blocks) == (wanted.method, wanted.why, wanted.blocks)
        for name in ("value", "low", "high", "p", "seed_variance", "degrees"):
            assert getattr(found, name) == pytest.approx(
                getattr(wanted, name), rel=1e-9, nan_ok=True
            )


def test_effect_sizes_stand_in_the_order_of_the_comparisons(make_run):
    run = load_run(make_run(MANY, seeds=4, trials=3))
    analysis = analyse(run, "lits_cls")
    entries = {entry.study.label: entry for entry in analysis.entries}
    table = effects(run, analysis)
    assert len(table) == 66
    for row, pair in zip(table.to_dict("records"), analysis.comparisons, strict=True):
        assert (row["first"], row["second"]) == (pair.first.label, pair.second.label)
        units = entries[row["first"]].units, entries[row["second"]].units
        found = stats.hedges_g(*units)
        assert row["hedges_g_high"] == pytest.approx(found.high, nan_ok=True)
        assert row["decided"] == (pair.better is not None)


def test_the_page_says_what_its_figures_and_tables_leave_out(make_run, monkeypatch):
    monkeypatch.setattr(import_module("results.figures.search"), "SEARCHES", 3)
    monkeypatch.setattr("results.figures.SEARCHES", 3)
    monkeypatch.setattr("results.figures.scores.FOREST", 5)
    monkeypatch.setattr("results.figures.FOREST", 5)
    monkeypatch.setattr("results.layout.WINNERS", 4)
    monkeypatch.setattr("results.board.WINNERS", 4)
    folder = make_run(MANY, trials=3)
    text = report(folder)
    page = Page(text).text
    assert "its first 5, all are in the table" in page
    assert page.count("The first 3 searches in the leaderboard’s order") == 2
    assert "the configurations of 8 more" in page and "first 8 entrants" not in page
    assert len(set(re.findall(r'href="#(winner-1-\d+)"', text))) == 4
    assert len(re.findall(r'id="winner-1-\d+"', text)) == 4
    lines = {
        name: json.loads(re.search(rf'id="figure-1-{name}">(.*?)</script>', text).group(1))["data"]
        for name in ("search", "expected_best", "forest")
    }
    order = [row["entrant"] for row in rows(folder, "leaderboard")]
    assert {one["legendgroup"] for one in lines["search"]} == set(order[:3])
    assert {one["legendgroup"] for one in lines["expected_best"]} == set(order[:3])
    assert [one["y"][0] for one in lines["forest"][1::2]] == order[:5]
    assert len({row["entrant"] for row in rows(folder, "search")}) == 12


def test_a_page_that_draws_all_says_nothing_of_it(make_run):
    page = Page(report(make_run(MANY[:3], trials=3))).text
    assert "searches in the leaderboard’s order" not in page and "all are in the table" not in page


def test_the_pairs_that_are_shown_are_the_leaderboards_first(make_run, monkeypatch):
    monkeypatch.setattr("results.report.MOST_PAIRS", 15)
    folder = make_run(MANY, trials=3)
    text = report(folder)
    order = [row["entrant"] for row in rows(folder, "leaderboard")]
    body = text[text.index('aria-label="Comparisons of') :].partition("</table>")[0]
    shown = re.findall(r'<tr><td class="compared">(.*?)</td><td class="compared">(.*?)</td>', body)
    assert [set(pair) for pair in shown] == (
        [{order[0], other} for other in order[1:]] + [{order[1], other} for other in order[2:6]]
    )


def test_of_many_that_share_a_tier_the_sentence_gives_the_number(make_run):
    twins = [Actor(label=f"Entrant {n}", quality=1.2) for n in range(12)]
    twins += [Actor(label=f"Short {n}", finished=1) for n in range(10)]
    text = Page(report(make_run(twins, trials=3))).text
    assert "All 12 ranked entrants share the first tier and cannot be told apart; the best" in text
    assert "and 2 more; the reasons are listed" in text
