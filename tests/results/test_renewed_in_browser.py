"""A page that is renewed while somebody reads it, in a real browser."""

import pytest

from results.report import write_report
from tests.results.synthetic import CAST, write_run

pytestmark = pytest.mark.browser


@pytest.fixture
def going_on(tmp_path, browser):
    """A page of a run that goes on, and a function that writes its next state in its place."""
    begun = write_run(tmp_path / "begun", CAST[:4], trials=3, finish=False)
    ended = write_run(tmp_path / "ended", CAST, trials=6)
    path = write_report(begun, renewed=True)
    assert 'http-equiv="refresh"' in path.read_text()
    later = write_report(ended).read_text()
    page = browser.new_context(viewport={"width": 1280, "height": 700}).new_page()
    page.goto(path.as_uri())
    return page, lambda: path.write_text(later)


def names(page):
    cells = page.locator(".first .board tbody tr:not([hidden]) > :nth-child(2)")
    return [text.split(",")[0] for text in cells.all_inner_texts()]


def settled(page):
    page.wait_for_load_state("load")
    page.evaluate("new Promise((done) => setTimeout(() => requestAnimationFrame(done), 50))")


@pytest.mark.parametrize("how", ["loaded again", "renewed"])
def test_the_reader_keeps_sorting_filter_columns_and_folds(going_on, how):
    page, write_next = going_on
    head = page.locator(".first .board thead tr:last-child th").nth(2)
    head.locator("button").click()
    head.locator("button").click()
    page.locator('.first .bar input[value="search"]').check()
    page.locator(".first .bar input[type=search]").fill("resnet")
    unfolded = page.locator("details", has=page.locator("summary", has_text="Where the uncert"))
    unfolded.locator("summary").click()
    study = page.locator("details.study[open]")
    study.locator("summary").first.click()
    write_next()
    again(page, how)
    assert head.get_attribute("aria-sort") == "ascending"
    assert set(names(page)) == {"ResNet-18", "ResNet-34"}
    assert page.locator(".first .bar [role=status]").inner_text() == "2 of 6 shown"
    assert page.locator('.first .bar input[value="search"]').is_checked()
    assert unfolded.get_attribute("open") is not None
    assert page.locator("details.study[open]").count() == 0
    assert page.locator(".first .bar input[type=search]").input_value() == "resnet"


def again(page, how):
    if how == "loaded again":
        page.reload()
    else:  # as the page itself does it, after a minute
        page.evaluate("location.replace(location.href)")
        page.wait_for_timeout(300)
    settled(page)


@pytest.mark.parametrize("how", ["loaded again", "renewed"])
def test_the_reader_keeps_the_place_and_the_focus(going_on, how):
    page, write_next = going_on
    heading = page.locator("caption", has_text="Test scores in a few")
    top = "(element) => element.getBoundingClientRect().top"
    heading.evaluate("(element) => window.scrollBy(0, element.getBoundingClientRect().top - 90)")
    page.locator("details.study summary").first.evaluate(
        "(element) => element.focus({ preventScroll: true })"
    )
    before, rows = heading.evaluate(top), page.locator(".first .board tbody tr").count()
    write_next()
    again(page, how)
    assert page.locator(".first .board tbody tr").count() > rows, "nothing above has grown"
    assert heading.evaluate(top) == pytest.approx(before, abs=2)
    assert page.evaluate("document.activeElement.localName") == "summary"


def test_an_address_with_another_place_wins(going_on):
    page, write_next = going_on
    address = page.url
    page.evaluate("window.scrollTo(0, 900)")
    write_next()
    page.goto("about:blank")
    page.goto(f"{address}#protocol")
    settled(page)
    top = page.locator("#protocol").evaluate("(element) => element.getBoundingClientRect().top")
    assert 0 <= top < 700 and page.evaluate("window.scrollY") > 2000
