"""Predictions made elsewhere: checked to the last mistake, then scored as our own are."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

from bench import launch, ledger, metrics, outside, registry, runs
from bench.data.prepare import prepare, resolve_options
from bench.data.prepared import PreparedTask
from bench.errors import UserError
from bench.folders import openings_register
from bench.ledger import Ledger
from bench.outside import tables, volumes
from bench.prepared_run import prepare_data
from bench.runs import RunFolder
from results.load import load_run
from results.predictions import read_predictions

CLASSES = ("no liver", "liver", "tumour")


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A run of a classification and a segmentation that ended without any training."""
    request = launch.Request(
        suite="smoke", tasks=["lits_cls", "lits_seg"], entrants=["FCNN", "U-Net, tiny"]
    )
    found = launch.resolve(request)
    folder = RunFolder(tmp_path_factory.mktemp("outside") / "run")
    launch.create(found, launch.prepare(found), folder=folder, weights={}, command=["bench"])
    begin(folder.path)
    return folder.path


def begin(path, **fields):
    folder, file = runs.load(path)
    with Ledger(folder.ledger) as events:
        events.append(
            "run_started",
            suite="smoke",
            scale="demo",
            seed=0,
            phantom=True,
            studies=[study.id for study in file.studies],
            **fields,
        )
        events.append("run_finished", state="completed")


@pytest.fixture
def run(begun, tmp_path):
    shutil.copytree(begun, tmp_path / "mine")
    return tmp_path / "mine"


def opened(run, task, split="test"):
    """The split, truth and all."""
    _, file = runs.load(run)
    (root,) = prepare_data(file, tasks=[task]).values()
    return PreparedTask(root).open(split)


def openings(run, task="lits_cls"):
    _, file = runs.load(run)
    fingerprint = file.data[task]["test_fingerprint"]
    return [one["run"] for one in ledger.openings(openings_register(), fingerprint=fingerprint)]


def write(path, rows, header=("id", *CLASSES)):
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])
    return path


def probabilities(split, seed):
    """Some for each row, as written with four decimals."""
    rng = np.random.default_rng(seed)
    return [[id, *(f"{one:.4f}" for one in rng.dirichlet(np.ones(3)))] for id in split.ids]


# --- What is to be predicted ----------------------------------------------------------------


def test_the_skeleton_of_a_classification_has_its_ids_and_opens_nothing(run, tmp_path):
    before = openings(run)
    assert outside.write_ids("lits_cls", tmp_path / "ids.csv", run=run) > 2
    header, *rows = csv.reader((tmp_path / "ids.csv").open(newline=""))
    assert header == ["id", *CLASSES]
    assert rows == [[id, "", "", ""] for id in opened(run, "lits_cls").ids]
    assert openings(run) == before and not load_run(run).state.outside


def test_the_skeleton_of_a_segmentation_names_a_file_a_volume(run, tmp_path):
    outside.write_ids("lits_seg", tmp_path / "ids.csv", run=run, on="validation")
    header, *rows = csv.reader((tmp_path / "ids.csv").open(newline=""))
    cases = list(dict.fromkeys(opened(run, "lits_seg", "validation").cases))
    assert [header, *rows] == [["id", "file"], *([case, f"{case}.nii.gz"] for case in cases)]


# --- Classifications ------------------------------------------------------------------------


def test_probabilities_are_scored_as_a_run_scores_its_own(run, tmp_path):
    split, before = opened(run, "lits_cls"), openings(run)
    files = [write(tmp_path / f"{n}.csv", probabilities(split, n)) for n in range(3)]
    event = outside.score("lits_cls", files, run=run, label=" nnU-Net ")
    assert event["label"] == "nnU-Net" and event["on"] == "test" and event["notes"] == []
    task = registry.tasks().get("lits_cls")
    for number, (found, reference) in enumerate(
        zip(event["metrics"], event["predictions"], strict=True)
    ):
        rows = np.array([row[1:] for row in probabilities(split, number)], float)
        scores = (rows / rows.sum(axis=1, keepdims=True)).astype(np.float32)
        true = metrics.evaluate(
            task.metrics, true=split.labels, scores=scores, class_names=task.classes
        )
        assert found == pytest.approx(true, rel=1e-6, nan_ok=True)
        stored = read_predictions(run, reference).test
        assert stored.ids.tolist() == split.ids and stored.groups.tolist() == split.groups
        np.testing.assert_allclose(stored.scores, scores, rtol=1e-5, atol=1e-30)
        assert reference["source"] == f"{number}.csv"
    assert openings(run) == [*before, "score mine nnU-Net"]
    state = load_run(run).state
    assert state.outside == [event] and state.finished is not None
    assert event["fingerprint"] == load_run(run).record["data"]["lits_cls"]["test_fingerprint"]


