"""What a user may get wrong, each in one line that names it, before anything is written."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from bench import registry, runs
from bench.errors import UserError
from bench.ledger import Ledger, fold, read
from bench.predict import Request, predict
from bench.predict.folder import opened
from bench.predict.replicates import choose, studies_of


@pytest.fixture
def text(tmp_path: Path) -> Path:
    (tmp_path / "t.txt").write_text("a text\n")
    return tmp_path / "t.txt"


@pytest.fixture
def ct(tmp_path: Path) -> Path:
    image = nibabel.Nifti1Image(np.zeros((9, 8, 3), np.int16), np.diag([-1.0, -1.0, 2.0, 1.0]))
    nibabel.save(image, tmp_path / "ct.nii.gz")
    return tmp_path / "ct.nii.gz"


def refusal(of: Path, file: Path | list[Path], **more: Any) -> str:
    """What is said, once nothing was written."""
    out = of.parent / "never"
    files = file if isinstance(file, list) else [file]
    with pytest.raises(UserError) as caught:
        predict(Request(**{"run": of, "entrant": "fastText", "files": files, "out": out} | more))
    assert not out.exists()
    return str(caught.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"entrant": "fastTex"}, "unknown entrant of this run 'fastTex': did you mean 'fastText'"),
        ({"entrant": "x"}, "known are FCNN, U-Net, tiny, fastText"),
        ({"task": "lits_cls"}, "unknown task of fastText in this run 'lits_cls'"),
        ({"study": "x"}, "unknown study of fastText on ag_news"),
        ({"replicate": "7"}, "the number of one that has ended, 0, 1, 2, got '7'"),
        ({"replicate": "best"}, "--replicate takes all or the number"),
        ({"storage": "/nowhere/at/all"}, "name with --storage where the run kept its checkpoints"),
        ({"run": Path("/nowhere")}, "is no run"),
        ({"device": "gpu"}, "unknown device 'gpu'"),
    ],
)
def test_what_is_unknown_is_named(ended: Path, text: Path, given: dict, said: str) -> None:
    assert said in refusal(ended, text, **given)


def test_files_that_cannot_be_meant_are_all_named(ended: Path, text: Path, ct: Path) -> None:
    found = refusal(ended, [text, ct.parent / "gone.txt", ct, ct.parent, text])
    assert "files to predict: 4 mistakes" in found
    assert "gone.txt is missing" in found and "is a folder" in found
    assert "ct.nii.gz is of another kind: ag_news takes texts as .csv" in found
    assert "t.txt is named 2 times" in found


def test_two_masks_of_one_name_are_refused(ended: Path, ct: Path) -> None:
    (ct.parent / "other").mkdir()
    other = shutil.copy(ct, ct.parent / "other" / "ct.nii.gz")
    said = refusal(ended, [ct, other], entrant="unet")
    assert "2 of the files would be written to ct_mask.nii.gz" in said


def test_an_entrant_of_two_tasks_needs_one(ended: Path) -> None:
    _, file = runs.load(ended)
    both = [one for one in file.studies if one.task.startswith("lits")]
    assert {one.task for one in both} == {"lits_cls", "lits_seg"}
    file = replace(file, studies=tuple(replace(one, entrant=both[0].entrant) for one in both))
    with pytest.raises(UserError, match="was trained on lits_cls, lits_seg: name one with --task"):
        studies_of(file, both[0].entrant.label, None, None)
    (one,) = studies_of(file, both[0].entrant.label, "lits_seg", None)
    assert one.task == "lits_seg"


def test_fixed_time_trainings_predict_only_by_name(ended: Path) -> None:
    _, file = runs.load(ended)
    (own,) = studies_of(file, "fastText", None, None)
    timed = replace(own, id="timed", time_budget_s=60.0)
    file = replace(file, studies=(timed, own))
    assert studies_of(file, "fastText", None, None) == [own]
    assert studies_of(file, "fastText", None, "timed") == [timed]


def test_searches_share_numbers_and_are_told_apart(ended: Path) -> None:
    _, file = runs.load(ended)
    state = fold(read(ended / "ledger.jsonl"))
    (own,) = studies_of(file, "fastText", None, None)
    again = replace(own, id="again")
    state.studies["again"] = state.studies[own.id]
    with pytest.raises(UserError, match="a replicate 1 in several studies.*again.*--study"):
        choose([own, again], state, "1", run=ended)
    assert len(choose([own, again], state, "all", run=ended).replicates) == 6


# --- Runs that cannot predict -----------------------------------------------------------------


def without_replicates(run: Path, *, finished: bool) -> None:
    lines = (run / "ledger.jsonl").read_text().splitlines(keepends=True)
    kept = [line for line in lines if "replicate" not in line and "run_finished" not in line]
    (run / "ledger.jsonl").write_text("".join(kept))
    if finished:
        study = next(one.id for one in runs.load(run)[1].studies if one.task == "ag_news")
        with Ledger(run / "ledger.jsonl") as events:
            fields = {"study": study, "winner": None, "why": "the same error in a row: no memory"}
            events.append("study_finished", state="failed", **fields)
            events.append("run_finished", state="failed")


def test_a_run_without_replicates_says_how_to_get_them(run: Path, text: Path) -> None:
    without_replicates(run, finished=False)
    assert f"has none: end the run with `bench resume {run}` first" in refusal(run, text)


def test_an_entrant_that_failed_says_why(run: Path, text: Path) -> None:
    without_replicates(run, finished=True)
    assert (
        "fastText on ag_news has none (the same error in a row: no memory): name another"
        in refusal(run, text)
    )


def checkpoint(run: Path, number: int) -> Path:
    study = next(one for one in runs.load(run)[1].studies if one.task == "ag_news")
    return run / "checkpoints" / study.id / f"replicate-{number}.pt"


def test_weights_that_are_gone_or_damaged_are_named(run: Path, text: Path) -> None:
    checkpoint(run, 2).write_bytes(b"PK\x03\x04 torn")
    assert "damaged checkpoint ignored" in refusal(run, text)
    checkpoint(run, 2).unlink()
    assert f"at {checkpoint(run, 2).resolve()}, they are not there" in refusal(run, text)


def test_the_weights_of_another_training_are_refused(run: Path, text: Path) -> None:
    shutil.copy(checkpoint(run, 0), checkpoint(run, 2))
    assert "is of another training than replicate 2" in refusal(run, text)


def test_a_storage_holds_the_weights_by_the_run_s_name(run: Path, text: Path) -> None:
    (run / "checkpoints").rename(run.parent / "kept")
    (run.parent / "elsewhere").mkdir()
    (run.parent / "kept").rename(run.parent / "elsewhere" / "run")
    assert "they are not there" in refusal(run, text)
    storage = f"file://{run.parent}/elsewhere/"
    out = run.parent / "made"
    assert predict(
        Request(run=run, entrant="fastText", files=[text], out=out, storage=storage)
    ).about["complete"]


def test_rows_that_were_prepared_otherwise_are_refused(run: Path, text: Path) -> None:
    content = json.loads((run / "run.json").read_text())
    content["tasks"]["ag_news"]["version"] = 99
    (run / "run.json").write_text(json.dumps(content))
    assert "begun with version 99 of ag_news, this is 1" in refusal(run, text)


def test_a_data_set_without_a_reader_says_what_to_write(
    ended: Path, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = registry.unlabelled()
    monkeypatch.setattr(registry, "unlabelled", lambda: replace(known, items={}))
    assert "write suite/unlabelled/ag_news.py" in refusal(ended, text)


# --- The folder -------------------------------------------------------------------------------


def test_a_folder_with_other_things_is_never_touched(ended: Path, text: Path) -> None:
    for force in (False, True):
        with pytest.raises(UserError, match="takes a new or empty folder, .* holds t.txt"):
            predict(
                Request(run=ended, entrant="fastText", files=[text], out=text.parent, force=force)
            )
    assert [path.name for path in text.parent.iterdir()] == ["t.txt"]


def test_earlier_predictions_are_replaced_only_by_force(ended: Path, text: Path) -> None:
    out = text.parent / "made"
    request = {"run": ended, "entrant": "fastText", "files": [text], "out": out}
    predict(Request(**request))
    (out / "notes.md").write_text("mine")
    before = (out / "predictions.csv").read_bytes()
    with pytest.raises(UserError, match="holds predictions already: .*--force"):
        predict(Request(**request))
    predict(Request(**request, replicate="0", force=True))
    assert (out / "predictions.csv").read_bytes() != before
    assert (out / "notes.md").read_text() == "mine"


def test_names_in_about_that_lead_elsewhere_are_not_removed(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "about.json").write_text(json.dumps({"outputs": ["../mine"]}))
    opened(tmp_path / "made", force=True)
    assert (tmp_path / "mine").exists() and not list((tmp_path / "made").iterdir())


# --- Files that turn out to be bad ------------------------------------------------------------


def test_bad_files_are_named_and_the_others_predicted(ended: Path, ct: Path) -> None:
    torn = ct.parent / "torn.nii.gz"
    torn.write_bytes(ct.read_bytes()[:60])
    request = Request(run=ended, entrant="unet", files=[torn, ct], out=ct.parent / "made")
    with pytest.raises(UserError, match=r"left out, the others are in .*torn.nii.gz.*corrupt gzip"):
        predict(request)
    about = json.loads((ct.parent / "made" / "about.json").read_text())
    assert about["complete"] and about["outputs"] == ["ct_mask.nii.gz"]
    assert len(about["left_out"]) == 1 and "torn.nii.gz" in about["left_out"][0]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"a,b,c,d,e\n", "has 5 columns and no header that tells which"),
        (b"text\nfine\n&lt;b&gt;\n", "row 3 has no text"),
        (b"title,description\na,b\nc\n", "row 3 has 1 columns, the first 2"),
        (b"text\n\xff\n", "row 2 is not UTF-8"),
        (b"text\n", "holds no text"),
    ],
)
def test_what_is_wrong_with_a_table_is_named(
    ended: Path, tmp_path: Path, content: bytes, said: str
) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(UserError, match="nothing was predicted") as caught:
        predict(
            Request(
                run=ended, entrant="fastText", files=[tmp_path / "t.csv"], out=tmp_path / "made"
            )
        )
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("id,Text\n1,Oil rises\n2,A final\n", 2),
        ("title,other,description\nOil,x,rises\n", 1),
        ('"3","Oil","rises"\n"9","no class","at all"\n', 2),
        ("Oil rises\nA final\n", 2),
    ],
)
def test_tables_of_each_form_are_read(ended: Path, tmp_path: Path, content: str, rows: int) -> None:
    (tmp_path / "t.csv").write_text(content)
    out = tmp_path / "made"
    done = predict(Request(run=ended, entrant="fastText", files=[tmp_path / "t.csv"], out=out))
    assert done.about["rows"] == rows


def test_no_cell_starts_a_formula(
    ended: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("=1+1.txt").write_text("a text\n")
    done = predict(
        Request(run=ended, entrant="fastText", files=[Path("=1+1.txt")], out=Path("made"))
    )
    with (done.folder / "predictions.csv").open(newline="") as stream:
        cells = [cell for row in csv.reader(stream) for cell in row]
    assert "'=1+1.txt" in cells and not any(cell.startswith("=") for cell in cells)
