"""Pretrained weights from end to end without a network: written, found, filled in, fine-tuned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import save
from torch import nn

from bench import registry
from bench.data.prepare import prepare
from bench.data.prepared import PreparedTask
from bench.data.sources import make_phantom
from bench.errors import UserError, WeightsMissing
from bench.spec import Budget
from bench.train.checkpoint import Checkpoint
from bench.train.evaluate import evaluate
from bench.train.fit import fit
from bench.train.material import Material
from bench.train.model import build, inputs_of, weights_fingerprint
from bench.weights import IMAGENET_MEAN, IMAGENET_STD
from tests.train.encoded import (
    CLASSIFIER,
    COLOURS,
    FAMILIES,
    SAYING,
    SILENT,
    Way,
    config_of,
    encoder,
    in_a_file,
    in_timms_folder,
    in_torch_hubs_cache,
    pickled,
    weights_of,
)
from tests.train.synthetic import make_task, write_images
from tests.weights.stored import write_hub_cache

TASKS = {"image_classification": "lits_cls", "image_segmentation": "lits_liver_seg"}


@pytest.fixture
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the caches of the hub and of torch.hub in it, both empty; no network."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path


@pytest.mark.parametrize("kind", sorted(TASKS))
@pytest.mark.parametrize("way", [*SAYING, *SILENT, in_torch_hubs_cache])
def test_each_way_gives_the_same_features(kind: str, way: Way, caches: Path) -> None:
    torch.manual_seed(1)
    pretrained, inputs = encoder(3).eval(), torch.randn(2, 3, 16, 16)
    name = way(weights_of(pretrained), caches, *COLOURS)
    data, family = write_images(caches / "data"), FAMILIES[kind]
    data.manifest["kind"] = kind
    how = {"normalisation": "imagenet"} if way in SILENT else {}
    config = config_of(family, weights=name, **how)
    model: Any = build(family, config, data, seed=0, device=torch.device("cpu")).eval()
    assert torch.equal(model.encoder(inputs), pretrained(inputs))
    seen = inputs_of(family, config, data)
    expected = COLOURS if way in SAYING else (IMAGENET_MEAN, IMAGENET_STD)
    assert seen.shape.channels == 3 and data.shape.channels == 1
    assert (seen.mean, seen.std) == tuple(tuple(values) for values in expected)


def test_the_seed_decides_the_head_and_not_the_rest(caches: Path) -> None:
    name = in_timms_folder(weights_of(encoder(3)), caches, *COLOURS)
    data, config = write_images(caches / "data"), config_of(CLASSIFIER, weights=name)
    one, two = (
        build(CLASSIFIER, config, data, seed=seed, device=torch.device("cpu")).state_dict()
        for seed in (1, 2)
    )
    same = {key: torch.equal(one[key], two[key]) for key in one}
    assert {key for key in same if not same[key]} == {"head.2.weight", "head.2.bias"}


@pytest.mark.parametrize("name", ["imagenet", "hub", "owner/encoder"])
def test_what_is_in_no_cache_never_becomes_a_random_start(name: str, caches: Path) -> None:
    data, config = write_images(caches / "data"), config_of(CLASSIFIER, weights=name)
    with pytest.raises(WeightsMissing, match=r"cannot be had; looked for in the cache .*HF_HUB"):
        build(CLASSIFIER, config, data, seed=0, device=torch.device("cpu"))


@pytest.mark.parametrize("way", [in_a_file, in_timms_folder])
def test_weights_of_another_architecture_are_refused(way: Way, caches: Path) -> None:
    other = nn.Sequential(nn.Conv2d(3, 16, 5), nn.BatchNorm2d(16))
    name = way(weights_of(other), caches, *COLOURS)
    config = config_of(CLASSIFIER, weights=name, normalisation="imagenet")
    with pytest.raises(
        UserError, match=r"encoder.0.weight is \(16, 3, 5, 5\) in the file, .* more: name weights"
    ):
        build(CLASSIFIER, config, write_images(caches / "data"), seed=0, device=torch.device("cpu"))


# --- Normalisation --------------------------------------------------------------------------


def test_weights_that_do_not_say_ask_for_a_normalisation(caches: Path) -> None:
    name = in_a_file(weights_of(encoder(3)), caches, *COLOURS)
    data = write_images(caches / "data")
    with pytest.raises(UserError, match=r'pin normalisation = "imagenet", or "data"'):
        inputs_of(CLASSIFIER, config_of(CLASSIFIER, weights=name), data)


@pytest.mark.parametrize("way", [in_a_file, in_timms_folder])
@pytest.mark.parametrize(("taken", "given"), [(3, 1), (3, 3), (1, 1)])
def test_the_datas_own_statistics_in_the_channels_of_the_weights(
    taken: int, given: int, way: Way, caches: Path
) -> None:
    said = ([0.5] * taken, [0.5] * taken)
    name = way(weights_of(encoder(taken)), caches, *said)
    data = write_images(caches / "data", channels=given)
    config = config_of(CLASSIFIER, weights=name, normalisation="data")
    inputs = inputs_of(CLASSIFIER, config, data)
    assert inputs.shape.channels == taken
    assert list(inputs.mean) == data.manifest["mean"] * (taken // given)
    assert list(inputs.std) == data.manifest["std"] * (taken // given)
    build(CLASSIFIER, config, data, seed=0, device=torch.device("cpu"))


def test_colours_do_not_go_into_weights_of_one_channel(caches: Path) -> None:
    name = in_timms_folder(weights_of(encoder(1)), caches, [0.5], [0.2])
    data = write_images(caches / "data", channels=3)
    with pytest.raises(UserError, match=r"take images of 1 channels, those of the task have 3"):
        inputs_of(CLASSIFIER, config_of(CLASSIFIER, weights=name), data)


def test_from_scratch_the_data_decide(caches: Path) -> None:
    data = write_images(caches / "data", channels=3)
    inputs = inputs_of(CLASSIFIER, config_of(CLASSIFIER), data)
    assert (list(inputs.mean), inputs.shape) == (data.manifest["mean"], data.shape)


def test_one_grey_channel_as_three_gives_what_one_gave(caches: Path) -> None:
    """Three channels, each a third of the weight, normalised alike, are the one channel."""
    grey = weights_of(encoder(1))
    first = (grey["encoder.0.weight"] / 3).repeat(1, 3, 1, 1)
    coloured = grey | {"encoder.0.weight": first}
    task, data = make_task(), write_images(caches / "data")
    found = []
    for root, state, times in (("one", grey, 1), ("three", coloured, 3)):
        name = in_timms_folder(state, caches / root, [0.4] * times, [0.2] * times)
        config = config_of(CLASSIFIER, weights=name, augmentation="flips_rotation", gamma=True)
        model = build(CLASSIFIER, config, data, seed=3, device=torch.device("cpu")).eval()
        material = Material(
            data, task=task, family=CLASSIFIER, config=config, seed=3, device="cpu", refit="train"
        )
        coins = torch.Generator().manual_seed(5)
        ((inputs, _),) = material.batches(material.order(1)[:1], coins)
        assert inputs.shape[1] == times
        assert material.validation is not None
        ((validated, _),) = material.validation[0].batches(material.validation[0].sequence(99))
        found.append((model(inputs), model(validated)))
    for one, three in zip(*found, strict=True):
        torch.testing.assert_close(one, three, atol=1e-4, rtol=1e-4)


def test_a_replicate_is_scored_with_the_inputs_that_it_was_trained_on(caches: Path) -> None:
    name = in_timms_folder(weights_of(encoder(3)), caches, [0.1] * 3, [0.05] * 3)
    task, data = make_task(), write_images(caches / "data")
    common: dict[str, Any] = {
        "task": task,
        "family": CLASSIFIER,
        "config": config_of(CLASSIFIER, weights=name),
        "data": data,
        "device": "cpu",
        "checkpoint": Checkpoint(caches / "replicate.ckpt"),
    }
    reports = list(fit(**common, seed=0, budget=Budget(max_epochs=3), replicate=True))
    found = evaluate(**common, splits=("validation",)).splits["validation"].metrics
    best = max(reports, key=lambda report: report.score or 0.0)
    assert found["accuracy"] == pytest.approx(best.metrics["accuracy"])
    assert found["log_loss"] == pytest.approx(best.metrics["log_loss"], rel=1e-4)


# --- What a record tells --------------------------------------------------------------------


def test_other_weights_of_the_same_name_are_other_weights(caches: Path) -> None:
    torch.manual_seed(0)
    assert weights_fingerprint(CLASSIFIER, config_of(CLASSIFIER)) is None
    one, two = weights_of(encoder(3)), weights_of(encoder(3))
    seen = []
    for state, mean in ((one, 0.1), (one, 0.1), (two, 0.1), (two, 0.2)):
        name = in_timms_folder(state, caches, [mean] * 3, [0.1] * 3)
        seen.append(weights_fingerprint(CLASSIFIER, config_of(CLASSIFIER, weights=name)))
    assert seen[0] == seen[1] and len(set(seen)) == 3 and None not in seen


# --- Families of the suite ------------------------------------------------------------------


def test_a_resnet_begins_with_torchvisions_file_in_torch_hubs_cache(caches: Path) -> None:
    from torchvision.models import resnet18

    torch.manual_seed(1)
    original = resnet18(num_classes=10).eval()
    kept = caches / "torch" / "hub" / "checkpoints" / "resnet18-f37072fd.pth"
    pickled(original.state_dict(), kept)
    family, data = registry.families().get("resnet"), write_images(caches / "data", size=32)
    config = config_of(family, depth=18, weights="imagenet")
    model: Any = build(family, config, data, seed=0, device=torch.device("cpu")).eval()
    inputs = torch.randn(2, 3, 32, 32)
    original.fc = model.fc
    torch.testing.assert_close(model(inputs), original(inputs))
    assert inputs_of(family, config, data).mean == IMAGENET_MEAN


def test_a_model_of_timms_begins_with_its_repository_in_the_hubs_cache(caches: Path) -> None:
    import timm

    torch.manual_seed(1)
    original: Any = timm.create_model("test_resnet").eval()
    config_file = json.dumps({"architecture": "test_resnet"}).encode()
    files = {"config.json": config_file, "model.safetensors": save(original.state_dict())}
    write_hub_cache(caches / "hub", "timm/test_resnet.r160_in1k", files)
    family, data = registry.families().get("timm"), write_images(caches / "data", size=32)
    config = config_of(family, architecture="test_resnet", weights="imagenet")
    model: Any = build(family, config, data, seed=0, device=torch.device("cpu")).eval()
    inputs = torch.randn(2, 3, 32, 32)
    expected = original.forward_features(inputs)
    torch.testing.assert_close(model.forward_features(inputs), expected)
    assert list(inputs_of(family, config, data).mean) == [0.5, 0.5, 0.5]  # timm's, of this model


# --- Fine-tuning on the phantom -------------------------------------------------------------


MARGIN = 0.25
"""Of the mean score over the seeds, in [0, 1]; it was 0.46 and 0.55 when this was written."""


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], PreparedTask]:
    """By task and use: to pretrain on, and to fine-tune on, of other patients."""
    root, found = tmp_path_factory.mktemp("phantoms"), {}
    for use, cases, seed in (("pretrain", 20, 1), ("train", 8, 2)):
        make_phantom("lits", root / use, cases, seed, shape=(32, 32, 24))
        for id in TASKS.values():
            task = registry.tasks().get(id)
            found[id, use] = prepare(
                task, root / use, options={"image_size": 32}, seed=0, cache=root / "cache"
            )
    return found


@pytest.mark.parametrize("kind", sorted(TASKS))
def test_after_one_epoch_pretrained_is_better_than_from_scratch(
    kind: str, phantoms: dict[tuple[str, str], PreparedTask], caches: Path
) -> None:
    task, family = registry.tasks().get(TASKS[kind]), FAMILIES[kind]
    checkpoint = Checkpoint(caches / "pretraining.ckpt")
    before = phantoms[task.id, "pretrain"]

    def trained(data: PreparedTask, epochs: int, seed: int, **settings: Any) -> float:
        reports = fit(
            task=task,
            family=family,
            config=config_of(family, **settings),
            seed=seed,
            budget=Budget(max_epochs=epochs),
            data=data,
            device="cpu",
            checkpoint=checkpoint if data is before else None,
        )
        return float([report.score for report in reports][-1] or 0.0)

    trained(before, 10, seed=100, learning_rate=3e-3, augmentation="none")
    saved = checkpoint.load()
    assert saved is not None
    state = saved["model"]
    moments = (before.manifest["mean"], before.manifest["std"])
    after, seeds = phantoms[task.id, "train"], range(4)
    scratch = np.mean([trained(after, 1, seed) for seed in seeds])
    for way in (*SAYING, *SILENT):
        settings = {"weights": way(state, caches, *moments)}
        if way in SILENT:
            settings["normalisation"] = "data"
        scores = [trained(after, 1, seed, **settings) for seed in seeds]
        assert np.mean(scores) > scratch + MARGIN, (way.__name__, scores, scratch)
