"""The section of the searches on the page, and its figures."""

import json
import re

import pytest

from results import figures
from results.load import load_run
from results.report import _json, write_report
from results.search_view import FEWEST, STUDIES, TRIALS, room
from tests.results.searches import with_search
from tests.results.synthetic import CAST, PAIR, Actor
from tests.results.test_report import Page, report, rows
from tests.results.test_search_space import searched


def test_each_study_with_a_score_has_its_anchor_figures_and_rungs(make_run):
    folder = make_run(CAST)
    text = report(folder)
    page = Page(text)
    anchors = [id for id in page.ids if re.fullmatch(r"study-lits_cls-\d", id)]
    assert sorted(anchors) == [f"study-lits_cls-{n}" for n in range(6)]
    assert text.count('<details class="study"') == text.count("Rungs and stops</span>") == 5
    assert len(re.findall(r'<details class="study"[^>]* open>', text)) == 1
    for name in ("curves", "parallel", "slices"):
        assert len(re.findall(rf'data-figure="study-[^"]*-{name}"', text)) == 5
    written = rows(folder, "exploratory_gains")
    assert len(written) == 6 and {row["analysis"] for row in written} == {"exploratory"}
    assert f"{float(written[0]['gain']):.3f}" in page.text


def test_a_run_of_failures_has_no_section(make_run):
    assert "Default against tuned" not in report(make_run([CAST[-1]]))


def test_importance_is_on_the_page_where_there_are_enough_trials(make_run):
    folder = with_search(make_run(PAIR, trials=3), trials=30)
    text = Page(report(folder)).text
    assert "PED-ANOVA" in text and "too few trials beyond the first rung: 3 of 10" in text
    assert "not set" not in text, "that is in a figure"
    written = rows(folder, "exploratory_importance")
    assert {row["parameter"] for row in written if row["fanova"]} >= {"learning_rate", "optimizer"}


def test_many_studies_have_rows_and_only_the_first_have_figures(make_run, monkeypatch):
    monkeypatch.setattr("results.search_view.STUDIES", 2)
    text = report(make_run([Actor(label=f"E{n}", quality=n / 3) for n in range(5)], trials=3))
    assert text.count('<details class="study"') == 2
    assert all(f'id="study-lits_cls-{n}"' in text for n in range(5))
    assert "the other 3 are in the tables" in text
    assert "Default against tuned, all 5 searches" in text


def test_the_more_studies_the_fewer_trials_of_each(make_run):
    from dataclasses import replace

    run = load_run(make_run())
    assert room(run).trials == TRIALS and room(run).studies == STUDIES
    study = next(iter(run.studies.values()))
    many = replace(run, studies={str(n): study for n in range(1000)})
    assert room(many).trials == max(FEWEST, 1000 // STUDIES)


@pytest.mark.parametrize("kind", ["trial_curves", "parallel", "slices"])
def test_the_figures_are_plotlys_and_hold_no_markup(make_run, kind):
    import plotly.graph_objects as go

    from results import search_drawn

    one = searched(with_search(make_run(PAIR, trials=3), trials=30))
    trials = search_drawn.shown(one, 20)
    axes = search_drawn.scales(one, trials, one.varied)
    drawn = {
        "trial_curves": lambda: figures.trial_curves(search_drawn.curves(one, 9), metric="<b>F"),
        "parallel": lambda: figures.parallel(
            search_drawn.parallel(one, trials, axes), axes, metric="<b>F", ends=("0", "1")
        ),
        "slices": lambda: figures.slices(
            search_drawn.slices(one, trials, axes), axes, metric="<b>F"
        ),
    }[kind]()
    figure = go.Figure(drawn)  # raises where plotly knows a name or value not
    assert len(figure.data) and any(len(trace.x or ()) for trace in figure.data)
    text = json.dumps(json.loads(_json(drawn)))
    assert "<b>" not in text and "&lt;b&gt;F" in text


@pytest.mark.browser
def test_a_link_to_a_study_opens_it_and_draws_its_figures(make_run, browser):
    address = write_report(make_run(PAIR)).as_uri() + "#study-lits_cls-1"
    page = browser.new_context(viewport={"width": 390, "height": 900}).new_page()
    page.set_default_timeout(120_000)
    page.goto(address)
    inside = "#study-lits_cls-1[open] .plot .xtick"
    page.wait_for_function(f"document.querySelectorAll('{inside}').length > 3")
    closed = page.evaluate("document.querySelector('#study-lits_cls-0').open")
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert not closed and wide == 390
