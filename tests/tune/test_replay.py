"""Replay: tables of curves, the nearest row, and the engine in virtual time."""

import json
import math
import random
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from bench import registry, runs
from bench.commands.replaying import replay as replay_command
from bench.errors import UserError
from bench.ledger import Ledger, timeless
from bench.ledger.memory import MemoryLedger
from bench.spec import Choice, Float, Int, Not, Space, Text
from bench.tune import replay
from bench.tune.replay import Searcher, compare, play
from bench.tune.replay.compare import PATIENCE, REFERENCE, default_effort
from bench.tune.replay.curves import Curve, Curves, space_of
from bench.tune.replay.nearest import Nearest
from tests.tune import virtual
from tests.tune.curves import CONFIGURATIONS, LIVER

SPACE = Space(
    optimizer=Choice("adamw", "sgd"),
    learning_rate=Float(1e-4, 1e-1, log=True),
    momentum=Float(0.8, 1.0, when={"optimizer": "sgd"}),
    depth=Int(1, 5),
    clip=Choice("none", "norm", held=True),
)


def table(count=60, *, epochs=9, seed=0, diverging=()) -> Curves:
    """Curves that rise towards a top which the learning rate decides."""
    rng = random.Random(seed)
    curves = []
    for number in range(count):
        config = {"optimizer": rng.choice(["adamw", "sgd"])}
        config["learning_rate"] = 10 ** rng.uniform(-4, -1)
        if config["optimizer"] == "sgd":
            config["momentum"] = rng.uniform(0.8, 1.0)
        config |= {"depth": rng.randint(1, 5), "clip": "none"}
        top = 0.9 - 0.2 * abs(math.log10(config["learning_rate"]) + 2)
        length = 2 if number in diverging else epochs
        curves.append(
            Curve(
                config=config,
                scores=tuple(top * (1 - math.exp(-epoch / 3)) for epoch in range(1, length + 1)),
                charged_seconds=tuple([1.0 + number % 3] * length),
                ended="diverged" if number in diverging else "completed",
            )
        )
    return Curves(
        study="task-a",
        task="task",
        entrant="Entrant a",
        family="family",
        phantom=True,
        space=SPACE,
        pinned=SPACE.held(),
        max_epochs=epochs,
        grace_epochs=1,
        reduction_factor=3,
        curves=tuple(curves),
        left_out=0,
    )


def search(of, scheduler, *, sampler="random", effort=90, **settings):
    searcher = Searcher(sampler=sampler, scheduler=scheduler, settings=settings)
    return searcher.search(of, effort=effort)


# --- tables ---------------------------------------------------------------------------------


def test_a_file_gives_the_table_back(tmp_path):
    recorded = table(diverging=(3,))
    rounded = replace(
        recorded,
        curves=tuple(
            replace(c, scores=tuple(round(score, 6) for score in c.scores)) for c in recorded.curves
        ),
    )
    replay.save([recorded], tmp_path / "t.json.gz")
    (loaded,) = replay.load(tmp_path / "t.json.gz")
    assert loaded.space.canonical() == SPACE.canonical()
    assert replace(loaded, space=SPACE) == rounded
    first = (tmp_path / "t.json.gz").read_bytes()
    replay.save([recorded], tmp_path / "t.json.gz")
    assert (tmp_path / "t.json.gz").read_bytes() == first


def test_a_canonical_space_gives_the_space_back():
    odd = Space(
        a=Choice("x", "y", also=("z",)),
        b=Float(1e-3, 1.0, log=True, default=0.1, limits=(0.0, 2.0), when={"a": ("x", "z")}),
        c=Int(2, 9, default=3, held=True, when={"a": Not("y"), "b": 0.5}),
        d=Text("name", when={"a": "x"}),
    )
    families, tasks = registry.families(), registry.tasks()
    spaces = [odd] + [
        registry.space_of(families.get(family), tasks.get(task), {})
        for family, task in (("fcnn", "lits_cls"), ("unet", "lits_seg"))
    ]
    for space in spaces:
        canonical = json.loads(json.dumps(space.canonical()))
        assert json.dumps(space_of(canonical).canonical()) == json.dumps(space.canonical())


