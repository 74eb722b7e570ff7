"""Scores over time of metrics of which less is better, and what the page makes of the tables."""

import math
from types import SimpleNamespace as Facts

import pandas as pd
import pytest

from results import time_view
from results.over_time import crossovers, mean_curves, targets
from tests.results.test_over_time import curve

LOSS = Facts(task=Facts(id="t", primary="log_loss", classes=("no", "yes")))


def trained(*reports, state="completed"):
    """A training whose epochs took so many seconds and ended with such scores."""
    epochs = {
        epoch: {"charged_seconds": seconds, "score": score}
        for epoch, (seconds, score) in enumerate(reports, 1)
    }
    return Facts(state=state, reports=dict(reversed(epochs.items())))


def mean_of(*replicates, primary="accuracy"):
    """The mean curve of one entrant's replicates."""
    study = Facts(id="s", label="A", search_number=0, fold=None)
    held = Facts(replicates=dict(enumerate(replicates)))
    run = Facts(unit="seeds", splits=1, progress=lambda id: held)
    analysis = Facts(
        entries=[Facts(study=study, studies=[study])], task=Facts(id="t", primary=primary)
    )
    return mean_curves(run, analysis)


def test_a_curve_is_in_the_metric_s_own_unit_and_falls_where_scores_fall():
    (one,) = mean_of(trained((1, -0.9), (2, -0.4), (1, -0.6)), primary="log_loss")
    assert one.seconds.tolist() == [1, 3, 4]
    assert one.mean.tolist() == pytest.approx([0.9, 0.4, 0.6])
    (one,) = mean_of(trained((1, 0.1), (2, 0.6), (1, 0.4)))
    assert one.mean.tolist() == pytest.approx([0.1, 0.6, 0.4])


def test_an_epoch_without_a_score_takes_its_time_and_has_no_point():
    (one,) = mean_of(trained((1, 0.1), (2, None), (4, 0.3)))
    assert one.seconds.tolist() == [1, 7] and one.mean.tolist() == pytest.approx([0.1, 0.3])
    assert mean_of(trained((1, None))) == []


def test_an_interval_does_not_leave_the_metric_s_range():
    (one,) = mean_of(*(trained((1, score)) for score in (0.9, 1.0, 1.0)))
    assert one.high.tolist() == [1.0] and 0.8 < one.low[0] < 0.9
    (one,) = mean_of(*(trained((1, score)) for score in (0.0, 0.0, 0.1)))
    assert one.low.tolist() == [0.0] and 0.1 < one.high[0] < 0.2


def test_who_has_the_lesser_loss_is_ahead():
    low, high = curve("Low", [(1, 0.2), (9, 0.2)]), curve("High", [(1, 0.5), (9, 0.4)])
    for pair in ([low, high], [high, low]):
        (row,) = crossovers(LOSS, pair).to_dict("records")
        assert (row["ahead_first"], row["ahead_last"], row["changes"]) == ("Low", "Low", 0)
    falls = curve("Falls", [(1, 0.6), (9, 0.1)])
    (row,) = crossovers(LOSS, [low, falls]).to_dict("records")
    assert (row["ahead_first"], row["ahead_last"], row["changes"]) == ("Low", "Falls", 1)
    assert row["since_seconds"] == pytest.approx(1 + 8 * 0.4 / 0.5)


def test_the_lead_that_counts_is_the_one_after_the_last_change():
    first = curve("A", [(0, 0.5), (10, 0.5), (20, 0.5), (30, 0.5)])
    second = curve("B", [(0, 0.4), (10, 0.6), (20, 0.4), (30, 0.6)])
    accuracy = Facts(task=Facts(id="t", primary="accuracy"))
    (row,) = crossovers(accuracy, [first, second]).to_dict("records")
    assert (row["changes"], row["since_seconds"]) == (3, pytest.approx(25))


def test_of_a_loss_the_target_is_the_runner_up_s_least_and_no_share_of_it():
    best, second = curve("A", [(0, 0.9), (10, 0.1)]), curve("B", [(0, 0.9), (8, 0.5)])
    table = targets(LOSS, [best, second, curve("C", [(0, 0.9), (3, 0.6)])])
    assert table["share"].tolist() == [1, 1, 1]
    assert table["target"].tolist() == pytest.approx([0.5] * 3)
    assert table["seconds"].tolist()[:2] == pytest.approx([5, 8])
    assert math.isnan(table["seconds"][2]) and table["until_seconds"][2] == 3


