import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.cli import app
from bench.errors import UserError
from bench.folders import openings_register
from bench.ledger import Ledger, register_opening
from results.analysis import analyse
from results.files import check_report_folder, joint_folder
from results.load import load_run
from results.merge import letter, merge
from results.report import write_page, write_report
from tests.results import synthetic
from tests.results.synthetic import Actor
from tests.results.test_report import Page

STRONG, WEAK = Actor(label="Strong", quality=2.0), Actor(label="Weak", quality=0.6)
OTHER = Actor(label="Other", quality=1.9)


def write_run(folder, actors, **more):
    return synthetic.write_run(folder, actors, trials=3, patients=12, per_patient=3, **more)


@pytest.fixture
def pair(tmp_path) -> list[Path]:
    """Two runs of one protocol; "Strong" is in both."""
    return [
        write_run(tmp_path / "first", [STRONG, WEAK]),
        write_run(tmp_path / "second", [STRONG, OTHER], salt="again"),
    ]


def rows(folder, name):
    with (folder / "tables" / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def edit(folder, change):
    path = folder / "run.json"
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


def test_all_entrants_stand_in_one_analysis(pair):
    run = merge(pair)
    analysis = analyse(run, "lits_cls")
    labels = {entry.study.label: entry for entry in analysis.entries}
    assert set(labels) == {"Strong (run A)", "Weak", "Strong (run B)", "Other"}
    assert len(analysis.comparisons) == 6 and not analysis.problems
    assert all(entry.tier is not None for entry in labels.values())
    alone = {
        e.study.label: e for folder in pair for e in analyse(load_run(folder), "lits_cls").entries
    }
    assert labels["Weak"].estimate == alone["Weak"].estimate
    assert labels["Other"].estimate == alone["Other"].estimate


def test_holm_is_over_the_pairs_of_all_runs(pair):
    merged = analyse(merge(pair), "lits_cls")
    first = analyse(load_run(pair[0]), "lits_cls").comparisons[0]
    names = {"Strong (run A)", "Weak"}
    same = next(c for c in merged.comparisons if {c.first.label, c.second.label} == names)
    assert same.difference.p == pytest.approx(first.difference.p)
    assert first.p_holm == pytest.approx(first.difference.p)
    assert same.p_holm > 1.9 * same.difference.p


def test_the_studies_keep_their_ledgers_and_their_files(pair):
    run, parts = merge(pair), [load_run(folder) for folder in pair]
    assert len(run.studies) == 4 and len(set(run.studies)) == 4
    for id, study in run.studies.items():
        part = parts[run.home(id) == pair[1]]
        own = next(s for s in part.studies.values() if s.label == study.label.split(" (")[0])
        theirs = part.progress(own.id)
        assert run.progress(id).trials == theirs.trials
        assert {r.entrant for r in run.progress(id).replicates.values()} == {study.label}
        mine = run.predictions(id, 0).test
        assert (mine.scores == part.predictions(own.id, 0).test.scores).all()
    planned = {facts["id"]: facts["entrant"]["label"] for facts in run.record["studies"]}
    assert planned == {id: study.label for id, study in run.studies.items()}


def test_the_page_is_one_page_and_says_what_is_what(pair, tmp_path):
    out = tmp_path / "joint"
    page = Page(write_page(merge(pair), out).read_text())
    assert "run A is first, run B is second" in page.text
    assert "Strong (run A)" in page.text and "Strong (run B)" in page.text
    assert len(page.ids) == len(set(page.ids))
    assert {row["entrant"] for row in rows(out, "trials")} == {
        "Strong (run A)", "Strong (run B)", "Weak", "Other",
    }  # fmt: skip


def test_the_provenance_says_by_run_what_differs(pair, tmp_path):
    edit(pair[1], lambda record: record["provenance"].update(cpu="Another processor"))
    write_page(merge(pair), tmp_path / "joint")
    said = {row["what"]: row["value"] for row in rows(tmp_path / "joint", "provenance")}
    assert said["run, run A"] == "first" and said["run, run B"] == "second"
    assert said["processor, run B"] == "Another processor, 2 cores"
    assert said["python"] == "3.11.9" and "python, run A" not in said


def test_openings_are_counted_over_all_runs(pair, tmp_path):
    for name in ("first", "second", "third"):
        register_opening(openings_register(), fingerprint="60303ae22b99", run=name)
    write_page(merge(pair), tmp_path / "joint")
    (row,) = rows(tmp_path / "joint", "openings")
    assert (row["openings_here"], row["openings"], row["runs"]) == ("12", "13", "3")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda r: [s["search"].update(effort_epochs=99) for s in r["studies"]], "effort_epochs"),
        (lambda r: r["data"]["lits_cls"].update(test_fingerprint="0"), "data.test_fingerprint"),
        (lambda r: r["data"]["lits_cls"]["splits"]["train"].update(cases=9), "splits.train.cases"),
        (lambda r: r["suite"]["options"]["lits_cls"].update(size=32), "options.size"),
        (lambda r: [s["replicates"].update(seeds=9) for s in r["studies"]], "replicates.seeds"),
        (lambda r: r.update(phantom=False), "phantom True / False"),
        (lambda r: r.update(scale="full"), "scale demo / full"),
        (lambda r: r["tasks"].update(more=r["tasks"]["lits_cls"]), "tasks"),
        (lambda r: r["suite"].update(primary="median"), "primary mean_difference / median"),
    ],
)
def test_another_protocol_is_refused_with_what_differs(pair, change, said):
    edit(pair[1], change)
    with pytest.raises(UserError, match=said) as error:
        merge(pair)
    assert "second is of another protocol than" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_run_is_not_merged_with_itself(pair):
    with pytest.raises(UserError, match="the same run"):
        merge([pair[0], pair[1], pair[0]])


