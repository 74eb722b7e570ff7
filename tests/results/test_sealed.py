"""A sealed run in the results: validation scores, marked as such, and no test leaderboard."""

import io
import json

import pytest
from rich.console import Console

from results.analysis import analyse
from results.holes import holes
from results.leaderboard import leaderboard
from results.load import load_run
from results.methods import protocol
from results.report import write_report
from results.sentences import verdict
from results.terminal import print_leaderboard
from tests.results.synthetic import PAIR, Actor


def seal(folder, *, unsealed=0):
    """Turn a run into a sealed one; with so many of its replicates tested after all."""
    lines = (folder / "ledger.jsonl").read_text().splitlines()
    events, later = [], []
    for event in map(json.loads, lines):
        if event["event"] == "run_started":
            event["sealed"] = True
        if event["event"] == "test_unsealed":
            later.append(event)
            continue
        if event["event"] == "replicate_finished" and event["state"] == "completed":
            same = {key: event[key] for key in ("v", "t", "study", "replicate", "state", "error")}
            outcome = ("test_metrics", "validation_metrics", "predictions")
            whole = {key: event[key] for key in outcome} | {"notes": []}
            later.append(same | whole | {"event": "replicate_tested"})
            event |= {"test_metrics": {}, "predictions": None}
        events.append(event)
    if unsealed:
        events.append({"v": 1, "t": "2026-12-24T00:00:00+00:00", "event": "run_unsealed"})
        events += later[: 2 * unsealed]
    text = "\n".join(map(json.dumps, events)) + "\n"
    (folder / "ledger.jsonl").write_text(text)
    return load_run(folder)


@pytest.fixture
def sealed(make_run):
    return seal(make_run())


def test_the_leaderboard_has_validation_scores_and_no_others(sealed):
    board = leaderboard(sealed, analyse(sealed, "lits_cls"))
    assert list(board["entrant"]) == ["Strong", "Weak"]  # the suite's order, no ranking
    assert board["tier"].isna().all() and board["mean"].isna().all() and board["gap"].isna().all()
    assert (board["seeds"] == 0).all() and (board["validation_seeds"] == 3).all()
    assert board["validation_mean"].notna().all() and (board["validation_std"] > 0).all()
    assert board["parameters"].notna().all()
    assert set(board["note"]) == {"validation only: the test split is sealed"}


def test_the_order_is_the_suite_s_whoever_is_ahead(make_run):
    run = seal(make_run(PAIR[::-1]))
    board = leaderboard(run, analyse(run, "lits_cls"))
    assert list(board["entrant"]) == ["Weak", "Strong"]


def test_the_hole_names_the_command_that_opens_the_test_split(sealed):
    found = holes(sealed, [analyse(sealed, "lits_cls")])
    assert list(found["what"]) == ["test scores"] * 2
    why = f"sealed: `bench unseal {sealed.folder}` opens the test split"
    assert set(found["why"]) == {why}


def test_failures_of_a_sealed_run_are_holes_too(make_run):
    actors = [
        Actor(label="A", replicate_error="CUDA error"),
        Actor(label="B", fails="RuntimeError: no"),
        Actor(label="C", finished=2),
    ]
    run = seal(make_run(actors))
    found = holes(run, [analyse(run, "lits_cls")])
    told = {(row.entrant, row.what) for row in found.itertuples()}
    assert ("A", "seed 3 of 3 failed") in told and ("A", "test scores") in told
    assert ("C", "seed 3 of 3 missing") in told
    assert ("B", "the whole study failed") in told and ("B", "test scores") not in told
    assert not any("not tested" in what for _, what in told)


def test_a_replicate_that_waits_for_its_validation_is_unfinished(make_run):
    run = seal(make_run())
    last = [e for e in run.state.studies.values()][-1].replicates[2]
    last.state, last.untested, last.validation_metrics = "trained", False, {}
    found = holes(run, [analyse(run, "lits_cls")])
    told = dict(zip(found["what"], found["why"], strict=True))
    assert told["seed 3 of 3 unfinished"] == "trained, not scored on validation yet"


def test_the_sentences_claim_nothing(sealed):
    analysis = analyse(sealed, "lits_cls")
    text = verdict(sealed, analysis).text
    assert text.startswith("The test split is sealed: there is no result yet.")
    assert "they rank nobody" in text and "Strong" not in text and "tier" not in text
    assert "no test split was opened" in " ".join(protocol(sealed, [analysis]))


def test_page_and_terminal_say_validation(sealed):
    page = write_report(sealed.folder).read_text(encoding="utf-8")
    assert "This run is sealed" in page and "on the test split" not in page.split("<footer")[0]
    out = io.StringIO()
    print_leaderboard(Console(file=out, width=120), sealed)
    printed = out.getvalue()
    assert "on the validation split, the test split is sealed" in printed
    board = leaderboard(sealed, analyse(sealed, "lits_cls"))
    for mean in board["validation_mean"]:
        assert f"{mean:.3f}" in printed and f"{mean:.3f} ±" in page


def test_unsealed_in_part_the_rest_is_named(make_run):
    run = seal(make_run(), unsealed=4)
    analysis = analyse(run, "lits_cls")
    found = holes(run, [analysis])
    assert list(found["what"])[:2] == ["seed 2 of 3 not tested", "seed 3 of 3 not tested"]
    assert not run.sealed and not run.finished
    assert "on 2026-12-24 the run was unsealed" in " ".join(protocol(run, [analysis]))


def test_unsealed_it_reads_as_any_other_run(make_run):
    folder = make_run()
    plain = load_run(folder)
    wanted = leaderboard(plain, analyse(plain, "lits_cls"))
    run = seal(folder, unsealed=6)
    found = leaderboard(run, analyse(run, "lits_cls"))
    assert found.equals(wanted) and found["tier"].notna().all()


def test_a_run_without_a_line_yet_is_as_sealed_as_it_was_ordered(make_run):
    folder = make_run()
    (folder / "ledger.jsonl").write_text("")
    assert not load_run(folder).sealed
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(record | {"sealed": True}))
    assert load_run(folder).sealed
