"""Traps of plain Ray Tune and Optuna: each with what the plain part does wrong, and ours right.

The plain halves hold what the libraries did when they were written about (Ray 2.60, Optuna 5.0):
one that fails says that a library was mended, and that our own part may no longer be needed.
Those that show on a running Ray alone are in test_traps_on_ray.py; early-stopped trials that are
told COMPLETE in test_optuna_search.py.
"""

import pickle
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

from bench.ledger import Ledger, Trial, read
from bench.parameters import holds
from bench.spec import Choice, Float, Report, Space
from bench.tune.engine import Engine
from bench.tune.export import study_name
from bench.tune.jobs import Context, Idle, Message
from bench.tune.sampler import Sampler
from tests.tune import virtual

MENDED = "the library does this right now: the trap is gone, and its mention can go too"
SPACE = Space(arm=Choice("good", "bad"), rate=Float(0, 1))


def plain_space():
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    return {"arm": CategoricalDistribution(["good", "bad"]), "rate": FloatDistribution(0, 1)}


def optuna_search(**settings):
    from ray.tune.search.optuna import OptunaSearch

    return OptunaSearch(**{"space": plain_space(), "metric": "score", "mode": "max"} | settings)


def our_study(name="a", **search):
    of = virtual.study(name, enqueued=(), effort_epochs=1000, **search)
    return replace(of, space=SPACE.canonical(), pinned={})


def filled(sampler, *, score, trials=20):
    """Ask for trials and tell the sampler that each completed with score(config)."""
    for number in range(trials):
        config = sampler.ask(number).config
        reports = {1: {"score": score(config)}}
        told = Trial(number=number, seed=0, config=config, reports=reports, state="completed")
        sampler.tell(told)
    return sampler


# --- Searchers ------------------------------------------------------------------------------


def test_plain_optuna_search_ignores_its_seed_beside_a_sampler():
    from optuna.samplers import TPESampler

    first, second = (optuna_search(sampler=TPESampler(seed=5), seed=seed) for seed in (1, 2))
    suggested = [first.suggest(str(number)) for number in range(10)]
    assert suggested == [second.suggest(str(number)) for number in range(10)], MENDED


@pytest.mark.parametrize("sampler", ["tpe", "gp", "cmaes", "random", "qmc"])
def test_a_study_s_seed_settles_the_suggestions_of_any_sampler(sampler):
    def suggested(seed):
        made = Sampler(replace(our_study(sampler=sampler), seed=seed), SPACE)
        return [made.ask(number).config for number in range(4)]

    assert suggested(1) == suggested(1)
    assert suggested(1) != suggested(2)


def test_plain_optuna_searches_with_one_storage_are_one_study():
    from optuna.storages import InMemoryStorage
    from optuna.study import StudyDirection

    storage = InMemoryStorage()
    first = optuna_search(storage=storage)
    first.suggest("0")
    first.on_trial_complete("0", {"score": 0.9})
    optuna_search(storage=storage, metric="loss", mode="min").suggest("0")
    studies = storage.get_all_studies()
    assert len(studies) == 1, MENDED
    assert len(storage.get_all_trials(studies[0]._study_id)) == 2, MENDED
    assert studies[0].directions == [StudyDirection.MAXIMIZE], MENDED  # the second minimises


def test_each_study_has_a_sampler_that_knows_of_no_other():
    a, b = our_study("a"), our_study("b")
    alone = filled(Sampler(b, SPACE), score=lambda config: config["rate"])
    beside = Sampler(b, SPACE)
    filled(Sampler(a, SPACE), score=lambda config: -config["rate"])
    filled(beside, score=lambda config: config["rate"])
    assert beside.ask(20).config == alone.ask(20).config
    named = replace(b, entrant=replace(b.entrant, label="another"))
    assert study_name("run", a, False) != study_name("run", named, False)


def test_plain_metric_and_mode_of_the_tuner_do_not_reach_a_define_by_run_search():
    def define(trial):
        trial.suggest_float("rate", 0, 1)

    search = optuna_search(space=define, metric=None, mode=None)
    taken = search.set_search_properties("score", "max", {})  # as Tuner does, from TuneConfig
    assert not taken, MENDED
    with pytest.raises(RuntimeError, match="`metric` .* or `mode`"):
        search.suggest("0")


