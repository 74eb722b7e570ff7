"""Sorting, filtering, choosing columns and copying, in a real browser."""

import pytest

from results.report import write_report
from tests.results.synthetic import CAST

pytestmark = pytest.mark.browser
NO_CLIPBOARD = """
Object.defineProperty(navigator, "clipboard", { value: undefined });
document.execCommand = () => false;
"""
CLIPBOARD = """
Object.defineProperty(navigator, "clipboard", {
  value: { writeText: async (text) => { window.copied = text; } },
});
"""


@pytest.fixture
def opened(make_run, browser):
    """Opens a report of the cast; `begin` runs before the page's own scripts."""
    address = write_report(make_run(CAST, trials=3)).as_uri()

    def opened(begin="", **more):
        context = browser.new_context(viewport={"width": 1280, "height": 900}, **more)
        page = context.new_page()
        page.add_init_script(begin)
        page.goto(address)
        return page

    return opened


def column(page, number):
    """The shown cells of a leaderboard's column, from the top."""
    cells = page.locator(f".first .board tbody tr:not([hidden]) > :nth-child({number})")
    return [text.strip() for text in cells.all_inner_texts()]


def test_sorting_by_click_and_by_enter(opened):
    page = opened()
    before = column(page, 2)
    head = page.locator(".first .board thead tr:last-child th").nth(2)
    head.locator("button").click()
    means = column(page, 3)
    assert head.get_attribute("aria-sort") == "descending"
    assert means[:-1] == sorted(means[:-1], reverse=True) and means[-1] == "–"
    head.locator("button").press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    assert column(page, 3)[:-1] == sorted(means[:-1]) and column(page, 3)[-1] == "–"
    head.locator("button").press("Enter")
    assert head.get_attribute("aria-sort") is None and column(page, 2) == before


def test_filtering_tells_how_many_are_left(opened):
    page = opened()
    page.locator(".first .bar input[type=search]").fill("resnet")
    assert {name.split(",")[0] for name in column(page, 2)} == {"ResNet-18", "ResNet-34"}
    assert page.locator(".first .bar [role=status]").inner_text() == "2 of 6 shown"


def test_columns_come_and_go_in_groups_and_without_script_all_are_there(opened):
    page = opened()
    head = page.locator('.first .board th[data-group="search"]:has-text("Epochs spent")')
    box = page.locator('.first .bar input[value="search"]')
    assert not box.is_checked() and not head.is_visible()
    box.check()
    assert head.is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 1280
    bare = opened(java_script_enabled=False)
    assert bare.locator('.first .board th[data-group="search"]').count() == 8
    assert bare.locator(".first .board [hidden]").count() == 0
    assert bare.locator(".bar").count() == 0


@pytest.mark.parametrize(
    ("name", "begin", "escaped"),
    [
        ("CSV", "data,Tier,Entrant,", '"\'=HYPERLINK(""https://example.org"")'),
        ("Markdown", "**PHANTOM: generated data", "&lt;b>bold&lt;/b> &amp; 'quotes'"),
        ("LaTeX", "% needs \\usepackage{booktabs}", "\\textless{}b\\textgreater{}bold"),
    ],
)
def test_copying_marks_phantoms_and_escapes(opened, name, begin, escaped):
    page = opened(CLIPBOARD)
    page.locator(".first .bar button", has_text=name).click()
    page.wait_for_function("window.copied")
    text = page.evaluate("window.copied")
    assert text.startswith(begin) and escaped in text and "phantom" in text.lower()
    assert page.locator(".first .bar [role=status]").inner_text() == f"Copied as {name}"


def test_without_a_clipboard_the_text_is_there_to_be_copied(opened):
    page = opened(NO_CLIPBOARD)
    page.locator(".first .bar button", has_text="CSV").click()
    assert page.locator(".first .bar textarea").input_value().startswith("data,Tier,Entrant")
    assert "Ctrl+C" in page.locator(".first .bar [role=status]").inner_text()


def test_the_tools_are_not_printed(opened):
    page = opened()
    page.emulate_media(media="print")
    assert not page.locator(".first .bar").is_visible()
