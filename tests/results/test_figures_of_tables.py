"""Figures of searches, scores and costs: each mark is a number of its table, each name is text."""

import math

import pandas as pd
import plotly.graph_objects as go
import pytest

from results import figures
from results.figures import looks as look
from results.figures.scores import TALLEST
from results.search_drawn import MISSING, Scale

LOOKS = figures.styles(["A", "<b>B</b>"])


def scale(name, values=(), **more):
    ends = {"low": 0.0, "high": 1.0, "low_words": f"<{name} foot", "high_words": f"{name} head"}
    return Scale(name=name, values=values, **{"log": False} | ends | more)


AXES = [scale("rate", log=True, low=0.01), scale("<kind>", ("x", "<y>")), *map(scale, "cdef")]


# --- One search -----------------------------------------------------------------------------


def test_lines_of_a_state_are_one_trace_with_gaps_between_trials():
    rows = [
        (0, "stopped", 1, 0.1), (0, "stopped", 2, 0.2), (1, "winner", 1, 0.6),
        (2, "stopped", 1, 0.3), (2, "stopped", 2, 0.4),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["trial", "state", "epoch", "validation"])
    stopped, winner = figures.trial_curves(table, metric="<F>")["data"]
    assert stopped["x"] == [1, 2, None, 1, 2] and stopped["y"] == [0.1, 0.2, None, 0.3, 0.4]
    assert (stopped["name"], stopped["mode"]) == ("stopped early", "lines")
    assert (winner["y"], winner["name"], winner["mode"]) == ([0.6], "winner", "markers")


def test_a_line_crosses_each_axis_at_its_place():
    table = pd.DataFrame(
        [
            {"trial": trial, "axis": axis, "place": place, "band": band}
            for trial, band, places in (
                (0, "best", (0.1, 0.2, 1.0)), (1, "lower", (0.5, 0.6, 0.0)),
                (2, "lower", (0.7, 0.8, 0.3)),
            )
            for axis, place in enumerate(places)
        ]
    )  # fmt: skip
    drawn = figures.parallel(table, AXES[:2], metric="F", ends=("worst", "best"))
    lower, best = drawn["data"]
    assert lower["x"] == [0, 1, 2, None, 0, 1, 2]
    assert lower["y"] == [0.5, 0.6, 0.0, None, 0.7, 0.8, 0.3]
    assert (best["y"], best["name"]) == ([0.1, 0.2, 1.0], "best tenth"), "drawn last"
    layout = drawn["layout"]
    assert layout["xaxis"]["ticktext"] == ["rate", "&lt;kind&gt;", "validation F"]
    ends = {(end["x"], end["y"]): end["text"] for end in layout["annotations"]}
    assert ends == {
        (0, 0): "&lt;rate foot", (0, 1): "rate head",
        (1, 0): "&lt;&lt;kind&gt; foot", (1, 1): "&lt;kind&gt; head",
        (2, 0): "worst", (2, 1): "best",
    }  # fmt: skip
    assert not layout["yaxis"]["showticklabels"]
    table.loc[1, "place"] = MISSING
    layout = figures.parallel(table, AXES[:2], metric="F", ends=("0", "1"))["layout"]
    assert layout["yaxis"]["showticklabels"] and layout["yaxis"]["tickvals"] == [MISSING]


def sliced():
    table = pd.DataFrame(
        [
            {"parameter": axis.name, "value": value, "validation": place / 10, "band": band}
            for axis in AXES
            for place, (value, band) in enumerate(
                [(axis.values[1] if axis.values else 0.5, "best"),
                 (axis.values[0] if axis.values else 0.1, "lower")]
            )
        ]
    )  # fmt: skip
    return figures.slices(table, AXES, metric="<F>")


