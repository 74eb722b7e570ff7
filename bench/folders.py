"""Where things lie that no run owns."""

from __future__ import annotations

import os
from pathlib import Path


def cache_root() -> Path:
    """`$TUNEBENCH_CACHE`, or `~/.cache/tunebench`."""
    return Path(os.environ.get("TUNEBENCH_CACHE") or Path.home() / ".cache" / "tunebench")


def openings_register() -> Path:
    """The register of all openings of test sets by this user's runs."""
    return cache_root() / "test_openings.jsonl"