def test_what_is_no_table_is_refused(tmp_path):
    path = tmp_path / "t.json.gz"
    with pytest.raises(UserError, match="no table of curves at"):
        replay.load(path)
    path.write_text("{}")
    with pytest.raises(UserError, match="is no table of curves"):
        replay.load(path)
    replay.save([table(3)], path)
    import gzip

    content = json.loads(gzip.decompress(path.read_bytes()))
    path.write_bytes(gzip.compress(json.dumps(content | {"v": 99}).encode()))
    with pytest.raises(UserError, match="record version 99"):
        replay.load(path)


def _load_as(monkeypatch, folder, studies):
    file = SimpleNamespace(studies=tuple(studies), phantom=True)
    monkeypatch.setattr(runs, "load", lambda path: (runs.RunFolder(path), file))
    return replay.of_runs([folder])


def test_a_run_without_early_stopping_becomes_a_table(tmp_path, monkeypatch):
    study = virtual.study("a", scheduler="none", sampler="random", effort_epochs=54, confirm=0)
    study = replace(study, free=virtual.SPACE.free(study.pinned))
    virtual.run(tmp_path, [study])
    (found,) = _load_as(monkeypatch, tmp_path, [study])
    assert (len(found.curves), found.left_out, found.epochs, found.phantom) == (6, 0, 54, True)
    first = found.curves[0]
    assert first.config == virtual.SPACE.defaults()
    seed = virtual.derive(study.seed, "trial", 0)
    assert first.scores == tuple(virtual.curve(first.config, seed, e) for e in range(1, 10))


def test_what_was_stopped_early_is_left_out_and_counted(tmp_path, monkeypatch):
    study = virtual.study("a", scheduler="asha", sampler="random", effort_epochs=60)
    engine = virtual.run(tmp_path, [study])
    states = Counter(t.state for t in engine.searches["task-a"].state.trials.values())
    (found,) = _load_as(monkeypatch, tmp_path, [study])
    assert states["stopped"] == found.left_out > 0
    assert len(found.curves) == states["completed"]
    monkeypatch.setattr("bench.tune.replay.curves._curve", lambda trial: None)
    with pytest.raises(UserError, match="no trial that was trained to its end"):
        _load_as(monkeypatch, tmp_path, [study])


# --- the nearest ----------------------------------------------------------------------------


def test_distances_are_in_the_units_of_the_space():
    configs = [
        {"optimizer": "adamw", "learning_rate": 1e-4, "depth": 1, "clip": "none"},
        {"optimizer": "sgd", "learning_rate": 1e-4, "momentum": 0.9, "depth": 1, "clip": "norm"},
        {"optimizer": "sgd", "learning_rate": 1e-1, "momentum": 0.8, "depth": 5, "clip": "none"},
    ]
    nearest = Nearest(SPACE, SPACE.free(SPACE.held()), configs)
    asked = {"optimizer": "sgd", "learning_rate": 1e-3, "momentum": 1.0, "depth": 3}
    third, half = 1 / 3, 0.5
    assert nearest.distances(asked) == pytest.approx(
        [
            math.sqrt(1 + third**2 + half**2),  # another optimizer; the momentum counts nothing
            math.sqrt(third**2 + half**2 + half**2),
            math.sqrt((2 * third) ** 2 + 1 + half**2),
        ]
    )
    assert [nearest.take(asked) for _ in range(3)] == [1, 0, 2]


@given(st.lists(st.integers(0, 9), min_size=1, max_size=10), st.integers(0, 2**31))
def test_a_recorded_configuration_stands_for_itself_and_each_is_taken_once(order, seed):
    configs = [curve.config for curve in table(10, seed=seed).curves]
    nearest = Nearest(SPACE, SPACE.free(SPACE.held()), configs)
    taken = [nearest.take(configs[number]) for number in order]
    assert len(set(taken)) == len(taken)
    assert taken[0] == order[0]


# --- play -----------------------------------------------------------------------------------


