"""Prepared data: what they hold, and when they are made again."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench import registry
from bench.data import prepare as preparation
from bench.data import soundness, staging
from bench.data.prepare import prepare, resolve_options, verify
from bench.data.prepared import PreparedTask
from bench.data.sources import make_phantom
from bench.errors import UserError
from bench.spec import SPLITS, Scalar, Task
from tests.data import plates
from tests.data.plates import PLATES_CLS, PLATES_SEG, PLATES_TEXT


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return plates.write(tmp_path_factory.mktemp("raw") / "plates")


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    plates.register(monkeypatch)


def of(task: Task, raw: Path, cache: Path, *, seed: int = 0, **options: Scalar) -> PreparedTask:
    return prepare(task, raw, options=options, seed=seed, cache=cache)


def copied(raw: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(raw, tmp_path / "copy"))


@pytest.mark.parametrize("task", [PLATES_CLS, PLATES_SEG])
def test_images_and_masks_come_out_as_the_task_makes_them(
    task: Task, raw: Path, tmp_path: Path
) -> None:
    options = task.options.defaults()
    expected = {
        sample.id: (sample, case)
        for case in plates.cases(raw)
        for sample in plates.slices(case, plates.read(case), options)
    }
    prepared, seen = of(task, raw, tmp_path), []
    for split in SPLITS:
        data = prepared.open(split)
        assert data.inputs is not None and data.inputs.shape == (len(data), 1, 12, 10)
        assert data.inputs.dtype == np.uint8 and data.labels.dtype == np.int64
        assert (data.masks is not None) == (task is PLATES_SEG)
        for row, id in enumerate(data.ids):
            sample, case = expected[id]
            np.testing.assert_array_equal(data.inputs[row], sample.input)
            assert (data.cases[row], data.groups[row]) == (case.id, case.group)
            assert data.labels[row] == np.max(sample.label)
            for name, value in sample.facts.items():
                np.testing.assert_equal(data.facts[name][row], value)
            if data.masks is not None:
                assert data.masks.dtype == np.uint8
                np.testing.assert_array_equal(data.masks[row], sample.label)
        seen += data.ids
    assert sorted(seen) == sorted(expected)


def test_texts_come_out_as_they_are(raw: Path, tmp_path: Path) -> None:
    prepared = of(PLATES_TEXT, raw, tmp_path)
    for split in SPLITS:
        data = prepared.open(split)
        assert data.texts is not None and data.texts.dtype == np.uint8
        assert data.offsets is not None and data.offsets.dtype == np.int64
        assert [data.text(row) for row in range(len(data))] == [
            f"Plate no. {id}, größer" for id in data.ids
        ]
        assert [data.labels[row] for row in range(len(data))] == [int(id) % 2 for id in data.ids]
    assert set(prepared.open("test").ids) == {"0", "5"}, "the published test partition"
    assert prepared.manifest["mean"] == prepared.manifest["std"] == []


def test_the_manifest_says_what_is_there(raw: Path, tmp_path: Path) -> None:
    prepared = of(PLATES_SEG, raw, tmp_path)
    manifest = prepared.manifest
    assert manifest["task"] == "plates_seg" and manifest["dataset"] == "plates"
    assert manifest["options"] == PLATES_SEG.options.defaults()
    assert manifest["options"]["drop_duplicates"] is False
    assert manifest["kind"] == "image_segmentation" and manifest["classes"] == list(plates.CLASSES)
    assert manifest["phantom"] is False and manifest["groups_known"] is True
    assert (prepared.shape.channels, prepared.shape.height, prepared.shape.width) == (1, 12, 10)
    train = np.asarray(prepared.open("train").inputs) / 255
    assert manifest["mean"] == pytest.approx([train.mean()])
    assert manifest["std"] == pytest.approx([train.std()])
    assert manifest["dropped"] == 0
    assert {pair: entry["count"] for pair, entry in manifest["duplicates"].items()} == {
        "train_test": 0, "train_validation": 0, "validation_test": 0,
    }  # fmt: skip
    for split, volumes in (("train", 6), ("validation", 2), ("test", 2)):
        data, entry = prepared.open(split), manifest["splits"][split]
        assert entry["cases"] == len(data) == 4 * volumes
        assert entry["volumes"] == entry["groups"] == volumes == len(set(data.cases))
        assert entry["class_counts"] == np.bincount(data.labels, minlength=3).tolist()
        assert data.masks is not None
        assert entry["pixel_counts"] == np.bincount(data.masks.ravel(), minlength=3).tolist()
    assert "pixel_counts" not in of(PLATES_CLS, raw, tmp_path).manifest["splits"]["train"]
    assert manifest["test_fingerprint"] == manifest["splits"]["test"]["content"]


def test_moments_are_taken_channel_by_channel(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def coloured(case, plate, options):  # type: ignore[no-untyped-def]
        for sample in plates.slices(case, plate, options):
            yield replace(sample, input=np.concatenate([sample.input, sample.input // 2]))

    monkeypatch.setattr("bench.data.contents.PIECE", 500)
    prepared = of(replace(PLATES_CLS, samples=coloured), raw, tmp_path)
    train = np.asarray(prepared.open("train").inputs) / 255
    assert prepared.manifest["mean"] == pytest.approx(train.mean(axis=(0, 2, 3)))
    assert prepared.manifest["std"] == pytest.approx(train.std(axis=(0, 2, 3)))


def test_what_is_kept_for_evaluation_is_not_trained_on(raw: Path, tmp_path: Path) -> None:
    prepared = of(PLATES_CLS, raw, tmp_path, drawn=3)
    assert {id.split("/")[1] for id in prepared.open("train").ids} == {"0", "1", "2"}
    for split in ("validation", "test"):
        assert len(prepared.open(split)) == 4 * prepared.manifest["splits"][split]["volumes"]
    validation = prepared.open("validation")
    assert validation.training is not None
    assert validation.training.tolist() == [not id.endswith("/3") for id in validation.ids]
    assert verify(prepared) == []


def test_preparing_again_reads_nothing(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = of(PLATES_CLS, raw, tmp_path)
    monkeypatch.setattr(preparation, "_write", lambda *arguments: pytest.fail("written again"))
    assert of(PLATES_CLS, raw, tmp_path).root == first.root


def test_every_case_is_read_once(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = []

    def counting(case):  # type: ignore[no-untyped-def]
        reads.append(case.id)
        return plates.read(case)

    plates.register(monkeypatch, replace(plates.DATASET, read=counting))
    of(PLATES_SEG, raw, tmp_path)
    assert sorted(reads, key=int) == [str(number) for number in range(10)]


def test_the_number_of_threads_changes_nothing(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifests = []
    for threads in (1, 3):
        monkeypatch.setattr(soundness, "THREADS", threads)
        monkeypatch.setattr(staging, "THREADS", threads)
        prepared = of(PLATES_SEG, raw, tmp_path / str(threads))
        assert verify(prepared) == []
        manifests.append(prepared.manifest)
    assert manifests[0] == manifests[1]


def test_what_changes_the_data_changes_their_place(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = of(PLATES_CLS, raw, tmp_path)
    roots = {
        first.root,
        of(PLATES_CLS, raw, tmp_path, drawn=3).root,
        of(PLATES_CLS, raw, tmp_path, test_share=0.3).root,
        of(PLATES_CLS, raw, tmp_path, drop_duplicates=True).root,
        of(PLATES_CLS, raw, tmp_path, seed=1).root,
        of(replace(PLATES_CLS, version=99), raw, tmp_path).root,
    }
    assert len(roots) == 6
    moved = copied(raw, tmp_path)
    assert of(PLATES_CLS, moved, tmp_path).root == first.root, "the raw files' place does not count"
    (moved / "PHANTOM.json").write_text("{}")
    assert of(PLATES_CLS, moved, tmp_path).manifest["phantom"] is True
    monkeypatch.setattr(preparation, "code_version", lambda *functions: "another")
    assert of(PLATES_CLS, raw, tmp_path).root not in roots


def test_shares_of_the_split_are_options(raw: Path, tmp_path: Path) -> None:
    def volumes(**options: Scalar) -> list[int]:
        splits = of(PLATES_CLS, raw, tmp_path, **options).manifest["splits"]
        return [splits[split]["volumes"] for split in SPLITS]

    assert volumes(validation_share=0.3, test_share=0.1) == [6, 3, 1]
    with pytest.raises(UserError, match="must be positive and sum to 1"):
        volumes(validation_share=0.6, test_share=0.5)


def test_options_are_checked(raw: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="task plates_cls: unknown parameter 'drawm'.*'drawn'"):
        of(PLATES_CLS, raw, tmp_path, drawm=3)
    with pytest.raises(UserError, match="drawn must be a whole number, got 2.5"):
        resolve_options(PLATES_CLS, {"drawn": 2.5})


def test_the_test_fingerprint_is_the_test_splits_content(raw: Path, tmp_path: Path) -> None:
    def fingerprint(cache: str, **options: Scalar) -> str:
        prepared = of(PLATES_CLS, raw, tmp_path / cache, **options)
        return str(prepared.manifest["test_fingerprint"])

    assert fingerprint("1") == fingerprint("2") == fingerprint("1", drawn=3)
    assert fingerprint("1") != fingerprint("1", test_share=0.3)


def test_without_the_test_split_training_data_open(raw: Path, tmp_path: Path) -> None:
    prepared = of(PLATES_CLS, raw, tmp_path)
    shutil.rmtree(prepared.root / "test")
    again = of(PLATES_CLS, raw, tmp_path)
    assert again.root == prepared.root and not (again.root / "test").exists()
    assert len(again.open("train")) and len(again.open("validation"))
    with pytest.raises(UserError, match="test split of plates_cls is incomplete"):
        again.open("test")
    assert any("test" in problem for problem in verify(again))


def test_a_leak_is_refused(raw: Path, tmp_path: Path) -> None:
    mixed = copied(raw, tmp_path)
    plates.rewrite_table(
        mixed, lambda row: {**row, "group": "p0" if int(row["id"]) < 2 else row["id"]}
    )
    with pytest.raises(UserError, match=r"p0 \(test and train\)"):
        of(PLATES_TEXT, mixed, tmp_path)
    assert not list(tmp_path.glob("prepared/*/"))


def test_a_split_without_a_class_is_refused(raw: Path, tmp_path: Path) -> None:
    rare = copied(raw, tmp_path)
    for number in range(2, 10):
        mask = np.load(rare / f"{number}-mask.npy")
        np.save(rare / f"{number}-mask.npy", np.minimum(mask, 1))
    for task, what in ((PLATES_CLS, "case"), (PLATES_SEG, "pixel")):
        with pytest.raises(
            UserError, match=rf"(train|validation|test) of {task.id} has no {what} of class 'spot'"
        ):
            of(task, rare, tmp_path)
    assert not list(tmp_path.glob("prepared/*/"))


def test_a_class_that_is_never_trained_on_is_refused(raw: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="train of plates_cls has no case of class 'spot': add"):
        of(PLATES_CLS, raw, tmp_path, drawn=2)


def test_doubles_across_splits_are_counted(raw: Path, tmp_path: Path) -> None:
    same = copied(raw, tmp_path)
    for number in range(10):
        image = np.load(same / f"{number}.npy")
        image[0] = 7
        np.save(same / f"{number}.npy", image)
    prepared = of(PLATES_CLS, same, tmp_path)
    duplicates = prepared.manifest["duplicates"]
    assert {pair: entry["count"] for pair, entry in duplicates.items()} == {
        "train_test": 2, "train_validation": 2, "validation_test": 2,
    }  # fmt: skip
    first, second = duplicates["train_test"]["examples"][0]
    assert first in prepared.open("train").ids and first.endswith("/0")
    assert second in prepared.open("test").ids and second.endswith("/0")
    assert prepared.manifest["dropped"] == 0
    assert prepared.manifest["splits"]["train"]["cases"] == 24
    with pytest.raises(UserError, match="train of plates_cls has no case of class 'none'"):
        of(PLATES_CLS, same, tmp_path, drop_duplicates=True)


def test_doubles_are_left_out_of_training_never_of_the_test(raw: Path, tmp_path: Path) -> None:
    double = of(PLATES_TEXT, raw, tmp_path).open("train").ids[0]
    same = copied(raw, tmp_path)
    (same / f"{double}.txt").write_text("Same  TEXT")
    (same / "5.txt").write_text(" same text")
    kept = of(PLATES_TEXT, same, tmp_path)
    assert kept.manifest["duplicates"]["train_test"] == {"count": 1, "examples": [[double, "5"]]}
    assert kept.manifest["dropped"] == 0 and double in kept.open("train").ids
    dropped = of(PLATES_TEXT, same, tmp_path, drop_duplicates=True)
    assert dropped.manifest["duplicates"] == kept.manifest["duplicates"]
    assert dropped.manifest["dropped"] == 1
    assert set(dropped.open("train").ids) == set(kept.open("train").ids) - {double}
    assert dropped.open("test").ids == kept.open("test").ids
    assert verify(dropped) == []


def test_strata_of_the_cases_come_before_the_labels(raw: Path, tmp_path: Path) -> None:
    voted = copied(raw, tmp_path)
    plates.rewrite_table(voted, lambda row: {**row, "stratum": str(int(row["id"]) % 4 // 2)})
    drawn = of(PLATES_TEXT, voted, tmp_path).open("validation").ids
    assert sorted(int(id) % 4 // 2 for id in drawn) == [0, 1]


def test_progress_is_told(raw: Path, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    prepare(
        PLATES_SEG,
        raw,
        options={},
        seed=0,
        cache=tmp_path,
        progress=lambda *step: told.append(step),
    )
    assert told[:31] == [("fingerprint", done, 31) for done in range(1, 32)]
    assert told[31:] == [("prepare plates_seg", done, 10) for done in range(1, 11)]


def test_a_phantom_of_lits_is_prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    task = registry.tasks().get("lits_cls")
    make_phantom("lits", tmp_path / "lits", 8, 1)
    prepared = of(task, tmp_path / "lits", tmp_path, image_size=16, with_liver=4, without_liver=2)
    dataset = registry.datasets().get("lits")
    expected = {
        sample.id: sample
        for case in dataset.cases(tmp_path / "lits")
        for sample in task.samples(case, dataset.read(case), prepared.manifest["options"])
    }
    seen = []
    for split in SPLITS:
        data = prepared.open(split)
        assert data.inputs is not None
        for row, id in enumerate(data.ids):
            np.testing.assert_array_equal(data.inputs[row], expected[id].input)
            assert data.labels[row] == expected[id].label
        seen += data.ids
    assert sorted(seen) == sorted(expected)
    assert prepared.manifest["phantom"] is True and verify(prepared) == []


def test_the_official_news(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not (shared_data / "ag_news").is_dir():
        pytest.skip("there is no ag_news in ../shared/data")
    monkeypatch.undo()
    prepared = of(registry.tasks().get("ag_news"), shared_data / "ag_news", tmp_path)
    splits = prepared.manifest["splits"]
    assert {name: entry["cases"] for name, entry in splits.items()} == {
        "train": 24_013,
        "validation": 6_005,
        "test": 7_600,
    }
    assert splits["test"]["class_counts"] == [1900] * 4
    assert splits["validation"]["class_counts"] == [1496, 1505, 1509, 1495]
    assert prepared.manifest["phantom"] is False and prepared.manifest["groups_known"] is False
    assert json.loads((prepared.root / "manifest.json").read_text()) == prepared.manifest
    assert prepared.manifest["duplicates"]["train_test"]["count"] > 0
