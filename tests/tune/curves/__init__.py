"""Recorded learning curves that tests replay searches on."""

from pathlib import Path

LIVER = Path(__file__).parent / "liver.json.gz"
"""FCNN on the slices of the phantom liver CTs: see `python -m tests.tune.curves --help`."""
CONFIGURATIONS = 110
"""That it holds, diverged ones included."""
