import csv
import json
import re
from html.parser import HTMLParser

import pytest

from results.compiled import compile_run
from results.load import load_run
from results.report import write_report
from tests.results.synthetic import CAST, Actor
from tests.results.test_tables import with_duplicates

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """Checks nesting, gathers tags, ids, addresses and the text outside scripts."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.ids, self.links, self.words = [], [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        given = dict(attrs)
        self.ids += [given["id"]] if "id" in given else []
        self.links += [given[key] for key in ("href", "src") if key in given]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"</{tag}> does not close {self.open}"

    def handle_data(self, data):
        if not {"script", "style"} & set(self.open):
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def report(folder):
    path = write_report(folder)
    assert path == folder / "report.html"
    return path.read_text()


def rows(folder, name):
    with (folder / "tables" / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


RUNS = {
    "cast": {"actors": CAST},
    "ten seeds": {"actors": CAST, "seeds": 10, "phantom": False},
    "failed": {"actors": [CAST[-1]]},
    "unfinished": {"actors": [CAST[0], Actor(label="B", finished=0)], "finish": False},
    "two seeds": {"actors": CAST[:2], "seeds": 2},
    "segmenters": {"actors": CAST, "masks": True, "primary": "mean_case_dice"},
    "strata": {"actors": CAST, "strata": ("votes", "slice_area")},
    "searches": {"actors": CAST, "searches": 3, "trials": 3},
    "splits": {"actors": CAST[:3], "splits": 3, "patients": 10, "trials": 3},
}


@pytest.mark.parametrize("which", RUNS)
def test_every_kind_of_run_gives_a_sound_page(make_run, which):
    page = Page(report(make_run(**RUNS[which])))
    assert len(page.ids) == len(set(page.ids))
    assert all(link.startswith("#") and link[1:] in page.ids for link in page.links)
    assert page.tags.count("h1") == 1 and page.tags.count("main") == 1
    assert "nan" not in page.text.lower().split() and "<NA>" not in page.text


def test_the_page_asks_for_nothing_from_outside(make_run):
    text = report(make_run(CAST))
    own = text.replace(_plotly(), "")
    data = own.count('<script type="application/json"')
    assert _plotly() in text and own.count("<script") == 2 + data
    assert not re.search(r"(src|href)\s*=\s*[\"']?(https?:)?//", own)
    assert "@import" not in own and "url(" not in own
    assert "default-src 'none'" in own


def _plotly():
    from plotly.offline import get_plotlyjs

    return get_plotlyjs()


def test_names_cannot_become_markup_or_script(make_run):
    text = report(make_run(CAST)).replace(_plotly(), "")
    assert 'document.title="owned"</script>' not in text
    assert "<b>bold</b>" not in text
    assert Page(text).text.count("<b>bold</b> & 'quotes'") > 3
    for block in re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', text, re.S):
        json.loads(block)


def test_names_in_the_sentence_are_strong_and_nothing_else(make_run):
    text = report(make_run([CAST[4], Actor(label="Weak", quality=0.3)]))
    verdict = re.search(r'<p class="verdict">(.*?)</p>', text, re.S).group(1)
    assert verdict.startswith("<strong>=HYPERLINK(") and "&lt;b&gt;bold" in verdict
    assert set(re.findall(r"<[^>]*>", verdict)) == {"<strong>", "</strong>"}


def test_a_phantom_is_stamped_on_page_headings_tables_and_files(make_run):
    folder = make_run(CAST)
    text = report(folder).replace(_plotly(), "")
    assert "<title>PHANTOM" in text and "This is not a result" in text
    headings = r"<caption>.*?</caption>|<h2>.*?</h2>|<h3>.*?</h3>|<figcaption>.*?</"
    for caption in re.findall(headings, text, re.S):
        published = 'class="tag published"' in caption  # of real data, and says so
        stamped = 'class="stamp">phantom<' in caption or caption.startswith("<figcaption>")
        assert stamped or published
    files = sorted((folder / "tables").glob("*.csv"))
    assert {path.stem for path in files} == set(compile_run(load_run(folder)).files())
    for path in files:
        lines = path.read_text().splitlines()
        assert lines[0].startswith("data,") and all(row["data"] == "phantom" for row in
                                                    csv.DictReader(lines))  # fmt: skip


def test_real_data_are_not_called_phantom(make_run):
    folder = make_run(phantom=False)
    assert "phantom" not in Page(report(folder)).text.lower()
    assert {row["data"] for row in rows(folder, "leaderboard")} == {"real"}


def test_cells_start_no_formula_and_numbers_stay_numbers(make_run):
    folder = make_run(CAST)
    report(folder)
    for path in (folder / "tables").glob("*.csv"):
        for row in csv.DictReader(path.open(newline="")):
            for value in row.values():
                if value and value[0] in "=+-@\t\r":
                    float(value)
    labels = [row["entrant"] for row in rows(folder, "leaderboard")]
    assert any(label.startswith("'=HYPERLINK(") for label in labels)
    negative = [row for row in rows(folder, "comparisons") if row["low"].startswith("-")]
    assert negative and all(float(row["low"]) < 0 for row in negative)


def test_the_first_screen_has_sentence_leaderboard_and_forest_plot(make_run):
    text = report(make_run(CAST))
    order = [text.index(part) for part in ("<h1>", 'class="verdict"', 'class="board"', "-forest")]
    assert order == sorted(order) and order[-1] < text.index("Pairwise comparisons")


def test_an_unfinished_run_tells_how_to_go_on(make_run):
    folder = make_run(finish=False)
    text = Page(report(folder)).text
    assert "not finished" in text and f"bench resume {folder}" in text


def test_all_metrics_are_columns_of_the_leaderboard(make_run):
    text = report(make_run(CAST, masks=True, primary="mean_case_dice"))
    board = re.search(r'<table class="board">.*?</table>', text, re.S).group(0)
    found = re.findall(r'colspan="(\d+)" data-group="(metrics|classes)"', board)
    assert sum(int(number) for number, _ in found) == 14
    assert ">Mean Dice</th>" in board and "Average surface distance (mm), tumour" in board


def test_errors_by_stratum_have_a_table_a_fact(make_run):
    folder = make_run(CAST, strata=("annotator_count",))
    page = Page(report(folder))
    assert "Errors by annotator count" in page.text
    assert page.text.count("40 cases") == 8
    assert len(rows(folder, "strata")) == 5 * 8, "AlexNet failed"
    assert "Errors by" not in Page(report(without_strata(folder))).text


def without_strata(folder):
    """The same run as if no strata had been recorded."""
    record = json.loads((folder / "run.json").read_text())
    del record["tasks"]["lits_cls"]["strata"]
    (folder / "run.json").write_text(json.dumps(record))
    return folder


def test_identical_cases_in_two_splits_are_shown(make_run):
    folder = make_run()
    assert "Identical cases in two splits" not in Page(report(folder)).text
    page = Page(report(with_duplicates(folder, dropped=0))).text
    assert "Identical cases in two splits" in page
    assert "Liver slices train, test 2 no a-1 = b-7; a-2 = b-9" in page
    page = Page(report(with_duplicates(folder, dropped=3))).text
    assert "Liver slices train, test 2 yes, 3 in all" in page
    assert "Liver slices validation, test 0 – –" in page


def test_slices_are_said_to_be_of_volumes(make_run):
    folder = make_run()
    record = json.loads((folder / "run.json").read_text())
    record["data"]["lits_cls"]["splits"]["test"]["volumes"] = 12
    record["data"]["lits_cls"]["splits"]["train"]["volumes"] = 1200
    (folder / "run.json").write_text(json.dumps(record))
    page = Page(report(folder)).text
    assert "test 320 of 12 volumes" in page and page.count(" volumes") == 1


def test_unknown_groups_are_said(make_run):
    assert "group unknown" in Page(report(make_run(groups_known=False))).text


def test_a_report_is_replaced_whole_and_leaves_nothing_behind(make_run):
    folder = make_run()
    report(folder)
    (folder / "report.html").write_text("old")
    assert report(folder) != "old"
    assert not [path for path in folder.rglob(".*")]


def test_the_page_stays_small(make_run):
    assert len(report(make_run(CAST, seeds=10))) < 8e6


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 768, 1280, 1920])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_a_browser_it_draws_fits_and_asks_for_nothing(make_run, width, scheme, browser):
    address = write_report(make_run(CAST)).as_uri()
    said, asked = [], []
    page = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme
    ).new_page()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    page.wait_for_function("document.querySelectorAll('.plot .xtick').length > 8")
    wide = page.evaluate("document.documentElement.scrollWidth")
    title = page.title()
    assert wide == width and said == [] and asked == [address] and title.startswith("PHANTOM")


def test_the_page_leaves_out_parameters_that_nobody_touched(make_run):
    folder = make_run()
    page = write_report(folder).read_text()
    table = page[page.index("Winning configurations") :].split("</table>")[0]
    assert "<code>optimizer</code>" in table and "initialisation" not in table
    written = (folder / "tables" / "winners.csv").read_text()
    assert "initialisation" in written
