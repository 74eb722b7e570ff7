"""The first screen, the leaderboard's columns, published numbers, the table across tasks."""

import json
import re

import pytest

from results.board import SHOWN_PUBLISHED, published_numbers, published_view
from results.load import load_run
from tests.results.synthetic import CAST, Actor
from tests.results.test_report import Page, report, rows


def second_task(folder, *, moved=()):
    """The same run with a second task: `mhist`, of the studies moved, or of copies of all."""
    record = json.loads((folder / "run.json").read_text())
    one = record["tasks"]["lits_cls"]
    record["tasks"]["mhist"] = {**one, "title": "Patches", "dataset": "mhist"}
    lines = (folder / "ledger.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    for study in list(record["studies"]):
        if study["entrant"]["label"] in moved:
            study["task"] = "mhist"
        elif not moved:
            copy = {**study, "id": f"mhist-{study['id']}", "task": "mhist"}
            record["studies"].append(copy)
            events[0]["studies"].append(copy["id"])
            of_study = [event for event in events if event.get("study") == study["id"]]
            events[-1:-1] = [{**event, "study": copy["id"]} for event in of_study]
    if not moved:
        record["data"]["mhist"] = {**record["data"]["lits_cls"], "task": "mhist"}
    (folder / "run.json").write_text(json.dumps(record))
    (folder / "ledger.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    return folder


def leaderboard_of(text):
    return re.search(r'<table class="board">.*?</table>', text, re.S).group(0)


def heads(table):
    return re.findall(r'<th scope="col"[^>]*>(.*?)</th>', table)


def test_the_leaderboard_has_all_columns_in_groups(make_run):
    table = leaderboard_of(report(make_run(CAST)))
    groups = re.findall(r'<th scope="colgroup" colspan="(\d+)" data-group="(\w+)"', table)
    assert groups == [("2", "metrics"), ("3", "classes"), ("3", "cost"), ("7", "search")]
    assert heads(table) == [
        "Tier", "Entrant", "Mean ± std (median)", "95 % interval", "Seeds",
        "Accuracy", "AUROC", "F1, no liver", "F1, liver", "F1, liver &amp; tumour",
        "Parameters", "Search, charged", "Replicates, charged",
        "Validation", "Gap to test", "Epochs spent", "Trials done / stopped / failed",
        "Free parameters", "Enqueued first", "Winner",
    ]  # fmt: skip
    assert table.count('class="tag">exploratory<') == 2, "other metrics, and those by class"


def test_every_row_has_a_cell_a_column(make_run):
    table = leaderboard_of(report(make_run(CAST)))
    body = table[table.index("<tbody>") :]
    for row in re.findall(r"<tr.*?</tr>", body, re.S):
        assert len(re.findall(r"<t[dh][ >]", row)) == len(heads(table))


def test_what_nobody_recorded_is_told_and_has_no_column(make_run):
    folder = make_run(CAST)
    page = Page(report(folder)).text
    assert "Not recorded in this run: Cases/s in training; Peak GPU memory, MB." in page
    costing(folder, examples_per_second=812.4, peak_memory_mb=5120.0)
    page = Page(report(folder)).text
    assert "Not recorded in this run" not in page and "812 5 120" in page
    board = rows(folder, "leaderboard")[0]
    assert (board["examples_per_second"], board["peak_memory_mb"]) == ("812.4", "5120.0")


def costing(folder, **cost):
    """Let the run's replicates have cost that too."""
    ledger = folder / "ledger.jsonl"
    events = [json.loads(line) for line in ledger.read_text().splitlines()]
    for event in events:
        if event["event"] == "replicate_finished":
            event["cost"] |= cost
    ledger.write_text("".join(json.dumps(event) + "\n" for event in events))


def test_failed_seeds_are_counted(make_run):
    folder = make_run(CAST)
    assert "2 /3 1 failed" in Page(report(folder)).text
    failed = {row["entrant"]: row["seeds_failed"] for row in rows(folder, "leaderboard")}
    assert failed["FCNN"] == "1" and failed["ConvMixer"] == "0"


def test_each_winner_leads_to_its_configuration(make_run):
    text = report(make_run(CAST))
    shown = re.findall(r'<th scope="col" class="n" id="(winner-1-\d)">(.*?)</th>', text)
    linked = {}
    for row in re.findall(r"<tr.*?</tr>", leaderboard_of(text), re.S):
        if anchor := re.search(r'href="#(winner-1-\d)"', row):
            linked[anchor.group(1)] = re.search(r"</span><span>(.*?)<", row).group(1)
    assert len(shown) == 5
    assert all(name.startswith(linked[anchor]) for anchor, name in shown)


def test_one_task_has_its_sentence_once(make_run):
    text = report(make_run())
    assert 'class="sentences"' not in text and text.count("alone in the first tier") == 1
    assert "<h2>Across tasks" not in text and 'href="#across"' not in text


def test_several_tasks_have_a_sentence_each_above_them(make_run):
    folder = second_task(make_run(CAST, trials=3))
    text = report(folder)
    top = re.search(r'<section class="sentences".*?</section>', text, re.S).group(0)
    assert re.findall(r'href="#(task-\d)">(.*?)</a>', top) == [
        ("task-1", "Liver slices"),
        ("task-2", "Patches"),
    ]
    assert top.count("share the first tier") == 2
    assert text.index("<h1>") < text.index(top) < text.index('id="task-1"')


def test_across_tasks_nobody_wins(make_run):
    folder = second_task(make_run(CAST[:3], trials=3))
    text = report(folder)
    part = re.search(r'<section id="across">.*?</section>', text, re.S).group(0)
    assert "No overall winner is named" in part and "Mean rank" in part
    assert 'class="tag">exploratory<' in part and part.count("<tr>") == 1 + 3
    table = rows(folder, "across")
    assert {row["analysis"] for row in table} == {"exploratory"} and len(table) == 6
    assert all(row["mean_rank"] for row in table)


def test_where_somebody_is_missing_there_is_no_mean_rank(make_run):
    text = report(second_task(make_run(CAST[:4], trials=3), moved=["ConvMixer"]))
    part = re.search(r'<section id="across">.*?</section>', text, re.S).group(0)
    assert "Nor is there a mean rank" in part and part.count("not entered") == 4
    assert "Mean rank" not in part


def test_a_task_without_entrants_has_a_leaderboard_that_says_so(make_run):
    folder = make_run(trials=3)
    record = json.loads((folder / "run.json").read_text())
    record["tasks"]["mhist"] = {**record["tasks"]["lits_cls"], "title": "Patches"}
    (folder / "run.json").write_text(json.dumps(record))
    assert "No entrant was planned on this task." in Page(report(folder)).text


def test_a_sealed_run_shows_no_test_column(make_run):
    folder = make_run(trials=3)
    record = json.loads((folder / "run.json").read_text())
    lines = (folder / "ledger.jsonl").read_text().splitlines()
    started = {**json.loads(lines[0]), "sealed": True}
    (folder / "ledger.jsonl").write_text("\n".join([json.dumps(started), *lines[1:]]) + "\n")
    (folder / "run.json").write_text(json.dumps(record | {"sealed": True}))
    assert load_run(folder).sealed
    titles = heads(leaderboard_of(report(folder)))
    assert titles[2] == "Validation, mean ± std"
    assert not {"Accuracy", "Validation", "Gap to test"} & set(titles)


# --- Published numbers ----------------------------------------------------------------------


def test_published_numbers_are_marked_and_never_ranked(make_run):
    folder = make_run(CAST, phantom=False)
    text = report(folder)
    table = re.search(r'<table class="board others".*?</table>', text, re.S).group(0)
    body = table[table.index("<tbody>") :]
    found = rows(folder, "published")
    assert body.count("<tr ") == body.count('class="tag published"') == len(found) > SHOWN_PUBLISHED
    assert "not comparable with ours, and never ranked" in table and 'class="tier' not in table
    assert "real data" not in table
    assert "Bakumenko: Residual Neural Networks" in body and "classification of slices" in body
    assert f"{len(found)} published numbers of others" in text


def test_a_phantom_says_that_published_numbers_are_of_real_data(make_run):
    table = re.search(r'<table class="board others".*?</table>', report(make_run()), re.S).group(0)
    assert "They are of real data; this run's are not" in table


def test_few_published_numbers_are_not_folded_and_a_strange_task_has_none(make_run):
    task = load_run(make_run(trials=3)).tasks["lits_cls"]
    table = published_numbers(task)
    assert published_view(task, table)["fold"]
    assert not published_view(task, table.head(SHOWN_PUBLISHED))["fold"]
    strange = type(task)(**{name: getattr(task, name) for name in task.__slots__} | {"id": "mine"})
    assert len(published_numbers(strange)) == 0
    assert published_view(strange, published_numbers(strange)) == {"rows": [], "fold": False}


@pytest.mark.parametrize("primary", ["log_loss", "macro_f1"])
def test_a_reader_who_sorts_sees_the_best_first(make_run, primary):
    table = leaderboard_of(report(make_run(primary=primary, trials=3)))
    head = re.search(r'<th scope="col" class="n"([^>]*)>Mean ± std', table).group(1)
    assert ("ascending" in head) == (primary == "log_loss")


def test_names_in_the_leaderboard_are_escaped(make_run):
    label = '<script>alert(1)</script>, "quoted"\nsecond line ' + "x" * 200
    text = report(make_run([Actor(label=label), Actor(label="B")], trials=3))
    assert "<script>alert" not in text and "&lt;script&gt;alert(1)" in leaderboard_of(text)
