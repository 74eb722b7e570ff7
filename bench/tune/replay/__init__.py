"""Searchers compared on recorded learning curves, in virtual time: no training, no Ray, no disk."""

from __future__ import annotations

from bench.tune.replay.compare import SEARCHERS, Row, Searcher, compare
from bench.tune.replay.curves import Curves, load, of_runs, save
from bench.tune.replay.play import Played, play

__all__ = [
    "SEARCHERS",
    "Curves",
    "Played",
    "Row",
    "Searcher",
    "compare",
    "load",
    "of_runs",
    "play",
    "save",
]