def test_an_opening_is_registered_before_a_label_is_read(run, tmp_path, monkeypatch):
    split, before = opened(run, "lits_cls"), openings(run)
    file = write(tmp_path / "one.csv", probabilities(split, 0))

    def killed(self, split):
        raise KeyboardInterrupt

    monkeypatch.setattr(PreparedTask, "open", killed)
    with pytest.raises(KeyboardInterrupt):
        outside.score("lits_cls", [file], run=run, label="other")
    assert openings(run) == [*before, "score mine other"]
    assert not load_run(run).state.outside


def test_validation_is_scored_without_an_opening(run, tmp_path):
    split, before = opened(run, "lits_cls", "validation"), openings(run)
    file = write(tmp_path / "one.csv", probabilities(split, 0))
    event = outside.score("lits_cls", [file], run=run, label="other", on="validation")
    predictions = read_predictions(run, event["predictions"][0])
    assert predictions.test is None and predictions.validation.ids.tolist() == split.ids
    assert openings(run) == before


@pytest.mark.parametrize("write_label", [str, lambda index: CLASSES[index]])
def test_labels_by_name_or_index_leave_out_metrics_of_scores(run, tmp_path, write_label):
    split = opened(run, "lits_cls")
    rows = [[id, write_label(label)] for id, label in zip(split.ids, split.labels, strict=True)]
    file = write(tmp_path / "labels.csv", rows, ["id", "label"])
    event = outside.score("lits_cls", [file], run=run, label="labels")
    assert event["metrics"][0]["accuracy"] == event["metrics"][0]["macro_f1"] == 1
    assert "auroc" not in event["metrics"][0]
    assert event["notes"] == ["labels only: without auroc, average_precision, log_loss, ece, brier"]


def test_labels_do_not_do_for_a_primary_metric_of_scores(run, tmp_path, monkeypatch):
    split, before = opened(run, "lits_cls"), openings(run)
    file = write(tmp_path / "labels.csv", [[id, "0"] for id in split.ids], ["id", "label"])
    monkeypatch.setattr(outside.judging, "takes_labels", lambda metric: False)
    with pytest.raises(UserError, match="is of probabilities: give the columns id,no liver"):
        outside.score("lits_cls", [file], run=run, label="labels")
    assert openings(run) == before


def test_a_second_score_keeps_the_files_of_the_first(run, tmp_path):
    split = opened(run, "lits_cls")
    for seed in range(2):
        file = write(tmp_path / "again.csv", probabilities(split, seed))
        outside.score("lits_cls", [file], run=run, label="again")
    first, second = load_run(run).state.outside
    for event in (first, second):
        assert read_predictions(run, event["predictions"][0]).test is not None
    assert first["predictions"] != second["predictions"]


# --- Tables ---------------------------------------------------------------------------------

IDS = [f"volume-1/{n:04d}" for n in range(6)]


def good(count=6):
    return [[id, "0.5", "0.3", "0.2"] for id in IDS[:count]]


def text(rows, header=("id", *CLASSES)):
    return "\n".join(",".join(row) for row in [header, *rows]) + "\n"


def read(tmp_path, content):
    path = tmp_path / "table.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return tables.read(path, IDS, CLASSES)