def test_a_study_asks_for_no_metric_and_no_mode_and_greater_is_better():
    arms = []

    def score(config):
        arms.append(config["arm"])
        return float(config["arm"] == "good")

    filled(Sampler(our_study(), SPACE), score=score, trials=60)
    assert arms[30:].count("good") > 20, arms


@pytest.mark.filterwarnings("ignore")
def test_plain_optuna_search_leaves_a_nested_choice_unresolved():
    from ray import tune
    from ray.tune.search.sample import Domain

    nested = [{"name": "sgd", "momentum": tune.uniform(low, 0.99)} for low in (0.5, 0.8)]
    search = optuna_search(space=None)
    search.set_search_properties("score", "max", {"optimizer": tune.choice(nested)})
    momentum = search.suggest("0")["optimizer"]["momentum"]
    assert isinstance(momentum, Domain), MENDED


def test_a_condition_resolves_to_a_value_where_it_holds_and_to_none_where_not():
    space = virtual.SPACE
    sampler = Sampler(virtual.study(enqueued=()), space)
    configs = [sampler.ask(number).config for number in range(20)]
    assert {config["optimizer"] for config in configs} == {"adamw", "sgd"}
    for config in configs:
        assert set(config) == {name for name in space if holds(space[name].when, config)}
        assert all(space[name].mistake(value) is None for name, value in config.items())


# --- Schedulers -----------------------------------------------------------------------------


class Named:
    """As much of a Tune trial as a scheduler looks at."""

    def __init__(self, trial_id):
        self.trial_id = trial_id


def test_plain_asha_goes_on_in_silence_without_its_metric_or_its_time():
    from ray.tune.schedulers import AsyncHyperBandScheduler, TrialScheduler

    asha = AsyncHyperBandScheduler(metric="score", mode="max", max_t=9)
    best, mute = Named("best"), Named("mute")
    for trial in (best, mute):
        asha.on_trial_add(None, trial)
    asha.on_trial_result(None, best, {"training_iteration": 1, "score": 0.9})
    for result in ({"training_iteration": 9}, {"score": 0.1}):
        assert asha.on_trial_result(None, mute, result) == TrialScheduler.CONTINUE, MENDED


@pytest.mark.parametrize("scheduler", ["asha", "asha_promote", "hyperband", "median", "none"])
def test_a_report_without_a_score_ends_its_trial_with_a_reason(tmp_path, monkeypatch, scheduler):
    honest = virtual.messages

    def messages(job, of, failing):
        for said in honest(job, of, failing):
            mute = isinstance(said, Report) and (job.kind, job.number) == ("search", 0)
            yield replace(said, score=None) if mute else said

    monkeypatch.setattr(virtual, "messages", messages)
    engine = virtual.run(tmp_path, [virtual.study(scheduler=scheduler, seeds=1)])
    trial = engine.searches["task-a"].state.trials[0]
    assert (trial.state, trial.reason, trial.epoch) == ("failed", "no_score", 1)