def test_small_plots_hold_their_parameter_s_trials():
    drawn = sliced()
    go.Figure(drawn)
    of_kind = [trace for trace in drawn["data"] if trace["xaxis"] == "x2"]
    assert [(trace["name"], trace["x"], trace["y"]) for trace in of_kind] == [
        ("lower half", ["x"], [0.1]),
        ("best tenth", ["&lt;y&gt;"], [0.0]),
    ]
    first = [trace for trace in drawn["data"] if trace["xaxis"] == "x"]
    assert [trace["showlegend"] for trace in first] == [True] * 3, "all bands, in the legend"
    assert not any(trace["showlegend"] for trace in drawn["data"] if trace not in first)
    assert [trace["x"] for trace in first] == [[0.1], [], [0.5]]


def test_small_plots_stand_four_in_a_row_and_none_over_another():
    layout = sliced()["layout"]
    places = []
    for number in range(6):
        suffix = "" if number == 0 else str(number + 1)
        across, up = layout[f"xaxis{suffix}"], layout[f"yaxis{suffix}"]
        assert (across["anchor"], up["anchor"]) == (f"y{suffix}", f"x{suffix}")
        assert up["showticklabels"] is (number % 4 == 0)
        assert bool(up["title"]["text"]) is (number % 4 == 0)
        assert ("matches" in up) is (number > 0)
        places.append((*across["domain"], *up["domain"]))
    for number, (left, right, low, high) in enumerate(places):
        assert 0 <= left < right <= 1 and 0 <= low < high <= 1
        assert int(left * 4) == number % 4 and (low >= 0.5) is (number < 4)
        for other_left, other_right, other_low, other_high in places[number + 1 :]:
            beside = right <= other_left or other_right <= left
            assert beside or high <= other_low or other_high <= low
    assert layout["xaxis"]["type"] == "log" and "type" not in layout["xaxis3"]
    assert layout["xaxis2"]["categoryarray"] == ["x", "&lt;y&gt;"]


# --- Searches, scores, costs ----------------------------------------------------------------


def test_the_best_so_far_is_a_staircase_and_each_end_a_mark():
    rows = [
        ("best", 3, 0.5, 0), ("best", 9, 0.7, 1),
        ("completed", 3, 0.5, 0), ("stopped", 4, 0.2, 2), ("failed", 5, 0.1, 3),
        ("failed", 6, math.nan, 4),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["kind", "effort_epochs", "validation", "trial"])
    table = table.assign(entrant="<b>B</b>", split_number=1, search=1)
    best, *marks = figures.search(table, metric="F", looks=LOOKS).data
    assert (list(best.x), list(best.y), best.line.shape) == ([3, 9], [0.5, 0.7], "hv")
    assert [(list(m.x), list(m.y), list(m.customdata)) for m in marks] == [
        ([3], [0.5], [0]), ([4], [0.2], [2]), ([5], [0.1], [3]),
    ]  # fmt: skip
    assert [m.marker.symbol for m in marks] == ["circle-open", "line-ns-open", "x-thin-open"]
    assert all("<b>" not in trace.hovertemplate for trace in (best, *marks))


def test_a_band_goes_there_along_the_upper_end_and_back_along_the_lower():
    table = pd.DataFrame(
        {
            "entrant": "A", "charged_seconds": [1.0, 2.0, 3.0], "validation": [0.4, 0.5, 0.6],
            "low": [0.3, 0.35, math.nan], "high": [0.6, 0.7, math.nan],
        }
    )  # fmt: skip
    band, line = figures.score_against_seconds(table, metric="F", looks=LOOKS).data
    assert list(band.x) == [1, 2, 2, 1] and list(band.y) == [0.6, 0.7, 0.35, 0.3]
    assert list(line.x) == [1, 2, 3] and list(line.y) == [0.4, 0.5, 0.6]
    assert (line.mode, line.line.color, line.line.dash) == (
        "lines", LOOKS["A"]["color"], LOOKS["A"]["dash"],
    )  # fmt: skip
    (point,) = figures.score_against_seconds(table.tail(1), metric="F", looks=LOOKS).data
    assert point.mode == "markers"


