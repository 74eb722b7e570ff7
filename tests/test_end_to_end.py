"""Whole runs of the `smoke` suite, as a user starts them."""

import json
import re
import shutil

import pytest

from bench.ledger import fold, read
from tests.commands import bench, comparable

SMOKE = ("run", "--suite", "smoke")


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """An unbroken run with one worker, and what it printed."""
    folder = tmp_path_factory.mktemp("smoke")
    done = bench(*SMOKE, "--workers", "1", "--run", "whole", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "whole", done.stdout


def test_the_first_line_says_phantom_and_the_last_is_the_report(smoke):
    run, printed = smoke
    lines = printed.strip().splitlines()
    assert "PHANTOM" in lines[0]
    assert lines[-1].endswith("report.html")
    assert "PHANTOM" in (run / "report.html").read_text(encoding="utf-8").upper()


def test_every_study_spent_its_effort_and_has_its_replicates(smoke):
    run, _ = smoke
    state = fold(read(run / "ledger.jsonl"))
    plan = json.loads((run / "run.json").read_text())
    assert len(state.studies) == len(plan["studies"]) == 4
    for study in state.studies.values():
        assert study.effort == plan["suite"]["search"]["effort_epochs"]
        assert [r.state for r in study.replicates.values()] == ["completed"] * 3
    assert state.finished is not None and state.finished["state"] == "completed"


def test_the_search_never_opens_the_test_split(smoke):
    run, _ = smoke
    events = read(run / "ledger.jsonl")
    for event in events:
        if event["event"].startswith("trial_"):
            assert "test" not in json.dumps(event)
    unsealed = [(e["study"], e["replicate"]) for e in events if e["event"] == "test_unsealed"]
    assert len(unsealed) == len(set(unsealed)) == 12


def test_predictions_reproduce_the_recorded_test_metrics(smoke):
    import numpy as np

    from bench import metrics

    run, _ = smoke
    plan = json.loads((run / "run.json").read_text())
    for event in read(run / "ledger.jsonl"):
        if event["event"] != "replicate_finished":
            continue
        task = plan["tasks"][event["task"]]
        with np.load(run / event["predictions"]["file"], allow_pickle=False) as arrays:
            if task["kind"] == "image_segmentation":
                again = metrics.evaluate_counts(
                    task["metrics"],
                    counts=arrays["test_counts"],
                    cases=arrays["test_cases"],
                    class_names=task["classes"],
                )
                assert len(arrays["test_volumes"]) == len(set(arrays["test_cases"]))
            else:
                again = metrics.evaluate(
                    task["metrics"],
                    true=arrays["test_labels"],
                    scores=arrays["test_scores"],
                    class_names=task["classes"],
                )
        primary = task["primary"]
        assert again[primary] == pytest.approx(event["test_metrics"][primary])


def test_one_seed_and_one_worker_write_one_ledger(smoke, tmp_path):
    done = bench(*SMOKE, "--workers", "1", "--run", "again", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert comparable(tmp_path / "again") == comparable(smoke[0])


def test_with_the_prepared_test_cases_deleted_the_search_runs_to_its_end(
    tmp_path, monkeypatch, cache_folder
):
    cache = tmp_path / "cache"
    shutil.copytree(cache_folder / "phantoms", cache / "phantoms")
    monkeypatch.setenv("TUNEBENCH_CACHE", str(cache))
    chosen = (*SMOKE, "--tasks", "lits_cls", "--entrants", "FCNN")
    assert bench("check", *chosen[1:], cwd=tmp_path).returncode == 0
    for folder in (cache / "prepared").glob("*/test"):
        shutil.rmtree(folder)
    done = bench(*chosen, "--run", "sealed", cwd=tmp_path)
    state = fold(read(tmp_path / "sealed" / "ledger.jsonl"))
    for study in state.studies.values():
        assert study.state == "completed" and study.winner is not None
        assert study.effort == 12
        assert all(replicate.epoch > 0 for replicate in study.replicates.values())
        assert all("test split" in (r.error or "") for r in study.replicates.values())
    assert done.returncode == 1
    assert "test split" in (tmp_path / "sealed" / "report.html").read_text(encoding="utf-8")


RAISES = """
from bench.spec import Family


def build(config, shape):
    from torch import nn

    class Raises(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(shape.channels * shape.height * shape.width, shape.classes)

        def forward(self, images):
            if not self.training:
                raise RuntimeError("the shapes <do> not fit")
            return self.layer(images.flatten(1))

    return Raises()


FAMILY = Family(
    title="Raises",
    kinds=frozenset({"image_classification"}),
    space="vision",
    build=build,
    architectures=("raises",),
)
"""


def test_an_entrant_whose_model_raises_in_the_middle_fails_alone(tmp_path, project):
    """In evaluation: the one training step before a run goes well."""
    (tmp_path / "raises.py").write_text(RAISES)
    suite = (project / "suite" / "smoke.toml").read_text()
    entrant = '[[entrants]]\nlabel = "Broken"\nfamily = "raises"\n\n[search]'
    (tmp_path / "mine.toml").write_text(suite.replace("[search]", entrant))
    chosen = ("--suite", "mine.toml", "--tasks", "lits_cls", "--plugins", "raises.py")
    done = bench("run", *chosen, "--run", "mine", cwd=tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    state = fold(read(tmp_path / "mine" / "ledger.jsonl"))
    by_state = {study.state for study in state.studies.values()}
    assert by_state == {"completed", "failed"}
    (broken,) = [s for s in state.studies.values() if s.state == "failed"]
    assert "the shapes <do> not fit" in broken.why
    said = re.sub(r"\s+", " ", done.stdout)
    assert said.count("Broken: FAILED") == 1
    page = (tmp_path / "mine" / "report.html").read_text(encoding="utf-8")
    assert "the shapes &lt;do&gt; not fit" in page and "<do>" not in page


def test_a_run_s_folder_is_not_run_twice(smoke):
    run, _ = smoke
    done = bench(*SMOKE, "--run", run, cwd=run.parent)
    assert done.returncode == 2
    assert f"bench resume {run}" in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.cluster
def test_smoke_on_a_cluster_of_two_nodes(tmp_path, cache_folder):
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        done = bench(*SMOKE, "--address", cluster.address, "--run", "spread", cwd=tmp_path)
    finally:
        cluster.shutdown()
    assert done.returncode == 0, done.stderr
    state = fold(read(tmp_path / "spread" / "ledger.jsonl"))
    assert len(state.studies) == 4
    assert all(len(study.replicates) == 3 for study in state.studies.values())


def test_no_cluster_at_the_address_is_one_line(tmp_path):
    done = bench(
        *SMOKE, "--tasks", "lits_cls", "--address", "127.0.0.1:1", "--run", "none", cwd=tmp_path
    )
    assert done.returncode == 2
    assert "no Ray cluster at '127.0.0.1:1'" in done.stderr
