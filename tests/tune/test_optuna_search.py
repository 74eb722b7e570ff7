"""Where plain Ray Tune goes wrong: its OptunaSearch tells early-stopped trials COMPLETE.

Two arms, learning rates with restarts: the good arm's score dips before it rises.

    epoch      1      2      3    ...   9
    good     0.55   0.45   0.40        0.90
    bad      0.50   0.50   0.50        0.60

At the first rung, epoch 1, the good arm is ahead: the bad one is stopped there, the good goes on to
the second rung, epoch 3, and is stopped in its dip, as the top third is taken by others. To
OptunaSearch all of these are complete, with 0.50 against 0.40: the arm that was stopped first looks
better for it. Told the truth, TPE ranks a stopped trial by how far it came.
"""

from collections import Counter

import pytest

from bench.ledger import Trial
from bench.spec import Choice, Entrant, Float, Replicates, Search, Space, Study
from bench.tune.sampler import Sampler

SPACE = Space(arm=Choice("good", "bad"), rate=Float(0, 1))
CURVES = {"good": [0.55, 0.45, 0.40], "bad": [0.50]}
"""By arm, the scores until it was stopped."""
SEEDS = 40
HISTORY = [{"arm": ("good", "bad")[n % 2], "rate": (n + 0.5) / 24} for n in range(24)]


def plain(seed: int) -> str:
    """The arm that OptunaSearch suggests next."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution
    from optuna.samplers import TPESampler
    from ray.tune.search.optuna import OptunaSearch

    search = OptunaSearch(
        space={"arm": CategoricalDistribution(["good", "bad"]), "rate": FloatDistribution(0, 1)},
        metric="score",
        mode="max",
        points_to_evaluate=HISTORY,
        sampler=TPESampler(seed=seed),
    )
    for number, config in enumerate(HISTORY):
        assert search.suggest(str(number)) == config
        for epoch, score in enumerate(CURVES[config["arm"]], 1):
            result = {"score": score, "training_iteration": epoch}
            search.on_trial_result(str(number), result)
        search.on_trial_complete(str(number), result)
    return search.suggest("next")["arm"]


def ours(seed: int) -> str:
    """The arm that our sampler suggests next."""
    study = Study(
        id="task-arms",
        task="task",
        entrant=Entrant(label="Arms", family="family"),
        space=SPACE.canonical(),
        pinned={},
        enqueued=tuple(HISTORY),
        search=Search(effort_epochs=1000, max_epochs=9),
        replicates=Replicates(),
        seed=seed,
    )
    sampler = Sampler(study, SPACE)
    for number, config in enumerate(HISTORY):
        assert sampler.ask(number).config == config
        scores = enumerate(CURVES[config["arm"]], 1)
        reports = {epoch: {"score": score} for epoch, score in scores}
        sampler.tell(Trial(number=number, seed=0, config=config, reports=reports, state="stopped"))
    return str(sampler.ask(len(HISTORY)).config["arm"])


@pytest.mark.filterwarnings("ignore")
def test_plain_optuna_search_prefers_the_arm_that_was_stopped_first_and_ours_does_not():
    theirs = Counter(plain(seed) for seed in range(SEEDS))
    told = Counter(ours(seed) for seed in range(SEEDS))
    assert theirs["bad"] >= 0.9 * SEEDS, theirs
    assert told["good"] >= 0.9 * SEEDS, told
