"""More of a run: what may grow, what run.json says of it, and a kill between it and the ledger."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bench import extend, launch, plan, registry, runs, suites
from bench.errors import UserError
from bench.extend import Wanted
from bench.launch import Request
from bench.ledger import Ledger, fold, read
from bench.runs import RunFolder
from tests.test_against import NET

REQUEST = Request(suite="smoke", scale="demo", tasks=["lits_cls", "lits_seg"])


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    """A run of two entrants, planned, and nothing trained: its folder."""
    folder = tmp_path_factory.mktemp("runs") / "planned"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUNEBENCH_DATA", str(folder / "nothing"))
        found = launch.resolve(replace(REQUEST, entrants=["FCNN", "U-Net, tiny"]))
        prepared = launch.prepare(found)
        launch.create(found, prepared, folder=RunFolder(folder), weights={}, command=["bench"])
    return folder


@pytest.fixture
def run(planned, tmp_path):
    """A copy of it that may be written to."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_bytes((planned / "run.json").read_bytes())
    return runs.load(tmp_path / "run")


def changed(file, **search):
    """The run's file as if its suite had this search."""
    suite = replace(file.suite, search=replace(file.suite.search, **search))
    studies = tuple(replace(study, search=suite.search) for study in file.studies)
    return replace(file, suite=suite, studies=studies)


def write(folder, file, wanted):
    extension = extend.extended(file, wanted)
    assert extension is not None
    return extend.write(folder, file, extension, weights={}, command=["bench", "resume"])


def test_more_of_everything_leaves_ids_and_seeds(run):
    _, file = run
    wanted = Wanted(seeds=5, settings={"effort_epochs": 20}, entrants=["ConvMixer, tiny"])
    extension = extend.extended(file, wanted)
    kept = extension.studies[: len(file.studies)]
    assert [(s.id, s.seed, s.enqueued) for s in kept] == [
        (s.id, s.seed, s.enqueued) for s in file.studies
    ]
    assert {(s.search.effort_epochs, s.replicates.seeds) for s in extension.studies} == {(20, 5)}
    assert extension.reopened == tuple(study.id for study in file.studies)
    assert [study.entrant.label for study in extension.added] == ["ConvMixer, tiny"]
    assert str(extension) == (
        "seeds from 3 to 5; effort_epochs from 12 to 20; entrants ConvMixer, tiny"
    )


def test_a_new_entrant_is_planned_as_if_it_had_been_there_from_the_start(run):
    _, file = run
    added = extend.extended(file, Wanted(entrants=["ConvMixer, tiny"])).added
    suite = launch.resolve(REQUEST).suite
    whole = {study.id: study for study in plan.plan(suite)}
    assert added and all(whole[study.id] == study for study in added)


def test_a_family_may_come_and_a_plug_in_is_kept(run, tmp_path, monkeypatch):
    folder, file = run
    monkeypatch.setattr(registry, "_plugins", {})
    (tmp_path / "mine.py").write_text(NET)
    registry.load_plugin(tmp_path / "mine.py")
    after = write(folder, file, Wanted(entrants=["mine", "fcnn"]))
    assert [e.label for e in after.suite.entrants] == ["FCNN", "U-Net, tiny", "Mine"]
    assert list(after.plugins) == ["mine.py"]
    assert (folder.plugins / "mine.py").read_text() == NET


def test_the_suite_s_own_file_is_read_again(run, tmp_path):
    folder, file = run
    own = tmp_path / "mine.toml"
    text = Path("suite/smoke.toml").read_text(encoding="utf-8")
    own.write_text(text + '\n[[entrants]]\nlabel = "Late"\nfamily = "fcnn"\n')
    with pytest.raises(UserError, match="unknown entrant of this suite 'Late'"):
        extend.extended(file, Wanted(entrants=["Late"]))
    found = extend.extended(replace(file, suite_file=own), Wanted(entrants=["Late"]))
    assert [study.entrant.label for study in found.added] == ["Late"]


def test_what_it_has_already_is_nothing_more(run):
    _, file = run
    wanted = Wanted(seeds=3, settings={"effort_epochs": 12}, entrants=["FCNN", "unet"])
    assert extend.extended(file, wanted) is None
    assert extend.extended(file, Wanted()) is None


def test_one_task_may_get_more_for_all_of_its_entrants(run):
    _, file = run
    extension = extend.extended(file, Wanted(settings={"lits_seg.effort_epochs": 24}))
    efforts = {study.task: study.search.effort_epochs for study in extension.studies}
    assert efforts == {"lits_cls": 12, "lits_seg": 24}
    assert {study.split("-")[0] for study in extension.reopened} == {"lits_seg"}
    assert str(extension) == "effort_epochs of lits_seg from 12 to 24"
    again = replace(file, suite=extension.suite, studies=extension.studies)
    more = extend.extended(again, Wanted(settings={"effort_epochs": 18}))
    assert {s.task: s.search.effort_epochs for s in more.studies} == {
        "lits_cls": 18,
        "lits_seg": 24,
    }


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Wanted(seeds=2), "seeds must be at least the 3 that it has, got 2: give more, or begin"),
        (Wanted(settings={"effort_epochs": 6}), "effort_epochs must be at least the 12"),
        (Wanted(settings={"effort_seconds": 60.0}), "the effort of this run is in effort_epochs"),
        (Wanted(settings={"max_trials": 5}), "trials of this run have no cap"),
        (Wanted(settings={"effort_epochs": 20.5}), "must be a number without a fraction"),
        (Wanted(settings={"sampler": "random"}), "extended by seeds, .* got --set sampler: leave"),
        (Wanted(settings={"FCNN.effort_epochs": 20}), "all entrants of a task have the same"),
        (Wanted(entrants=["FCN"]), "unknown entrant of this suite 'FCN'"),
        (Wanted(entrants=["fastText"]), "takes? .*lits_cls, lits_seg"),
    ],
)
def test_what_a_run_cannot_be_given_is_refused(run, wanted, said):
    with pytest.raises(UserError, match=said):
        extend.extended(run[1], wanted)


