"""Provenance: what is collected, and what must never be."""

from __future__ import annotations

import getpass
import json
import os
import platform
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench import provenance


def test_all_of_it_is_json_and_filled_from_this_machine() -> None:
    collected = provenance.collect(["bench", "run"])
    assert json.loads(json.dumps(collected)) == collected
    assert collected["packages"]["torch"].split(".")[0].isdigit()
    assert collected["python"] == platform.python_version()
    assert collected["cpus"] >= 1
    assert collected["memory_bytes"] > 2**20
    assert collected["cpu"]
    assert collected["command"] == ["bench", "run"]


def test_every_dependency_of_the_project_is_recorded(project: Path) -> None:
    text = tomllib.loads((project / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {item.split(">=")[0].split("[")[0] for item in text}
    assert names <= set(provenance.PACKAGES)


def test_a_package_that_is_not_installed_is_null(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "PACKAGES", ("no-such-distribution",))
    assert provenance.collect([])["packages"] == {"no-such-distribution": None}


def test_no_environment_variable_user_or_host_gets_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/quincunx")
    monkeypatch.setenv("LOGNAME", "quincunx")
    monkeypatch.setenv("SECRET_TOKEN", "hunter2-hunter2")
    text = json.dumps(
        provenance.collect(
            [
                "/home/quincunx/.venv/bin/bench",
                "run",
                "--data=/home/quincunx/lits",
                "/scratch/quincunx/plug.py",
            ]
        )
    )
    assert "quincunx" not in text
    assert "hunter2" not in text
    if len(platform.node()) > 3:
        assert platform.node() not in text


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("/home/ada/data", "~/data"),
        ("/home/ada", "~"),
        ("lits=/home/ada/lits", "lits=~/lits"),
        ("/home/adam/data", "/home/adam/data"),
        ("/mnt/home/ada/data", "/mnt/home/~/data"),
        ("s3://key:secret@bucket/runs", "s3://bucket/runs"),
        ("--storage=https://host/runs?token=secret", "--storage=https://host/runs"),
        ("learning_rate=1e-3", "learning_rate=1e-3"),
    ],
)
def test_paths_and_urls_lose_what_names_their_user(
    monkeypatch: pytest.MonkeyPatch, word: str, expected: str
) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setattr(getpass, "getuser", lambda: "ada")
    assert provenance.anonymous(["/opt/venv/bin/bench", word]) == ["bench", expected]


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    return subprocess.run(
        command, check=True, capture_output=True, text=True, env=environment
    ).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    (folder / "bench").mkdir(parents=True)
    (folder / "bench" / "__init__.py").write_text("")
    (folder / ".gitignore").write_text("runs/\n.venv/\n")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    return folder


def test_a_clean_checkout_gives_its_commit(checkout: Path) -> None:
    (checkout / "runs").mkdir()
    (checkout / "runs" / "ledger.jsonl").write_text("")
    commit = git(checkout, "rev-parse", "HEAD")
    assert provenance.git_state(checkout) == {"commit": commit, "dirty": False}


@pytest.mark.parametrize("name", ["bench/__init__.py", "bench/new.py"])
def test_a_changed_or_new_file_makes_it_dirty(checkout: Path, name: str) -> None:
    (checkout / name).write_text("x = 1\n")
    state = provenance.git_state(checkout)
    assert state is not None
    assert state["dirty"] is True


def test_a_variable_of_git_does_not_lead_elsewhere(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert provenance.git_state(checkout) is not None


def test_outside_a_checkout_there_is_no_commit(tmp_path: Path) -> None:
    assert provenance.git_state(tmp_path) is None


def test_a_copy_installed_below_a_checkout_is_not_that_checkout(checkout: Path) -> None:
    installed = checkout / ".venv" / "lib" / "site-packages"
    (installed / "bench").mkdir(parents=True)
    (installed / "bench" / "__init__.py").write_text("")
    assert provenance.git_state(installed) is None


def fake_smi(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    program = folder / "nvidia-smi"
    program.write_text(f"#!{sys.executable}\n{textwrap.dedent(body)}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def test_gpus_are_read_from_the_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_smi(tmp_path, monkeypatch, "print('Tesla T4, 15360, 550.54\\nH100, [N/A], 550.54')")
    assert provenance.gpus() == [
        {"name": "Tesla T4", "memory_mb": 15360, "driver": "550.54"},
        {"name": "H100", "memory_mb": None, "driver": "550.54"},
    ]


def test_a_driver_that_does_not_answer_is_waited_for_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_smi(tmp_path, monkeypatch, "import time; time.sleep(3); print('T4, 1, 1')")
    monkeypatch.setattr(provenance, "PATIENCE_S", 0.5)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert provenance.gpus() == []


def test_a_torch_that_is_loaded_already_stands_in_for_the_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_smi(tmp_path, monkeypatch, "raise SystemExit(9)")
    device = SimpleNamespace(name="A100", total_memory=40 * 2**30)
    cuda = SimpleNamespace(
        is_available=lambda: True, device_count=lambda: 1, get_device_properties=lambda _: device
    )
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    assert provenance.gpus() == [{"name": "A100", "memory_mb": 40960, "driver": None}]


def test_collecting_loads_nothing_heavy() -> None:
    code = (
        "import sys; from bench.provenance import collect; collect(['bench']);"
        "print(*{'torch', 'ray', 'optuna', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == ""
