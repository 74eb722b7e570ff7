"""Live logs: one folder or run a ledger trial, across rests, kills and resumes; no secrets."""

import json
import socket
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.errors import UserError
from bench.ledger import fold, read
from bench.redaction import without_secrets
from bench.runs import RunFolder
from bench.tune import logs
from tests.tune import virtual
from tests.tune.virtual import Killed, study


def run_file(studies, phantom=False):
    return SimpleNamespace(studies=tuple(studies), phantom=phantom)


def play(folder, studies, specs, *, steps=None, said=None, **more):
    """A virtual run that is logged as the driver would: the log is opened before the engine is."""
    found = logs.observers(
        specs,
        run_file(studies, more.pop("phantom", False)),
        RunFolder(folder),
        say=(said if said is not None else []).append,
    )
    whole = virtual.Engine

    def observed(*arguments, **options):
        def tell(event):
            for observer in found:
                observer(event)

        return whole(*arguments, **options, on_event=tell)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(virtual, "Engine", observed)
        try:
            return virtual.run(folder, studies, steps=steps, **more)
        finally:
            for observer in found:
                observer.close()


def scalars(root: Path) -> dict[str, dict[str, dict[int, float]]]:
    """What the event files below a folder hold: by folder, by tag, by step."""
    from tensorboardX.proto.event_pb2 import Event

    found: dict = defaultdict(lambda: defaultdict(dict))
    for path in sorted(root.rglob("events.out.tfevents.*")):
        data, place = path.read_bytes(), 0
        while place < len(data):
            size = int.from_bytes(data[place : place + 8], "little")
            event = Event.FromString(data[place + 12 : place + 12 + size])
            place += 12 + size + 4
            for value in event.summary.value:
                tag = value.tag.removeprefix("ray/tune/")
                curve = found[str(path.parent.relative_to(root))][tag]
                assert tag != "score" or event.step not in curve, f"{path}: {event.step} twice"
                found[str(path.parent.relative_to(root))][tag][event.step] = value.simple_value
    return found


def expected(folder: Path) -> dict[str, dict[int, float]]:
    """By folder of a log, the scores that the ledger holds."""
    state = fold(read(folder / "ledger.jsonl"))
    return {
        f"{name}/{kind}-{number}": {e: r["score"] for e, r in one.reports.items()}
        for name, study in state.studies.items()
        for kind, trained in (("trial", study.trials), ("replicate", study.replicates))
        for number, one in trained.items()
        if one.reports
    }


def same(logged, folder):
    for name, scores in expected(folder).items():
        got = logged[name]["score"]
        assert got.keys() == scores.keys(), name
        assert got == pytest.approx(scores, abs=1e-6), name
    assert set(expected(folder)) <= set(logged)


@pytest.mark.parametrize("scheduler", ["asha", "asha_promote"])
def test_tensorboard_has_a_folder_a_trial_with_its_curve_and_parameters(tmp_path, scheduler):
    studies = [study("a", scheduler=scheduler, seeds=2), study("b", scheduler=scheduler, seeds=2)]
    play(tmp_path, studies, ["tensorboard"])
    logged = scalars(tmp_path / "tensorboard")
    same(logged, tmp_path)
    for name in expected(tmp_path):
        assert "_hparams_/session_start_info" in logged[name], name
    assert logged["task-a/replicate-0"]["test/accuracy"]
    state = fold(read(tmp_path / "ledger.jsonl"))
    folders = {path.parent for path in (tmp_path / "tensorboard").rglob("events*")}
    trained = sum(len(s.trials) + len(s.replicates) for s in state.studies.values())
    assert len(folders) == trained


@pytest.mark.parametrize("scheduler", ["asha", "asha_promote"])
def test_killed_anywhere_and_resumed_the_log_has_no_gap(tmp_path, scheduler):
    studies = [study("a", seeds=1, effort_epochs=14, scheduler=scheduler)]
    for kill in (1, 4, 7, 11, 15, 19):
        folder = tmp_path / str(kill)
        with pytest.raises(Killed):
            play(folder, studies, ["tensorboard"], steps=kill)
        play(folder, studies, ["tensorboard"])
        same(scalars(folder / "tensorboard"), folder)


def test_what_a_dead_driver_had_not_logged_is_logged_by_the_next(tmp_path):
    studies = [study("a", seeds=1)]
    with pytest.raises(Killed):
        virtual.run(tmp_path, studies, steps=9)  # without a log
    play(tmp_path, studies, ["tensorboard"])
    same(scalars(tmp_path / "tensorboard"), tmp_path)
    counts = json.loads((tmp_path / logs.PROGRESS).read_text())
    assert [n for key, n in counts.items() if key != "id"] == [
        sum("study" in e for e in read(tmp_path / "ledger.jsonl"))
    ]


def test_phantom_data_are_marked(tmp_path):
    play(tmp_path, [study("a", seeds=1)], ["tensorboard"], phantom=True)
    assert all("phantom" in path.parts for path in (tmp_path / "tensorboard").rglob("events.out.*"))