def test_shares_of_a_target_below_zero_would_lie_above_it():
    mcc = Facts(task=Facts(id="t", primary="mcc"))
    table = targets(mcc, [curve("A", [(0, -0.5), (5, -0.2)]), curve("B", [(0, -0.5), (5, -0.4)])])
    assert table["share"].tolist() == [1, 1] and table["target"].tolist() == [-0.4] * 2


# --- The page -------------------------------------------------------------------------------


def crossing(first, second, last, changes):
    return {"first": first, "second": second, "ahead_last": last, "changes": changes}


def shown(**changes):
    """The section, with these tables in place of empty ones."""
    found = {
        "exploratory_crossovers": pd.DataFrame([crossing("A", "B", "B", 0)]).head(0),
        "exploratory_over_time": pd.DataFrame({"entrant": []}),
        "exploratory_fixed_time": pd.DataFrame(),
        "exploratory_time_to_target": pd.DataFrame(
            {name: [] for name in ("entrant", "share", "target", "seconds", "until_seconds")}
        ),
    }
    task = Facts(id="no such task", classes=("no", "yes"))
    return time_view.view(Facts(unit="seeds"), Facts(task=task), found | changes)


def test_pairs_that_cross_are_told_with_who_is_ahead_at_the_end():
    table = pd.DataFrame(
        [
            crossing("A", "B", "B", 1),
            crossing("A", "C", "A", 2),
            crossing("B", "C", "C", 0),
            crossing("C", "D", "", 1),
        ]
    )
    found = shown(exploratory_crossovers=table)
    assert [(row["ahead"], row["behind"]) for row in found["crossed"]] == [
        ("B", "A"), ("A", "C"), ("C", "D"),
    ]  # fmt: skip
    assert found["uncrossed"] == 1


@pytest.mark.parametrize(("entrants", "among"), [(8, 0), (9, 8)])
def test_the_page_says_among_how_many_pairs_were_sought(entrants, among):
    table = pd.DataFrame({"entrant": [f"E{n}" for n in range(entrants)] * 2})
    assert shown(exploratory_over_time=table)["among"] == among


def test_targets_are_a_row_an_entrant_and_a_column_a_target():
    many = [f"E{n}" for n in range(time_view.SHOWN + 2)]
    table = pd.DataFrame(
        [
            {"entrant": e, "share": share, "target": share * 0.8, "seconds": n + share}
            for n, e in enumerate(many)
            for share in (0.9, 1.0)
        ]
    )
    found = shown(exploratory_time_to_target=table)["targets"]
    assert [aim["target"] for aim in found["aims"]] == pytest.approx([0.72, 0.8])
    assert [entrant for entrant, _ in found["rows"]] == many[: time_view.SHOWN]
    assert [[cell["seconds"] for cell in cells] for _, cells in found["rows"][:2]] == [
        [0.9, 1.0], [1.9, 2.0],
    ]  # fmt: skip
    assert found["more"] == 2


def test_published_times_are_columns_in_order_and_a_gap_is_empty(monkeypatch):
    def said(system, rate, seconds, printed):
        common = {"document": "d", "hardware": "a GPU", "metric": "accuracy", "split": "test"}
        return Facts(
            **common, place="table 1", n=3, note="", system=system, learning_rate=rate,
            seconds=seconds, printed=printed,
        )  # fmt: skip

    rows = [
        said("ours", 0.1, 600.0, "80"),
        said("ours", 0.1, 60.0, "70"),
        said("ours", 0.01, 60.0, "65"),
        said("theirs", 0.1, 600.0, "90"),
    ]
    there = Facts(fixed_time=lambda task: rows, documents=lambda: {"d": "Doe: On time, 2020"})
    monkeypatch.setattr(time_view, "published", there)
    (group,) = shown()["published"]
    assert group["times"] == [60.0, 600.0] and group["document"] == "Doe: On time, 2020"
    assert [(row["system"], row["learning_rate"], row["cells"]) for row in group["rows"]] == [
        ("ours", 0.1, ["70", "80"]),
        ("ours", 0.01, ["65", ""]),
        ("theirs", 0.1, ["", "90"]),
    ]
