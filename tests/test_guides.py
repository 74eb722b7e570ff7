"""The guides, followed to the letter: their files written, their commands run, what they say seen.

A block of code is the file that the sentence above it names, `sh` is run where the files lie, and
`text` is what the last commands print: each of its lines, with … for anything.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench import registry, runs, suites
from bench.plugins import PluginFile
from bench.rehearsal import rehearse
from tests.train.synthetic import make_task, write_images

BLOCK = re.compile(r"(.*?)^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"`([\w./]+\.(?:py|toml))`")


@dataclass(frozen=True)
class Block:
    """One fenced block of a guide."""

    language: str
    text: str
    file: str | None
    """What the last sentence before it names."""


def blocks(guide: Path) -> list[Block]:
    found = []
    for before, language, text in BLOCK.findall(guide.read_text(encoding="utf-8")):
        named = FILE.findall(before.strip().split("\n\n")[-1])
        found.append(Block(language, text, named[0] if named else None))
    return found


def follow(guide: Path, folder: Path, *, project: Path) -> list[str]:
    """Do what a guide says in a folder; returns the lines of its `text` that did not come."""
    commands = folder / ".commands"
    commands.mkdir()
    script = f'#!/bin/sh\nexec {sys.executable} -m bench.cli "$@"\n'
    (commands / "bench").write_text(script)
    (commands / "bench").chmod(0o755)
    environment = os.environ | {
        "PATH": os.pathsep.join(
            [str(commands), str(Path(sys.executable).parent), os.environ["PATH"]]
        ),
        "PYTHONPATH": str(project),
        "COLUMNS": "200",
    }
    printed, absent = "", []
    for block in blocks(guide):
        match block.language:
            case "sh":
                done = subprocess.run(
                    ["bash", "-c", block.text],
                    cwd=folder,
                    env=environment,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    timeout=600,
                    check=False,
                )
                printed = done.stdout
                assert "Traceback" not in printed, printed
            case "text":
                lines = [line for line in block.text.splitlines() if not shows(printed, line)]
                absent += [f"{line!r} is not in:\n{printed}" for line in lines]
            case _:
                assert block.file is not None, block.text
                (folder / block.file).parent.mkdir(parents=True, exist_ok=True)
                (folder / block.file).write_text(block.text, encoding="utf-8")
    return absent


def shows(printed: str, line: str) -> bool:
    """Whether a line was printed, with … for anything."""
    pattern = ".*".join(re.escape(part) for part in line.split("…"))
    return re.search(f"^{pattern}$", printed, re.MULTILINE) is not None


@pytest.fixture
def add_a_model(project: Path) -> Path:
    return project / "docs" / "add-a-model.md"


@pytest.fixture
def add_a_task(project: Path) -> Path:
    return project / "docs" / "add-a-task.md"


# --- In seconds: the files are sound --------------------------------------------------------


def test_the_guide_s_model_is_sound_and_its_suite_names_it(add_a_model, tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "_plugins", {})
    files = {block.file: block.text for block in blocks(add_a_model) if block.language != "sh"}
    family = registry.add_plugin(PluginFile(name="my_net.py", content=files["my_net.py"].encode()))
    for channels, size in ((1, 16), (3, 9)):
        data = write_images(tmp_path / str(channels), size=size, channels=channels)
        found = rehearse(
            family=family,
            task=make_task(),
            config=registry.space_of(family).defaults(),
            data=data,
            seed=0,
            max_epochs=1,
        )
        assert found.idle == ()
    (tmp_path / "mine.toml").write_text(files["mine.toml"])
    suite = suites.resolve(suites.read(str(tmp_path / "mine.toml")), scale="demo")
    assert [entrant.family for entrant in suite.entrants] == ["my_net", "my_net", "fcnn"]


def test_the_guides_commands_and_names_are_those_that_there_are(add_a_model, add_a_task, project):
    for guide in (add_a_model, add_a_task):
        text = guide.read_text(encoding="utf-8")
        for block in blocks(guide):
            for command in re.findall(r"^bench (\w+)", block.text, re.MULTILINE):
                assert command in ("check", "run", "resume", "list", "data", "report")
        for link in re.findall(r"\]\((?!http)([^)#]+)\)", text):
            assert (guide.parent / link).exists(), link
        for path in re.findall(r"`(suite/\w+/\w+\.py|tests/[\w/.]+)`", text):
            written = {block.file for block in blocks(guide)}
            assert (project / path).exists() or path in written, path
        assert len(text.splitlines()) < 270, "a guide is one page"


# --- In a minute each: followed -------------------------------------------------------------


@pytest.mark.slow
def test_add_a_model_is_followed_to_the_letter(add_a_model, tmp_path, project):
    assert follow(add_a_model, tmp_path, project=project) == []
    assert not (tmp_path / "my_net.py").exists()
    folder, file = runs.load(tmp_path / "first")
    kept = (folder.plugins / "my_net.py").read_text(encoding="utf-8")
    assert kept == next(b.text for b in blocks(add_a_model) if b.file == "my_net.py")
    assert file.plugins == {"my_net.py": PluginFile(name="my_net.py", content=kept.encode()).sha256}
    assert not (tmp_path / "runs").exists(), "the broken model's run was begun"


@pytest.mark.slow
def test_add_a_task_is_followed_to_the_letter(add_a_task, tmp_path, project):
    ignored = shutil.ignore_patterns("__pycache__")
    for package in ("bench", "suite", "search_spaces", "results", "tests"):
        shutil.copytree(project / package, tmp_path / package, ignore=ignored)
    shutil.copy(project / "pyproject.toml", tmp_path)
    assert follow(add_a_task, tmp_path, project=tmp_path) == []
    assert not (project / "suite" / "tasks" / "cells.py").exists()
