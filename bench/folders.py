"""What no run owns: where caches lie, and the seeds of what all runs share."""

from __future__ import annotations

import os
from pathlib import Path

PHANTOM_SEED = 0
"""Phantoms belong to the project, not to a run: every run at one scale reads the same."""
SPLIT_SEED = 0
"""Splits belong to the task, not to a run: runs with other seeds stay comparable."""


def cache_root() -> Path:
    """`$TUNEBENCH_CACHE`, or `~/.cache/tunebench`."""
    return Path(os.environ.get("TUNEBENCH_CACHE") or Path.home() / ".cache" / "tunebench")


def openings_register() -> Path:
    """The register of all openings of test sets by this user's runs."""
    return cache_root() / "test_openings.jsonl"