@pytest.mark.parametrize(
    "content",
    [
        text(good()),
        text(good()).encode("utf-8-sig"),
        text(good()).replace("\n", "\r\n"),
        text(good()) + "\n\n",
        text(reversed(good())),
        text([[d, b, id, c] for id, b, c, d in good()], ("tumour", "no liver", "id", "liver")),
        text([[id, "0.501", "0.3", "0.202"] for id in IDS]),
    ],
)
def test_a_table_may_come_in_many_ways(tmp_path, content):
    table, mistakes = read(tmp_path, content)
    assert mistakes == [] and not table.labels_only
    np.testing.assert_allclose(table.scores, [[0.5, 0.3, 0.2]] * 6, atol=2e-3)
    np.testing.assert_allclose(table.scores.sum(axis=1), 1, rtol=1e-12)


def test_rows_are_put_in_the_order_of_the_split(tmp_path):
    rows = [[id, str(n / 10), str(1 - n / 10), "0"] for n, id in enumerate(IDS)]
    table, _ = read(tmp_path, text(reversed(rows)))
    np.testing.assert_allclose(table.scores[:, 0], np.arange(6) / 10)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is an empty file"),
        (b"\xff\xfe\x00", "it is not UTF-8"),
        ('id,label\n"volume', "cannot be read as CSV"),
        (text(good(4)), "2 ids are missing ('volume-1/0004', 'volume-1/0005'): `--ids FILE`"),
        (
            text([["volume-1/00O5", "0.5", "0.3", "0.2"], *good(5)]),
            "1 ids are unknown ('volume-1/00O5'): leave them out; did you mean "
            "'volume-1/00O5' for 'volume-1/0005'",
        ),
        (
            text([["volume-1/0006", "0.5", "0.3", "0.2"], *good()]),
            "1 ids are unknown ('volume-1/0006'): leave them out",
        ),
        (text([*good(), good()[0]]), "1 ids are there more than once ('volume-1/0000'): keep one"),
        (text(good(), ("id", "no liver", "lever", "tumour")), "unknown column 'lever': did you me"),
        (text(good(), ("id", "no liver", "lever", "tumour")), "1 columns are missing ('liver'): "),
        (text(good(), ("id", "liver", "liver", "tumour")), "columns are there twice ('liver')"),
        (text([["a", "b"]]), "1 lines have other columns than the header (2): mend"),
        (text([[id, "1.2", "-0.1", "-0.1"] for id in IDS]), "6 rows hold values outside of 0 to 1"),
        (
            text([[id, "0.6", "0.3", "0.3"] for id in IDS]),
            "6 rows do not sum to 1 ('volume-1/0000', 'volume-1/0001', 'volume-1/0002', ...): pass",
        ),
        (text([[id, "nan", "0.5", "0.5"] for id in IDS]), "6 rows hold what is no finite number"),
        (text([[id, "", "0.5", "0.5"] for id in IDS]), "6 rows hold what is no finite number"),
        (text([[id, "1", "0", "0"] for id in IDS]), "holds only zeros and ones"),
        (text([[id, "lever"] for id in IDS], ("id", "label")), "1 labels are no class ('lever')"),
        (text([[id, "3"] for id in IDS], ("id", "label")), "1 labels are no class ('3'): the cl"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(tmp_path, content, said):
    table, mistakes = read(tmp_path, content)
    assert table is None
    assert any(said in line for line in mistakes), mistakes
    assert not any("\n" in line for line in mistakes)


def test_all_mistakes_come_at_once(tmp_path):
    rows = [*good(4), ["volume-9/0000", "0.5", "0.5", "0.5"], ["volume-1/0000", "x", "0", "1"]]
    _, mistakes = read(tmp_path, text(rows))
    assert [line.split(" (")[0] for line in mistakes] == [
        "2 ids are missing",
        "1 ids are unknown",
        "1 ids are there more than once",
        "1 rows hold what is no finite number",
        "1 rows do not sum to 1",
    ]


# --- Segmentations --------------------------------------------------------------------------


def truth(run, cases, folder, name="{}.nii.gz"):
    """The published masks of these cases, as if they were predicted."""
    import nibabel

    raw = Path(load_run(run).record["data"]["lits_seg"]["folder"])
    folder.mkdir()
    for case in cases:
        number = case.removeprefix("volume-")
        (source,) = raw.rglob(f"segmentation-{number}.nii*")
        nibabel.save(nibabel.load(source), folder / name.format(case, number=number))
    return folder


@pytest.fixture
def volumes_of(run):
    return list(dict.fromkeys(opened(run, "lits_seg").cases))


@pytest.mark.parametrize("name", ["{}.nii.gz", "{}.nii", "segmentation-{number}.nii"])
def test_the_truth_scores_perfectly(run, volumes_of, tmp_path, name):
    folder = truth(run, volumes_of, tmp_path / "masks", name)
    (folder / "dataset.json").write_text("{}")
    event = outside.score("lits_seg", [folder], run=run, label="oracle")
    (found,) = event["metrics"]
    assert found["mean_case_dice"] == found["mcc"] == found["lesion_f1"] == 1
    assert found["assd_mm_liver"] == found["voe_tumour"] == 0
    stored, split = read_predictions(run, event["predictions"][0]).test, opened(run, "lits_seg")
    assert stored.ids.tolist() == split.ids and stored.cases.tolist() == split.cases
    assert stored.counts.sum(axis=2).tolist() == [
        np.bincount(mask.ravel(), minlength=3).tolist() for mask in split.masks
    ]


def altered(path, change):
    import nibabel

    image = nibabel.load(path)
    array, affine = change(np.asarray(image.dataobj).copy(), image.affine.copy())
    header = nibabel.Nifti1Header()
    header.set_sform(affine, code=1)
    nibabel.save(nibabel.Nifti1Image(array, None, header), path)


def shifted(array, affine):
    affine[0, 3] += 5
    return array, affine


def spaced(array, affine):
    affine[:3, 2] *= 1.2
    return array, affine


def flipped(array, affine):
    """The same voxels in the same places of the body, stored the other way round."""
    affine[:3, 3] += affine[:3, 0] * (len(array) - 1)
    affine[:3, 0] *= -1
    return array[::-1], affine


def of_value(array, affine):
    array[0, 0, 0] = 3
    return array, affine


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda array, affine: (array[:-1], affine), "the mask's shape"),
        (of_value, "values from 0 to 3"),
        (shifted, "its affine puts it on another grid than volume-"),
        (spaced, "its affine puts it on another grid"),
        (flipped, "its affine puts it on another grid"),
        (lambda array, affine: (array, affine * np.nan), "its affine puts it on another grid"),
    ],
)
def test_a_mask_on_another_grid_or_with_other_values_is_refused(
    run, volumes_of, tmp_path, change, said
):
    folder, before = truth(run, volumes_of, tmp_path / "masks"), openings(run, "lits_seg")
    altered(folder / f"{volumes_of[0]}.nii.gz", change)
    with pytest.raises(UserError) as raised:
        outside.score("lits_seg", [folder], run=run, label="other")
    assert said in str(raised.value) and str(folder) in str(raised.value)
    assert openings(run, "lits_seg") == before


