"""`bench predict` as a user types it, after a run that was trained."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel
import pytest

from tests.commands import bench


def test_a_mistake_is_one_line(ended: Path, tmp_path: Path) -> None:
    done = bench("predict", ended, "gone.txt", "--entrant", "fastText", cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert (
        done.stderr == "bench: files to predict: gone.txt is missing: name a file that is there\n"
    )


@pytest.mark.slow
def test_a_run_that_was_trained_predicts(tmp_path: Path) -> None:
    settings = ("--set", "effort_epochs=2", "--set", "max_epochs=1", "--seeds", "2")
    entrants = ("--entrants", "U-Net, tiny", "--entrants", "fastText")
    made = bench(
        *("run", "--suite", "smoke", "--run", "run", "--workers", "1"),
        *("--tasks", "lits_seg,ag_news"),
        *settings,
        *entrants,
        cwd=tmp_path,
    )
    assert made.returncode == 0, made.stderr
    phantom = bench("data", "phantom", "lits", "--out", "new", "--cases", "2", cwd=tmp_path)
    assert phantom.returncode == 0
    files = sorted((tmp_path / "new").glob("volume-*"))
    done = bench("predict", "run", *files, "--entrant", "U-Net, tiny", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    out = tmp_path / "predictions-run-U-Net-tiny-lits_seg"
    assert done.stdout.splitlines()[-1] == f"wrote 2 masks to {out.name}"
    assert "PHANTOM" in done.stdout and "the training with the median mean_case_dice" in done.stdout
    for file in files:
        name = file.name.removesuffix(".gz").removesuffix(".nii")
        mask, ct = nibabel.load(out / f"{name}_mask.nii.gz"), nibabel.load(file)
        assert mask.shape == ct.shape and (mask.affine == ct.affine).all()
    (tmp_path / "t.txt").write_text("Oil prices rise\n")
    again = ("predict", "run", "t.txt", "--entrant", "fastText", "--replicate", "all")
    done = bench(*again, "--out", "texts", cwd=tmp_path)
    assert done.returncode == 0 and "all 2 trainings, an ensemble" in done.stdout
    about = json.loads((tmp_path / "texts" / "about.json").read_text())
    assert len({one["weights_sha256"] for one in about["replicates"]}) == 2
