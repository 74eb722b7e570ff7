"""Operating curves, reliability and boxes: what is drawn is what the tables hold."""

import math

import pandas as pd
import pytest

from results import figures
from results.figures import cases

LABELS = ("A", "<b>B</b>")
LOOKS = figures.styles(LABELS)


def operating(entrants=LABELS, trainings=(0, 1, 2)):
    """The value tells entrant, kind of curve, training and place apart."""
    return pd.DataFrame(
        [
            {
                "entrant": entrant,
                "curve": kind,
                "training": training,
                "at": at,
                "value": (place + 10 * training + at + (kind == "roc") / 2) / 100,
                "std": 0.7,
            }
            for place, entrant in enumerate(entrants)
            for kind in ("roc", "precision_recall")
            for training in trainings
            for at in (0.0, 0.25, 1.0)
        ]
    )


@pytest.mark.parametrize("kind", ["roc", "precision_recall"])
def test_a_mean_is_strong_and_its_trainings_are_thin(kind):
    table = operating()
    figure = figures.operating(table, kind=kind, binary="tumour", looks=LOOKS)
    assert len(figure.data) == 6
    for trace, ((entrant, training), rows) in zip(
        figure.data, table[table["curve"] == kind].groupby(["entrant", "training"], sort=False),
        strict=True,
    ):  # fmt: skip
        assert list(trace.x) == list(rows["at"])
        assert list(trace.y) == pytest.approx(list(rows["value"]), abs=1e-4)
        assert trace.showlegend is (training == 0) and (trace.line.width > 2) is (training == 0)
        assert trace.line.color == LOOKS[entrant]["color"]
        assert "<b>" not in trace.name + trace.hovertemplate + trace.legendgroup


def test_axes_name_the_positive_class_or_the_mean_over_classes():
    for kind, x, y in (
        ("roc", "false alarms", "recall"),
        ("precision_recall", "recall", "precision"),
    ):
        drawn = figures.operating(operating(), kind=kind, binary="<i>tumour", looks=LOOKS)
        assert drawn.layout.xaxis.title.text == f"{x} of &lt;i&gt;tumour"
        assert drawn.layout.yaxis.title.text == f"{y} of &lt;i&gt;tumour"
        assert len(drawn.layout.shapes) == (kind == "roc"), "chance is a diagonal of a ROC alone"
        drawn = figures.operating(operating(), kind=kind, binary="", looks=LOOKS)
        assert drawn.layout.yaxis.title.text == f"{y}, mean over classes"
        assert drawn.layout.xaxis.range[0] < 0 and drawn.layout.yaxis.range[1] > 1


def test_of_many_entrants_only_the_means_are_drawn():
    many = [f"E{n}" for n in range(cases.FEW + 1)]
    figure = figures.operating(operating(many), kind="roc", binary="", looks=figures.styles(many))
    assert [trace.name for trace in figure.data] == many
    assert all(trace.line.width > 2 for trace in figure.data)
    few = operating(many[:-1])
    figure = figures.operating(few, kind="roc", binary="", looks=figures.styles(many))
    assert len(figure.data) == 3 * cases.FEW


def calibration(entrants=LABELS, std=0.05):
    return pd.DataFrame(
        [
            {
                "entrant": entrant,
                "confidence": 0.5 + 0.1 * place + number / 100,
                "accuracy": 0.4 + 0.1 * place - number / 50,
                "accuracy_std": std,
                "cases": 7 + place + number,
            }
            for number, entrant in enumerate(entrants)
            for place in range(3)
        ]
    )


def test_reliability_is_accuracy_over_confidence_with_the_spread_over_trainings():
    table = calibration()
    figure = figures.reliability(table, looks=LOOKS)
    assert len(figure.data) == 2 and len(figure.layout.shapes) == 1
    for trace, (_, rows) in zip(figure.data, table.groupby("entrant", sort=False), strict=True):
        assert list(trace.x) == pytest.approx(list(rows["confidence"]))
        assert list(trace.y) == pytest.approx(list(rows["accuracy"]))
        assert list(trace.error_y.array) == [0.05] * 3
        assert list(trace.customdata) == list(rows["cases"])
        assert "<b>" not in trace.name + trace.hovertemplate


def test_one_training_and_many_entrants_have_no_bars_of_error():
    single = figures.reliability(calibration(std=math.nan), looks=LOOKS)
    many = [f"E{n}" for n in range(cases.FEW + 1)]
    crowd = figures.reliability(calibration(many), looks=figures.styles(many))
    for trace in (*single.data, *crowd.data):
        assert trace.error_y.array is None


def summary(classes, entrants=LABELS):
    return pd.DataFrame(
        [
            {
                "entrant": entrant,
                "class": name,
                "low": 0.1 + place,
                "quartile_1": 0.2 + place,
                "median": 0.3 + place,
                "quartile_3": 0.4 + place,
                "high": 0.5 + place,
            }
            for place, entrant in enumerate(entrants)
            for name in classes
        ]
    )


def of_cases(classes, entrants=LABELS, each=3):
    return pd.DataFrame(
        [
            {"entrant": e, "class": name, "case": f"<i>{n}", "dice": (n + 1) / 10 + place}
            for place, e in enumerate(entrants)
            for name in classes
            for n in range(each)
        ]
    )


def test_a_box_has_the_quartiles_and_its_own_cases_as_points():
    classes = ["liver", "<u>tumour"]
    figure = figures.case_dice(summary(classes), of_cases(classes), looks=LOOKS)
    boxes = [trace for trace in figure.data if trace.type == "box"]
    points = [trace for trace in figure.data if trace.type == "scatter"]
    assert len(boxes) == len(points) == 4
    last = boxes[-1]
    ends = (last.lowerfence, last.q1, last.median, last.q3, last.upperfence)
    assert [end[0] for end in ends] == [1.1, 1.2, 1.3, 1.4, 1.5]
    assert list(points[-1].x) == pytest.approx([1.1, 1.2, 1.3])
    assert list(points[-1].y) == [last.y[0]] * 3
    assert list(figure.layout.yaxis.categoryarray) == [box.y[0] for box in boxes]
    assert last.y[0] == "&lt;u&gt;tumour: &lt;b&gt;B&lt;/b&gt;"
    assert list(points[-1].customdata) == ["&lt;i&gt;0", "&lt;i&gt;1", "&lt;i&gt;2"]


def test_one_class_needs_no_name_and_a_crowd_of_cases_no_points():
    one = ["liver"]
    figure = figures.case_dice(summary(one), of_cases(one), looks=LOOKS)
    assert [trace.y[0] for trace in figure.data if trace.type == "box"] == [
        "A",
        "&lt;b&gt;B&lt;/b&gt;",
    ]
    crowd = of_cases(one, each=cases.POINTS)
    figure = figures.case_dice(summary(one), crowd, looks=LOOKS)
    assert {trace.type for trace in figure.data} == {"box"}


def test_of_many_rows_the_first_have_boxes():
    many = [f"E{n:02d}" for n in range(cases.BOXES + 5)]
    figure = figures.case_dice(
        summary(["liver"], many), of_cases(["liver"], many, each=1), looks=figures.styles(many)
    )
    boxes = [trace.y[0] for trace in figure.data if trace.type == "box"]
    assert boxes == many[: cases.BOXES]
