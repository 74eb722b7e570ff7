"""Whether torch and torchvision belong together; asked before anything imports torchvision.

An installer may put a CPU-only build of torch beside a torchvision that was built with CUDA. That
pair fails only when torchvision is imported, with "operator torchvision::nms does not exist".
"""

from __future__ import annotations

import importlib
import re
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from bench.errors import UserError

FLOORS = {"torch": (2, 15), "torchvision": (0, 29)}
REMEDY = 'pip install --upgrade --force-reinstall "torch>=2.15" torchvision'


@cache
def check_torch() -> None:
    """Raise UserError, in one line with the remedy, unless torch and torchvision will import.

    Reads versions from the installed files, which takes milliseconds. Only where the builds do not
    name the same platform (`2.15.0+cu132` beside `0.29.2+cu132`) is torchvision imported to see.
    """
    installed = {name: _version(name) for name in FLOORS}
    for name, floor in FLOORS.items():
        needed = f"{name}>={floor[0]}.{floor[1]}"
        if installed[name] is None:
            raise UserError(f"{needed} is needed, {name} is not installed: run `{REMEDY}`")
        if _release(installed[name]) < floor:
            raise UserError(f"{needed} is needed, got {installed[name]}: run `{REMEDY}`")
    torch_build, vision_build = _build("torch"), _build("torchvision")
    if torch_build is None or torch_build != vision_build:
        _import_torchvision(installed)


def _import_torchvision(installed: dict[str, str | None]) -> None:
    try:
        importlib.import_module("torchvision")
    except (ImportError, OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"torch {installed['torch']} and torchvision {installed['torchvision']} are builds "
            f"that do not work together ({reason}): run `{REMEDY}`"
        ) from error


def _version(name: str) -> str | None:
    """The installed version by the package's metadata; None where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _release(version: str | None) -> tuple[int, ...]:
    """The leading two numbers of a version: (2, 15) of "2.15.0+cu132"."""
    numbers = re.match(r"(\d+)\.(\d+)", version or "")
    return tuple(map(int, numbers.groups())) if numbers else ()


def _build(name: str) -> str | None:
    """What stands behind the `+` in the package's version.py ("cu132", "cpu"); None without it.

    The file is read, not imported: the metadata of an index's build may leave this part out.
    """
    spec = find_spec(name)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / "version.py"
        if path.is_file():
            found = re.search(r"__version__\s*=\s*['\"][^'\"+]*\+([^'\"]+)", path.read_text())
            return found.group(1) if found else None
    return None
