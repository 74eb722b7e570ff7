import pytest

from results.analysis import analyse
from results.holes import cause, holes
from results.load import load_run
from tests.results.synthetic import CAST, Actor


@pytest.fixture
def cast(make_run):
    run = load_run(make_run(CAST))
    return run, analyse(run, "lits_cls")


def test_every_hole_has_its_reason(cast):
    run, analysis = cast
    found = holes(run, [analysis])
    assert (found["why"] != "").all()
    told = {(row.entrant, row.what): row.why for row in found.itertuples()}
    assert told[("ConvMixer", "trials 1, 2 failed")] == "diverged: the loss is not finite at step 3"
    assert told[("FCNN", "seed 3 of 3 failed")] == "CUDA error: an illegal access"
    alexnet = told[("AlexNet", "the whole study failed")]
    assert alexnet == "RuntimeError: expected 1 channel, <got> 3"
    assert "Traceback" in found[found["entrant"] == "AlexNet"]["details"].iloc[0]


def test_missing_seeds_and_unopened_tests_are_holes(make_run):
    folder = make_run([Actor(label="A", finished=2)], finish=False)
    lines = (folder / "ledger.jsonl").read_text().splitlines()
    last = max(i for i, line in enumerate(lines) if '"test_unsealed"' in line)
    (folder / "ledger.jsonl").write_text("\n".join(lines[:last]) + "\n")
    run = load_run(folder)
    found = holes(run, [analyse(run, "lits_cls")])
    told = dict(zip(found["what"], found["why"], strict=True))
    assert told["seed 2 of 3 not tested"] == "trained, the test set was not opened"
    assert told["seed 3 of 3 missing"] == "not started"


def test_a_sound_run_has_no_hole(make_run):
    run = load_run(make_run())
    assert holes(run, [analyse(run, "lits_cls")]).empty


def test_a_search_cut_short_is_a_hole(make_run):
    folder = make_run()
    lines = (folder / "ledger.jsonl").read_text().splitlines()
    (folder / "ledger.jsonl").write_text("\n".join(lines[:20]) + "\n")
    run = load_run(folder)
    found = holes(run, [analyse(run, "lits_cls")])
    assert list(found["what"]) == ["search not finished"] * 2
    assert found["why"].iloc[1] == "0 of 54 epochs spent"


def test_the_cause_of_a_traceback_is_its_last_line():
    assert cause("Traceback (most recent call last):\n  File x\nValueError: no") == "ValueError: no"
    assert cause("one\ntwo") == "one two" and cause("") == ""
    assert len(cause("x" * 1000)) == 300
