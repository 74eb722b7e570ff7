import json
import math
from dataclasses import replace

import pytest

from bench.ledger import Trial
from results import search_space
from results.importance import FOREST_TRIALS, LEAST, between, forest_trials, importance
from results.load import load_run
from results.search_drawn import BANDS, MISSING, POINTS, bands, curves, parallel, scales, shown
from results.search_drawn import slices as slice_rows
from results.search_space import Tried
from tests.results.searches import FREE, with_search
from tests.results.synthetic import CAST, PAIR


def searched(folder, number=0):
    return search_space.searches(load_run(folder), "lits_cls")[number]


def test_rungs_count_who_came_went_on_stopped_and_rests(make_run):
    folder = with_search(make_run(trials=3), trials=9)
    ledger = folder / "ledger.jsonl"
    events = [json.loads(line) for line in ledger.read_text().splitlines()]
    told = [event for event in events if event["event"] == "trial_rung" and event["rung"] == 3]
    resting = next(event for event in told if event["decision"] == "stopped")
    resting["decision"] = "paused"  # and the trial goes on to be open
    kept = [
        event
        for event in events
        if event["event"] not in ("trial_finished", "study_finished", "run_finished")
        or event.get("trial") != resting["trial"]
    ]
    ledger.write_text("".join(json.dumps(event) + "\n" for event in kept))
    table = search_space.rungs([searched(folder)]).fillna({"rung": -1})
    rows = table.set_index("rung")[["reached", "went_on", "stopped", "rest"]].T.to_dict("list")
    # Of nine trials with rungs, three are stopped at each and three reach the end.
    assert rows[1.0] == [9, 6, 3, 0] and rows[3.0] == [6, 3, 2, 1]
    assert rows[-1][0] == 3 + 1, "and the one of the synthetic run itself"
    first = [e["score"] for e in events if e["event"] == "trial_rung" and e["rung"] == 1]
    assert table["best"][0] == max(first)


def test_the_gain_is_from_the_defaults_to_the_winner_and_turned(make_run):
    one = searched(make_run())
    row = search_space.gains([one]).iloc[0]
    scores = {t.trial.number: t.score for t in one.tried}
    assert row["default"] == scores[0] and row["winner"] == scores[row["winner_trial"]]
    assert row["gain"] == row["winner"] - row["default"] >= 0
    assert row["winner_trial"] == one.progress.winner and row["default_epochs"] == 9


def test_without_enqueued_defaults_there_is_no_default(make_run):
    folder = make_run()
    record = json.loads((folder / "run.json").read_text())
    for study in record["studies"]:
        study["search"]["enqueue"] = ["pluto"]
    (folder / "run.json").write_text(json.dumps(record))
    table = search_space.gains(search_space.searches(load_run(folder), "lits_cls"))
    assert table["default"].isna().all() and table["gain"].isna().all()
    assert table["winner"].notna().all()


def test_a_failed_study_has_rows_without_numbers(make_run):
    found = search_space.searches(load_run(make_run([CAST[-1]])), "lits_cls")
    assert search_space.gains(found)["winner"].isna().all()
    assert list(search_space.rungs(found)["reached"]) == [0]
    assert importance(found, forest=10).empty and found[0].winner is None


@pytest.mark.parametrize("id", ["a/b", "a.2f.b", "a_b", "a b", 'x"><script>', "ä"])
def test_anchors_are_safe_and_different(make_run, id):
    one = searched(make_run(PAIR[:1], trials=3, seeds=1))
    anchor = replace(one, study=replace(one.study, id=id)).anchor
    assert anchor.startswith("study-") and anchor.isascii()
    assert not set(anchor) & set(" \"'<>&#%/")
    others = {"a/b": "a.2f.b"}
    if id in others:
        assert replace(one, study=replace(one.study, id=others[id])).anchor != anchor


def test_the_parameter_that_matters_is_the_most_important_by_each_measure(make_run):
    one = searched(with_search(make_run(PAIR[:1], trials=3), trials=60))
    table = importance([one], forest=60).set_index("parameter")
    assert set(table.index) == set(FREE) and table.index[0] == "learning_rate"
    assert table["quarters"].between(0, 1).all() and table["quarters"].iloc[0] > 0.2
    assert table["ped_anova"].idxmax() == table["fanova"].idxmax() == "learning_rate"
    assert math.isnan(table["ped_anova"]["momentum"])
    assert table["why"]["momentum"] == "not in every trial" and not table["why"]["learning_rate"]
    assert table["ped_anova"].sum() == pytest.approx(1)
    # Twenty of the new trials were stopped at the first rung, and say nothing.
    assert table["trials"].iloc[0] == 40 + 3
    again = importance([one], forest=60).set_index("parameter")
    assert again["fanova"].equals(table["fanova"])


