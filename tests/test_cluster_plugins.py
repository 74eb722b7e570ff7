"""A plug-in on a cluster: its workers never see the file, and need it neither."""

import shutil

import pytest

from bench.ledger import fold, read
from tests.commands import bench, start, wait_for_lines

PLUGIN = """
from bench.spec import Choice, Family, Space


def build(config, shape):
    from torch import nn

    size = shape.channels * shape.height * shape.width
    return nn.Sequential(
        nn.Flatten(), nn.Linear(size, config["width"]), nn.ReLU(),
        nn.Linear(config["width"], shape.classes),
    )


FAMILY = Family(
    title="Mine",
    kinds=frozenset({"image_classification"}),
    space="vision",
    build=build,
    architectures=("mine",),
    options=Space(width=Choice(8, 16)),
)
"""

SUITE = """
title = "Mine"
tasks = ["lits_cls"]

[[entrants]]
label = "Mine"
family = "my_net"

[search]
effort_epochs = 4
max_epochs = 2

[replicates]
seeds = 3

[options]
image_size = 32

[scales.demo]
phantom_cases = { lits = 8 }
"""


@pytest.fixture
def cluster():
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    yield cluster
    cluster.shutdown()


@pytest.mark.cluster
def test_workers_get_a_plug_in_whose_file_they_cannot_see(tmp_path, cluster):
    """Before a worker starts, the file and the run's copy of it are taken away."""
    file = tmp_path / "elsewhere" / "my_net.py"
    file.parent.mkdir()
    file.write_text(PLUGIN)
    (tmp_path / "mine.toml").write_text(SUITE)
    chosen = ("--suite", "mine.toml", "--scale", "demo", "--address", cluster.address)
    run = tmp_path / "begun"
    process = start("run", *chosen, "--plugins", file, "--run", run, cwd=tmp_path)
    wait_for_lines(run / "ledger.jsonl", 1, process)
    shutil.rmtree(file.parent)
    shutil.move(run / "plugins", tmp_path / "hidden")
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    events = read(run / "ledger.jsonl")
    assert events[0]["event"] == "run_started"
    (study,) = fold(events).studies.values()
    assert [replicate.state for replicate in study.replicates.values()] == ["completed"] * 3

    missing = bench("resume", run, cwd=tmp_path)
    assert missing.returncode == 2 and "plugins/my_net.py" in missing.stderr
    shutil.move(tmp_path / "hidden", run / "plugins")
    done = bench("resume", run, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
