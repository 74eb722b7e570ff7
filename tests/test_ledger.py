"""The ledger: written whole, read back, torn, altered, newer, locked."""

import errno
import gc
import json

import pytest

from bench import ledger
from bench.errors import UserError
from bench.ledger import Ledger, fold, read, timeless

STARTED = {"suite": "s", "scale": "demo", "seed": 1, "phantom": True, "studies": ["a"]}
TRIAL = {
    "study": "a",
    "trial": 0,
    "config": {"learning_rate": 0.1},
    "seed": 3,
    "origin": "sampler",
    "sampler": {},
}
REPORT = {
    "study": "a",
    "trial": 0,
    "epoch": 1,
    "charged_seconds": 2.0,
    "free_seconds": 0.5,
    "score": 0.7,
    "metrics": {"accuracy": 0.7},
    "notes": [],
    "last": False,
}


@pytest.fixture
def path(tmp_path):
    with Ledger(tmp_path / "ledger.jsonl") as open_ledger:
        open_ledger.append("run_started", **STARTED)
        open_ledger.append("trial_started", **TRIAL)
        open_ledger.append("trial_reported", **REPORT)
    return tmp_path / "ledger.jsonl"


def test_what_is_written_is_read_and_folds_to_the_live_state(path):
    events = read(path)
    assert [event["event"] for event in events] == [
        "run_started",
        "trial_started",
        "trial_reported",
    ]
    assert all(event["v"] == ledger.VERSION and event["t"].endswith("+00:00") for event in events)
    with Ledger(path) as reopened:
        assert reopened.state == fold(events)
    assert fold(events).studies["a"].trials[0].best() == (0.7, 1)


def test_every_line_is_on_disk_when_append_returns(path):
    with Ledger(path) as open_ledger:
        open_ledger.append("trial_reported", **REPORT | {"epoch": 2})
        assert read(path)[-1]["epoch"] == 2


@pytest.mark.parametrize("torn", [b"{", b'{"v": 1, "event": "trial_rep', b"\xff\xfe"])
def test_a_torn_last_line_is_left_out_and_cut_off_before_the_next(path, torn):
    whole = read(path)
    with path.open("ab") as file:
        file.write(torn)
    assert read(path) == whole
    with Ledger(path) as open_ledger:
        open_ledger.append("trial_reported", **REPORT | {"epoch": 2})
    assert read(path)[:-1] == whole and read(path)[-1]["epoch"] == 2


def test_a_broken_line_in_the_middle_is_refused_with_its_number(path):
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], "not json", *lines[1:]]) + "\n")
    with pytest.raises(UserError, match="line 2 is not a JSON object"):
        read(path)


def test_a_newer_record_is_refused_with_both_versions(path):
    with path.open("a") as file:
        file.write(json.dumps({"v": 99, "event": "from_the_future"}) + "\n")
    with pytest.raises(UserError, match=r"line 4 has record version 99.*update tunebench"):
        read(path)


def test_a_line_that_breaks_the_schema_is_refused(path):
    with path.open("a") as file:
        file.write(json.dumps({"v": 1, "t": "", "event": "trial_rung", "study": "a"}) + "\n")
    with pytest.raises(UserError, match="line 4: trial_rung needs 'trial'"):
        read(path)


def test_a_second_report_of_an_epoch_changes_nothing(path):
    events = read(path)
    assert fold([*events, events[-1] | {"score": 0.9}]) == fold(events)


def test_a_second_process_is_turned_away(path):
    with Ledger(path), pytest.raises(UserError, match="in use by another process"):
        Ledger(path)


def test_append_refuses_what_breaks_the_schema(path):
    with Ledger(path) as open_ledger, pytest.raises(AssertionError, match="needs 'state'"):
        open_ledger.append("run_finished")
    assert len(read(path)) == 3


def test_an_undefined_metric_is_null_and_the_file_stays_json(path):
    with Ledger(path) as open_ledger:
        metrics = {"auroc": float("nan")}
        open_ledger.append("trial_reported", **REPORT | {"epoch": 2, "metrics": metrics})
    assert read(path)[-1]["metrics"] == {"auroc": None}