def test_two_runs_can_share_a_folder(tmp_path):
    for name in "12":
        play(tmp_path / name, [study("a", seeds=1)], [f"tensorboard={tmp_path / 'logs'}"])
        same(scalars(tmp_path / "logs" / name), tmp_path / name)


def test_a_log_that_fails_is_said_once_and_the_run_ends_well(tmp_path, monkeypatch):
    def broken(self, *_):
        raise OSError("no route to http://me:hunter2@host/api?token=hunter3")

    monkeypatch.setattr("bench.tune.log_books.TensorboardBook.take", broken)
    said: list[str] = []
    engine = play(tmp_path, [study("a", seeds=1)], ["tensorboard"], said=said)
    assert engine.outcome() == "completed"
    assert len(said) == 1 and "the run goes on" in said[0] and "hunter" not in said[0]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("mlfow=x", "did you mean 'mlflow'"),
        ("mlflow", "mlflow=http://HOST:5000"),
        ("wandb", "known are mlflow, tensorboard"),
    ],
)
def test_a_wrong_spec_is_refused(tmp_path, spec, message):
    with pytest.raises(UserError, match=message):
        logs.observers([spec], run_file([]), RunFolder(tmp_path))


def test_a_library_that_is_missing_is_named_with_the_way_to_it(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "mlflow", None)
    with pytest.raises(UserError, match="pip install mlflow-skinny") as caught:
        logs.observers(["mlflow=http://me:hunter2@host"], run_file([]), RunFolder(tmp_path))
    assert "hunter2" not in str(caught.value)
    with pytest.raises(UserError, match="pip install mlflow-skinny"):
        logs.check(["mlflow=sqlite:///mlflow.db"])


def test_a_server_that_does_not_answer_is_refused_before_anything_begins(monkeypatch):
    monkeypatch.setattr(logs, "find_spec", lambda name: True)
    monkeypatch.setattr(logs, "getproxies", dict)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        address = f"http://me:hunter2@127.0.0.1:{server.getsockname()[1]}/mlflow"
        logs.check([f"mlflow={address}", "tensorboard", "mlflow=sqlite:///mlflow.db"])
    with pytest.raises(UserError, match="cannot be written to: .*refused") as caught:
        logs.check([f"mlflow={address}"])
    assert "hunter2" not in str(caught.value)
    with pytest.raises(UserError, match="cannot be written to"):
        logs.check(["mlflow=http://127.0.0.1:no-port"])
    monkeypatch.setattr(logs, "getproxies", lambda: {"http": "http://proxy:3128"})
    monkeypatch.setattr(logs, "proxy_bypass", lambda host: False)
    logs.check([f"mlflow={address}"])  # a proxy may know the way


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mlflow=http://me:pw@host:5000/x", "mlflow=http://***@host:5000/x"),
        ("postgresql+psycopg://me:p@ss/w@db/x", "postgresql+psycopg://***@db/x"),
        ("http://host/?access_token=abc&x=1", "http://host/?access_token=***&x=1"),
        ("sqlite:///mlflow.db", "sqlite:///mlflow.db"),
        ("name@example.org", "name@example.org"),
    ],
)
def test_secrets_are_struck_out(text, shown):
    assert without_secrets(text) == shown


def test_mlflow_has_a_run_a_trial_across_resumes(tmp_path):
    mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed: an optional extra")
    studies = [study("a", seeds=1, effort_epochs=14, scheduler="asha_promote")]
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    folder = tmp_path / "run"
    with pytest.raises(Killed):
        play(folder, studies, [f"mlflow={uri}"], steps=9)
    play(folder, studies, [f"mlflow={uri}"])
    client = mlflow.MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("run")
    runs = client.search_runs([experiment.experiment_id], max_results=1000)
    by_id = {one.data.tags["ledger_id"]: one for one in runs}
    assert len(by_id) == len(runs)
    for name, scores in expected(folder).items():
        history = client.get_metric_history(by_id[name].info.run_id, "score")
        assert {point.step: point.value for point in history} == pytest.approx(scores)
        assert by_id[name].data.params["optimizer"] in ("adamw", "sgd")
        assert by_id[name].data.tags["state"] in ("completed", "stopped")
    assert "test/accuracy" in by_id["task-a/replicate-0"].data.metrics


def test_the_folder_of_another_run_of_the_same_name_is_refused(tmp_path):
    spec = [f"tensorboard={tmp_path / 'logs'}"]
    play(tmp_path / "1" / "first", [study("a", seeds=1)], spec)
    logs.observers(spec, run_file([study("a", seeds=1)]), RunFolder(tmp_path / "1" / "first"))
    with pytest.raises(UserError, match="another run of the same name: name another folder"):
        logs.observers(spec, run_file([study("a", seeds=1)]), RunFolder(tmp_path / "2" / "first"))
