"""What each scheduler decides, on numbers; and that a killed search with resting trials goes on."""

from collections import Counter

import pytest

from bench.ledger import StudyState, Trial, read, timeless
from bench.spec import Search
from bench.tune.schedulers import scheduler
from tests.tune.virtual import Killed, run, study


class Bench:
    """A scheduler with its study's state: scores arrive, rulings are recorded."""

    def __init__(self, name, **settings):
        effort = {} if "effort_seconds" in settings else {"effort_epochs": 100}
        search = Search(scheduler=name, **({"max_epochs": 9} | effort | settings))
        self.state = StudyState("a")
        self.scheduler = scheduler(search, self.state)

    def arrive(self, number, score, *, epoch=1, seconds=1.0):
        """A trial reports an epoch; returns (rung, decision), None where nothing is ruled."""
        trial = self.state.trials.setdefault(number, Trial(number=number, seed=0, config={}))
        trial.reports[epoch] = {"score": score, "charged_seconds": seconds}
        return self.record(self.scheduler.at(trial))

    def record(self, ruling):
        if ruling is None:
            return None
        self.state.trials[ruling.trial].rungs[ruling.rung] = (ruling.score, ruling.decision)
        self.scheduler.apply(ruling)
        return ruling.rung, ruling.decision

    def ready(self):
        """The resting trial that is to go on: (trial, rung), recorded."""
        resting = [trial for trial in self.state.trials.values() if trial.resting_at is not None]
        ruling = self.scheduler.ready(resting)
        if ruling is None:
            return None
        self.record(ruling)
        return ruling.trial, ruling.rung


# --- asha -----------------------------------------------------------------------------------


def test_asha_decides_at_once_by_those_that_came_before():
    bench = Bench("asha")
    decisions = [bench.arrive(n, s) for n, s in enumerate([0.5, 0.4, 0.6, 0.55, 0.58, 0.59])]
    words = ["promoted", "stopped", "promoted", "stopped", "stopped", "promoted"]
    assert decisions == [(1, word) for word in words]
    assert bench.ready() is None


def test_asha_rules_at_each_rung_once_and_by_the_best_score_so_far():
    bench = Bench("asha")
    assert bench.arrive(0, 0.9, epoch=1) == (1, "promoted")
    assert bench.arrive(0, 0.1, epoch=2) is None
    assert bench.arrive(0, 0.1, epoch=3) == (3, "promoted")
    assert bench.state.trials[0].rungs[3][0] == 0.9
    bench.arrive(1, 0.95, epoch=1)
    bench.arrive(1, 0.2, epoch=2)
    assert bench.arrive(1, 0.3, epoch=3) == (3, "promoted"), "its best, 0.95, is the rung's best"


def test_the_grace_period_and_the_reduction_factor_place_the_rungs():
    bench = Bench("asha", grace_epochs=2, reduction_factor=2)
    ruled = [bench.arrive(0, 0.5, epoch=epoch) for epoch in range(1, 10)]
    assert [found[0] for found in ruled if found] == [2, 4, 8]


# --- asha_promote ---------------------------------------------------------------------------


def test_promotion_follows_the_papers_algorithm():
    """Li et al. 2020, algorithm 2, with eta = 3: of n trials at a rung, the best n // 3 go on."""
    bench = Bench("asha_promote")
    scores = [0.5, 0.4, 0.6, 0.55, 0.3, 0.2]
    words = ["paused", "paused", "promoted", "paused", "paused", "paused"]
    went_on = []
    for number, (score, word) in enumerate(zip(scores, words, strict=True)):
        assert bench.arrive(number, score) == (1, word)
        went_on.append(bench.ready())
    # With six at the rung there are two places: the second is trial 3's, which rested until then.
    assert went_on == [None] * 5 + [(3, 1)]
    for number, score in [(6, 0.1), (7, 0.15)]:
        assert bench.arrive(number, score) == (1, "paused")
        assert bench.ready() is None
    bench.arrive(8, 0.05)
    assert bench.ready() == (0, 1), "of nine, the third best"
    assert bench.ready() is None


