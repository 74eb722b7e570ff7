"""CT volumes without a mask, and the masks that are predicted of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bench.spec import Case, Unlabelled
from suite.ct import nifti, sampling
from suite.ct.axes import Axes
from suite.ct.volume import Volume

if TYPE_CHECKING:
    import numpy as np

ENDINGS = (".nii.gz", ".nii")
REMARK_BYTES = 79
"""What NIfTI's field `descrip` holds beside its last zero."""


def stem(path: Path) -> str:
    """A file's name without its ending: of `scan.nii.gz`, `scan`."""
    ending = next(ending for ending in ENDINGS if path.name.endswith(ending))
    return path.name.removesuffix(ending)


def cases(path: Path) -> list[Case]:
    """The file's one volume."""
    return [Case(id=stem(path), group=stem(path), source=path)]


def read(case: Case) -> Volume:
    """The volume, all of it background. Raises BadData with all that is wrong with its file."""
    assert isinstance(case.source, Path)
    return nifti.read_unlabelled(case.source)


def mask(volume: Volume, scores: np.ndarray) -> np.ndarray:
    """A slice's classes on the CT's grid: see `suite.ct.sampling.restored`."""
    _, rows, columns = volume.hu.shape
    return sampling.restored(scores, rows, columns)


def write(case: Case, masks: np.ndarray, place: Path, remark: str) -> None:
    """Masks uint8 (slices, rows, columns), as `read` turns volumes, as NIfTI in the CT's own axes.

    Shape, affine with its codes, and units are the CT's. What else its header holds, texts and
    extensions, may tell who the patient is, and is left out.
    """
    import nibabel
    import numpy as np

    assert isinstance(case.source, Path)
    theirs = nibabel.load(case.source).header
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.uint8)
    header.set_data_shape(theirs.get_data_shape())
    header.set_zooms(theirs.get_zooms())
    for name in (
        "xyzt_units",
        "qform_code",
        "sform_code",
        "quatern_b",
        "quatern_c",
        "quatern_d",
        "qoffset_x",
        "qoffset_y",
        "qoffset_z",
        "srow_x",
        "srow_y",
        "srow_z",
    ):
        header[name] = theirs[name]
    header["pixdim"][0] = theirs["pixdim"][0]
    header["descrip"] = remark.encode("ascii", "replace")[:REMARK_BYTES]
    affine = theirs.get_best_affine()
    array = np.asfortranarray(Axes(affine).from_patient(masks))
    nibabel.save(nibabel.Nifti1Image(array, affine, header), place)


def mask_name(case: Case) -> str:
    return f"{case.id}_mask.nii.gz"


UNLABELLED = Unlabelled(
    layout="a CT volume in HU as NIfTI, .nii or .nii.gz",
    takes=lambda path: path.name.endswith(ENDINGS),
    cases=cases,
    read=read,
    options={"with_liver": 0, "without_liver": 0},
    mask=mask,
    write=write,
    mask_name=mask_name,
)
