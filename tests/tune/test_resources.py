"""How a cluster is split among workers."""

import pytest

from bench.errors import UserError
from bench.tune.experiment import Resources, share


@pytest.mark.parametrize(
    ("nodes", "asked", "given"),
    [
        ([{"CPU": 2}], {}, Resources(workers=2, cpus=1, gpus=0)),
        ([{"CPU": 8}], {"workers": 2}, Resources(workers=2, cpus=4, gpus=0)),
        # Two nodes of three cores take three workers of one core, not of two.
        ([{"CPU": 3}, {"CPU": 3}], {"workers": 3}, Resources(workers=3, cpus=1, gpus=0)),
        ([{"CPU": 16, "GPU": 2}], {}, Resources(workers=2, cpus=8, gpus=1)),
        ([{"CPU": 16, "GPU": 1}], {"gpus": 0.5}, Resources(workers=2, cpus=8, gpus=0.5)),
        # The head has no cores for trials, the GPU nodes have.
        ([{"CPU": 0}, {"CPU": 8, "GPU": 1}], {}, Resources(workers=1, cpus=8, gpus=1)),
        ([{"CPU": 4, "GPU": 1}], {"gpus": 0, "workers": 4}, Resources(workers=4, cpus=1, gpus=0)),
    ],
)
def test_shares(nodes, asked, given):
    assert share(nodes, **{"workers": None, "gpus": None, "grows": False} | asked) == given


def test_more_gpus_than_there_are_is_refused_unless_an_autoscaler_was_told_how_many():
    with pytest.raises(UserError, match="a trial needs 1 GPUs, the cluster has 0"):
        share([{"CPU": 4}], workers=None, gpus=1, grows=True)
    assert share([{"CPU": 4}], workers=8, gpus=1, grows=True).workers == 8