@pytest.mark.parametrize("sampler", ["random", "tpe"])
@pytest.mark.parametrize("scheduler", ["none", "asha", "asha_promote", "hyperband", "median"])
def test_a_played_search_spends_its_effort_and_runs_each_row_once(sampler, scheduler):
    of = table(diverging=(5, 6))
    played = play(of, search(of, scheduler, sampler=sampler), seed=1, workers=3)
    assert len(played.best) == played.study.effort == 90
    assert played.study.state == "completed"
    configs = [curve.config for curve in of.curves]
    rows = [configs.index(trial.config) for trial in played.study.trials.values()]
    assert len(set(rows)) == len(rows)
    for row, trial in zip(rows, played.study.trials.values(), strict=True):
        curve = of.curves[row]
        assert [trial.reports[e]["score"] for e in sorted(trial.reports)] == list(
            curve.scores[: trial.epoch]
        )
        if trial.reason == "diverged":
            assert curve.ended == "diverged" and trial.effort == 3
    assert played.best[-1] == max(t.best()[0] for t in played.study.trials.values() if t.reports)


def test_the_same_seed_plays_the_same_search():
    of = table()
    events = [play(of, search(of, "asha"), seed=seed).ledger.events for seed in (1, 1, 2)]
    assert events[0] == events[1] != events[2]


def test_play_is_the_engine_that_runs_on_a_file(tmp_path):
    """The same events go through a file's ledger without a complaint, and fold to the same."""
    of = table()
    played = play(of, search(of, "asha_promote"), seed=1, workers=2)
    with Ledger(tmp_path / "ledger.jsonl") as ledger:
        for event in played.ledger.events:
            fields = {k: v for k, v in event.items() if k not in ("v", "t", "event")}
            written = ledger.append(event["event"], **fields)
            assert timeless(json.loads(json.dumps(event))) == timeless(written)
        assert timeless_trials(ledger.state) == timeless_trials(played.ledger.state)


def timeless_trials(state):
    return {
        number: (trial.state, trial.reason, trial.rungs, trial.epoch)
        for study in state.studies.values()
        for number, trial in study.trials.items()
    }


def test_virtual_time_is_that_of_the_slowest_worker():
    of = table(4)
    of = replace(of, curves=tuple(replace(c, charged_seconds=(2.0,) * 9) for c in of.curves))
    settings = search(of, "none", effort=36)
    assert play(of, settings, seed=0, workers=1).seconds == 4 * 18
    assert play(of, settings, seed=0, workers=2).seconds == 2 * 18
    dates = [event["t"] for event in play(of, settings, seed=0).ledger.events]
    assert dates == sorted(dates) and dates[-1].startswith("2000-01-01T00:01:12")


def test_a_search_ends_with_its_table():
    of = table(5)
    played = play(of, search(of, "asha", effort=900), seed=0)
    assert played.trials == 5 and played.study.effort < 900


def test_an_early_dip_is_made_good_by_promotion_alone():
    """One curve dips in its first epoch and is the best afterwards."""
    of = table(30)
    dipped = replace(of.curves[0], scores=(0.45, *[0.99] * 8))
    others = [
        replace(c, scores=tuple(0.5 + n / 1000 for _ in range(9))) if n < 4
        else replace(c, scores=tuple(0.3 + n / 1000 for _ in range(9)))
        for n, c in enumerate(of.curves[1:])
    ]  # fmt: skip
    of = replace(of, curves=(dipped, *others))
    found = Counter()
    for seed in range(20):
        for scheduler in ("asha", "asha_promote"):
            played = play(of, search(of, scheduler, effort=150), seed=seed)
            found[scheduler] += played.best[-1] == 0.99
            trial = next(t for t in played.study.trials.values() if t.config == dipped.config)
            if trial.epoch > 1 and scheduler == "asha_promote":
                assert trial.rungs[1][1] == "promoted"
    assert found["asha_promote"] == 20 > found["asha"]


def test_a_memory_ledger_checks_what_is_written():
    with pytest.raises(AssertionError, match="needs 'suite'"):
        MemoryLedger().append("run_started")


# --- compare --------------------------------------------------------------------------------


