"""Figures (plotly) from finished tables: they draw and do no arithmetic."""

from results.figures.cases import case_dice, operating, reliability
from results.figures.cost import spending
from results.figures.curves import score_against_seconds
from results.figures.looks import Styles, styles
from results.figures.scores import FOREST, ROWS, forest, seed_variance
from results.figures.search import SEARCHES, expected_best, search
from results.figures.search_space import parallel, slices, trial_curves

__all__ = [
    "FOREST",
    "ROWS",
    "SEARCHES",
    "Styles",
    "case_dice",
    "expected_best",
    "forest",
    "operating",
    "reliability",
    "score_against_seconds",
    "parallel",
    "search",
    "seed_variance",
    "spending",
    "slices",
    "styles",
    "trial_curves",
]
