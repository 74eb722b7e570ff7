"""How much each searched parameter mattered: exploratory, over the trials of one study.

Three measures, each a share: they differ in what they ask.
- `quarters`: the share of the scores' variance that lies between quarters of the trials by the
  parameter's value (between its values, of a choice): the correlation ratio. Always there.
- `PED-ANOVA` (Watanabe et al. 2023): how much the best tenth differs in the parameter's values from
  all trials. By Optuna.
- `fANOVA` (Hutter et al. 2014): the share of variance of a random forest of the score. By Optuna.
Optuna's two are given what every trial has, so conditional parameters have none. They import
SciPy's statistics and scikit-learn, which takes seconds: small runs alone have them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.distributions import distributions, is_number, params
from bench.spec import Scalar
from results.load import Run
from results.search_space import IDENTITY, Searched, Tried, identity
from results.tables import frame

if TYPE_CHECKING:
    import pandas as pd

LEAST = 10
"""Trials without which nothing is said."""
MOST_TRIALS = 2000
"""Of a run whose importances are asked of Optuna, in all its studies."""
MOST_STUDIES = 20
FOREST_TRIALS = 100
"""Of one study that fANOVA is given at most."""
FOREST_TRIALS_IN_ALL = 600
"""Of all studies, or FEWEST_IN_FOREST of each: it takes about 7 ms a trial."""
FEWEST_IN_FOREST = 40
FOREST_TREES = 16
GROUPS = 4


def forest_trials(run: Run) -> int:
    """Trials of each study that fANOVA is given at most; 0 for a run in which Optuna is not asked,
    since it has too many studies or trials."""
    trials = sum(len(study.trials) for study in run.state.studies.values())
    if len(run.studies) > MOST_STUDIES or trials > MOST_TRIALS:
        return 0
    return max(
        FEWEST_IN_FOREST, min(FOREST_TRIALS, FOREST_TRIALS_IN_ALL // max(1, len(run.studies)))
    )


def importance(found: Sequence[Searched], *, forest: int) -> pd.DataFrame:
    """One row a study and varied parameter, the most important of `quarters` first.

    Over the trials that were trained to their end or beyond the first rung. forest: how many of
    them fANOVA is given at most, an even sample; 0: Optuna is not asked. A measure that is
    missing is NaN, for the reason in `why`.
    """
    rows = []
    for one in found:
        trials = [tried for tried in one.searched if one.whole(tried)]
        varied = one.varied
        enough = len(trials) >= LEAST
        own = {name: between(trials, name) if enough else math.nan for name in varied}
        theirs = _optuna(one, trials, forest) if forest and enough and varied else {}
        for name in sorted(varied, key=lambda name: -own[name] if own[name] >= 0 else math.inf):
            everywhere = all(name in tried.trial.config for tried in trials)
            rows.append(
                {
                    **identity(one),
                    "parameter": name,
                    "trials": len(trials),
                    "quarters": own[name],
                    "ped_anova": theirs.get("ped_anova", {}).get(name),
                    "fanova": theirs.get("fanova", {}).get(name),
                    "why": _why(len(trials), bool(forest), everywhere),
                }
            )
    return frame(
        rows,
        f"{IDENTITY} parameter trials quarters ped_anova fanova why",
        real=("quarters", "ped_anova", "fanova"),
    )


def _why(trials: int, asked: bool, everywhere: bool) -> str:
    if trials < LEAST:
        return f"too few trials beyond the first rung: {trials} of {LEAST}"
    if not asked:
        return "a large run: Optuna is not asked"
    return "" if everywhere else "not in every trial"


def between(trials: Sequence[Tried], name: str) -> float:
    """The share of the scores' variance between groups of a parameter's values, in [0, 1].

    Groups: quarters of the trials by value, of a number of more than four values; else its values.
    Trials without the parameter are left out; NaN for fewer than two groups, 0 for equal scores.
    """
    having = [tried for tried in trials if name in tried.trial.config]
    groups = _groups([tried.trial.config[name] for tried in having])
    if len(set(groups)) < 2:
        return math.nan
    scores = np.array([tried.value for tried in having])
    everyone = float(((scores - scores.mean()) ** 2).sum())
    if not everyone > 0:
        return 0.0
    parts = (scores[np.array(groups) == group] for group in sorted(set(groups)))
    return float(sum(len(p) * (p.mean() - scores.mean()) ** 2 for p in parts) / everyone)


def _groups(values: Sequence[Scalar]) -> list[int]:
    """The number of each value's group."""
    unlike = list(dict.fromkeys((type(value), value) for value in values))
    if len(unlike) <= GROUPS or not all(map(is_number, values)):
        return [unlike.index((type(value), value)) for value in values]
    numbers = np.array(values, dtype=float)
    edges = np.quantile(numbers, np.arange(1, GROUPS) / GROUPS)
    return [int(group) for group in np.searchsorted(edges, numbers, side="right")]


def _optuna(
    one: Searched, trials: Sequence[Tried], forest_trials: int
) -> Mapping[str, Mapping[str, float]]:
    """By measure and parameter; empty for a measure that cannot be had of these trials."""
    import warnings

    import optuna
    from optuna.importance import FanovaImportanceEvaluator, PedAnovaImportanceEvaluator

    forest = FanovaImportanceEvaluator(n_trees=FOREST_TREES, max_depth=16, seed=0)
    asked: dict[str, tuple[Any, Sequence[Tried]]] = {
        "ped_anova": (PedAnovaImportanceEvaluator(), trials),
        "fanova": (forest, evenly(trials, forest_trials)),
    }
    found = {}
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for measure, (evaluator, given) in asked.items():
                study = _study(one, given)
                # Else there is nothing to be explained, or nothing to explain it by.
                if len({tried.value for tried in given}) > 1 and study.trials[0].params:
                    found[measure] = optuna.importance.get_param_importances(
                        study, evaluator=evaluator
                    )
    finally:
        optuna.logging.set_verbosity(verbosity)
    return {
        measure: {name: float(share) for name, share in shares.items() if math.isfinite(share)}
        for measure, shares in found.items()
    }


def _study(one: Searched, trials: Sequence[Tried]) -> Any:
    """An Optuna study in memory of what was varied and every trial has; each trial is complete,
    with its best score."""
    import optuna

    common = [n for n in one.varied if all(n in tried.trial.config for tried in trials)]
    configs = [{name: tried.trial.config[name] for name in common} for tried in trials]
    known = distributions(one.space, configs)
    study = optuna.create_study(direction="maximize")
    for tried, config in zip(trials, configs, strict=True):
        held = params(config, known)
        study.add_trial(
            optuna.trial.create_trial(
                value=tried.value,
                params=held,
                distributions={name: known[name] for name in held},
            )
        )
    return study


def evenly(items: Sequence[Tried], most: int) -> list[Tried]:
    """At most so many of them, at even distances, the first and the last included."""
    if len(items) <= most:
        return list(items)
    places = np.linspace(0, len(items) - 1, most).round().astype(int)
    return [items[place] for place in places]
