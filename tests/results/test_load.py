import json

import numpy as np
import pytest

from bench.errors import UserError
from results.load import load_run


def first_file(folder):
    return sorted((folder / "predictions").glob("*.npz"))[0]


def test_a_run_is_read_whole(make_run):
    run = load_run(make_run())
    assert run.phantom and run.finished and run.name == "liver-20261121T101500Z"
    assert run.tasks["lits_cls"].primary == "macro_f1"
    strong, weak = run.of_task("lits_cls")
    assert (strong.label, weak.label, strong.seeds) == ("Strong", "Weak", 3)
    assert strong.free == ("learning_rate", "weight_decay", "optimizer")
    outputs = run.predictions(strong.id, 0).test
    assert outputs is not None and outputs.scores.shape == (320, 3)
    assert run.predictions(strong.id, 0).validation is None


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("run.json", None, "no run.json"),
        ("run.json", "{", "no valid JSON"),
        ("run.json", "[]", "one JSON object"),
        ("run.json", '{"v": 99}', "update tunebench"),
        ("run.json", '{"v": 1, "tasks": {}}', "lacks or garbles 'studies'"),
        ("ledger.jsonl", None, "no ledger"),
    ],
)
def test_what_is_no_run_is_named(make_run, name, text, says):
    folder = make_run()
    if text is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(text)
    with pytest.raises(UserError, match=says):
        load_run(folder)


def test_altered_missing_and_foreign_predictions_are_refused(make_run):
    folder = make_run()
    run = load_run(folder)
    study = run.of_task("lits_cls")[0].id
    path = first_file(folder)
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(UserError, match="checksum differs"):
        run.predictions(study, 0)
    path.unlink()
    with pytest.raises(UserError, match="is missing"):
        run.predictions(study, 0)
    run.progress(study).replicates[1].predictions["file"] = "../../elsewhere.npz"
    with pytest.raises(UserError, match="must lie in the run's folder"):
        run.predictions(study, 1)


def test_pickled_predictions_are_not_executed(make_run):
    import hashlib

    folder = make_run()
    run = load_run(folder)
    study = run.of_task("lits_cls")[0].id
    path = first_file(folder)
    evil = np.array([{"an": "object"}], dtype=object)
    np.savez(path, test_scores=evil, test_ids=evil, test_groups=evil, test_labels=evil)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    run.progress(study).replicates[0].predictions["sha256"] = digest
    with pytest.raises(UserError, match="cannot be read"):
        run.predictions(study, 0)


def test_a_torn_last_line_and_an_empty_ledger_are_no_mistakes(make_run):
    folder = make_run()
    with (folder / "ledger.jsonl").open("a") as file:
        file.write('{"v": 1, "eve')
    assert load_run(folder).finished
    (folder / "ledger.jsonl").write_text("")
    run = load_run(folder)
    assert not run.finished
    assert run.ended == json.loads((folder / "run.json").read_text())["created"]
