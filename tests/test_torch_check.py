"""The check of torch beside torchvision, on faked installations."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench import torch_check
from bench.errors import UserError
from bench.torch_check import REMEDY, check_torch

BROKEN = 'raise RuntimeError("operator torchvision::nms does not exist")'
Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Puts a package on the path as pip leaves it: code, version.py, metadata without the build."""
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    for name in [name for name in sys.modules if name.split(".")[0] in ("torch", "torchvision")]:
        monkeypatch.delitem(sys.modules, name)

    def put(name: str, version: str, body: str = "") -> None:
        package = tmp_path / name
        package.mkdir()
        (package / "version.py").write_text(f"__version__ = '{version}'\n")
        (package / "__init__.py").write_text(body + "\n")
        metadata = tmp_path / f"{name}-{version.split('+')[0]}.dist-info"
        metadata.mkdir()
        text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version.split('+')[0]}\n"
        (metadata / "METADATA").write_text(text)

    check_torch.cache_clear()
    yield put
    check_torch.cache_clear()
    sys.modules.pop("torchvision", None)


def complaint() -> str:
    with pytest.raises(UserError) as caught:
        check_torch()
    message = str(caught.value)
    assert "\n" not in message
    assert REMEDY in message
    return message


def test_a_cpu_only_torch_beside_a_cuda_torchvision_is_named_with_the_remedy(
    install: Install,
) -> None:
    install("torch", "2.15.0+cpu")
    install("torchvision", "0.29.2+cu132", BROKEN)
    message = complaint()
    assert "torch 2.15.0 and torchvision 0.29.2" in message
    assert "operator torchvision::nms does not exist" in message


def test_builds_that_name_no_platform_are_tried(install: Install) -> None:
    install("torch", "2.15.0")
    install("torchvision", "0.29.2", BROKEN)
    assert "nms" in complaint()


@pytest.mark.parametrize("versions", [("2.15.0", "0.29.2"), ("2.15.0+cpu", "0.29.2+cu132")])
def test_a_pair_that_imports_passes_whatever_it_is_called(
    install: Install, versions: tuple[str, str]
) -> None:
    install("torch", versions[0])
    install("torchvision", versions[1])
    check_torch()
    assert "torchvision" in sys.modules


def test_a_pair_of_one_build_passes_without_an_import(install: Install) -> None:
    install("torch", "2.16.1+cu132", BROKEN)
    install("torchvision", "0.30.0+cu132", BROKEN)
    check_torch()
    assert not {"torch", "torchvision"} & sys.modules.keys()


def test_missing_torch_is_named(install: Install) -> None:
    install("torchvision", "0.29.2+cu132", BROKEN)
    assert "torch is not installed" in complaint()


def test_missing_torchvision_is_named(install: Install) -> None:
    install("torch", "2.15.0+cu132")
    assert "torchvision is not installed" in complaint()


@pytest.mark.parametrize("old", ["2.14.1+cu132", "1.99.0+cu132"])
def test_an_old_torch_is_named_before_anything_is_imported(install: Install, old: str) -> None:
    install("torch", old)
    install("torchvision", "0.29.2+cpu", BROKEN)
    assert f"torch>=2.15 is needed, got {old.split('+')[0]}" in complaint()


def test_the_floors_are_those_of_the_project(project: Path) -> None:
    dependencies = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    for name, floor in torch_check.FLOORS.items():
        (wanted,) = [d for d in dependencies["dependencies"] if d.split(">=")[0] == name]
        assert torch_check._release(wanted.split(">=")[1]) == floor


def test_this_installation_passes() -> None:
    check_torch.cache_clear()
    check_torch()
