"""The GPU script at toy size on the CPU, without the libraries that it promises to do without."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from bench.spec import Shape
from tests.perf.gpu import __main__ as script
from tests.perf.gpu import measures, table, worker
from tests.perf.gpu.models import MODELS, TOYS, Model
from tests.perf.gpu.trainee import Trainee
from tests.perf.gpu.worker import Bench, Job

CPU = torch.device("cpu")
DONE_WITHOUT = (
    "ray", "optuna", "plotly", "pytest", "kornia", "nibabel", "monai", "pandas", "sklearn", "scipy",
    "segmentation_models_pytorch", "pydantic", "typer", "rich", "pyarrow", "torchmetrics",
)  # fmt: skip
HIDES = f"""
import socket, sys
from importlib.machinery import PathFinder

class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.split(".")[0] in {DONE_WITHOUT!r} else super().find_spec(name, path)

def refuse(*arguments, **options):
    raise OSError("there is no network")

sys.meta_path[sys.meta_path.index(PathFinder)] = Without
socket.getaddrinfo = refuse
"""
"""A sitecustomize module: every process of the script, spawned ones too, runs it first."""


def toy(name: str) -> Model:
    return next(model for model in TOYS if model.name == name)


def run_script(*arguments: str, hidden: Path) -> subprocess.CompletedProcess[str]:
    """The script in a Python that lacks what it must not need."""
    (hidden / "sitecustomize.py").write_text(HIDES)
    root = Path(__file__).parents[2]
    return subprocess.run(
        [sys.executable, "-m", "tests.perf.gpu", *arguments],
        cwd=root,
        env=os.environ | {"PYTHONPATH": f"{hidden}{os.pathsep}{root}"},
        capture_output=True,
        text=True,
        timeout=600,
    )


def test_what_is_hidden_is_hidden(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(HIDES)
    done = subprocess.run(
        [sys.executable, "-c", "import numpy, pytest"],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert "No module named 'pytest'" in done.stderr


def test_the_script_needs_neither_ray_nor_optuna_nor_a_network(tmp_path: Path) -> None:
    record = tmp_path / "figures.json"
    only = ["--only", "U-Net", "--minutes", "9", "--json", str(record)]
    done = run_script("--device", "cpu", "--toy", *only, hidden=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(record.read_text())
    assert found["holes"] == []
    row = found["rows"]["U-Net"]
    assert row["batch_size"] == 2 and row["ceiling_flops"] == found["ceiling_flops"] > 0
    for name in ("float32", "bfloat16", "ours", "share", "compiled", "compile_seconds"):
        assert row[name] > 0, name
    assert "U-Net" in done.stdout and "hole:" not in done.stdout


@pytest.mark.slow
def test_the_whole_script_runs_at_toy_size(tmp_path: Path) -> None:
    record = tmp_path / "figures.json"
    done = run_script(
        "--device", "cpu", "--toy", "--minutes", "9", "--json", str(record), hidden=tmp_path
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(record.read_text())
    assert found["holes"] == [] and set(found["rows"]) == {model.name for model in TOYS}
    assert set(found["packed"]) == {"packed_1", "packed_2"}
    assert all("compiled" in row and row["share"] > 0 for row in found["rows"].values())


def test_a_machine_without_a_gpu_is_told_so(capsys: pytest.CaptureFixture[str]) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    assert script.main([]) == 2
    assert "no CUDA device" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="unknown model 'ResNet-19'"):
        script.main(["--only", "ResNet-19"])


def test_what_is_not_reached_in_time_is_a_hole(capsys: pytest.CaptureFixture[str]) -> None:
    assert script.main(["--device", "cpu", "--toy", "--minutes", "0"]) == 0
    printed = capsys.readouterr().out
    for name in ("ceiling", "ResNet-18, eager", "BERT-base, eager", "packed"):
        assert f"hole: {name}: not reached, the 0 minutes are over" in printed


def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    for name in [one for one in sys.modules if one.startswith(("torchvision.", "suite.nets."))]:
        monkeypatch.delitem(sys.modules, name)
    job = Job(kind="eager", limit_s=60, model=toy("ResNet-18"))
    answer = worker.run(job, CPU, toy=True)
    assert answer.figures == {} and answer.reason == "torchvision is not installed"


def test_a_family_that_there_is_not_is_a_hole() -> None:
    model = Model(name="Net", family="resnett", shape=MODELS[0].shape, batch_size=2)
    answer = worker.run(Job(kind="eager", limit_s=60, model=model), CPU, toy=True)
    assert answer.reason == "unknown family 'resnett': did you mean 'resnet'?"


def test_a_batch_that_does_not_fit_is_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    fits = Trainee.resident

    def resident(self: Trainee, updates: int) -> None:
        if self.batch_size > 2:
            raise torch.OutOfMemoryError
        fits(self, updates)

    monkeypatch.setattr(Trainee, "resident", resident)
    model = Model(name="Net", family="fcnn", shape=toy("ResNet-18").shape, batch_size=8)
    assert measures.eager(model, CPU, toy=True)["batch_size"] == 2


def test_a_job_that_hangs_or_crashes_costs_no_other() -> None:
    bench = Bench("cpu", toy=True)
    try:
        slow = bench.measure(Job(kind="ceiling", limit_s=1), limit_s=0.01)
        assert slow.reason == "not within 0 s"
        crashed = bench.measure(Job(kind="eager", limit_s=9), limit_s=120)
        assert crashed.reason.startswith("AssertionError: a job without a model")
        assert bench.measure(Job(kind="ceiling", limit_s=9), limit_s=120).figures
        bench._process.kill()
        bench._process.join()
        killed = bench.measure(Job(kind="ceiling", limit_s=9), limit_s=120)
        assert killed.reason == "its process ended with exit code -9"
    finally:
        bench.close()


@pytest.mark.parametrize(("groups", "expected"), [(1, 3.0), (8, 3.0)])
def test_a_convolution_costs_three_times_its_forward_pass(groups: int, expected: float) -> None:
    """Also one in groups, which torch's own formula takes for a full one in the backward pass."""
    trainee = Trainee(toy("ResNet-18"), batch_size=2, device=CPU, plain=True)
    inputs = torch.randn(2, 8, 16, 16, requires_grad=True)
    trainee._resident = (inputs, torch.zeros(2, 16, 16, dtype=torch.long))
    trainee.model = nn.Conv2d(8, 8, 3, padding=1, groups=groups)
    multiplied = 16 * 16 * 8 * (8 // groups) * 3 * 3
    assert trainee.flops_per_sample() == pytest.approx(expected * 2 * multiplied)


def test_a_linear_network_is_counted_by_hand() -> None:
    """The first layer's input needs no gradient: two products, the others three."""
    shape = Shape(kind="image_classification", classes=3, channels=1, height=4, width=4)
    model = Model(name="Net", family="fcnn", shape=shape, batch_size=2)
    trainee = Trainee(model, batch_size=2, device=CPU, plain=True)
    expected = 2 * (2 * 16 * 128 + 3 * (128 * 64 + 64 * 32 + 32 * 3))
    assert trainee.flops_per_sample() == expected
    assert trainee.parameters == 16 * 128 + 128 * 64 + 64 * 32 + 32 * 3 + 128 + 64 + 32 + 3


def test_both_sides_take_the_same_updates_of_the_same_model() -> None:
    trainee = Trainee(toy("BERT-base"), batch_size=2, device=CPU)
    inputs, _ = trainee._resident
    theirs, _ = next(trainee._feed)
    assert inputs.shape == theirs.shape and inputs.dtype == theirs.dtype
    seen: list[int] = []
    trainee.model.register_forward_hook(lambda *_: seen.append(1))
    trainee.resident(3)
    trainee.ours(9)  # more than an epoch's batches
    assert len(seen) == 12


def test_sides_take_turns_in_going_first() -> None:
    order: list[tuple[str, int]] = []
    sides = {name: lambda updates, name=name: order.append((name, updates)) for name in "ab"}
    taken = measures.rounds(sides, CPU, updates=4, repeats=2)
    assert order == [("a", 4), ("b", 4), ("b", 4), ("a", 4)]
    assert {name: len(seconds) for name, seconds in taken.items()} == {"a": 2, "b": 2}


def test_the_table_shows_figures_and_holes() -> None:
    row = {
        "batch_size": 4, "parameters": 11_178_051, "flops_per_sample": 2e9, "ceiling_flops": 1e14,
        "float32": 1000, "bfloat16": 2500, "share": 0.95,
    }  # fmt: skip
    packed = {"packed_1": 100.0, "packed_2": 150.0}
    holes = ["ResNet-18, compiled: not within 9 s"]
    lines = table.lines(TOYS[:1], {"ResNet-18": row}, packed, holes)
    figures = dict(zip(table.COLUMNS, lines[1].replace("11.18 M", "11.18M").split(), strict=True))
    assert figures["params"] == "11.18M" and figures["bf16"] == "2,500"
    assert figures["of peak"] == "5.0%" and figures["compiled"] == table.HOLE
    assert "2 small trials on one device: 150 samples/s in all, 1.50 times one" in lines
    assert lines[-1] == "hole: ResNet-18, compiled: not within 9 s"


def test_the_models_are_those_of_the_table() -> None:
    sizes = {model.name: model.input for model in MODELS}
    assert sizes == {
        "ResNet-18": "3x224x224", "ResNet-50": "3x224x224", "ConvNeXt-T": "3x224x224",
        "ViT-S": "3x224x224", "U-Net": "1x256x256", "ConvMixerSeg": "1x256x256",
        "BERT-base": "128 tokens",
    }  # fmt: skip


MILLIONS = {
    "ResNet-18": 11.18, "ResNet-50": 23.51, "ConvNeXt-T": 27.82, "ViT-S": 21.67, "U-Net": 31.04,
    "BERT-base": 109.19,  # 109.49 with the 512 positions of its checkpoint
}  # fmt: skip


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_each_model_builds_at_its_published_size(model: Model) -> None:
    from bench import registry

    family = registry.families().get(model.family)
    config = registry.space_of(family).settled(model.settings, heading=model.name)
    with torch.device("meta"):
        built = family.build(config, model.shape)
    count = sum(parameter.numel() for parameter in built.parameters()) / 1e6
    assert count == pytest.approx(MILLIONS.get(model.name, count), rel=1e-3)