def test_all_mistakes_are_told_at_once(run):
    wanted = Wanted(seeds=1, settings={"effort_epochs": 1, "sampler": "gp"}, entrants=["Nobody"])
    with pytest.raises(UserError, match="4 mistakes"):
        extend.extended(run[1], wanted)


def test_effort_and_cap_grow_in_their_own_unit(run):
    file = changed(run[1], effort_epochs=None, effort_seconds=60, max_trials=4)
    found = extend.extended(file, Wanted(settings={"effort_seconds": 90.5, "max_trials": 8}))
    search = found.suite.search
    assert (search.effort_seconds, search.max_trials) == (90.5, 8)


def test_a_search_that_confirms_must_be_able_to_pay_for_it_again(run):
    file = changed(run[1], confirm=2, confirm_seeds=1, effort_epochs=24)
    with pytest.raises(UserError, match="confirms its best again.* got 35: give 36 or more"):
        extend.extended(file, Wanted(settings={"effort_epochs": 35}))
    assert extend.extended(file, Wanted(settings={"effort_epochs": 36})) is not None


def test_a_run_against_another_keeps_its_protocol(run):
    file = replace(run[1], against=Path("runs/baseline"))
    with pytest.raises(UserError, match="follows its protocol to the letter, baseline, got more"):
        extend.extended(file, Wanted(settings={"effort_epochs": 20}))
    assert extend.extended(file, Wanted(seeds=5)) is not None


def test_run_json_tells_what_grew_and_keeps_the_rest(run):
    folder, file = run
    before = json.loads(folder.run_file.read_text())
    after = write(folder, file, Wanted(seeds=4, settings={"effort_epochs": 20}))
    content = json.loads(folder.run_file.read_text())
    touched = {"suite", "studies", "extensions", "notes"}
    assert {key for key in content if content[key] != before.get(key)} == touched
    (entry,) = content["extensions"]
    assert entry["changes"] == [
        {"what": "seeds", "task": None, "from": 3, "to": 4},
        {"what": "effort_epochs", "task": None, "from": 12, "to": 20},
    ]
    assert "git" in entry["provenance"] and entry["t"]
    assert content["notes"][:-1] == before["notes"]
    assert "before any of its test sets was opened: seeds from 3 to 4" in content["notes"][-1]
    assert runs.load(folder.path)[1] == after and len(after.extensions) == 1


def started(folder, file):
    """The run's ledger, begun, finished and closed."""
    names = [study.id for study in file.studies]
    with Ledger(folder.ledger) as ledger:
        ledger.append(
            "run_started", suite="smoke", scale="demo", seed=0, phantom=True, studies=names
        )
        ledger.append("run_finished", state="completed")


def test_an_extension_that_the_ledger_lacks_is_pending(run):
    """The command was killed between the two: the next one goes on, whatever it adds."""
    folder, file = run
    started(folder, file)
    file = write(folder, file, Wanted(settings={"effort_epochs": 20}))
    file = write(folder, file, Wanted(entrants=["ConvMixer, tiny"]))
    state = fold(read(folder.ledger))
    first, second = extend.pending(file, state)
    assert first["reopened"] == [s.id for s in file.studies[:2]] and not second["reopened"]
    with Ledger(folder.ledger) as ledger:
        ledger.append("run_extended", **first)
    state = fold(read(folder.ledger))
    assert extend.pending(file, state) == [second]
    assert state.finished is None and set(state.studies) == {study.id for study in file.studies}
    with Ledger(folder.ledger) as ledger:
        ledger.append("run_extended", **second)
    assert extend.pending(file, fold(read(folder.ledger))) == []


def test_killed_while_it_writes_the_run_is_as_it_was(run, monkeypatch):
    folder, file = run
    text = folder.run_file.read_text()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            write(folder, file, Wanted(seeds=9))
    assert folder.run_file.read_text() == text
    assert write(folder, file, Wanted(seeds=4)).suite.replicates.seeds == 4


def test_a_run_that_is_being_worked_on_is_not_extended(run):
    folder, file = run
    with Ledger(folder.ledger), pytest.raises(UserError, match="in use by another process"):
        write(folder, file, Wanted(seeds=5))
    write(folder, file, Wanted(seeds=5))
    with pytest.raises(UserError, match="was extended by another command meanwhile"):
        write(folder, file, Wanted(seeds=6))


def test_a_fixed_time_search_keeps_its_budget():
    suite = suites.resolve(
        suites.read("smoke"), scale="demo", tasks=["lits_cls"], entrants=["FCNN"]
    )
    timed = replace(suite.replicates, time_budgets_s=(1.0, 2.0), time_trials=3)
    suite = replace(suite, replicates=timed)
    file = runs.RunFile(
        suite=suite,
        studies=plan.plan(suite),
        data={},
        phantom=True,
        sealed=False,
        plugins={},
        against=None,
        weights={},
    )
    extension = extend.extended(file, Wanted(seeds=5, settings={"effort_epochs": 20}))
    before = {study.id: study.search for study in file.studies if study.time_budget_s is not None}
    assert len(before) == 2
    for study in extension.studies:
        assert study.replicates.seeds == 5
        if study.time_budget_s is None:
            assert study.search.effort_epochs == 20 and study.id in extension.reopened
        else:
            assert study.search == before[study.id], "its effort is in seconds"
            assert study.id not in extension.reopened
