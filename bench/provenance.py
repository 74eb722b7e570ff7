"""Where a result came from: versions, hardware, the code's commit, the command.

Holds nothing that tells who ran it or where: no environment variables, no host or user name, no
credentials of a URL; the home folder is written as `~`.
"""

from __future__ import annotations

import getpass
import os
import platform
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (
    "tunebench",
    "torch",
    "torchvision",
    "timm",
    "transformers",
    "segmentation-models-pytorch",
    "huggingface-hub",
    "safetensors",
    "ray",
    "optuna",
    "cmaes",
    "numpy",
    "pandas",
    "scipy",
    "scikit-learn",
    "plotly",
    "nibabel",
    "monai",
    "einops",
    "kornia",
    "pyarrow",
    "tokenizers",
    "filelock",
    "fsspec",
    "jinja2",
    "pydantic",
    "typer",
    "rich",
)
"""The distributions whose versions are recorded: the project and all that it depends on."""

PATIENCE_S = 10
"""How long a foreign program may take to answer, in seconds."""


def collect(command: list[str]) -> dict[str, Any]:
    """Everything that a reader needs to know of where and with what this command runs.

    command: program and arguments, as in `sys.argv`. Returns a JSON-serialisable dict with the keys
    `packages` (version or null, by distribution), `python`, `platform`, `cpu`, `cpus` (those that
    this process may use), `memory_bytes`, `gpus` (`name`, `memory_mb` and `driver` of each), `git`
    (`commit` and `dirty`, null outside a checkout) and `command`. What the machine does not tell is
    null. Imports no torch.
    """
    return {
        "packages": {name: _version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": cpu_model(),
        "cpus": _cpus(),
        "memory_bytes": _memory_bytes(),
        "gpus": gpus(),
        "git": git_state(Path(__file__).resolve().parent.parent),
        "command": anonymous(command),
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def cpu_model() -> str | None:
    """The processor's name as its maker writes it."""
    try:
        info = Path("/proc/cpuinfo").read_text(errors="replace")
    except OSError:
        info = ""
    if found := re.search(r"^model name\s*:\s*(.+)$", info, re.MULTILINE):
        return found.group(1).strip()
    if sys.platform == "darwin" and (brand := _answer("sysctl", "-n", "machdep.cpu.brand_string")):
        return brand
    return platform.processor() or platform.machine() or None


def _cpus() -> int | None:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


def gpus() -> list[dict[str, Any]]:
    """Name, memory in MiB and driver of each NVIDIA GPU; from torch where it is loaded already."""
    answer = _answer(
        "nvidia-smi",
        "--query-gpu=name,memory.total,driver_version",
        "--format=csv,noheader,nounits",
    )
    found = []
    for line in (answer or "").splitlines():
        name, memory, driver = ([part.strip() for part in line.split(",")] + ["", "", ""])[:3]
        memory_mb = int(memory) if memory.isdigit() else None
        found.append({"name": name, "memory_mb": memory_mb, "driver": driver or None})
    return found or _gpus_of_torch()


def _gpus_of_torch() -> list[dict[str, Any]]:
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    if cuda is None or not cuda.is_available():
        return []
    devices = [cuda.get_device_properties(index) for index in range(cuda.device_count())]
    return [
        {"name": device.name, "memory_mb": device.total_memory // 2**20, "driver": None}
        for device in devices
    ]


def git_state(folder: Path) -> dict[str, Any] | None:
    """Commit and whether anything differs from it; None where the code is under no commit.

    A copy that was installed into a folder below a checkout is not that checkout: the project's
    files must be tracked there.
    """
    git = ("git", "--no-optional-locks", "-C", str(folder))
    if _answer(*git, "ls-files", "--error-unmatch", "bench/__init__.py") is None:
        return None
    commit = _answer(*git, "rev-parse", "--verify", "HEAD")
    changes = _answer(*git, "status", "--porcelain", "--", ".")
    if commit is None or changes is None:
        return None
    return {"commit": commit, "dirty": bool(changes)}


def _answer(*command: str) -> str | None:
    """What a program prints, stripped; None where it is missing, fails or takes too long.

    Git's own variables are left out: in a hook they point to another checkout.
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=PATIENCE_S, check=True, env=environment
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace").strip()


def anonymous(command: list[str]) -> list[str]:
    """The command without what names its user: the program by its name, paths below `~`.

    The user's name as a part of a path becomes `~` too; a URL loses its credentials and query.
    """
    return [_anonymous(Path(command[0]).name), *map(_anonymous, command[1:])] if command else []


def _anonymous(word: str) -> str:
    word = re.sub(r"(\w+://)[^/@\s]*@", r"\1", word)
    word = re.sub(r"(\w+://[^?\s]*)\?\S*", r"\1", word)
    home = str(Path.home()).rstrip("/")
    if home:
        word = re.sub(rf"(?<![\w/.-]){re.escape(home)}(?![\w.-])", "~", word)
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):
        return word
    return re.sub(rf"(?<=/){re.escape(user)}(?=/|$)", "~", word)
