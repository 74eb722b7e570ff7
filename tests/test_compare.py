"""`bench compare` as a user starts it: exit codes, one line for mistakes, files."""

import json
import re
import subprocess
import sys

import pytest
import yaml

from bench import cli
from tests.commands import bench
from tests.results.synthetic import Actor, write_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """One folder with a run of each name, all of one entrant, and its cache."""
    folder = tmp_path_factory.mktemp("compare")
    quality = {"old": 1.5, "worse": 0.6, "better": 4.0, "near": 1.52}
    for name, value in quality.items():
        actor = Actor(label="Mine", quality=value, seed_spread=0.02)
        more = {"patients": 12, "per_patient": 12, "trials": 3, "validation": True}
        write_run(folder / name, [actor], salt=name, **more)
    actor = Actor(label="Mine", finished=2)
    write_run(folder / "short", [actor], patients=12, trials=3, validation=True)
    return folder


@pytest.fixture
def compare(runs, tmp_path, monkeypatch, capsys):
    """The command in this process: exit code, output, error output."""
    monkeypatch.setenv("TUNEBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(runs)

    def compare(*arguments):
        monkeypatch.setattr(sys, "argv", ["bench", "compare", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        return stop.value.code, *capsys.readouterr()

    return compare


@pytest.mark.parametrize(
    ("candidate", "code", "overall"),
    [
        ("better", 0, "better"),
        ("worse", 3, "regressed"),
        ("near", 4, "inconclusive"),
        ("short", 5, "not measured"),
    ],
)
def test_the_exit_code_tells_the_verdict(compare, candidate, code, overall):
    assert compare("old", candidate)[0] == code
    done, printed, said = compare("old", candidate, "--on", "test")
    assert (done, said) == (code, "")
    assert printed.splitlines()[-1] == f"overall: {overall}"
    assert ("this opened the test set of lits_cls" in printed) == (candidate != "short")


def test_a_process_of_its_own_ends_alike(runs):
    done = bench("compare", "old", "worse", cwd=runs)
    assert (done.returncode, done.stderr) == (3, "")
    assert "overall: regressed" in done.stdout


def test_json_alone_is_printed_and_markdown_written(compare, tmp_path):
    path = tmp_path / "gate.md"
    code, printed, _ = compare("old", "worse", "--json", "--markdown", path, "--cost-margin", 0.9)
    read = json.loads(printed)
    assert code == read["exit_code"] == 3
    assert read["comparisons"][0]["costs"][0]["verdict"] == "costs more"
    assert path.read_text().startswith("### bench compare: regressed\n")


def test_options_reach_the_comparison(compare):
    arguments = ("--entrant", "Mine", "--alpha", 0.2, "--json")
    read = json.loads(compare("old", "better", *arguments)[1])
    assert (read["alpha"], read["on"]) == (0.2, "validation")
    assert read["comparisons"][0]["candidate"] == "Mine"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("old", "nowhere"), "no run.json in nowhere: is this a run's folder?"),
        (("old", "old"), "old cannot be compared with itself"),
        (("old", "better", "--entrant", "Mime"), "did you mean 'Mine'?"),
        (("old", "better", "--on", "train"), "--on takes validation or test, got 'train'"),
        (("old", "better", "--alpha", "0.7"), "--alpha must lie in (0, 0.5], got 0.7"),
        (("old", "better", "--cost-margin", "0"), "--cost-margin is a ratio above 0, got 0.0"),
        (("old", "better", "--markdown", "no/where.md"), "cannot be written"),
        (("old",), "Missing argument 'candidate'"),
    ],
)
def test_a_mistake_is_one_line(compare, arguments, says):
    code, printed, said = compare(*arguments)
    assert (code, printed) == (2, "")
    assert said.startswith("bench: ") and said.count("\n") == 1 and says in said


def test_the_guide_s_pipeline_is_sound(project, runs):
    """It parses, its scripts do too, and the commands know the options that it gives them."""
    guide = (project / "docs" / "gate.md").read_text()
    (text,) = re.findall(r"^```yaml\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL)
    steps = yaml.safe_load(text)["jobs"]["gate"]["steps"]
    scripts = [step["run"] for step in steps if "run" in step]
    assert len(scripts) == 3
    for script in scripts:
        subprocess.run(["bash", "-n", "-c", script], check=True)
        for command, rest in re.findall(r"bin/bench (\w+)((?:\\\n|[^\n|])*)", script):
            known = bench(command, "--help", cwd=runs).stdout
            given = set(re.findall(r"--[\w-]+", rest))
            assert given and given <= set(re.findall(r"--[\w-]+", known)), command