def test_a_trial_that_was_stopped_by_an_early_dip_is_promoted_later():
    """The stopping form loses it for good."""
    stopping, resting = Bench("asha"), Bench("asha_promote")
    for bench in (stopping, resting):
        for number, score in enumerate([0.9, 0.8, 0.7, 0.6, 0.5]):
            bench.arrive(number, score)
    assert stopping.state.trials[1].rungs[1][1] == "stopped"
    assert resting.state.trials[1].rungs[1][1] == "paused"
    assert resting.arrive(5, 0.4) == (1, "paused")
    assert resting.ready() == (0, 1)
    assert resting.ready() == (1, 1), "0.8 is in the best third of six"
    stopping.arrive(5, 0.4)
    assert stopping.state.trials[1].rungs[1][1] == "stopped"


def test_the_highest_rung_goes_first():
    bench = Bench("asha_promote")
    for number in range(9):
        bench.arrive(number, 0.9 - number / 10)
    for number in (1, 2):
        bench.record(_promotion(bench, number))
    for number in (0, 1, 2):
        bench.state.trials[number].rungs[1] = (bench.state.trials[number].rungs[1][0], "promoted")
        bench.arrive(number, 0.1 * number, epoch=3)
    # Trial 0 leads both rungs; three stand at rung 3, more than three wait at rung 1.
    bench.arrive(9, 0.85), bench.arrive(10, 0.86), bench.arrive(11, 0.87)
    assert bench.ready()[1] == 3


def _promotion(bench, number):
    from bench.tune.schedulers import Ruling

    score = bench.state.trials[number].rungs[1][0]
    return Ruling(trial=number, rung=1, score=score, decision="promoted")


def test_equal_scores_take_no_more_places_than_there_are():
    bench = Bench("asha_promote")
    for number in range(6):
        assert bench.arrive(number, 0.5) == (1, "paused")
    assert [bench.ready(), bench.ready(), bench.ready()] == [(0, 1), (1, 1), None]


# --- hyperband, median, none ----------------------------------------------------------------


def test_hyperbands_brackets_get_shares_of_about_equal_cost():
    bench = Bench("hyperband")
    brackets = [bench.scheduler.bracket(number) for number in range(22)]
    assert brackets[:7] == [0, 0, 1, 0, 2, 0, 1]
    assert Counter(brackets) == {0: 12, 1: 6, 2: 4}, "as 3 : 1.5 : 1"
    assert [list(bench.scheduler.rungs(number)) for number in (0, 2, 4)] == [[1, 3], [3], []]


def test_hyperband_compares_within_a_bracket():
    bench = Bench("hyperband")
    assert bench.arrive(0, 0.9) == (1, "promoted")
    assert bench.arrive(1, 0.5) == (1, "stopped")
    assert bench.arrive(2, 0.1) is None, "bracket 1 has no rung at epoch 1"
    for epoch in (2, 3):
        last = bench.arrive(2, 0.1, epoch=epoch)
    assert last == (3, "promoted"), "the first of its bracket there, bad as it is"
    assert bench.arrive(4, 0.1, epoch=1) is None
    assert [bench.arrive(4, 0.1, epoch=epoch) for epoch in range(2, 9)] == [None] * 7


def test_median_stops_what_is_strictly_below_the_median_of_running_averages():
    bench = Bench("median")
    for number, scores in enumerate([(0.2, 0.4), (0.4, 0.6), (0.6, 0.8)]):
        for epoch, score in enumerate(scores, 1):
            assert bench.arrive(number, score, epoch=epoch) is None, "too few to compare with"
    # Running averages up to epoch 2: 0.3, 0.5, 0.7.
    assert bench.arrive(3, 0.1, epoch=1) == (1, "stopped")
    assert bench.arrive(4, 0.5, epoch=1) is None
    bench.state.trials[4].reports.clear()
    bench.state.trials.pop(3)
    bench.arrive(4, 0.45, epoch=1)
    assert bench.arrive(4, 0.5, epoch=2) is None, "its best, 0.5, is the median"
    bench.state.trials.pop(4)
    bench.arrive(5, 0.45, epoch=1)
    assert bench.arrive(5, 0.49, epoch=2) == (2, "stopped")


