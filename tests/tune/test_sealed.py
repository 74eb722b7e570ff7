"""The engine's promises for sealed runs: the test split stays closed until it is opened, once."""

from collections import Counter
from pathlib import Path

import pytest

from bench.ledger import fold, read, timeless
from bench.tune.jobs import Failure
from tests.tune.virtual import Killed, run, study

STUDIES = [study("a", seeds=2, effort_epochs=14), study("b", seeds=2, effort_epochs=14)]


def events(folder):
    return [timeless(event) for event in read(folder / "ledger.jsonl")]


def counted(folder):
    return Counter(event["event"] for event in events(folder))


def ends(folder):
    """What a run says of its replicates at last."""
    state = fold(read(folder / "ledger.jsonl"))
    return {
        (study, number): (
            replicate.state,
            replicate.test_metrics,
            replicate.validation_metrics,
            replicate.predictions,
            replicate.cost,
            replicate.unsealed,
        )
        for study, progress in state.studies.items()
        for number, replicate in progress.replicates.items()
    }


@pytest.fixture
def sealed(tmp_path):
    run(tmp_path / "sealed", STUDIES, sealed=True)
    return tmp_path / "sealed"


@pytest.mark.parametrize("workers", [1, 4])
def test_a_sealed_run_ends_with_validation_scores_and_no_opening(tmp_path, workers):
    engine = run(tmp_path, STUDIES, sealed=True, workers=workers)
    found = counted(tmp_path)
    assert found["replicate_finished"] == 4 and not found["test_unsealed"]
    state = engine.ledger.state
    assert state.sealed and state.unsealing is None and state.finished["state"] == "completed"
    for progress in state.studies.values():
        for replicate in progress.replicates.values():
            assert (replicate.state, replicate.untested) == ("completed", True)
            assert replicate.validation_metrics and not replicate.test_metrics
            assert replicate.predictions["file"].endswith("-validation.npz")


def test_resuming_a_sealed_run_leaves_it_sealed(tmp_path):
    with pytest.raises(Killed):
        run(tmp_path, STUDIES, sealed=True, steps=70)
    run(tmp_path, STUDIES)
    run(tmp_path, STUDIES)
    assert counted(tmp_path)["replicate_finished"] == 4
    assert not counted(tmp_path)["test_unsealed"]


def test_unsealed_it_says_what_an_unsealed_run_says(tmp_path, sealed):
    run(sealed, STUDIES, unseal=True)
    run(tmp_path / "plain", STUDIES)
    assert ends(sealed) == ends(tmp_path / "plain")
    state = fold(read(sealed / "ledger.jsonl"))
    assert not state.sealed and state.unsealing is not None and state.finished is not None


def test_every_opening_stands_in_the_ledger_before_its_test(sealed):
    before = len(read(sealed / "ledger.jsonl"))
    run(sealed, STUDIES, unseal=True, workers=4)
    order = [e for e in events(sealed)[before:] if "replicate" in e]
    assert Counter(e["event"] for e in order) == {"test_unsealed": 4, "replicate_tested": 4}
    for study_id, number in ends(sealed):
        mine = [e for e in order if (e["study"], e["replicate"]) == (study_id, number)]
        assert [e["event"] for e in mine] == ["test_unsealed", "replicate_tested"]


def test_unsealing_that_is_torn_at_any_line_and_begun_again_opens_nothing_twice(tmp_path, sealed):
    begun = len(read(sealed / "ledger.jsonl"))
    run(sealed, STUDIES, unseal=True)
    whole = events(sealed)
    lines = (sealed / "ledger.jsonl").read_bytes().splitlines(keepends=True)
    for again in (True, False):  # by `bench unseal`, or by `bench resume`
        for cut in range(begun + 1, len(lines)):
            broken = tmp_path / f"cut-{cut}-{again}"
            broken.mkdir()
            torn = lines[cut][: len(lines[cut]) // 2]
            (broken / "ledger.jsonl").write_bytes(b"".join(lines[:cut]) + torn)
            run(broken, STUDIES, unseal=again)
            assert events(broken) == whole, f"cut after line {cut}"


def test_a_test_that_fails_fails_its_replicate_and_keeps_its_validation_scores(sealed):
    def failing(job, epoch):
        if job.kind == "test" and (job.study, job.number) == ("task-a", 1):
            return Failure(reason="data_error", epoch=epoch, error="no such file")
        return None

    engine = run(sealed, STUDIES, unseal=True, failing=failing)
    replicate = engine.searches["task-a"].state.replicates[1]
    assert (replicate.state, replicate.error) == ("failed", "data_error: no such file")
    assert replicate.validation_metrics and not replicate.test_metrics and replicate.unsealed
    assert engine.outcome() == "failed" and engine.finished()
    assert counted(sealed)["test_unsealed"] == 4


def test_replicates_that_failed_before_are_not_opened(tmp_path):
    def failing(job, epoch):
        if job.kind == "replicate" and job.number == 0:
            return Failure(reason="diverged", epoch=epoch, error="loss is nan")
        return None

    run(tmp_path, STUDIES, sealed=True, failing=failing)
    run(tmp_path, STUDIES, unseal=True)
    opened = [e["replicate"] for e in events(tmp_path) if e["event"] == "test_unsealed"]
    assert opened == [1, 1]


def test_a_worker_that_dies_in_a_test_is_replaced_and_opens_once(sealed):
    died = []

    def dying(job, order):
        died.append(order)
        return len(died) < 3

    run(sealed, STUDIES, unseal=True, dying=dying)
    found = counted(sealed)
    assert found["replicate_retried"] == 2 and found["test_unsealed"] == 4
    assert {end[0] for end in ends(sealed).values()} == {"completed"}


def test_a_ledger_of_a_run_that_was_unsealed_is_still_read():
    records = Path(__file__).parent.parent / "records"
    state = fold(read(records / "ledger-v1-unsealed.jsonl"))
    (progress,) = state.studies.values()
    assert state.unsealing is not None and len(state.unsealed) == 1
    assert progress.replicates[0].test_metrics and progress.replicates[0].validation_metrics
