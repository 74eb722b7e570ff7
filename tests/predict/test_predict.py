"""What is predicted of new files, held against what the models say of the same data prepared."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest

from bench import registry, runs
from bench.data import batches
from bench.data.prepared import PreparedTask
from bench.ledger import Ledger
from bench.predict import Request, predict
from bench.prepared_run import prepare_data
from bench.train import apply
from bench.train.checkpoint import Checkpoint
from bench.train.predict import predict as evaluated
from suite.ct.axes import Axes
from suite.ct.sampling import regrid
from tests.suite.lits_files import save

CLASSES = ["no liver", "liver", "tumour"]


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "predictions.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def scores(rows: list[dict[str, str]], classes: list[str]) -> np.ndarray:
    return np.array([[row[name] for name in classes] for row in rows], float)


def data_of(run: Path, task: str) -> tuple[Path, PreparedTask]:
    """The raw folder and the prepared data of a task."""
    _, file = runs.load(run)
    (root,) = prepare_data(file, tasks=[task]).values()
    return Path(file.data[task]["folder"]), PreparedTask(root)


def model_of(run: Path, task: str, number: int) -> apply.Trained:
    folder, file = runs.load(run)
    study = next(study for study in file.studies if study.task == task)
    space = registry.space_of(
        registry.families().get(study.entrant.family), registry.tasks().get(task)
    )
    state = Checkpoint(folder.checkpoints / study.id / f"replicate-{number}.pt").load()
    assert state is not None
    return apply.Trained.of(
        family=registry.families().get(study.entrant.family),
        config=space.settled(dict(study.entrant.pin), heading="test"),
        data=data_of(run, task)[1],
        weights=state["best"],
        device="cpu",
    )


def on_validation(run: Path, task: str, number: int) -> tuple[list[str], np.ndarray]:
    """Ids and probabilities of the prepared validation split, as a replicate is scored."""
    one, data = model_of(run, task, number), data_of(run, task)[1]
    source = batches.load(
        data,
        ("validation",),
        device="cpu",
        tokenizer=one.inputs.tokenizer,
        mean=one.inputs.mean,
        std=one.inputs.std,
    )
    return data.open("validation").ids, evaluated(one.model, source)[1]


# --- Classifications ------------------------------------------------------------------------


@pytest.mark.parametrize(("replicate", "number"), [(None, 2), ("1", 1)])
def test_slices_of_a_raw_volume_get_the_probabilities_of_the_prepared_ones(
    ended: Path, tmp_path: Path, replicate: str | None, number: int
) -> None:
    raw, data = data_of(ended, "lits_cls")
    case = data.open("validation").cases[0]
    file = tmp_path / "a scan.nii.gz"
    shutil.copy(next(raw.rglob(f"{case}.nii.gz")), file)
    done = predict(
        Request(run=ended, entrant="FCNN", files=[file], replicate=replicate, out=tmp_path / "made")
    )
    rows = table(done.folder)
    ids, expected = on_validation(ended, "lits_cls", number)
    mine = [row for row, id in enumerate(ids) if id.startswith(f"{case}/")]
    np.testing.assert_allclose(scores(rows, CLASSES), expected[mine], rtol=1e-4, atol=1e-6)
    assert [row["class"] for row in rows] == [CLASSES[n] for n in expected[mine].argmax(axis=1)]
    assert [int(row["slice"]) for row in rows] == list(range(len(mine)))
    assert rows[1]["id"] == "a scan/0001" and rows[1]["file"] == str(file)
    assert {row["data"] for row in rows} == {"phantom"}
    assert [one["replicate"] for one in done.about["replicates"]] == [number]


def test_all_replicates_are_the_mean_of_their_probabilities(ended: Path, tmp_path: Path) -> None:
    raw, data = data_of(ended, "lits_cls")
    case = data.open("validation").cases[0]
    file = next(raw.rglob(f"{case}.nii.gz"))
    done = predict(
        Request(run=ended, entrant="FCNN", files=[file], replicate="all", out=tmp_path / "made")
    )
    of_each = [on_validation(ended, "lits_cls", number) for number in range(3)]
    mine = [row for row, id in enumerate(of_each[0][0]) if id.startswith(f"{case}/")]
    mean = np.mean([found[mine] for _, found in of_each], axis=0)
    np.testing.assert_allclose(scores(table(done.folder), CLASSES), mean, rtol=1e-4, atol=1e-6)
    assert "ensemble" in done.about["how"]


def test_texts_of_a_raw_table_get_the_probabilities_of_the_prepared_ones(
    ended: Path, tmp_path: Path
) -> None:
    raw, data = data_of(ended, "ag_news")
    ids, expected = on_validation(ended, "ag_news", 2)
    done = predict(
        Request(run=ended, entrant="fasttext", files=[raw / "train.csv"], out=tmp_path / "made")
    )
    rows = {row["id"]: row for row in table(done.folder)}
    found = [rows[id] for id in ids]
    classes = list(registry.tasks().get("ag_news").classes)
    np.testing.assert_allclose(scores(found, classes), expected, rtol=1e-4, atol=1e-6)
    assert "slice" not in found[0]


# --- Masks ----------------------------------------------------------------------------------


def segmented(run: Path, files: list[Path], out: Path, **more: object) -> list[np.ndarray]:
    """Each file's mask in the patient's axes, its geometry checked."""
    found = predict(Request(run=run, entrant="unet", files=files, out=out, **more))  # type: ignore[arg-type]
    assert found.about["complete"] and len(found.about["outputs"]) == len(files)
    masks = []
    for file in files:
        name = file.name.removesuffix(".gz").removesuffix(".nii") + "_mask.nii.gz"
        ct, mask = nibabel.load(file), nibabel.load(out / name)
        assert mask.shape == ct.shape and mask.get_data_dtype() == np.uint8
        np.testing.assert_array_equal(mask.affine, ct.affine)
        assert mask.header.get_xyzt_units() == ct.header.get_xyzt_units()
        for code in ("qform_code", "sform_code"):
            assert mask.header[code] == ct.header[code]
        masks.append(Axes(mask.affine).to_patient(np.asarray(mask.dataobj)))
    return masks


def test_a_mask_is_what_the_model_says_on_the_grid_of_the_raw_volume(
    ended: Path, tmp_path: Path
) -> None:
    raw, data = data_of(ended, "lits_seg")
    split = data.open("validation")
    file = next(raw.rglob(f"{split.cases[0]}.nii.gz"))
    (mask,) = segmented(ended, [file], tmp_path / "made")
    mine = [row for row, case in enumerate(split.cases) if case == split.cases[0]]
    assert split.inputs is not None and len(mine) == len(mask)
    models = [model_of(ended, "lits_seg", 2)]
    prepared = np.stack(list(apply.pixel_probabilities(models, [split.inputs[r] for r in mine])))
    assert len(np.unique(mask)) > 1, "a mask of one class shows nothing"
    size = prepared.shape[-1]
    brought = np.stack([regrid(one, size) for one in mask])
    # Between the classes the two ways of resampling differ; where the model is sure, they agree.
    ordered = np.sort(prepared, axis=1)
    sure = ordered[:, -1] - ordered[:, -2] > np.quantile(ordered[:, -1] - ordered[:, -2], 0.5)
    assert (brought == prepared.argmax(axis=1))[sure].mean() > 0.97


def test_a_mask_lies_as_its_volume_does_however_the_axes_run(ended: Path, tmp_path: Path) -> None:
    ct = np.full((6, 40, 30), -1000, np.int16)
    for slice in range(6):  # Another in each slice, and no two of its sides alike.
        ct[slice, 4 : 14 + 3 * slice, 3:17] = 60
        ct[slice, 20 + slice : 34, 8 : 12 + 2 * slice] = 400
    codes = ("LPS", "RAS", "PSL", "SRA", "LAI")
    files = [tmp_path / f"{code}.nii.gz" for code in codes]
    for file, code in zip(files, codes, strict=True):
        save(file, ct, code)
    masks = segmented(ended, files, tmp_path / "made")
    assert len(np.unique(masks[0])) > 1
    for mask in masks[1:]:
        np.testing.assert_array_equal(mask, masks[0])


def test_an_oblique_affine_and_its_units_are_kept(ended: Path, tmp_path: Path) -> None:
    turned = nibabel.eulerangles.euler2mat(0.3, -0.2, 0.25) @ np.diag([-1.4, 1.3, -3.1])
    affine = nibabel.affines.from_matvec(turned, [12.5, -7.25, 301.0])
    ct = np.random.default_rng(1).normal(40, 120, (31, 44, 7)).astype(np.int16)
    image = nibabel.Nifti1Image(ct, affine)
    image.header.set_xyzt_units("mm", "sec")
    image.set_qform(affine, 1)
    image.set_sform(affine, 2)
    image.header["descrip"] = b"Doe, Jane"
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"Doe, Jane"))
    nibabel.save(image, tmp_path / "oblique.nii")
    (mask,) = segmented(ended, [tmp_path / "oblique.nii"], tmp_path / "made")
    assert len(np.unique(mask)) > 1
    header = nibabel.load(tmp_path / "made" / "oblique_mask.nii.gz").header
    assert b"Doe" not in header.binaryblock and not header.extensions
    assert b"PHANTOM" in bytes(header["descrip"])


def test_the_mask_of_a_real_ct_has_its_shape_and_affine(
    ended: Path, tmp_path: Path, shared_data: Path
) -> None:
    file = shared_data / "lits_one_real_ct" / "volume-0.nii.gz"
    (mask,) = segmented(ended, [file], tmp_path / "made")
    assert mask.shape == (30, 101, 122) and mask.max() <= 2


# --- Patches --------------------------------------------------------------------------------


def test_patches_are_read_as_the_task_reads_its_own(tmp_path: Path) -> None:
    from PIL import Image

    from bench.spec import Case

    pixels = np.random.default_rng(0).integers(0, 256, (224, 224, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "one.png")
    reader = registry.unlabelled().get("mhist")
    assert reader.takes(tmp_path / "one.png") and not reader.takes(tmp_path / "one.jpg")
    (case,) = reader.cases(tmp_path / "one.png")
    assert isinstance(case, Case)
    np.testing.assert_array_equal(reader.read(case).image, pixels)


# --- What is kept of it ---------------------------------------------------------------------


def test_what_made_the_predictions_is_kept_beside_them(ended: Path, tmp_path: Path) -> None:
    file = tmp_path / "lines.txt"
    file.write_text("Oil prices rise\n\nA cup final #39;s end\n", encoding="utf-8")
    done = predict(Request(run=ended, entrant="fastText", files=[file], out=tmp_path / "made"))
    about = json.loads((tmp_path / "made" / "about.json").read_text())
    assert about == done.about
    assert about["complete"] and about["phantom"] and "PHANTOM" in about["notice"]
    assert (about["run"], about["task"], about["entrant"]) == ("run", "ag_news", "fastText")
    assert about["how"] == "the training with the median accuracy on validation of 3"
    (one,) = about["replicates"]
    assert len(one["weights_sha256"]) == 64 and one["epoch"] == 1 and one["config"]
    assert about["outputs"] == ["predictions.csv"] and len(about["files"][0]["sha256"]) == 64
    assert about["provenance"]["packages"]["torch"]
    assert [row["id"] for row in table(tmp_path / "made")] == ["lines-000001", "lines-000003"]


def test_nothing_of_the_run_changes_and_no_test_set_is_opened(run: Path, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    (tmp_path / "t.txt").write_text("a text\n")
    out = tmp_path / "made"
    predict(Request(run=run, entrant="fastText", files=[tmp_path / "t.txt"], out=out))
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


def test_the_raw_data_are_not_needed_while_the_cache_is_there(run: Path, tmp_path: Path) -> None:
    content = json.loads((run / "run.json").read_text())
    for facts in content["data"].values():
        facts["folder"] = str(tmp_path / "gone")
    (run / "run.json").write_text(json.dumps(content))
    (tmp_path / "t.txt").write_text("a text\n")
    done = predict(
        Request(run=run, entrant="fastText", files=[tmp_path / "t.txt"], out=tmp_path / "made")
    )
    assert done.about["rows"] == 1


def test_without_validation_the_first_training_predicts(run: Path, tmp_path: Path) -> None:
    ledger = (run / "ledger.jsonl").read_text()
    emptied = re.sub(r'"validation_metrics": {[^}]*}', '"validation_metrics": {}', ledger)
    (run / "ledger.jsonl").write_text(emptied)
    (tmp_path / "t.txt").write_text("a text\n")
    done = predict(
        Request(run=run, entrant="fastText", files=[tmp_path / "t.txt"], out=tmp_path / "made")
    )
    assert [one["replicate"] for one in done.about["replicates"]] == [0]
    assert "none has its accuracy on validation" in done.about["how"]


def test_a_replicate_that_ends_while_its_run_goes_on_predicts(run: Path, tmp_path: Path) -> None:
    with Ledger(run / "ledger.jsonl") as events:
        events.append("run_resumed")
    (tmp_path / "t.txt").write_text("a text\n")
    assert predict(
        Request(run=run, entrant="fastText", files=[tmp_path / "t.txt"], out=tmp_path / "made")
    ).about["rows"]