@pytest.mark.parametrize("count", [4, 5])
def test_a_row_of_seeds_has_its_points_its_box_and_its_histogram(count):
    seeds = pd.DataFrame(
        [
            {"entrant": entrant, "test": 0.1 * n + place, "seed": 100 + n}
            for place, entrant in enumerate(LOOKS)
            for n in range(count)
        ]
        + [{"entrant": "A", "test": None, "seed": 99}]
    )
    bins = pd.DataFrame(
        {"entrant": "<b>B</b>", "bin_low": [1.0, 1.2], "bin_high": [1.2, 1.4], "seeds": [2, 4],
         "height": [0.5, 1.0]}
    )  # fmt: skip
    figure = figures.seed_variance(seeds, bins, metric="F", split="test", looks=LOOKS)
    first, second, bars = figure.data
    assert list(first.x) == pytest.approx([0.1 * n for n in range(count)])
    assert list(first.customdata) == [100 + n for n in range(count)]
    assert (first.line.color == "rgba(0,0,0,0)") is (count < 5), "four points are no box"
    assert set(first.y) == {0} and set(second.y) == {1.2}, "below its histogram: the axis falls"
    assert list(bars.x) == [1.0, 1.2] and list(bars.width) == pytest.approx([0.2, 0.2])
    assert list(bars.y) == [-TALLEST / 2, -TALLEST] and bars.offset == 0
    assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1]
    assert list(figure.layout.yaxis.ticktext) == ["A", "&lt;b&gt;B&lt;/b&gt;"]


def test_a_forest_s_rows_are_named_and_the_first_is_on_top():
    board = pd.DataFrame(
        {"entrant": list(LOOKS), "mean": [0.5, 0.4], "low": [0.45, math.nan],
         "high": [0.6, math.nan]}
    )  # fmt: skip
    figure = figures.forest(board, metric="F", looks=LOOKS)
    line, mark, none, hollow = figure.data
    assert list(line.x) == [0.45, 0.6] and list(line.y) == ["A", "A"] and list(mark.x) == [0.5]
    assert len(none.x) == 0 and list(hollow.y) == ["&lt;b&gt;B&lt;/b&gt;"]
    assert "no interval" in hollow.hovertemplate and "0.4500 to 0.6000" in mark.hovertemplate
    assert list(figure.layout.yaxis.categoryarray) == ["A", "&lt;b&gt;B&lt;/b&gt;"]
    assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1]


def test_a_bar_has_its_parts_in_their_unit():
    bars = pd.DataFrame(
        {"study": ["A", "<b>", "A"], "part": ["search", "search", "<i>"], "amount": [2.0, 1.0, 0.5]}
    )
    search, other = figures.spending(bars, unit="minutes").data
    assert list(search.x) == [2.0, 1.0] and list(search.y) == ["A", "&lt;b&gt;"]
    assert (search.name, other.name) == ("search", "&lt;i&gt;") and list(other.x) == [0.5]
    assert "minutes" in search.hovertemplate and "<i>" not in other.hovertemplate
    assert search.marker.color != other.marker.color
    figure = figures.spending(bars, unit="minutes")
    assert figure.layout.xaxis.title.text == "minutes"


def test_labels_are_cut_before_they_are_escaped():
    assert look.short("<" * 40) == "&lt;" * 33 + "…" and look.short("x" * 34) == "x" * 34
    first, *_, last = look.wrapped("one <two> three four " + "word " * 30).split("<br>")
    assert first == "one &lt;two&gt; three four" and last.endswith("…")
    assert look.wrapped("word " * 30).count("<br>") == 2


def test_dashes_differ_between_laps_of_colours():
    found = list(figures.styles([f"E{n}" for n in range(14)]).values())
    for first, again in zip(found[:7], found[7:], strict=True):
        assert first["color"] == again["color"] and first["symbol"] != again["symbol"]
        assert first["dash"] != again["dash"] or first["dash"] == "solid"
