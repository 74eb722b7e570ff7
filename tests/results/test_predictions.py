import hashlib

import numpy as np
import pytest

from bench.errors import UserError
from results.load import load_run
from results.predictions import Counts, Scores, read_predictions


def write(folder, **arrays):
    path = folder / "one.npz"
    np.savez(path, **arrays)
    return {"file": "one.npz", "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def scores(split="test", **changed):
    arrays = {"ids": ["a", "b"], "groups": ["p", "q"], "labels": [0, 1]}
    arrays |= {"scores": np.full((2, 2), 0.5, np.float32), "fact_votes": [3.0, 5.0]}
    return {f"{split}_{name}": np.asarray(v) for name, v in (arrays | changed).items()}


def counts(split="test", **changed):
    arrays = {"ids": ["a/1", "a/2", "b/1"], "groups": ["p", "p", "q"], "cases": ["a", "a", "b"]}
    arrays |= {"counts": np.ones((3, 2, 2), np.int32)}
    if split == "test":
        arrays |= {"volumes": ["a", "b"], "volume_assd_mm_liver": [1.5, np.nan]}
    return {f"{split}_{name}": np.asarray(v) for name, v in (arrays | changed).items()}


def test_a_classifier_s_file(tmp_path):
    read = read_predictions(tmp_path, write(tmp_path, **scores(), **scores("validation")))
    assert isinstance(read.test, Scores) and isinstance(read.validation, Scores)
    assert read.test.facts["votes"].tolist() == [3, 5] and read.test.classes == 2
    assert read.test.same_cases(read.validation)


def test_a_segmenter_s_file(tmp_path):
    read = read_predictions(tmp_path, write(tmp_path, **counts(), **counts("validation")))
    assert isinstance(read.test, Counts) and isinstance(read.validation, Counts)
    assert read.test.volumes.tolist() == ["a", "b"] and read.validation.measured == {}
    np.testing.assert_array_equal(read.test.measured["assd_mm_liver"], [1.5, np.nan])
    assert read.test.same_cases(read.validation)


def test_scores_and_counts_are_not_of_the_same_cases(tmp_path):
    one = read_predictions(tmp_path, write(tmp_path, **scores())).test
    other = read_predictions(tmp_path, write(tmp_path, **counts())).test
    assert not one.same_cases(other) and not other.same_cases(one)


def test_without_whole_volumes_there_are_no_measures(tmp_path):
    arrays = {k: v for k, v in counts().items() if "volume" not in k}
    assert read_predictions(tmp_path, write(tmp_path, **arrays)).test.measured == {}


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        (scores(ids=["a"]), "differ in length"),
        (scores(fact_votes=[1.0]), "differ in length"),
        (scores(scores=np.ones(2)), "differ in length"),
        (scores(labels=[0, 2]), "labels of its test split are not those of its scores"),
        (scores(labels=[0, -1]), "labels of its test split are not those of its scores"),
        (scores(fact_votes=["three", "five"]), "cannot be read"),
        (counts(cases=["a", "b"]), "differ in length"),
        (counts(volumes=["a"]), "differ in length"),
        (counts(counts=np.ones((3, 2, 3), int)), "must be integers"),
        (counts(counts=np.ones((3, 2, 2))), "must be integers"),
        ({k: v for k, v in counts().items() if k != "test_cases"}, "cannot be read"),
        ({k: v for k, v in scores().items() if k != "test_labels"}, "cannot be read"),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(tmp_path, arrays, says):
    with pytest.raises(UserError, match=says):
        read_predictions(tmp_path, write(tmp_path, **arrays))


def test_a_run_of_either_kind_is_read(make_run):
    run = load_run(make_run(strata=("votes",)))
    study = run.of_task("lits_cls")[0].id
    assert run.tasks["lits_cls"].strata == ("votes",)
    assert set(run.predictions(study, 0).test.facts["votes"].tolist()) == set(range(8))


def test_a_run_from_before_strata_is_read(make_run):
    assert load_run(make_run()).tasks["lits_cls"].strata == ()
