"""`bench status` and `bench export`, from the command line."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.commands import watching
from bench.errors import UserError
from bench.ledger import Ledger
from tests.results.synthetic import PAIR, write_run


@pytest.fixture
def run(tmp_path) -> Path:
    return write_run(tmp_path / "run", PAIR)


def invoke(command, *arguments):
    import typer

    app = typer.Typer()
    app.command()(command)
    outcome = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(outcome.exception, UserError):
        raise outcome.exception
    assert outcome.exit_code == 0, outcome.output
    return outcome.output


def test_status_for_people_and_for_programs(run):
    assert "completed" in invoke(watching.status, run)
    found = json.loads(invoke(watching.status, run, "--json"))
    assert found["state"] == "completed"
    assert found["studies"][0]["trials"]["completed"] == 3
    with pytest.raises(UserError, match="leave one of them out"):
        invoke(watching.status, run, "--json", "--watch")


def test_watching_ends_with_the_run(tmp_path, monkeypatch):
    run = write_run(tmp_path / "run", PAIR, finish=False)
    ledger = Ledger(run / "ledger.jsonl")
    waits = []

    def sleep(seconds):
        waits.append(seconds)
        if len(waits) == 2:
            ledger.append("run_finished", state="completed")

    monkeypatch.setattr(watching.time, "sleep", sleep)
    with ledger:
        text = invoke(watching.status, run, "--watch")
    assert waits == [2, 2] and "completed" in text


def test_watching_is_left_quietly(tmp_path, monkeypatch):
    run = write_run(tmp_path / "run", PAIR, finish=False)

    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(watching.time, "sleep", interrupted)
    with Ledger(run / "ledger.jsonl"):
        invoke(watching.status, run, "--watch")


def test_export_writes_and_refuses_what_is_there(run, tmp_path):
    out = tmp_path / "tables"
    assert "trials" in invoke(watching.export, run, "--to", "csv", "--out", out)
    assert {path.name for path in out.iterdir()} == {
        "trials.csv",
        "epochs.csv",
        "replicates.csv",
        "rungs.csv",
    }
    with pytest.raises(UserError, match="exists already"):
        invoke(watching.export, run, "--to", "parquet", "--out", out)
    with pytest.raises(UserError, match="did you mean 'parquet'"):
        invoke(watching.export, run, "--to", "parket", "--out", tmp_path / "new")
    with pytest.raises(UserError, match="no run"):
        invoke(watching.export, tmp_path, "--to", "csv", "--out", tmp_path / "new")
    assert not (tmp_path / "new").exists()
    assert "optuna-dashboard" in invoke(
        watching.export, run, "--to", "optuna", "--out", tmp_path / "o.log"
    )