def test_timeless_drops_what_a_clock_said_at_any_depth():
    event = {"t": "now", "event": "x", "cost": {"charged_seconds": 3.0, "parameters": 5}}
    assert timeless(event) == {"event": "x", "cost": {"parameters": 5}}


def test_every_event_of_the_schema_can_be_folded():
    handlers = {name.removeprefix("_") for name in dir(ledger.RunState) if name.startswith("_")}
    assert set(ledger.SCHEMA) <= handlers


def test_openings_are_counted_by_fingerprint(tmp_path):
    register = tmp_path / "cache" / "openings.jsonl"
    ledger.register_opening(register, fingerprint="aa", run="one")
    ledger.register_opening(register, fingerprint="bb", run="one")
    ledger.register_opening(register, fingerprint="aa", run="two")
    register.open("ab").write(b"torn")
    assert [e["run"] for e in ledger.openings(register, fingerprint="aa")] == ["one", "two"]
    assert not list(ledger.openings(tmp_path / "absent", fingerprint="aa"))


def test_openings_that_a_killed_driver_did_not_note_are_made_up_for(tmp_path):
    register = tmp_path / "openings.jsonl"
    unsealed = [{"fingerprint": fingerprint} for fingerprint in ("aa", "aa", "bb")]
    ledger.register_opening(register, fingerprint="aa", run="one")
    ledger.register_opening(register, fingerprint="bb", run="another")
    for _ in range(2):
        ledger.register_missed(register, unsealed, run="one")
        noted = {
            f: [e["run"] for e in ledger.openings(register, fingerprint=f)] for f in ("aa", "bb")
        }
        assert noted == {"aa": ["one", "one"], "bb": ["another", "one"]}


def test_a_ledger_of_the_first_version_is_still_read():
    """Records outlive code: this file is never rewritten, only joined by newer ones."""
    from pathlib import Path

    state = fold(read(Path(__file__).parent / "records" / "ledger-v1.jsonl"))
    assert state.finished is not None
    (study,) = state.studies.values()
    assert study.state == "completed" and study.replicates[0].test_metrics


def test_nothing_is_written_after_a_line_that_could_not_be(path, monkeypatch):
    """A full disk tears a line; another after it would make the ledger unreadable."""
    with Ledger(path) as ledger:
        ledger.append("run_resumed")
        honest = ledger._file

        class Full:
            def write(self, line):
                honest.write(line[: len(line) // 2])
                raise OSError(errno.ENOSPC, "No space left on device")

            def __getattr__(self, name):
                return getattr(honest, name)

        ledger._file = Full()
        with pytest.raises(UserError, match="cannot be written .No space left"):
            ledger.append("run_resumed")
        ledger._file = honest
        with pytest.raises(UserError, match="cannot be written"):
            ledger.append("run_resumed")
        assert ledger.state.resumes == 1
    with Ledger(path) as again:
        again.append("run_resumed")
    assert [event["event"] for event in read(path)].count("run_resumed") == 2


def test_the_collector_of_cycles_rests_while_much_is_read_and_goes_on_after_an_error():
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError), ledger.uncollected():
        assert not gc.isenabled()
        _ = 1 / 0
    assert gc.isenabled()


def test_the_best_is_the_earliest_of_equals_in_whichever_order_they_were_reported(path):
    trial = fold(read(path)).studies["a"].trials[0]
    for epoch, score in ((4, 0.9), (3, 0.9), (2, None), (5, 0.2)):
        trial.reports[epoch] = REPORT | {"epoch": epoch, "score": score}
    assert trial.best() == (0.9, 3) and trial.best(upto=2) == (0.7, 1)
    assert trial.best(upto=0) is None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"last": 1}, "line 5: trial_reported: last has the wrong type"),
        ({"v": 99}, "line 5 has record version 99"),
        ({"event": []}, "line 5: unknown event"),
        ({"event": "trial_guessed"}, "line 5: unknown event 'trial_guessed'"),
    ],
)
def test_a_line_is_checked_however_many_sound_ones_like_it_came_before(path, wrong, said):
    like = {"v": 1, "t": "", "event": "trial_reported", **REPORT, "epoch": 2}
    with path.open("a") as file:
        file.writelines(json.dumps(event) + "\n" for event in (like, like | wrong))
    with pytest.raises(UserError, match=said):
        read(path)
