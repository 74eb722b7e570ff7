import json

from bench.folders import openings_register
from bench.ledger import register_opening
from results import tables
from results.load import TaskFacts, load_run


def test_openings_count_this_run_once_and_others(make_run):
    run = load_run(make_run())
    for name in (run.name, run.name, "other", "other", "third"):
        register_opening(openings_register(), fingerprint="60303ae22b99", run=name)
    register_opening(openings_register(), fingerprint="different", run="fourth")
    row = tables.openings(run).iloc[0]
    assert (row["openings_here"], row["openings"], row["runs"]) == (6, 9, 3)


def test_groups_are_not_counted_where_they_are_unknown(make_run):
    data = tables.data(load_run(make_run(groups_known=False)))
    assert data["groups"].isna().all() and not data["groups_known"].any()
    assert data["class_counts"].iloc[0].startswith("no liver 1")


DOUBLES = {
    "train_validation": {"count": 0, "examples": []},
    "train_test": {"count": 2, "examples": [["a-1", "b-7"], ["a-2", "b-9"]]},
    "validation_test": {"count": 0, "examples": []},
}


def with_duplicates(folder, **more):
    record = json.loads((folder / "run.json").read_text())
    record["data"]["lits_cls"].update(duplicates=DOUBLES, **more)
    (folder / "run.json").write_text(json.dumps(record))
    return folder


def test_identical_cases_are_counted_by_pair_of_splits(make_run):
    table = tables.duplicates(load_run(with_duplicates(make_run(), dropped=3)))
    assert table["cases"].tolist() == [0, 2, 0]
    row = table.iloc[1]
    assert (row["first"], row["second"], row["dropped"]) == ("train", "test", 3)
    assert row["examples"] == "a-1 = b-7; a-2 = b-9"


def test_a_run_from_before_duplicates_were_looked_for_lists_none(make_run):
    assert len(tables.duplicates(load_run(make_run()))) == 0


def test_titles_of_metrics_name_their_class():
    task = task_of(("background", "liver"))
    titles = tables.metric_titles(task)
    assert titles["dice_background"] == "Dice, background"
    assert titles["assd_mm_liver"] == "Average surface distance (mm), liver"
    assert "assd_mm_background" not in titles and titles["lesion_f1"] == "Lesion F1"


def task_of(classes):
    return TaskFacts(
        id="t", title="T", kind="image_segmentation", classes=classes, primary="mean_dice",
        margin=0.01, metrics=("mean_dice",), dataset="d", groups_known=True,
    )  # fmt: skip


def test_provenance_tells_weights_and_plug_ins(make_run):
    folder = make_run()
    record = json.loads((folder / "run.json").read_text())
    study = record["studies"][0]
    weights = {"name": "imagenet", "sha256": "ab" * 32, "bytes": 10}
    record |= {"weights": {study["id"]: [weights]}, "plugins": {"my_net.py": "cd" * 32}}
    (folder / "run.json").write_text(json.dumps(record))
    told = tables.provenance(load_run(folder)).set_index("what")["value"]
    label = study["entrant"]["label"]
    assert told[f"weights of {label}"] == f"imagenet, sha256 {'ab' * 32}"
    assert told["plug-in my_net.py"] == f"sha256 {'cd' * 32}"


def test_provenance_tells_what_it_knows(make_run):
    told = tables.provenance(load_run(make_run())).set_index("what")["value"]
    assert told["code"] == "0123456789abcdef, with uncommitted changes"
    assert told["notthere"] == "not installed" and told["accelerators"] == "A GPU"