def test_missing_unknown_and_doubled_volumes_are_said_at_once(run, volumes_of, tmp_path):
    folder = truth(run, volumes_of, tmp_path / "masks")
    first, second = (folder / f"{case}.nii.gz" for case in volumes_of[:2])
    shutil.copy(first, folder / f"{volumes_of[0].replace('volume', 'segmentation')}.nii.gz")
    second.rename(folder / f"{volumes_of[1]}_pred.nii.gz")
    with pytest.raises(UserError) as raised:
        outside.score("lits_seg", [folder], run=run, label="other")
    said = str(raised.value)
    assert f"1 volumes are missing ({volumes_of[1]!r}): name their files as" in said
    assert f"1 volumes are unknown ('{volumes_of[1]}_pred.nii.gz')" in said
    assert f"1 volumes are there more than once ({volumes_of[0]!r})" in said


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch])
def test_a_folder_without_masks_and_a_file_are_refused(run, tmp_path, make):
    make(tmp_path / "none")
    with pytest.raises(UserError, match="holds no masks: expected files such|is no folder: masks"):
        outside.score("lits_seg", [tmp_path / "none"], run=run, label="other")


def test_every_chosen_slice_is_found_again(run, tmp_path):
    """Of a task that draws some slices of each volume, by a mask that the reader must not use."""
    import nibabel

    task, raw = registry.tasks().get("lits_liver_seg"), load_run(run).record["data"]["lits_seg"]
    options = {"image_size": 24, "with_liver": 2, "without_liver": 3}
    data = prepare(task, Path(raw["folder"]), options=options, seed=0, cache=tmp_path / "cache")
    split = data.open("test")
    wanted = volumes.Wanted(
        task=task,
        options=resolve_options(task, options),
        raw=Path(raw["folder"]),
        ids=split.ids,
        cases=split.cases,
        shape=(24, 24),
    )
    folder = truth(run, dict.fromkeys(split.cases), tmp_path / "masks")
    masks, mistakes = wanted.read(folder, tmp_path / "masks.npy")
    assert mistakes == [] and split.masks.max() == 1
    np.testing.assert_array_equal(masks, split.masks)
    for path in folder.iterdir():  # Nothing predicted anywhere: the same slices are judged.
        image = nibabel.load(path)
        nibabel.save(nibabel.Nifti1Image(np.zeros(image.shape, np.uint8), image.affine), path)
    masks, mistakes = wanted.read(folder, tmp_path / "empty.npy")
    assert mistakes == [] and masks.shape == split.masks.shape and not masks.any()