def test_median_waits_for_the_grace_period():
    bench = Bench("median", grace_epochs=2)
    for number in range(3):
        bench.arrive(number, 0.9, epoch=1), bench.arrive(number, 0.9, epoch=2)
    assert bench.arrive(3, 0.1, epoch=1) is None
    assert bench.arrive(3, 0.1, epoch=2) == (2, "stopped")


def test_none_lets_every_trial_go_on():
    bench = Bench("none")
    assert [bench.arrive(n, -n, epoch=e) for n in range(3) for e in range(1, 9)] == [None] * 24


# --- rungs in charged seconds ---------------------------------------------------------------


@pytest.mark.parametrize("name", ["asha", "asha_promote"])
def test_rungs_in_seconds_are_reached_by_the_clock(name):
    bench = Bench(name, grace_seconds=10.0, max_seconds=100.0, effort_seconds=1000.0)
    ruled = [bench.arrive(0, 0.5, epoch=epoch, seconds=4.0) for epoch in range(1, 4)]
    assert [found and found[0] for found in ruled] == [None, None, 10], "12 s after three epochs"
    assert bench.arrive(1, 0.4, epoch=1, seconds=40.0)[0] == 30, "the highest that was reached"
    assert list(bench.scheduler.rungs(0)) == [10, 30, 90]


# --- killed and resumed ---------------------------------------------------------------------


def comparable(folder):
    events = read(folder / "ledger.jsonl")
    return [timeless(event) for event in events if event["event"] != "run_resumed"]


@pytest.mark.parametrize(
    "settings",
    [
        {"scheduler": "asha_promote"},
        {"scheduler": "asha_promote", "grace_seconds": 1.0},
        {"scheduler": "asha_promote", "sampler": "random", "confirm": 1, "effort_epochs": 48},
        {"scheduler": "hyperband"},
        {"scheduler": "median"},
    ],
    ids=["promote", "promote-seconds", "promote-confirm", "hyperband", "median"],
)
def test_killed_after_any_message_and_resumed_is_the_unbroken_run(tmp_path, settings):
    studies = [study("a", seeds=1, **({"effort_epochs": 24} | settings))]
    run(tmp_path / "whole", studies)
    whole = comparable(tmp_path / "whole")
    decisions = Counter(e["decision"] for e in whole if e["event"] == "trial_rung")
    if settings["scheduler"] == "asha_promote":
        assert decisions["paused"] >= 2 and decisions["promoted"] >= 1, "nothing rested"
    steps = sum(e["event"].endswith(("reported", "trained", "replicate_finished")) for e in whole)
    for kill in range(1, steps):
        broken = tmp_path / f"killed-{kill}"
        with pytest.raises(Killed):
            run(broken, studies, steps=kill)
        run(broken, studies)
        assert comparable(broken) == whole, f"killed after message {kill}"


@pytest.mark.parametrize(
    "workers",
    [
        2,
        5,
    ],
)
def test_with_resting_trials_and_many_workers_nothing_is_lost_or_twice(tmp_path, workers):
    studies = [study(name, scheduler="asha_promote", seeds=1) for name in "ab"]
    for kill in range(3, 40, 6):
        folder = tmp_path / str(kill)
        with pytest.raises(Killed):
            run(folder, studies, workers=workers, steps=kill)
        engine = run(folder, studies, workers=workers)
        for search in engine.searches.values():
            assert search.state.effort == 30
            assert all(trial.state != "running" for trial in search.state.trials.values())
        seen = Counter(
            (e["study"], e["trial"], e["epoch"])
            for e in read(folder / "ledger.jsonl")
            if e["event"] == "trial_reported"
        )
        assert max(seen.values()) == 1
