"""Exported Optuna studies: told truthfully, and what Optuna offers works on them."""

from types import SimpleNamespace

import optuna
import pytest

from bench.errors import UserError
from bench.ledger import StudyState, Trial, fold, read
from bench.runs import RunFolder
from bench.tune import export
from bench.tune.jobs import Failure
from tests.tune import virtual
from tests.tune.virtual import study

STATES = optuna.trial.TrialState


def diverging(job, epoch):
    if job.kind == "search" and job.number == 4:
        return Failure(reason="diverged", error="the loss is not finite at step 3", epoch=epoch)
    return None


@pytest.fixture(params=["searches.log", "searches.db"], scope="module")
def exported(request, tmp_path_factory):
    """The ledger's state of a virtual run, and the storage that it was exported to."""
    tmp_path = tmp_path_factory.mktemp("exported")
    studies = [study("a", effort_epochs=60), study("b", scheduler="asha_promote")]
    folder = tmp_path / "run"
    virtual.run(folder, studies, failing=diverging)
    file = SimpleNamespace(studies=studies, phantom=True)
    out = tmp_path / request.param
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "load", lambda path: (RunFolder(path), file))
        said = export.export_studies(folder, out)
    assert "2 studies" in said and "phantom" in said
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []
    url = f"sqlite:///{out}"
    backend = optuna.storages.journal.JournalFileBackend
    storage = (
        optuna.storages.RDBStorage(url)
        if out.suffix == ".db"
        else optuna.storages.JournalStorage(backend(str(out)))
    )
    return fold(read(folder / "ledger.jsonl")), storage


def loaded(storage, label):
    return optuna.load_study(study_name=f"run: task: Entrant {label} (phantom)", storage=storage)


def test_each_trial_is_told_truthfully(exported):
    state, storage = exported
    for label in "ab":
        ours, theirs = state.studies[f"task-{label}"], loaded(storage, label)
        assert len(theirs.trials) == len(ours.trials)
        for number, trial in ours.trials.items():
            told = theirs.trials[number]
            ended = {"completed": STATES.COMPLETE, "stopped": STATES.PRUNED}
            assert told.state == ended.get(trial.state, STATES.FAIL)
            scores = {epoch: r["score"] for epoch, r in trial.reports.items()}
            assert told.intermediate_values == scores
            assert told.params | _aside(told) == trial.config
            assert told.user_attrs["seed"] == trial.seed
            assert told.user_attrs["charged_seconds"] == trial.charged_seconds
            assert told.user_attrs["reason"] == trial.reason
            if trial.state == "completed":
                assert told.value == trial.best()[0]
        assert any(t.state == STATES.PRUNED for t in theirs.trials)
        winners = [t.number for t in theirs.trials if t.user_attrs.get("winner")]
        assert winners == [ours.winner] == [theirs.user_attrs["winner"]]
        assert theirs.user_attrs["data"] == "phantom"
    assert any(t.state == STATES.FAIL for t in loaded(storage, "a").trials)


def _aside(told):
    return {k.removeprefix("param "): v for k, v in told.user_attrs.items() if "param " in k}


def test_what_optuna_offers_works_on_it(exported):
    state, storage = exported
    found = loaded(storage, "a")
    assert (
        found.best_trial.number
        == max(
            (t.best()[0], n)
            for n, t in state.studies["task-a"].trials.items()
            if t.state == "completed"
        )[1]
    )
    importances = optuna.importance.get_param_importances(
        found, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=0)
    )
    assert "learning_rate" in importances
    draw = optuna.visualization
    for figure in (
        draw.plot_optimization_history(found),
        draw.plot_intermediate_values(found),
        draw.plot_parallel_coordinate(found),
        draw.plot_slice(found),
        draw.plot_timeline(found),
    ):
        assert figure.data
    assert len(found.trials_dataframe()) == len(found.trials)
    rate = found.trials[0].distributions["learning_rate"]
    assert rate == optuna.distributions.FloatDistribution(1e-4, 1e-1, log=True)


def test_values_beyond_the_searched_range_are_kept():
    plan = study("a")
    config = {"optimizer": "adamw", "decay": 0.0, "learning_rate": 0.5, "clip": "none"}
    state = StudyState("task-a")
    for number, more in enumerate([{}, {"backbone": "b"}, {"backbone": "c"}]):
        state.trials[number] = Trial(
            seed=1, number=number, config=config | more, started="2026-11-21T10:00:00+00:00"
        )
    told = list(export.frozen_trials(plan, state))
    assert told[0].params["learning_rate"] == 0.5
    assert told[0].distributions["learning_rate"].high == 0.5
    assert told[0].user_attrs["param decay"] == 0.0  # it lies on no log scale
    assert told[1].distributions["backbone"].choices == ("b", "c")
    assert {t.state for t in told} == {STATES.RUNNING}


def test_a_repeat_has_what_it_repeats_and_says_so():
    plan = study("a")
    began = {"seed": 1, "config": {"learning_rate": 0.01}, "started": "2026-11-21T10:00:00+00:00"}
    state = StudyState("task-a")
    first = Trial(number=0, state="completed", **began)
    first.reports = {1: {"score": 0.5, "charged_seconds": 2.0, "free_seconds": 0.0}}
    state.trials = {0: first, 1: Trial(number=1, state="repeated", origin="repeat", of=0, **began)}
    told = list(export.frozen_trials(plan, state))
    assert [t.value for t in told] == [0.5, 0.5]
    assert told[1].user_attrs["of"] == 0 and told[1].user_attrs["charged_seconds"] == 0


def test_the_command_that_is_named_can_be_pasted(tmp_path):
    assert export._url(tmp_path / "a b.db") == f"'sqlite:///{tmp_path / 'a b.db'}'"
    assert export._url(tmp_path / "ab.log") == str(tmp_path / "ab.log")


def test_what_is_there_is_not_overwritten(tmp_path):
    out = tmp_path / "mine.db"
    out.write_text("mine")
    with pytest.raises(UserError, match="exists already.*another file"):
        export.export_studies(tmp_path, out)
    assert out.read_text() == "mine"