# --- Refusals -------------------------------------------------------------------------------


def refused(run, said, *, task="lits_cls", files=(), label="other", **options):
    before = openings(run)
    with pytest.raises(UserError) as raised:
        outside.score(task, files, run=run, label=label, **options)
    assert said in str(raised.value), str(raised.value)
    assert openings(run) == before


def test_what_a_run_cannot_take_is_refused(run, tmp_path):
    file = write(tmp_path / "p.csv", probabilities(opened(run, "lits_cls"), 0))
    twin = shutil.copy(file, tmp_path / "twin.csv")
    refused(run, "unknown task of", task="lits_csl", files=[file])
    refused(run, "did you mean 'lits_cls'", task="lits_csl", files=[file])
    refused(
        run, "must not be that of an entrant of the run, got 'FCNN'", files=[file], label="FCNN"
    )
    refused(run, "takes a name that can be shown, got ''", files=[file], label=" ")
    refused(run, "takes a name that can be shown", files=[file], label="a\nb")
    refused(run, "--on takes validation or test", files=[file], on="train")
    refused(run, "takes predictions, got none")
    refused(run, "predicts the same as p.csv: a training counts once", files=[file, twin])
    refused(run, "No such file", files=[tmp_path / "absent.csv"])
    refused(run, "Is a directory", files=[tmp_path])
    with Ledger(run / "ledger.jsonl"):
        refused(run, "in use by another process", files=[file])
    assert not load_run(run).state.outside and not (run / "predictions").exists()


def test_a_sealed_run_opens_validation_alone(run, tmp_path):
    (run / "ledger.jsonl").unlink()
    files = {
        on: write(tmp_path / f"{on}.csv", probabilities(opened(run, "lits_cls", on), 0))
        for on in ("validation", "test")
    }
    refused(run, "has not begun", files=[files["test"]])
    begin(run, sealed=True)
    refused(run, "is sealed: end that with `bench unseal", files=[files["test"]])
    outside.score("lits_cls", [files["validation"]], run=run, label="other", on="validation")


def test_a_run_of_several_splits_is_refused(tmp_path):
    request = launch.Request(
        suite="smoke", tasks=["lits_cls"], entrants=["FCNN"], settings={"splits": 3}
    )
    found = launch.resolve(request)
    folder = RunFolder(tmp_path / "run")
    launch.create(found, launch.prepare(found), folder=folder, weights={}, command=["bench"])
    with pytest.raises(UserError, match="are scored on one split, .* has 3, each with test cases"):
        outside.score("lits_cls", [tmp_path / "p.csv"], run=folder.path, label="other")
