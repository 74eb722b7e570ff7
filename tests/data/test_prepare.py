"""Prepared data: what they hold, when they are made again, and that they are whole or not there."""

from __future__ import annotations

import gzip
import json
import multiprocessing
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import replace
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
import pytest

from bench import registry
from bench.data import prepare as preparation
from bench.data.prepare import prepare, resolve_options, verify
from bench.data.prepared import PreparedTask
from bench.data.sources import make_phantom
from bench.errors import UserError
from bench.spec import SPLITS, Scalar, Task

LITS = registry.tasks().get("lits_cls")
NEWS = registry.tasks().get("ag_news")
SMALL = {"image_size": 16, "with_liver": 4, "without_liver": 2}


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both phantoms, small."""
    root = tmp_path_factory.mktemp("raw")
    make_phantom("lits", root / "lits", 8, 1)
    make_phantom("ag_news", root / "ag_news", 200, 1)
    return root


def of(
    task: Task,
    raw: Path,
    cache: Path,
    options: Mapping[str, Scalar] | None = None,
    seed: int = 0,
) -> PreparedTask:
    if options is None:
        options = SMALL if task is LITS else {}
    return prepare(task, raw / task.dataset, options=options, seed=seed, cache=cache)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def lits(raw: Path, cache: Path) -> PreparedTask:
    return of(LITS, raw, cache)


@pytest.fixture(scope="module")
def news(raw: Path, cache: Path) -> PreparedTask:
    return of(NEWS, raw, cache)


def test_images_come_out_as_the_task_makes_them(lits: PreparedTask, raw: Path) -> None:
    dataset = registry.datasets().get("lits")
    expected = {
        sample.id: (sample.input, sample.label, case.group)
        for case in dataset.cases(raw / "lits")
        for sample in LITS.samples(case, dataset.read(case), {**LITS.options, **SMALL})
    }
    seen = set()
    for split in SPLITS:
        data = lits.open(split)
        assert data.inputs is not None and data.inputs.dtype == np.uint8
        assert data.inputs.shape == (len(data), 1, 16, 16)
        for index, id in enumerate(data.ids):
            image, label, group = expected[id]
            np.testing.assert_array_equal(data.inputs[index], image)
            assert (data.labels[index], data.groups[index]) == (label, group)
        seen |= set(data.ids)
    assert seen == set(expected)


def test_texts_come_out_as_hashed_words(news: PreparedTask, raw: Path) -> None:
    from bench.data.words import encode

    dataset = registry.datasets().get("ag_news")
    rows = {case.id: dataset.read(case) for case in dataset.cases(raw / "ag_news")}
    total = 0
    for split in SPLITS:
        data = news.open(split)
        assert data.tokens is not None and data.offsets is not None
        assert data.tokens.dtype == np.int32 and data.offsets.dtype == np.int64
        assert data.offsets[0] == 0 and data.offsets[-1] == len(data.tokens)
        for index, id in enumerate(data.ids):
            text = data.tokens[data.offsets[index] : data.offsets[index + 1]]
            np.testing.assert_array_equal(text, encode(rows[id].text))
            assert data.labels[index] == rows[id].label
        total += len(data)
    assert total == len(rows)
    assert {id[:4] for id in news.open("test").ids} == {"test"}


def test_the_manifest_says_what_is_there(lits: PreparedTask, news: PreparedTask) -> None:
    manifest = lits.manifest
    assert manifest["task"] == "lits_cls" and manifest["dataset"] == "lits"
    assert manifest["options"] == {**LITS.options, **SMALL}
    assert manifest["classes"] == ["no liver", "liver", "tumour"]
    assert manifest["phantom"] is True and manifest["groups_known"] is True
    assert news.manifest["groups_known"] is False
    assert (lits.shape.channels, lits.shape.height, lits.shape.width) == (1, 16, 16)
    assert (news.shape.channels, news.shape.height, news.shape.width) == (0, 0, 0)
    assert news.manifest["mean"] == news.manifest["std"] == []
    train = lits.open("train")
    scaled = np.asarray(train.inputs) / 255
    assert manifest["mean"] == pytest.approx([scaled.mean()])
    assert manifest["std"] == pytest.approx([scaled.std()])
    for split, groups in (("train", 4), ("validation", 2), ("test", 2)):
        data, entry = lits.open(split), manifest["splits"][split]
        assert entry["cases"] == len(data) and entry["groups"] == groups == len(set(data.groups))
        assert entry["class_counts"] == np.bincount(data.labels, minlength=3).tolist()
        assert min(entry["class_counts"]) > 0, "every split holds every class"
    groups = [set(lits.open(split).groups) for split in SPLITS]
    assert not groups[0] & groups[1] and not groups[0] & groups[2] and not groups[1] & groups[2]


def test_preparing_again_reads_nothing(
    lits: PreparedTask, raw: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparation, "_write", lambda *arguments: pytest.fail("written again"))
    assert of(LITS, raw, cache).root == lits.root


def test_what_changes_the_data_changes_their_place(
    lits: PreparedTask, raw: Path, cache: Path, tmp_path: Path
) -> None:
    assert of(LITS, raw, cache, {**SMALL, "image_size": 8}).root != lits.root
    other_seed = of(LITS, raw, cache, seed=1)
    assert other_seed.root != lits.root
    assert other_seed.manifest["fingerprint"] != lits.manifest["fingerprint"]
    assert of(replace(LITS, version=99), raw, cache).root != lits.root
    shutil.copytree(raw / "lits", tmp_path / "lits")
    assert of(LITS, tmp_path, cache).root == lits.root, "the place of the raw files does not count"
    (tmp_path / "lits" / "PHANTOM.json").unlink()
    assert of(LITS, tmp_path, cache).manifest["phantom"] is False


def test_the_test_fingerprint_is_the_test_splits_content(
    lits: PreparedTask, raw: Path, tmp_path: Path
) -> None:
    again = of(LITS, raw, tmp_path)
    assert again.manifest["test_fingerprint"] == lits.manifest["test_fingerprint"]
    assert of(LITS, raw, tmp_path, seed=1).manifest["test_fingerprint"] not in (
        None,
        lits.manifest["test_fingerprint"],
    )


def test_without_the_test_split_training_data_open(raw: Path, tmp_path: Path) -> None:
    prepared = of(LITS, raw, tmp_path)
    shutil.rmtree(prepared.root / "test")
    again = of(LITS, raw, tmp_path)
    assert again.root == prepared.root and not (again.root / "test").exists()
    assert len(again.open("train")) and len(again.open("validation"))
    with pytest.raises(UserError, match="test split of lits_cls is incomplete"):
        again.open("test")
    assert any("test" in problem for problem in verify(again))


def test_verify_finds_what_changed(raw: Path, tmp_path: Path) -> None:
    prepared = of(LITS, raw, tmp_path)
    assert verify(prepared) == []
    inputs = np.load(prepared.root / "train" / "inputs.npy", mmap_mode="r+")
    inputs[0, 0, 5, 5] ^= 1
    inputs.flush()
    (problem,) = verify(prepared)
    assert "train" in problem and "content has changed" in problem
    labels = np.load(prepared.root / "validation" / "labels.npy")
    labels[0] = 3
    np.save(prepared.root / "validation" / "labels.npy", labels)
    assert any("0 to 2" in problem for problem in verify(prepared))
    np.save(
        prepared.root / "test" / "labels.npy", np.load(prepared.root / "test" / "labels.npy")[1:]
    )
    assert any("instead of" in problem for problem in verify(prepared))
    (prepared.root / "train" / "inputs.npy").write_bytes(b"rubbish")
    assert any("cannot be read" in problem for problem in verify(prepared))


def test_every_bad_file_is_listed_before_anything_is_written(raw: Path, tmp_path: Path) -> None:
    shutil.copytree(raw / "lits", tmp_path / "lits")
    (tmp_path / "lits" / "volume-2.nii.gz").write_bytes(b"rubbish")
    (tmp_path / "lits" / "segmentation-5.nii.gz").unlink()
    path = tmp_path / "lits" / "segmentation-6.nii.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:900]))
    with pytest.raises(UserError) as caught:
        of(LITS, tmp_path, tmp_path / "cache")
    message = str(caught.value)
    assert "data set lits: 3 mistakes" in message
    for part in ("volume-2.nii.gz", "segmentation-5.nii[.gz] is missing", "segmentation-6.nii.gz"):
        assert part in message
    assert not list((tmp_path / "cache").glob("prepared/*/"))


def test_a_folder_without_the_data_set_says_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="volume-N.nii"):
        prepare(LITS, tmp_path, options={}, seed=0, cache=tmp_path / "cache")
    with pytest.raises(UserError, match="train.csv is missing"):
        prepare(NEWS, tmp_path, options={}, seed=0, cache=tmp_path / "cache")


def test_sound_files_are_checked_once(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = registry.datasets().get("lits")
    checks = []

    def counting(folder: Path) -> list[str]:
        checks.append(folder)
        return dataset.check(folder)

    monkeypatch.setattr(
        registry,
        "datasets",
        lambda: registry.Shelf("data set", {"lits": replace(dataset, check=counting)}),
    )
    of(LITS, raw, tmp_path)
    of(LITS, raw, tmp_path, {**SMALL, "image_size": 8})
    assert len(checks) == 1
    shutil.copytree(raw / "lits", tmp_path / "lits")
    (tmp_path / "lits" / "volume-0.nii.gz").write_bytes(b"rubbish")
    with pytest.raises(UserError, match="volume-0"):
        of(LITS, tmp_path, tmp_path)


def test_options_are_checked(raw: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unknown option 'image_sise': did you mean 'image_size'"):
        of(LITS, raw, tmp_path, {"image_sise": 64})
    with pytest.raises(UserError, match="image_size takes a value of type int, got 64.5"):
        resolve_options(LITS, {"image_size": 64.5})
    with pytest.raises(UserError, match="got True"):
        resolve_options(LITS, {"image_size": True})


def test_what_fails_leaves_nothing(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(inputs: Path) -> tuple[list[float], list[float]]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(preparation, "_moments", dies)
        with pytest.raises(KeyboardInterrupt):
            of(LITS, raw, tmp_path)
    assert not [path for path in (tmp_path / "prepared").iterdir() if path.is_dir()]
    assert verify(of(LITS, raw, tmp_path)) == []


def _killed(raw: Path, cache: Path) -> None:
    preparation._moments = lambda inputs: os._exit(9)  # type: ignore[assignment]
    of(LITS, raw, cache)


def _works(raw: Path, cache: Path, barrier: Barrier) -> None:
    original = preparation._moments

    def slowly(inputs: Path) -> tuple[list[float], list[float]]:
        (cache / f"written-by-{os.getpid()}").touch()
        time.sleep(1)  # Time for the other to come in, if nothing kept it out.
        return original(inputs)

    preparation._moments = slowly
    barrier.wait()
    of(LITS, raw, cache)


def test_a_killed_process_leaves_nothing_that_is_taken_for_whole(raw: Path, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    worker = context.Process(target=_killed, args=(raw, tmp_path))
    worker.start()
    worker.join()
    assert worker.exitcode == 9
    assert list((tmp_path / "prepared").glob("*.part-*")), "it was killed half-way"
    prepared = of(LITS, raw, tmp_path)
    assert verify(prepared) == []
    assert not list((tmp_path / "prepared").glob("*.part-*"))
    assert not list(prepared.root.rglob("staging"))


def test_two_processes_prepare_once(raw: Path, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    workers = [context.Process(target=_works, args=(raw, tmp_path, barrier)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    folders = [path for path in (tmp_path / "prepared").iterdir() if path.is_dir()]
    assert len(folders) == 1
    assert len(list(tmp_path.glob("written-by-*"))) == 1
    assert verify(PreparedTask(folders[0])) == []


def test_progress_is_told(raw: Path, tmp_path: Path) -> None:
    told = []
    prepare(
        LITS,
        raw / "lits",
        options=SMALL,
        seed=0,
        cache=tmp_path,
        progress=lambda *step: told.append(step),
    )
    assert ("fingerprint", 16, 16) in told
    assert told[-1] == ("prepare lits_cls", 8, 8)


def test_the_official_news(shared_data: Path, tmp_path: Path) -> None:
    if not (shared_data / "ag_news").is_dir():
        pytest.skip("there is no ag_news in ../shared/data")
    prepared = of(NEWS, shared_data, tmp_path)
    splits = prepared.manifest["splits"]
    assert {name: entry["cases"] for name, entry in splits.items()} == {
        "train": 24_013,
        "validation": 6_005,
        "test": 7_600,
    }
    assert splits["test"]["class_counts"] == [1900] * 4
    assert splits["validation"]["class_counts"] == [1496, 1505, 1509, 1495]
    assert prepared.manifest["phantom"] is False
    assert json.loads((prepared.root / "manifest.json").read_text()) == prepared.manifest


def test_a_folder_without_a_manifest_is_made_anew(raw: Path, tmp_path: Path) -> None:
    prepared = of(LITS, raw, tmp_path)
    (prepared.root / "manifest.json").unlink()
    (prepared.root / "train" / "inputs.npy").unlink()
    assert verify(of(LITS, raw, tmp_path)) == []