def test_few_trials_have_no_importance(make_run):
    one = searched(make_run(trials=LEAST - 1))
    table = importance([one], forest=10)
    assert table["quarters"].isna().all() and "9 of 10" in table["why"][0]


def test_of_a_large_run_optuna_is_not_asked(make_run):
    one = searched(with_search(make_run(trials=3), trials=30))
    table = importance([one], forest=0)
    assert table["quarters"].notna().all() and table["fanova"].isna().all()


def test_fanova_gets_fewer_trials_of_each_of_many_studies(make_run, monkeypatch):
    run = load_run(make_run())
    assert forest_trials(run) == FOREST_TRIALS
    monkeypatch.setattr("results.importance.MOST_TRIALS", 10)
    assert forest_trials(run) == 0
    monkeypatch.setattr("results.importance.MOST_TRIALS", 2000)
    monkeypatch.setattr("results.importance.MOST_STUDIES", 1)
    assert forest_trials(run) == 0


def test_the_share_between_groups_is_the_correlation_ratio(make_run):
    def tried(scores, values):
        return [
            Tried(trial=Trial(seed=0, config={"p": value}), score=score)
            for score, value in zip(scores, values, strict=True)
        ]

    assert between(tried([1.0, 1.0, 3.0, 3.0], ["a", "a", "b", "b"]), "p") == 1
    assert between(tried([1.0, 3.0, 1.0, 3.0], ["a", "a", "b", "b"]), "p") == 0
    # Between: 2 * 0.5^2 + 2 * 0.5^2 = 1; in all: 1 + 4 * 0.5^2 = 2.
    assert between(tried([0.0, 1.0, 1.0, 2.0], [True, True, False, False]), "p") == 0.5
    assert between(tried([2.0, 2.0], ["a", "b"]), "p") == 0
    assert math.isnan(between(tried([1.0, 2.0], ["a", "a"]), "p"))
    # Eight numbers fall into quarters of two.
    assert between(tried([0.0, 0.0, 1, 1, 2, 2, 3, 3], list(range(8))), "p") == 1


def test_figures_show_the_best_half_and_an_even_sample_of_the_others(make_run):
    one = searched(with_search(make_run(trials=3), trials=57))
    ranked = sorted(one.searched, key=lambda t: -t.value)
    numbers = [t.trial.number for t in shown(one, 20)]
    assert len(numbers) == len(set(numbers)) == 20 and numbers == sorted(numbers)
    assert {t.trial.number for t in ranked[:10]} <= set(numbers)
    assert len(shown(one, 200)) == 60


def test_axes_are_those_of_the_space_and_a_missing_parameter_stands_below(make_run):
    one = searched(with_search(make_run(trials=3), trials=30))
    trials = shown(one, 100)
    axes = {axis.name: axis for axis in scales(one, trials, FREE)}
    rate = axes["learning_rate"]
    assert rate.log and rate.place(rate.low) == 0 and rate.place(rate.high) == 1
    assert rate.place(math.sqrt(rate.low * rate.high)) == pytest.approx(0.5)
    assert axes["optimizer"].values == ("adamw", "sgd") and axes["flip"].values == ("yes", "no")
    assert not axes["depth"].log
    rows = parallel(one, trials, list(axes.values()))
    assert set(rows["axis"]) == set(range(len(axes) + 1))
    without = {t.trial.number for t in trials if "momentum" not in t.trial.config}
    at = rows[rows["axis"] == list(axes).index("momentum")]
    assert set(at["trial"][at["place"] == MISSING]) == without != set()
    assert rows["place"].between(0, 1).sum() + (rows["place"] == MISSING).sum() == len(rows)
    best = max(trials, key=lambda t: t.value).trial.number
    last = rows[rows["axis"] == len(axes)].set_index("trial")
    assert last["place"][best] == 1 and last["band"][best] == "best"
    points = slice_rows(one, trials, list(axes.values()))
    assert set(points["trial"][points["parameter"] == "momentum"]).isdisjoint(without)


def test_a_tenth_is_best_and_half_is_upper(make_run):
    one = searched(with_search(make_run(trials=3), trials=37))
    of = list(bands(one.searched).values())
    assert [of.count(band) for band in BANDS] == [4, 16, 20]


def test_curves_are_thinned_to_their_first_and_last_epochs(make_run, monkeypatch):
    monkeypatch.setattr("results.search_drawn.POINTS", 4)
    one = searched(make_run())
    rows = curves(one, 5)
    assert POINTS > 9 and rows["trial"].nunique() == 5
    assert (rows["state"] == "winner").any()
    for number, line in rows.groupby("trial"):
        trial = one.progress.trials[number]
        assert len(line) == min(4, trial.epoch)
        assert list(line["epoch"])[:: len(line) - 1] == [1, trial.epoch]
