"""The command line: help for newcomers, one line for mistakes, no traceback."""

import json

import pytest

from tests.commands import bench

COMMANDS = ["run", "resume", "unseal", "report", "compare", "check", "trial", "list", "data"]


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    return tmp_path_factory.mktemp("cli")


def test_help_names_every_command_and_each_explains_itself(here):
    overview = bench("--help", cwd=here).stdout
    for command in COMMANDS:
        assert f"\n  {command} " in overview
        shown = bench(command, "--help", cwd=here)
        assert shown.returncode == 0 and len(shown.stdout.splitlines()) > 5
    assert bench(cwd=here).stdout == overview


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "--suite", "livr"], "unknown suite 'livr': did you mean 'liver'?"),
        (["run", "--suite", "liver", "--scale", "dem"], "unknown scale 'dem'"),
        (["run", "--suite", "liver", "--tasks", "lits_cl"], "did you mean 'lits_cls'"),
        (["run", "--suite", "liver", "--entrants", "resnt"], "unknown entrant of this suite"),
        (["run", "--suite", "liver", "--set", "effort=3"], "did you mean 'effort_epochs'"),
        (["run", "--suite", "liver", "--set", "effort"], "--set takes key=value, got 'effort'"),
        (["run", "--suite", "liver", "--scale", "full"], "real data are needed for lits"),
        (["run", "--suite", "liver", "--data", "lits=nowhere"], "nowhere"),
        (["run", "--suite", "liver", "--data", "lit=."], "did you mean 'lits'"),
        (["run", "--suite", "liver", "--workers", "0"], "--workers"),
        (["run", "--suite", "liver", "--log", "mlflw=x"], "unknown log 'mlflw'"),
        (["run", "--suite", "liver", "--storage", "memory://x"], "the memory of one process"),
        (["run", "--suit", "liver"], "No such option: --suit"),
        (["run"], "Missing option '--suite'"),
        (["rum"], "No such command 'rum'"),
        (["resume", "nowhere"], "nowhere is no run"),
        (["unseal", "nowhere"], "nowhere is no run"),
        (["report", "nowhere"], "nowhere"),
        (["list", "famlies"], "did you mean 'families'"),
        (["trial", "--task", "lits_cls", "--family", "fasttext"], "fasttext takes text"),
        (["trial", "--task", "lits_cls", "--family", "fcnn", "--set", "dropot=1"], "dropout"),
        (["trial", "--task", "lits_cls", "--family", "fcnn", "--option", "size=1"], "image_size"),
        (["data", "verify", "litz"], "did you mean 'lits'"),
        (["data", "phantom", "lits", "--out", "."], "choose another"),
        (["data", "phantom", "lits", "--out", "x", "--shape", "9,9"], "--shape takes columns"),
        (["data", "phantom", "mhist", "--out", "x", "--shape", "9,9,9"], "mhist"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(here, arguments, said):
    (here / "not_empty").touch()
    done = bench(*arguments, cwd=here)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("bench: ") and done.stderr.count("\n") == 1, done.stderr
    assert said in done.stderr


@pytest.mark.parametrize("what", ["suites", "tasks", "families", "spaces", "datasets"])
def test_lists_are_for_people_and_for_programs(here, what):
    rows = json.loads(bench("list", what, "--json", cwd=here).stdout)
    assert rows and all("error" not in row for row in rows)
    shown = bench("list", what, cwd=here).stdout
    assert all(row["id"] in shown for row in rows)


def test_the_list_of_families_tells_programs_all_of_them(here):
    rows = json.loads(bench("list", "families", "--json", cwd=here).stdout)
    resnet = next(row for row in rows if row["id"] == "resnet")
    assert resnet["kinds"] == ["image_classification"] and resnet["space"] == "vision"
    assert "resnet18" in resnet["architectures"]
    assert resnet["parameters"]["depth"]["values"] == [18, 34, 50, 101, 152]
    assert resnet["parameters"]["learning_rate"]["log"] is True
    assert resnet["parameters"]["momentum"]["when"].keys() == {"optimizer"}


def test_no_runs_yet_is_said(here):
    assert "no runs" in bench("list", "runs", cwd=here).stdout


def test_a_phantom_is_written_verified_and_prepared(here):
    assert (
        bench("data", "phantom", "ag_news", "--out", "made", "--cases", "200", cwd=here).returncode
        == 0
    )
    verified = bench("data", "verify", "ag_news", "--data", "ag_news=made", cwd=here)
    assert verified.returncode == 0 and "sound" in verified.stdout
    prepared = bench("data", "prepare", "ag_news", "--data", "ag_news=made", cwd=here)
    assert prepared.returncode == 0 and "ag_news: train 160" in prepared.stdout
    (here / "made" / "train.csv").write_text('"9","title"\n')
    broken = bench("data", "prepare", "ag_news", "--data", "ag_news=made", cwd=here)
    assert broken.returncode == 2 and "train.csv" in broken.stderr


def test_verify_shows_twenty_problems_and_gives_programs_all(here):
    assert bench("data", "phantom", "ag_news", "--out", "bad", cwd=here).returncode == 0
    (here / "bad" / "train.csv").write_text('"9","title","text"\n' * 30)
    verify = ("data", "verify", "ag_news", "--data", "ag_news=bad")
    shown = bench(*verify, cwd=here)
    assert shown.returncode == 2 and "30 mistakes" in shown.stderr
    assert shown.stderr.count("train.csv: row") == 20 and "and 10 more" in shown.stderr
    machine = bench(*verify, "--json", cwd=here)
    assert machine.returncode == 2 and len(json.loads(machine.stdout)["problems"]) == 30


def test_a_phantom_has_the_shape_that_was_asked_for(here):
    import nibabel

    command = ("data", "phantom", "lits", "--volumes", "2", "--shape", "40,48,12", "--out", "big")
    assert bench(*command, cwd=here).returncode == 0
    shapes = {nibabel.load(path).shape for path in (here / "big").glob("*.nii.gz")}
    assert shapes == {(40, 48, 12)} and len(list((here / "big").glob("*.nii.gz"))) == 4


def test_trial_prints_an_epoch_a_line_and_its_best(here):
    done = bench(
        *("trial", "--task", "ag_news", "--family", "fasttext", "--epochs", "2"),
        *("--phantom-cases", "200"),
        cwd=here,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "PHANTOM" in lines[0]
    assert [line.split(":")[0] for line in lines if line.startswith("epoch")] == [
        "epoch 1",
        "epoch 2",
    ]
    assert lines[-1].startswith("best: accuracy ")
