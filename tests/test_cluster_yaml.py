"""cluster.yaml against Ray's own schema and Ray's own preparation of it."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml


@pytest.fixture(scope="module")
def cluster(project: Path) -> dict[str, Any]:
    return yaml.safe_load((project / "cluster.yaml").read_text())


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    import ray.autoscaler

    return json.loads((Path(ray.autoscaler.__file__).parent / "ray-schema.json").read_text())


def test_it_keeps_rays_schema(cluster: dict[str, Any], schema: dict[str, Any]) -> None:
    jsonschema.validate(cluster, schema)


@pytest.mark.parametrize("key", ["cluster_name", "provider"])
def test_the_schema_refuses_it_without_a_required_key(
    cluster: dict[str, Any], schema: dict[str, Any], key: str
) -> None:
    with pytest.raises(jsonschema.ValidationError, match=key):
        jsonschema.validate({k: v for k, v in cluster.items() if k != key}, schema)


def test_the_schema_refuses_an_unknown_key_and_a_wrong_type(
    cluster: dict[str, Any], schema: dict[str, Any]
) -> None:
    with pytest.raises(jsonschema.ValidationError, match="setup_comands"):
        jsonschema.validate({**cluster, "setup_comands": []}, schema)
    broken = copy.deepcopy(cluster)
    broken["available_node_types"]["gpu_worker"]["max_workers"] = "four"
    with pytest.raises(jsonschema.ValidationError, match="four"):
        jsonschema.validate(broken, schema)


def test_ray_prepares_it_and_finds_nothing_missing(cluster: dict[str, Any]) -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    prepared = prepare_config(copy.deepcopy(cluster))
    validate_config(prepared)
    assert prepared["head_node_type"] in prepared["available_node_types"]


def test_the_head_has_no_gpu_and_takes_no_trial(cluster: dict[str, Any]) -> None:
    head = cluster["available_node_types"][cluster["head_node_type"]]
    assert head["resources"] == {"CPU": 0, "GPU": 0}


def test_workers_have_gpus_and_come_and_go(cluster: dict[str, Any]) -> None:
    types = cluster["available_node_types"]
    workers = [node for name, node in types.items() if name != cluster["head_node_type"]]
    assert workers
    for node in workers:
        assert node["resources"]["GPU"] >= 1
        assert node["min_workers"] < node["max_workers"] <= cluster["max_workers"]
    assert cluster["idle_timeout_minutes"] > 0


def test_every_node_installs_the_project_and_mounts_the_shared_folder(
    cluster: dict[str, Any],
) -> None:
    assert "." in cluster["file_mounts"].values()
    (target,) = [remote for remote, local in cluster["file_mounts"].items() if local == "."]
    commands = "\n".join(cluster["setup_commands"])
    assert f"pip install -q {target.replace('/home/ubuntu', '~')}" in commands
    assert "/shared" in commands
    assert "TUNEBENCH_CACHE=/shared/" in commands
    for node in cluster["available_node_types"].values():
        assert not {"setup_commands", "worker_setup_commands"} & node.keys()


def test_what_a_run_leaves_behind_is_not_sent_to_the_nodes(cluster: dict[str, Any]) -> None:
    assert {".venv/", "runs/", ".git/"} <= set(cluster["rsync_exclude"])