def test_asha_s_rungs_come_back_from_the_ledger(tmp_path):
    def rungs(name, configs):
        """Of the last of these trials, by rung: its score and what was decided."""
        study = virtual.study(enqueued=tuple(configs), scheduler="asha", seeds=1)
        engine = virtual.run(tmp_path / name, [study])
        return engine.searches["task-a"].state.trials[len(configs) - 1].rungs

    good = [virtual.SPACE.defaults() | {"learning_rate": rate} for rate in (0.01, 0.011, 0.012)]
    bad = virtual.SPACE.defaults() | {"learning_rate": 0.1}
    for folder in ("alone", "whole", "killed"):
        (tmp_path / folder).mkdir()
    assert "stopped" not in [said for _, said in rungs("alone", [bad]).values()]
    whole = rungs("whole", [*good, bad])
    assert [said for _, said in whole.values()] == ["stopped"]

    events = read(tmp_path / "whole" / "ledger.jsonl")
    begun = [(event["event"], event.get("trial")) for event in events].index(("trial_started", 3))
    lines = (tmp_path / "whole" / "ledger.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "killed" / "ledger.jsonl").write_bytes(b"".join(lines[: begun + 1]))
    assert rungs("killed", [*good, bad]) == whole


# --- Workers --------------------------------------------------------------------------------


def test_plain_searcher_gets_one_pending_trial_unless_its_concurrency_is_limited(monkeypatch):
    from ray.tune.execution.tune_controller import _get_max_pending_trials
    from ray.tune.search import ConcurrencyLimiter, SearchGenerator

    monkeypatch.delenv("TUNE_MAX_PENDING_TRIALS_PG", raising=False)
    search = optuna_search()
    assert _get_max_pending_trials(SearchGenerator(search)) == 1, MENDED
    limited = ConcurrencyLimiter(search, max_concurrent=4)
    assert _get_max_pending_trials(SearchGenerator(limited)) == 4


def test_a_link_hands_out_a_job_for_each_worker_and_no_more(tmp_path):
    from bench.tune.link import JobSearcher, Link

    study = virtual.study(enqueued=(), effort_epochs=36, scheduler="none")
    with Ledger(tmp_path / "ledger.jsonl") as ledger:
        ledger.append(
            "run_started",
            studies=[study.id],
            suite="virtual",
            scale="demo",
            seed=7,
            phantom=True,
            sealed=False,
        )
        engine = Engine(
            [study],
            {study.id: virtual.SPACE},
            ledger,
            test_fingerprints={"task": "f00d"},
            save_predictions=lambda name, arrays: {},
            discard_checkpoint=lambda name: None,
        )
        link = Link(engine, 4)
        searcher = JobSearcher(link)
        starting = [searcher.suggest(f"start-{number}") for number in range(5)]
        assert starting == [{"job": None}] * 4 + [None], "four workers are asked to come up"
        for number in range(4):
            assert not link.message(f"start-{number}", Idle(), others_wait=False)
        configs = [searcher.suggest(str(number)) for number in range(5)]
    assert [config["job"].number for config in configs[:4]] == [0, 1, 2, 3]
    assert configs[4] is None


def test_a_trial_that_was_given_a_worker_does_not_wait_for_the_next_one():
    """Or what comes free while it takes its job in would count as its own, and stand idle."""
    from bench.tune.link import MessageScheduler

    class Link:
        def carries_job(self, trial_id):
            return trial_id != "starting"

        def message(self, trial_id, content, *, others_wait):
            told.append(others_wait)
            return False

    def tune_trial(name, *, actor, status="PENDING"):
        return SimpleNamespace(
            trial_id=name, status=status, temporary_state=SimpleNamespace(ray_actor=actor)
        )

    told = []
    scheduler = MessageScheduler(Link())
    ends = tune_trial("ends", actor="one", status="RUNNING")
    given, waits = tune_trial("given", actor="another"), tune_trial("waits", actor=None)
    live = [ends, tune_trial("starting", actor=None), given]
    controller = SimpleNamespace(get_live_trials=lambda: live)
    for _ in range(2):
        scheduler.on_trial_result(controller, ends, {"message": Message(Idle())})
        live.append(waits)
    assert told == [False, True]
    assert scheduler.choose_trial_to_run(controller) is waits


def test_a_worker_is_sent_paths_and_opens_the_data_once_for_all_its_jobs(tmp_path, monkeypatch):
    from ray import cloudpickle

    import bench.train
    from bench.data import prepared
    from bench.tune.work import Workshop
    from bench.tune.worker import worker_class

    study = our_study()
    (tmp_path / "manifest.json").write_text("{}")
    (tmp_path / "cases.bin").write_bytes(bytes(8_000_000))
    context = Context(
        studies={study.id: study},
        prepared={study.data: str(tmp_path)},
        raw={study.data: str(tmp_path)},
        options={study.task: {}},
        checkpoints=str(tmp_path / "checkpoints"),
        checkpoint_every_s=60,
        deadline=None,
        threads=1,
        device="cpu",
    )
    assert len(pickle.dumps(context)) < 10_000
    assert len(cloudpickle.dumps(worker_class(context))) < 50_000
    opened = []
    threads = SimpleNamespace(set_threads=lambda count: None)
    monkeypatch.setitem(sys.modules, "bench.train.device", threads)  # no torch for this
    monkeypatch.setattr(bench.train, "device", threads, raising=False)
    monkeypatch.setattr(prepared, "PreparedTask", lambda there: opened.append(there) or object())
    workshop = Workshop(context)
    assert workshop._prepared(None, study) is workshop._prepared(None, study)
    assert opened == [tmp_path]
