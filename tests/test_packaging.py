"""What a newcomer meets first: the README's commands, the package's files, the documents' links."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

PACKAGES = ("bench", "suite", "search_spaces", "results")


@pytest.fixture(scope="module")
def readme(project: Path) -> str:
    return (project / "README.md").read_text()


@pytest.fixture(scope="module")
def pyproject(project: Path) -> dict[str, Any]:
    return tomllib.loads((project / "pyproject.toml").read_text())


def quickstart(readme: str) -> list[str]:
    """The content of each bash block."""
    return re.findall(r"^```bash\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)


def test_the_quickstart_is_two_commands_of_one_line(readme: str) -> None:
    blocks = quickstart(readme)
    assert len(blocks) == 2
    for block in blocks:
        assert block.count("\n") == 1
        assert "\\" not in block
        assert block.startswith("python3 -m venv .venv && .venv/bin/pip install ")
    first, second = blocks
    assert "'.[test]'" in second, "zsh takes bare brackets for a pattern"
    assert first.rstrip().endswith("&& .venv/bin/bench run --suite liver")
    assert second.rstrip().endswith("&& .venv/bin/python -m pytest")


@pytest.mark.parametrize("shell", ["bash", "sh", "zsh"])
def test_shells_read_the_quickstart_alike(readme: str, shell: str) -> None:
    """Each line as words, with the programs replaced by one that prints its arguments."""
    for line in quickstart(readme):
        script = re.sub(r"(python3|\.venv/bin/\w+) ", r"printf '<%s>' \1 ", line)
        try:
            done = subprocess.run([shell, "-c", script], capture_output=True, text=True)
        except FileNotFoundError:
            pytest.skip(f"{shell} is not installed")
        assert done.stderr == ""
        expected = line.replace("'", "").replace("&& ", "").split()
        assert re.findall("<(.*?)>", done.stdout) == expected


def test_ci_runs_the_second_command_as_it_stands(readme: str, project: Path) -> None:
    script = (project / ".ci" / "run").read_text()
    (extraction,) = re.findall(r"^second=.*$", script, re.MULTILINE)
    command = ["bash", "-euo", "pipefail", "-c", f'{extraction}\nprintf %s "$second"']
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=True)
    assert done.stdout == quickstart(readme)[1].rstrip("\n")
    assert 'bash -euo pipefail -c "$second"' in script


def test_ci_is_executable_and_parses(project: Path) -> None:
    path = project / ".ci" / "run"
    assert path.stat().st_mode & 0o111
    subprocess.run(["bash", "-n", str(path)], check=True)


def test_the_readme_names_the_commands_that_there_are(readme: str) -> None:
    named = {match.group(1) for match in re.finditer(r"^\| `bench (\w+)", readme, re.MULTILINE)}
    shown = _help()
    listed = set(re.findall(r"^\W*(\w+)  ", shown[shown.index("Commands") :], re.MULTILINE))
    assert named == listed


@pytest.mark.parametrize("command", ["prepare", "verify", "phantom"])
def test_the_readme_names_the_commands_of_data(readme: str, command: str) -> None:
    assert f"`bench data {command} DATASET" in readme
    assert "dataset" in _help("data", command).lower()


def _help(*words: str) -> str:
    code = "from bench.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *words, "--help"], capture_output=True, text=True, check=True
    )
    return done.stdout


def test_every_file_that_is_no_code_is_package_data(
    project: Path, pyproject: dict[str, Any]
) -> None:
    patterns = pyproject["tool"]["setuptools"]["package-data"]
    packaged = {
        path
        for package, globs in patterns.items()
        for pattern in globs
        for path in (project / package).glob(pattern)
    }
    other = {
        path
        for package in PACKAGES
        for path in (project / package).rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc") and path.name != ".gitkeep"
    }
    assert other <= packaged
    assert any(path.suffix == ".toml" for path in other)


def test_every_folder_with_code_is_a_package(project: Path) -> None:
    folders = {path.parent for name in PACKAGES for path in (project / name).rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_what_pip_reads_is_there(project: Path, pyproject: dict[str, Any]) -> None:
    about = pyproject["project"]
    assert (project / about["readme"]).is_file()
    for name in about["license-files"]:
        assert "Apache License" in (project / name).read_text()[:200]


def test_dependencies_have_floors_and_no_caps(pyproject: dict[str, Any]) -> None:
    about = pyproject["project"]
    for wanted in [*about["dependencies"], *about["optional-dependencies"]["test"]]:
        assert re.fullmatch(r"[\w-]+(\[\w+\])?(>=[\d.]+)?", wanted), wanted


def documents(project: Path) -> list[Path]:
    return [*project.glob("*.md"), *(project / "docs").rglob("*.md")]


def test_links_in_the_documents_lead_somewhere(project: Path) -> None:
    broken = [
        f"{path.name}: {target}"
        for path in documents(project)
        for target in re.findall(r"\]\(([^)#\s]+)", path.read_text())
        if "://" not in target and not (path.parent / target).exists()
    ]
    assert broken == []


@pytest.mark.slow
def test_the_wheel_holds_suites_and_templates(project: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    tracked = ["pyproject.toml", "README.md", "LICENSE", *PACKAGES]
    subprocess.run(["mkdir", str(source)], check=True)
    subprocess.run(["cp", "-r", *tracked, str(source)], cwd=project, check=True)
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path)]
    subprocess.run([*pip, str(source)], check=True)
    (wheel,) = tmp_path.glob("tunebench-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    wanted = {
        path.relative_to(project).as_posix()
        for package in PACKAGES
        for path in (project / package).rglob("*")
        if path.is_file() and path.suffix in (".py", ".toml", ".html", ".css", ".js", ".j2")
    }
    assert wanted <= names
    assert not [name for name in names if name.startswith("tests/")]