def test_a_marked_label_that_is_taken_is_no_other_entrants(tmp_path):
    taken = Actor(label="Strong (run B)")
    runs = [
        write_run(tmp_path / "first", [STRONG, taken]),
        write_run(tmp_path / "second", [STRONG]),
    ]
    labels = {study.label for study in merge(runs).studies.values()}
    assert labels == {"Strong (run A)", "Strong (run B)", "Strong (run B)'"}


def test_one_unfinished_run_leaves_the_joint_one_unfinished(tmp_path):
    runs = [
        write_run(tmp_path / "first", [STRONG]),
        write_run(tmp_path / "second", [STRONG, OTHER], finish=False),
    ]
    run = merge(runs)
    assert not run.finished
    text = Page(write_page(run, tmp_path / "joint").read_text()).text
    assert f"bench resume {runs[1]}" in text and f"bench resume {runs[0]}" not in text


def test_models_made_elsewhere_come_along(pair, tmp_path):
    run = load_run(pair[1])
    replicates = next(iter(run.state.studies.values())).replicates
    with Ledger(pair[1] / "ledger.jsonl") as ledger:
        ledger.append(
            "outside_scored",
            task="lits_cls",
            label="Strong",
            on="test",
            fingerprint="60303ae22b99",
            metrics=[one.test_metrics for one in replicates.values()],
            predictions=[one.predictions for one in replicates.values()],
            sources=["a", "b", "c"],
            scores="probabilities",
            notes=[],
        )
    write_page(merge(pair), tmp_path / "joint")
    (row,) = rows(tmp_path / "joint", "outside")
    assert row["entrant"] == "Strong (run B)" and row["place"] == "1" and row["compared"] == "4"


def test_letters_go_on_after_z():
    assert [letter(n) for n in (0, 1, 25, 26, 27, 701, 702)] == [
        "A", "B", "Z", "AA", "AB", "ZZ", "AAA",
    ]  # fmt: skip


# --- the command ---


def invoke(*arguments):
    outcome = CliRunner().invoke(app, ["report", *map(str, arguments)])
    if isinstance(outcome.exception, UserError):
        raise outcome.exception
    assert outcome.exit_code == 0, outcome.output
    return outcome.output


def test_the_command_writes_where_it_says(pair, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "report-first+second/report.html" in invoke(*pair)
    assert "report-first+second/report.html" in invoke(*pair)  # over its own, earlier one
    assert "first/report.html" in invoke(pair[0])
    assert not (pair[1] / "report.html").exists()
    invoke(*pair, "--out", "elsewhere")
    assert sorted(p.name for p in Path("elsewhere").iterdir()) == ["report.html", "tables"]


def test_the_command_leaves_other_folders_alone(pair, tmp_path):
    with pytest.raises(UserError, match=r"second holds more than a report \(ledger.jsonl\)"):
        invoke(*pair, "--out", pair[1])
    mine = tmp_path / "mine"
    (mine / "tables").mkdir(parents=True)
    check_report_folder(mine)
    (mine / "tables" / "chairs.txt").touch()
    with pytest.raises(UserError, match="tables/chairs.txt"):
        check_report_folder(mine)


def test_the_folder_of_many_runs_has_a_name_that_fits(tmp_path):
    folders = [tmp_path / f"{n}-{'x' * 90}" for n in range(9)]
    names = {joint_folder(folders).name, joint_folder([*folders[:8], tmp_path / "y"]).name}
    assert len(names) == 2 and all(len(name) <= 120 and "+8-more-" in name for name in names)


# --- of a run that goes on ---


def test_a_page_renews_itself_only_while_its_run_goes_on(tmp_path):
    run = write_run(tmp_path / "run", [STRONG, WEAK], finish=False)
    assert 'http-equiv="refresh"' not in write_report(run).read_text()
    page = write_report(run, renewed=True).read_text()
    assert '<meta http-equiv="refresh" content="60">' in page
    assert "This page renews itself every minute." in Page(page).text
    assert "every minute. <" in page  # and a space before what follows
    with Ledger(run / "ledger.jsonl") as ledger:
        ledger.append("run_paused", why="the time is up")
    assert 'http-equiv="refresh"' not in write_report(run, renewed=True).read_text()
    with Ledger(run / "ledger.jsonl") as ledger:
        ledger.append("run_resumed")
        ledger.append("run_finished", state="completed")
    assert 'http-equiv="refresh"' not in write_report(run, renewed=True).read_text()


def test_openings_of_a_run_that_goes_on_are_so_far(tmp_path):
    half = Actor(label="Half", finished=2)
    run = write_run(tmp_path / "run", [STRONG, half], finish=False)
    text = Page(write_report(run).read_text()).text
    assert "test scores of 5 of 6 planned replicates among it" in text
    assert "So far, 5 of 6 have." in text and "By this run so far" in text
    done = Page(write_report(write_run(tmp_path / "done", [STRONG])).read_text()).text
    assert "So far" not in done and "so far" not in done.split("Openings")[-1].split("Protocol")[0]
