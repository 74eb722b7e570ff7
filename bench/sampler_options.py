"""What a suite may set of the samplers, checked when the suite is read: knows no Optuna."""

from __future__ import annotations

from collections.abc import Mapping

from bench import grid
from bench.spec import Choice, Float, Int, Scalar, Search, Space, unknown

_FLAG = {False: Choice(False, True), True: Choice(True, False)}
"""By default."""

OPTIONS: dict[str, Space] = {
    "tpe": Space(
        multivariate=_FLAG[True],
        group=_FLAG[False],
        constant_liar=_FLAG[True],
        n_startup_trials=Int(0, 10_000, default=10),
        n_ei_candidates=Int(1, 10_000, default=24),
    ),
    "gp": Space(
        n_startup_trials=Int(1, 10_000, default=10),
        deterministic_objective=_FLAG[False],
    ),
    "cmaes": Space(
        n_startup_trials=Int(1, 10_000, default=1),
        sigma0=Float(1e-3, 1.0, default=1 / 6),
        popsize=Int(4, 10_000),
        with_margin=_FLAG[False],
        consider_pruned_trials=_FLAG[True],
    ),
    "random": Space(),
    "qmc": Space(qmc_type=Choice("sobol", "halton"), scramble=_FLAG[True]),
    "grid": Space(points=Int(1, 1_000)),
}
"""By sampler, the options that `sampler_options` may hold, under Optuna's names, with their
defaults; those without one follow from the space. `sigma0` is in units of the ranges, on their own
scales. Optuna's default differs for two: `scramble` is False there, so that all searches would try
the same points, and `consider_pruned_trials` is False, so that CMA-ES would learn from the few
trials alone that early stopping lets through."""


def check_options(sampler: str, options: Mapping[str, object]) -> list[str]:
    """What is wrong with the options of a sampler, a sentence each; empty where nothing is."""
    known = OPTIONS[sampler]
    found = []
    for name, value in options.items():
        if name not in known:
            found.append(unknown(f"option of the sampler {sampler}", name, known))
        elif mistake := known[name].mistake(value):
            found.append(f"sampler_options: {name} of {sampler} {mistake}")
    if options.get("group") is True and options.get("multivariate") is False:
        found.append(
            "sampler_options: group of tpe needs multivariate, got multivariate = False: "
            "leave multivariate out, or group"
        )
    return found


def check_space(search: Search, space: Space, pinned: Mapping[str, Scalar]) -> list[str]:
    """Why this search's sampler cannot search a space with these pins; empty where it can. The
    search's options must have been checked."""
    if search.sampler != "grid":
        return []
    return grid.mistakes(space, pinned, points_of(search))


def points_of(search: Search) -> int | None:
    """The option `points` of a grid."""
    points = search.sampler_options.get("points")
    assert points is None or isinstance(points, int)
    return points
