"""The section of the page on a task's cases: matrices, curves, galleries."""

import hashlib
import json
import re

import numpy as np
import pytest
from plotly.offline import get_plotlyjs

from results.gallery import read_gallery
from results.load import load_run
from results.report import write_report
from tests.results.synthetic import CAST, PAIR, Actor
from tests.results.test_report import Page, report
from tests.results.test_sealed import seal

IDS = ("one", "two", '"><script>alert(1)</script>' + "x" * 200)


def with_gallery(folder, split="test", **kept):
    """The same run with cases kept by the first replicate of each study."""
    ledger = folder / "ledger.jsonl"
    lines = []
    for event in map(json.loads, ledger.read_text().splitlines()):
        file = event.get("predictions")
        if file and event["replicate"] == 0:
            path = folder / file["file"]
            with np.load(path) as arrays:
                more = {f"{split}_gallery_{name}": array for name, array in kept.items()}
                whole = {**arrays, **more}
            np.savez_compressed(path, **whole)
            file["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
        lines.append(json.dumps(event))
    ledger.write_text("\n".join(lines) + "\n")
    return folder


def pictured(size=96, channels=3, masks=False):
    rng = np.random.default_rng(3)
    grid = np.indices((size, size)) / size
    smooth = 127 + 100 * np.sin(9 * grid[0])[..., None] * np.cos(7 * grid[1])[..., None]
    images = smooth + rng.normal(0, 20, (3, size, size, channels))
    kept = {
        "ranks": np.array(["best", "median", "worst"]),
        "ids": np.array(IDS),
        "labels": np.array([1, 2, 0]),
        "quality": np.array([0.95, 0.5, 0.02]),
        "images": images.clip(0, 255).astype(np.uint8),
    }
    if masks:
        distance = np.hypot(grid[0] - 0.5, grid[1] - 0.45)
        true = (distance < 0.3).astype(np.uint8) + (distance < 0.1)
        kept["true"] = np.stack([true] * 3).astype(np.uint8)
        kept["predicted"] = np.stack([np.roll(true, 5 * n, 0) for n in range(3)]).astype(np.uint8)
    else:
        kept["scores"] = np.array([[0.01, 0.95, 0.04], [0.2, 0.3, 0.5], [0.02, 0.08, 0.9]])
        kept["fact_votes"] = np.array([7.0, 4.0, 3.0])
    return kept


TEXTS = {
    "ranks": np.array(["best", "worst"]),
    "ids": np.array(IDS[1:]),
    "labels": np.array([1, 2]),
    "quality": np.array([0.9, 0.1]),
    "scores": np.array([[0.05, 0.9, 0.05], [0.6, 0.3, 0.1]]),
    "texts": np.array(["Markets <b>rise</b> & fall, say 'analysts'", "word " * 60]),
}


def own(folder):
    return report(folder).replace(get_plotlyjs(), "")


def test_patches_stand_with_probabilities_and_votes(make_run):
    text = own(with_gallery(make_run(), **pictured()))
    page = Page(text)
    assert page.text.count("Best, median and worst cases") == 1
    assert text.count('<img src="data:image/') == 6
    assert "liver 0.950 (true)" in page.text and "votes: 7" in page.text
    alt = re.findall(r'alt="(.*?)"', text)
    assert alt[0] == (
        "Best case one: shows liver; liver 0.950, liver &amp; tumour 0.040, no liver 0.010"
    )
    assert "<script>alert(1)" not in text and "x" * 100 not in text


def test_slices_stand_with_outlines_of_truth_and_prediction(make_run):
    kept = pictured(channels=1, masks=True)
    folder = make_run(PAIR, masks=True, primary="mean_case_dice")
    text = own(with_gallery(folder, **kept))
    assert "Best Dice 0.950" in Page(text).text and "white: prediction" in Page(text).text
    pictures = re.findall(r'<svg viewBox="0 0 96 96".*?</svg>', text)
    assert len(pictures) == 6 and all(one.count("<path") == 6 for one in pictures)
    # A prediction's colour lies striped upon white, so that it is seen where it meets the truth's.
    for one in pictures:
        under, striped = (
            re.findall(rf'<path d="([^"]*)"[^>]*class="{name}"', one)
            for name in ("under", "striped")
        )
        assert len(under) == 2 and under == striped


def test_texts_stand_with_probabilities_and_are_escaped(make_run):
    text = own(with_gallery(make_run(), **TEXTS))
    assert "<b>rise</b>" not in text
    assert "Markets <b>rise</b> & fall, say 'analysts'" in Page(text).text
    assert "no liver 0.600" in Page(text).text and "<img" not in text


def test_a_gallery_is_small(make_run):
    folder = make_run([PAIR[0]])
    without = len(report(folder))
    kept = pictured(size=160)
    six = {name: np.concatenate([array, array]) for name, array in kept.items()}
    assert 3000 < len(report(with_gallery(folder, **six))) - without < 46_000


def test_arrays_that_do_not_fit_are_no_gallery(make_run):
    kept = pictured()
    assert "median and worst" not in own(
        with_gallery(make_run(), **kept | {"ids": kept["ids"][1:]})
    )


def test_a_sealed_run_shows_validation_and_says_so(make_run):
    folder = make_run(validation=True)
    seal(folder)
    page = Page(report(folder)).text
    assert "The cases" not in page, "the ledger names no predictions before the test"
    folder = make_sealed(folder)
    text = own(with_gallery(folder, split="validation", **pictured()))
    assert "on which the winners were chosen" in text and "Confusion of Strong" in text
    assert "this run's validation data" in Page(text).text
    assert read_gallery(folder, load_run(folder).progress("lits_cls-0").replicates[0].predictions,
                        "test") == ()  # fmt: skip


def make_sealed(folder):
    """Replicates with files of predictions, in a run whose test split was never opened."""
    lines = []
    for event in map(json.loads, (folder / "ledger.jsonl").read_text().splitlines()):
        if event["event"] == "replicate_finished":
            name = f"predictions/{event['study']}-{event['replicate']}.npz"
            digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
            event["predictions"] = {"file": name, "sha256": digest}
        lines.append(json.dumps(event))
    (folder / "ledger.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def test_confusions_show_counts_shares_and_the_split(make_run):
    text = own(make_run(CAST))
    page = Page(text).text
    assert page.count("Confusion of ") == 5, "AlexNet failed"
    assert "1 more confusion matrix" in page and "Of the test split." in page
    table = re.search(r'<table class="confusion">.*?</table>', text, re.S).group(0)
    cells = [float(share) for share in re.findall(r"--share: ([\d.]+)", table)]
    assert len(cells) == 9 and sum(cells[:3]) == pytest.approx(1, abs=2e-3)
    assert "Expected calibration error" in page


def test_many_entrants_are_cut_and_the_page_says_so(make_run):
    cast = [Actor(label=f"E{n:02d}", quality=0.2 * n) for n in range(13)]
    page = Page(report(make_run(cast, trials=2))).text
    assert "Of the first 10 entrants of the leaderboard; 3 more are left out here." in page


@pytest.mark.parametrize("actors", [[CAST[-1]], [Actor(label="A", finished=0)]])
def test_without_predictions_there_is_no_section(make_run, actors):
    assert "The cases" not in Page(report(make_run(actors))).text


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1920])
@pytest.mark.parametrize("masks", [False, True])
def test_in_a_browser_pictures_load_and_nothing_overflows(make_run, width, masks, browser):
    primary = "mean_case_dice" if masks else "macro_f1"
    folder = make_run(CAST, masks=masks, primary=primary)
    kept = pictured(channels=1 if masks else 3, masks=masks)
    address = write_report(with_gallery(folder, **kept)).as_uri()
    page = browser.new_context(viewport={"width": width, "height": 900}).new_page()
    said = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(address)
    figures = ["case_dice"] if masks else ["roc", "precision_recall", "reliability"]
    for name in figures:
        page.wait_for_selector(f".fig-{name} .xtick", state="attached")
    loaded = page.evaluate(
        "[...document.images].filter(i => i.complete && i.naturalWidth === 96).length"
    )
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert loaded == 15 and wide == width and said == []
