"""What of the page is the primary analysis, and what is labelled exploratory."""

import re

import pytest
from plotly.offline import get_plotlyjs

from tests.results.synthetic import CAST, Actor
from tests.results.test_report import Page, report, rows

PRIMARY = ("Leaderboard", "Pairwise comparisons", "Where the uncertainty comes from")
EXPLORATORY = (
    "Test scores in a few numbers",
    "Effect sizes",
    "Errors by votes",
    "Expected best of a shorter search",
    "ROC curves",
    "Precision and recall",
    "Reliability",
    "Best so far",
    "Default against tuned",
    "Rungs and stops",
    "Trials",
    "Parameters side by side",
    "One parameter at a time",
)
CAPTION = r'<span class="title">(.*?)</span>(.*?)</(?:fig)?caption>'


def captions(text):
    """Titles of tables and figures, in their order, and whether they have the small tag."""
    found = re.findall(CAPTION, text, re.S)
    return {title: 'class="tag">exploratory<' in rest for title, rest in found}


def test_one_primary_analysis_and_all_else_below_a_heading_that_says_exploratory(make_run):
    text = report(make_run(CAST, strata=("votes",))).replace(get_plotlyjs(), "")
    assert text.count("<h3>Exploratory") == 1
    assert (
        "Primary analysis: difference of means on Macro F1, Holm within the task; "
        "everything else on this page is exploratory." in Page(text).text
    )
    above, below = text[text.index("<body") :].split("<h3>Exploratory")
    section, rest = below.split('<section id="', 1)
    assert set(PRIMARY) <= {title for title, tagged in captions(above).items() if not tagged}
    shown = {title for title in captions(section) if not title.startswith("Confusion of ")}
    assert shown == set(EXPLORATORY)
    assert all(captions(section).values()) and not any(captions(rest).values())


@pytest.mark.parametrize(("count", "folded"), [(6, False), (7, True)])
def test_effect_sizes_of_many_pairs_are_folded(make_run, count, folded):
    cast = [Actor(label=f"E{n}", quality=0.2 + 0.3 * n) for n in range(count)]
    text = report(make_run(cast, trials=3))
    summary = f"<summary>Effect sizes: all {count * (count - 1) // 2} pairs</summary>"
    assert (summary in text) == folded
    table = re.search(r"Effect sizes</span>.*?</table>", text, re.S).group(0)
    assert table.count("<tr><td") == count * (count - 1) // 2


def test_each_pair_is_told_whether_it_is_decided_and_what_would_decide_it(make_run):
    folder = make_run(CAST, seeds=5)
    page = Page(report(folder)).text
    told = page[page.index("Effect sizes") : page.index("Expected best of")]
    pairs = rows(folder, "exploratory_effects")
    for pair in pairs:
        needed = f"{pair['seeds_needed']} {pair['more_seeds']} more"
        assert pair["undecided_why"] in told and (not pair["seeds_needed"] or needed in told)
    assert (
        len(re.findall(" decided (?!by)", told))
        == sum(pair["decided"] == "True" for pair in pairs)
        > 0
    )
    assert any(pair["decided"] == "False" for pair in pairs)


def test_a_study_that_failed_leaves_nothing_to_explore(make_run):
    assert "<h3>" not in report(make_run([CAST[-1]]))


NESTED = {
    "one": ({}, ["By seeds", "By patients", "In all"]),
    "searches": ({"searches": 3}, ["By seeds", "By searches", "By patients", "In all"]),
    "splits": ({"splits": 3}, ["By seeds", "By splits", "By patients", "In all"]),
}


@pytest.mark.parametrize("which", NESTED)
def test_the_sources_of_uncertainty_are_those_that_there_are(make_run, which):
    more, sources = NESTED[which]
    folder = make_run(trials=3, patients=10, **more)
    text = report(folder).replace(get_plotlyjs(), "")
    table = re.search(r"Where the uncertainty comes from</span>.*?</table>", text, re.S).group(0)
    assert re.findall(r'<th scope="col" class="n">(.*?)</th>', table) == sources
    board = rows(folder, "leaderboard")[0]
    shown = re.findall(r'<td class="n">(.*?)</td>', table)[: len(sources)]
    assert shown[0] == f"{float(board['seed_variance']) ** 0.5:.4f}"
    assert shown[-2] == f"{float(board['patient_variance']) ** 0.5:.4f}"


def test_without_an_interval_there_are_no_sources_of_uncertainty(make_run):
    assert "Where the uncertainty" not in report(make_run(seeds=2))


def test_splits_and_searches_have_columns_where_there_are_several(make_run):
    text = report(make_run(searches=3, splits=3, seeds=1, trials=3, patients=10))
    page = Page(text).text
    assert "Entrant Split Search No. Seed" in page
    assert "Task Part Data set Split" in page and "Task Part Test set" in page
    data = text[text.index('<section id="data">') :].partition("</section>")[0]
    assert data.count("split 3 of 3") == 3 + 1, "three rows of data, one opening"
    assert "same patients, split by split" in page


def test_one_split_and_search_have_no_columns(make_run):
    page = Page(report(make_run())).text
    assert "Entrant No. Seed" in page and "Task Data set Split" in page and "Part" not in page
    assert "same patients, independent seeds" in page


def test_several_searches_but_one_split_have_one_column(make_run):
    page = Page(report(make_run(searches=3, seeds=1, trials=3))).text
    assert "Entrant Search No. Seed" in page and "same patients, independent searches" in page


def test_of_many_pairs_the_page_shows_the_first_and_names_the_table_of_all(make_run, monkeypatch):
    monkeypatch.setattr("results.report.MOST_PAIRS", 20)
    monkeypatch.setattr("results.report.SHOWN_PAIRS", 2)
    actors = [Actor(label=f"Entrant {number}", quality=1.0) for number in range(7)]
    folder = make_run(actors, trials=3)
    text = report(folder)
    page = Page(text).text
    assert "20 of 21 pairwise comparisons, the leaderboard's first against the others" in page
    assert "Effect sizes: 20 of 21 pairs" in page and "tables/exploratory_effects.csv" in page
    for table in ("Comparisons of", "Effect sizes of"):
        body = text[text.index(f'aria-label="{table}') :].partition("</table>")[0]
        assert body.count("<tr>") == 1 + 20
    assert len(rows(folder, "comparisons")) == 21
