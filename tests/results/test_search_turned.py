"""Searches of a metric of which less is better; confirmations, repeats and rungs in seconds."""

import math
from types import SimpleNamespace as Facts

import pytest

from bench.ledger import Trial
from results.importance import LEAST, between, importance
from results.search_drawn import bands, curves, parallel, scales, shown, slices
from results.search_space import Searched, Tried, _tried, gains, rungs


def tried(number, score, config=None, *, epochs=3, seconds=1.0, **more):
    """A trial that ended with this score, and worse ones before."""
    reports = {
        epoch: {"charged_seconds": seconds, "free_seconds": 0.0, "score": score - (epochs - epoch)}
        for epoch in range(1, epochs + 1)
    }
    given = {"state": "completed", "config": config or {}, "seed": number} | more
    return Tried(trial=Trial(number=number, reports=reports, **given), score=score)


def searched(*trials, primary="log_loss", space=None, winner=None, **search):
    study = Facts(
        id="s", task="t", label="A", fold=None, search_number=0, time_budget_s=None,
        search=search, free=list(space or {}),
    )  # fmt: skip
    return Searched(
        study=study,
        task=Facts(primary=primary),
        progress=Facts(winner=winner),
        space=space or {},
        tried=trials,
    )


SPACE = {"rate": {"type": "float", "low": 0.1, "high": 10.0, "log": True}}
FOUR = tuple(
    tried(number, score, {"rate": rate})
    for number, (score, rate) in enumerate([(-0.8, 0.1), (-0.3, 1.0), (-0.5, 10.0), (-0.9, 2.0)])
)


def test_rungs_and_ends_tell_the_least_loss():
    passed = {"rungs": {1.0: (-0.9, "promoted")}}
    table = rungs(
        [
            searched(
                tried(0, -0.4, **passed),
                tried(1, -0.6, **passed),
                tried(2, -0.7, state="stopped", rungs={1.0: (-0.7, "stopped")}),
            )
        ]
    )
    assert table["best"].tolist() == [0.7, 0.4]
    assert table["reached"].tolist() == [3, 2] and table["stopped"].tolist()[0] == 1


def test_a_gain_is_positive_where_the_loss_fell():
    first = tried(0, -0.8, origin="enqueued")
    row = gains([searched(first, *FOUR[1:])]).iloc[0]
    assert (row["default"], row["winner"], row["winner_trial"]) == (0.8, 0.3, 1)
    assert row["gain"] == pytest.approx(0.5)
    row = gains([searched(first, *FOUR[1:], winner=2)]).iloc[0]
    assert (row["winner"], row["gain"]) == (0.5, pytest.approx(0.3)), "as it was chosen"


def test_of_equals_the_earlier_trial_wins():
    one = searched(tried(0, 0.1), tried(1, 0.9), tried(2, 0.9), primary="accuracy")
    assert one.winner is not None and one.winner.trial.number == 1


def test_failed_trials_are_counted_and_never_win():
    states = ("failed", "failed", "stopped")
    others = [tried(n, -0.1 * n, state=state) for n, state in enumerate(states, 1)]
    row = gains([searched(tried(0, -0.2), *others)]).iloc[0]
    assert (row["trials"], row["failed"], row["winner"]) == (4, 2, 0.2)


def test_confirmations_are_not_what_the_search_tried():
    again = tried(4, -0.1, {"rate": 5.0}, origin="confirm", of=1)
    one = searched(*FOUR, again, space=SPACE)
    assert again in one.scored and again not in one.searched
    assert gains([one]).iloc[0]["trials"] == 4
    assert one.winner is not None and one.winner.trial.number == 1
    assert 4 not in {t.trial.number for t in shown(one, 10)}
    only = searched(FOUR[0], tried(1, -0.2, {"rate": 9.0}, origin="confirm"), space=SPACE)
    assert only.varied == []


def test_repeats_are_no_trials_of_their_own():
    repeat = Trial(seed=0, config={}, number=2, origin="repeat", of=0)
    progress = Facts(trials={1: FOUR[1].trial, 0: FOUR[0].trial, 2: repeat})
    assert [(t.trial.number, t.score) for t in _tried(progress)] == [(0, -0.8), (1, -0.3)]


@pytest.mark.parametrize(
    ("search", "epochs", "seconds", "whole"),
    [
        ({}, 1, 1.0, False),
        ({}, 2, 1.0, True),
        ({"grace_epochs": 3}, 3, 1.0, False),
        ({"grace_epochs": 3}, 4, 1.0, True),
        ({"grace_seconds": 5.0}, 5, 1.0, False),
        ({"grace_seconds": 5.0}, 2, 3.0, True),
        ({"scheduler": "none"}, 9, 1.0, False),
    ],
)
def test_a_stopped_trial_says_something_beyond_the_first_rung(search, epochs, seconds, whole):
    one = searched(**search)
    trial = tried(0, 0.5, epochs=epochs, seconds=seconds, state="stopped")
    assert one.whole(trial) is whole
    ended = tried(0, 0.5, epochs=1, seconds=0.1)
    assert one.whole(ended), "its end is its end"
    assert one.unit == ("charged seconds" if "grace_seconds" in search else "epochs")


# --- Drawn ----------------------------------------------------------------------------------


