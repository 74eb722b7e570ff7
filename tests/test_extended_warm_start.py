"""Entrants that are added to a run with a warm start: given what the run's own were given."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace

import pytest

from bench import extend, launch, runs
from bench.extend import Wanted
from bench.ledger import Ledger
from bench.runs import RunFolder
from bench.warm_start import recorded
from tests.test_warm_start import REQUEST, _trial, finished

LATE = "ConvMixer, tiny"
BOTH = replace(REQUEST, entrants=["FCNN", LATE])
WANTED = Wanted(seeds=4, entrants=[LATE])


def more(folder, *scores):
    """The other run goes on: trials of its second entrant."""
    (_, study) = runs.load(folder)[1].studies
    with Ledger(folder / "ledger.jsonl") as ledger:
        begun = len(ledger.state.studies[study.id].trials)
        for number, score in enumerate(scores, begun):
            config = study.enqueued[0] | {"learning_rate": 10 ** -(3.5 + number / 10)}
            _trial(ledger, study.id, number, config, score)


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    """`other`, a run of two entrants, and `mine`, planned with the first and begun with it."""
    root = tmp_path_factory.mktemp("warm")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUNEBENCH_DATA", str(root / "nothing"))
        more(finished(root / "other", [0.2, 0.9], winner=1, request=BOTH), 0.3, 0.8)
        found = launch.resolve(replace(REQUEST, warm_start=root / "other"))
        prepared = launch.prepare(found)
        folder = RunFolder(root / "mine")
        launch.create(found, prepared, folder=folder, weights={}, command=["bench"])
        whole = launch.resolve(replace(BOTH, warm_start=root / "other")).studies
        cold = launch.resolve(BOTH).studies
    return root, whole, cold


@pytest.fixture
def run(planned, tmp_path):
    """A copy of `mine`, what it says of `other`, and a copy of that which may be changed."""
    shutil.copytree(planned[0] / "mine", tmp_path / "mine")
    shutil.copytree(planned[0] / "other", tmp_path / "other")
    folder, file = runs.load(tmp_path / "mine")
    record = recorded(folder)
    assert record["path"] == str(planned[0] / "other")
    return folder, file, record | {"path": str(tmp_path / "other")}, tmp_path / "other"


def written(folder, file, extension):
    """Of run.json, once the extension is written: the extension, and the last note."""
    assert extension is not None
    extend.write(folder, file, extension, weights={}, command=["bench", "resume"])
    content = json.loads(folder.run_file.read_text())
    return content["extensions"][-1], content["notes"][-1]


def test_an_added_entrant_begins_as_if_it_had_been_there_from_the_start(planned, run):
    _, whole, cold = planned
    folder, file, record, _ = run
    extension = extend.extended(file, WANTED, begun_with=record)
    (kept, added) = extension.studies
    assert (kept.id, kept.enqueued) == (file.studies[0].id, file.studies[0].enqueued)
    assert added == replace(whole[1], replicates=added.replicates, id=added.id)
    assert [config["learning_rate"] for config in added.enqueued[len(cold[1].enqueued) :]] == (
        pytest.approx([10**-3.6, 10**-3.5])
    )
    same = extend.extended(file, replace(WANTED, seeds=None), begun_with=record)
    assert same.added == (whole[1],), "its id too"


def test_run_json_and_the_report_say_so(run):
    folder, file, record, _ = run
    extension = extend.extended(file, WANTED, begun_with=record)
    entry, note = written(folder, file, extension)
    (origins,) = entry["warm_start"]["studies"].values()
    assert list(entry["warm_start"]["studies"]) == entry["added"]
    assert [(one["trial"], one["score"]) for one in origins] == [(1, 0.8), (0, 0.3)]
    assert [one["config"] for one in origins] == list(extension.added[0].enqueued[1:])
    assert f"warm start: each search of {LATE} began with 2 of the best" in note
    assert note.startswith("extended on ") and "run other (generated data" in note
    assert recorded(folder)["studies"] == record["studies"], "what its own were given stays"


def test_what_the_other_run_found_since_is_not_looked_at(planned, run):
    _, whole, _ = planned
    _, file, record, other = run
    more(other, 0.95, 0.99)
    (added,) = extend.extended(file, Wanted(entrants=[LATE]), begun_with=record).added
    assert added == whole[1]


def gone(other):
    shutil.rmtree(other)


def altered(other):
    ledger = other / "ledger.jsonl"
    ledger.write_text(ledger.read_text().replace('"score": 0.3', '"score": 0.4'))


def shorter(other):
    ledger = other / "ledger.jsonl"
    ledger.write_bytes(b"".join(ledger.read_bytes().splitlines(keepends=True)[:-1]))


def damaged(other):
    (other / "run.json").write_text('{"v": 2}')


def without_ledger(other):
    (other / "ledger.jsonl").unlink()


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (gone, "other is no run: it has no run.json"),
        (altered, "what the ledger of .*other held then was changed"),
        (shorter, "what the ledger of .*other held then was changed"),
        (damaged, r"other cannot be read \(KeyError\)"),
        (without_ledger, r"other cannot be read \(FileNotFoundError\)"),
    ],
)
def test_where_it_is_not_to_be_had_a_note_says_that_they_began_without(planned, run, harm, said):
    _, _, cold = planned
    folder, file, record, other = run
    harm(other)
    extension = extend.extended(file, Wanted(entrants=[LATE]), begun_with=record)
    assert extension.added == (cold[1],)
    said = f"entrants {LATE}; begun without the warm start from run other: .*{said}"
    entry, note = written(folder, file, extension)
    assert entry["warm_start"] == {"studies": {}, "left_out": [extension.cold]}
    assert "\n" not in note
    for text in (str(extension), note):
        assert re.search(said, text), text


def test_a_record_without_the_other_s_place_is_no_hindrance(run):
    _, file, record, _ = run
    old = {key: record[key] for key in ("run", "phantom", "studies", "left_out")}
    extension = extend.extended(file, WANTED, begun_with=old)
    assert "begun without the warm start from run other: this run was begun" in str(extension)


def test_where_the_other_has_nothing_for_it_that_is_said(planned, tmp_path, monkeypatch):
    monkeypatch.setenv("TUNEBENCH_DATA", str(tmp_path / "nothing"))
    other = finished(tmp_path / "other", [0.2, 0.9], winner=1)
    found = launch.resolve(replace(REQUEST, warm_start=other))
    folder, file = launch.create(
        found, launch.prepare(found), folder=RunFolder(tmp_path / "mine"), weights={}, command=[]
    )
    extension = extend.extended(file, WANTED, begun_with=recorded(folder))
    entry, note = written(folder, file, extension)
    assert list(entry["warm_start"]["studies"].values()) == [[]]
    assert f"{LATE}: nothing to begin with from its family convmixer" in note


def test_without_new_entrants_the_other_run_is_not_looked_for(run):
    folder, file, record, other = run
    gone(other)
    entry, note = written(folder, file, extend.extended(file, Wanted(seeds=4), begun_with=record))
    assert "warm_start" not in entry and "warm start" not in note


def test_a_run_that_was_begun_with_none_says_nothing_of_it(planned, tmp_path):
    other, _ = runs.load(planned[0] / "other")
    assert recorded(other) is None
    shutil.copytree(planned[0] / "mine", tmp_path / "mine")
    folder, file = runs.load(tmp_path / "mine")
    entry, note = written(folder, file, extend.extended(file, WANTED))
    assert "warm_start" not in entry and "warm start" not in note
