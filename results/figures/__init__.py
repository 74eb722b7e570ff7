"""Figures (plotly) from finished tables: they draw and do no arithmetic."""

from results.figures.curves import score_against_seconds
from results.figures.looks import Styles, styles
from results.figures.scores import forest, seed_variance
from results.figures.search import expected_best, search

__all__ = [
    "Styles",
    "expected_best",
    "forest",
    "score_against_seconds",
    "search",
    "seed_variance",
    "styles",
]