def test_figures_are_in_the_metric_s_own_unit_with_the_least_loss_on_top():
    one = searched(*FOUR, space=SPACE)
    axes = scales(one, FOUR, ["rate"])
    points = slices(one, FOUR, axes).set_index("trial")
    assert points["validation"].to_dict() == {0: 0.8, 1: 0.3, 2: 0.5, 3: 0.9}
    assert points["value"].to_dict() == {0: 0.1, 1: 1.0, 2: 10.0, 3: 2.0}
    assert points["band"].to_dict() == {0: "lower", 1: "best", 2: "upper", 3: "lower"}
    lines = parallel(one, FOUR, axes).set_index(["axis", "trial"])
    assert lines["place"][0].to_dict() == {0: 0, 1: 0.5, 2: 1, 3: 0.651}
    assert lines["place"][1].to_dict() == {0: 0.167, 1: 1, 2: 0.667, 3: 0}
    assert set(lines["validation"]) == {0.8, 0.3, 0.5, 0.9}
    drawn = curves(one, 4)
    assert drawn[drawn["trial"] == 1]["validation"].tolist() == [2.3, 1.3, 0.3]
    assert set(drawn[drawn["state"] == "winner"]["trial"]) == {1}


def test_a_trial_that_is_open_or_failed_is_drawn_as_it_stands():
    states = ("completed", "stopped", "running")
    one = searched(*(tried(n, n / 10, state=state) for n, state in enumerate(states)))
    drawn = curves(one, 9).groupby("trial")["state"].first()
    assert drawn.to_dict() == {0: "completed", 1: "stopped", 2: "winner"}
    one = searched(*one.tried, tried(3, 0.9), tried(4, 0.5, state="running"))
    assert curves(one, 9).groupby("trial")["state"].first()[4] == "running"


def test_equal_scores_stand_in_the_middle_and_ties_go_to_the_earlier():
    same = tuple(tried(n, 0.5, {"rate": 1.0}) for n in range(3))
    one = searched(*same, space=SPACE)
    assert set(parallel(one, same, scales(one, same, ["rate"]))["place"]) == {0.5}
    assert bands(same) == {0: "best", 1: "upper", 2: "lower"}


def test_an_axis_of_values_has_the_space_s_order_then_what_was_tried_besides():
    listed = {"type": "choice", "values": ["small", "large"], "also": ["huge"]}
    trials = [tried(n, 0.1, {"size": v}) for n, v in enumerate(["odd", "huge", "large", 1.5])]
    one = searched(*trials, space={"size": listed})
    (axis,) = scales(one, trials, ["size", "not tried"])
    assert axis.values == ("large", "huge", "1.5", "odd")
    assert [axis.place(v) for v in ("large", "odd")] == [0, 1]
    assert (axis.low_words, axis.high_words) == ("large", "odd")
    assert slices(one, trials, [axis])["value"].tolist() == ["odd", "huge", "large", "1.5"]
    long = [tried(0, 0.1, {"size": "x" * 40})]
    (axis,) = scales(searched(*long), long, ["size"])
    assert axis.low_words == "x" * 17 + "…"


def test_a_zero_has_no_place_on_a_log_axis():
    trials = [tried(n, 0.1, {"rate": rate}) for n, rate in enumerate([0.0, 5.0, 10.0])]
    (axis,) = scales(searched(*trials), trials, ["rate"])
    assert not axis.log and axis.place(5.0) == 0.5
    (axis,) = scales(searched(*trials, space=SPACE), trials, ["rate"])
    assert not axis.log and axis.place(5.0) == 0.5


# --- Importance -----------------------------------------------------------------------------


def test_a_parameter_without_a_share_comes_last():
    """`seldom` has one value among the trials that were trained beyond the first rung."""
    space = {"seldom": {}, "weak": {}, "strong": {}}
    trials = [
        tried(n, (n % 2) + 0.1 * (n // 2 % 2),
              {"weak": n // 2 % 2, "strong": n % 2} | ({"seldom": 0} if n < 2 else {}))
        for n in range(LEAST)
    ]  # fmt: skip
    stopped = tried(LEAST, 0.0, {"seldom": 1}, epochs=1, state="stopped")
    table = importance([searched(*trials, stopped, space=space)], forest=0)
    assert table["parameter"].tolist() == ["strong", "weak", "seldom"]
    assert math.isnan(table["quarters"][2]) and table["trials"].tolist() == [LEAST] * 3
    # Of the variance 0.25 lies between the values of `strong`, about 0.0024 within them.
    assert table["quarters"][0] > 0.98 > 0.02 > table["quarters"][1]


def test_four_values_are_groups_of_their_own_and_five_fall_into_quarters():
    def of(values, scores):
        pairs = zip(values, scores, strict=True)
        return between([tried(n, s, {"p": v}) for n, (v, s) in enumerate(pairs)], "p")

    assert of([1] * 7 + [2, 3, 4], [0.0] * 7 + [5.0, 1.0, 3.0]) == 1
    # Five: edges at 2, 3 and 4, each with the upper group, so that 4 and 5 share one.
    assert of([1, 2, 3, 4, 5], [0.0, 0.0, 0.0, 0.0, 1.0]) == pytest.approx(0.3 / 0.8)