def test_rows_say_what_was_played():
    of = table(100)
    searchers = [Searcher(sampler="random", scheduler=name) for name in ("asha", "asha_promote")]
    rows = compare(of, searchers, repeats=5)
    assert [row.searcher for row in rows] == ["random/none", "random/asha", "random/asha_promote"]
    spend = default_effort(of)
    assert spend == 180 == rows[0].spend
    assert rows[0].trials == 20 and rows[0].score == rows[0].target and rows[0].promotions == 0
    for row in rows:
        assert row.low <= row.ratio <= row.high and row.ratio == row.effort / spend
        assert row.target == rows[0].target and 0 < row.reached <= row.repeats == 5
    assert rows[1].trials > 40 and rows[1].ratio < rows[0].ratio, "curves never cross"
    assert rows == compare(of, searchers, repeats=5)


def test_effort_is_counted_to_the_epoch_that_reaches_the_target():
    of = table(10)
    played = play(of, search(of, "none"), seed=0)
    first = played.best.index(played.best[-1]) + 1
    assert played.effort_to([played.best[-1], 2.0, -1.0]).tolist() == [first, np.inf, 1]
    assert played.score_at(first) == played.best[-1] > played.score_at(first - 1)


def test_too_little_table_and_wrong_settings_are_refused():
    of = table(10)
    with pytest.raises(UserError, match="90 epochs, got an effort of 91"):
        compare(of, repeats=2, effort=91)
    with pytest.raises(UserError, match="grace_epochs must be at most max_epochs"):
        compare(of, [Searcher(sampler="random", scheduler="asha", settings={"grace_epochs": 10})])
    short = compare(table(8), [Searcher(sampler="random", scheduler="asha")], repeats=2, effort=72)
    assert short[1].exhausted == 2 and PATIENCE == 2


# --- the command and the shipped table ------------------------------------------------------


def _invoke(*arguments):
    import typer

    app = typer.Typer()
    app.command()(replay_command)
    return CliRunner().invoke(app, list(map(str, arguments)))


def test_the_command_prints_a_table_or_json(tmp_path):
    path = tmp_path / "t.json.gz"
    replay.save([table(40)], path)
    common = (path, "--sampler", "random", "--scheduler", "asha", "--repeats", 2)
    shown = _invoke(*common, "--save", tmp_path / "again.json.gz")
    assert shown.exit_code == 0, shown.output
    assert "random/asha" in shown.output and "PHANTOM" in shown.output
    assert (tmp_path / "again.json.gz").read_bytes() == path.read_bytes()
    content = json.loads(_invoke(*common, "--json").output)
    assert content["phantom"] is True and content["tables"][0]["configurations"] == 40
    assert [row["searcher"] for row in content["searchers"]] == ["random/none", "random/asha"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--sampler", "tpee"), "unknown sampler 'tpee': did you mean 'tpe'"),
        (("--scheduler", "ash"), "unknown scheduler 'ash': did you mean 'asha'"),
        (("--set", "grace_epoch=2"), "did you mean 'grace_epochs'"),
        (("--set", "grace_epochs=two"), "grace_epochs must be a whole number, got 'two'"),
    ],
)
def test_the_command_names_what_is_wrong(tmp_path, arguments, message):
    path = tmp_path / "t.json.gz"
    replay.save([table(10)], path)
    outcome = _invoke(path, *arguments)
    assert isinstance(outcome.exception, UserError) and message in str(outcome.exception)


def test_the_shipped_table_is_whole():
    (liver,) = replay.load(LIVER)
    assert liver.phantom and liver.task == "lits_cls" and liver.max_epochs == 15
    assert len(liver.curves) == CONFIGURATIONS and LIVER.stat().st_size < 300_000
    assert {c.ended for c in liver.curves if len(c.scores) == 15} == {"completed"}
    assert {curve.config["initialisation"] for curve in liver.curves} == {"default"}
    assert set(liver.curves[0].config) <= set(liver.space)


@pytest.mark.slow
def test_tpe_with_promotion_needs_a_third_of_random_searchs_epochs():
    """The target of the design, on the shipped table."""
    (liver,) = replay.load(LIVER)
    rows = compare(liver, [Searcher(sampler="tpe", scheduler="asha_promote")], repeats=30)
    assert rows[0].searcher == str(REFERENCE)
    assert rows[1].ratio <= 1 / 3, rows[1]
