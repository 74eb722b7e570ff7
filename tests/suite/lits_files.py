"""Small LiTS files of known content, and everything that a reader finds wrong with a folder."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np

from bench import registry
from bench.errors import BadData
from bench.spec import Case

DATASET = registry.datasets().get("lits")

SHAPE = (5, 6, 8)
"""Slices, rows, columns."""
SPACING = (2.5, 1.5, 1.25)


def anatomy() -> tuple[np.ndarray, np.ndarray]:
    """HU that tell where they lie: slices from the feet, rows from the front, columns from the
    patient's right; and a mask with a tumour at one corner."""
    slices, rows, columns = np.indices(SHAPE)
    hu = (-1000 + 100 * slices + 10 * rows + columns).astype(np.int16)
    mask = np.zeros(SHAPE, np.uint8)
    mask[1:3, 0:2, 0:3] = 1
    mask[1, 0, 0] = 2
    return hu, mask


def save(path: Path, array: np.ndarray, codes: str = "LPS") -> None:
    """Write an array (slices to head, rows to back, columns to left) with axes along `codes`."""
    turned = array.transpose(2, 1, 0)
    affine = np.diag([-SPACING[2], -SPACING[1], SPACING[0], 1.0])
    turn = nibabel.orientations.ornt_transform(
        nibabel.orientations.axcodes2ornt(tuple("LPS")),
        nibabel.orientations.axcodes2ornt(tuple(codes)),
    )
    affine = affine @ nibabel.orientations.inv_ornt_aff(turn, turned.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(nibabel.apply_orientation(turned, turn), affine), path)


def save_pair(folder: Path, number: int = 0, codes: str = "LPS") -> None:
    hu, mask = anatomy()
    save(folder / f"volume-{number}.nii.gz", hu, codes)
    save(folder / f"segmentation-{number}.nii.gz", mask, codes)


def only_case(folder: Path) -> Case:
    (case,) = DATASET.cases(folder)
    return case


def check(folder: Path) -> list[str]:
    """All problems of a folder: of its names, and of each case that can be read."""
    found = list(DATASET.problems(folder))
    for case in DATASET.cases(folder):
        try:
            DATASET.read(case)
        except BadData as error:
            found += error.problems
    return found
